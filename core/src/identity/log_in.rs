//! Opens a session for somebody who knows the password.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::identity::account::limited;
use crate::identity::{
    ConcludeLogin, ConcludeLoginOutcome, Identity, LoginIdentifier, LoginStanding, Password, Signed,
};
use crate::journal::{EventKind, Resource, Subject, SubjectId};
use crate::policy::{Action, Relation, require};

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// What was typed as the account.
    pub identifier: LoginIdentifier,
    /// What was typed as the password.
    pub password: Password,
    /// Whether a refresh token is wanted.
    pub refresh: bool,
}

impl Identity<'_> {
    /// Opens a session.
    ///
    /// An unknown account and a wrong password cost the same and are answered alike. Failures
    /// are counted for the account and for the network; beyond the limit nothing is looked at.
    ///
    /// # Errors
    /// [`Code::InvalidCredentials`]; [`Code::AccountDeactivated`] after a right password only;
    /// [`Code::RateLimited`] with the time to wait.
    pub async fn log_in(&self, actor: &Actor, request: LogIn) -> Result<Signed, Error> {
        require(actor, Action::OpenSession, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let limits = inner.parts.settings.guessing;
        let account = match &request.identifier {
            LoginIdentifier::Email(email) => {
                inner.storage().account_by_email(email.folded()).await?
            }
            LoginIdentifier::Phone(phone) => {
                inner.storage().account_by_phone(phone.folded()).await?
            }
            LoginIdentifier::Unknown(_) => None,
        };
        let owner = account.as_ref().map(|account| account.user.id);
        // Whoever the account is reached by, its failures stand in one count.
        let typed = account
            .as_ref()
            .map_or(request.identifier.folded(), |it| it.user.login_text());
        let own_session = match actor {
            Actor::User(user) if Some(user.user) == owner => Some(user.session),
            _ => None,
        };
        let keys = self.login_keys(typed, actor.origin(), own_session);
        let now = self.engine.now();
        if let LoginStanding::Limited(until) = inner
            .storage()
            .login_standing(&keys, owner, &limits, now)
            .await?
        {
            return Err(limited(until, now));
        }

        let hash = account.as_ref().map(|account| &account.password);
        let is_right = inner.parts.hasher.verify(&request.password, hash).await?;
        let known = account.filter(|_| is_right);
        let is_deactivated = known
            .as_ref()
            .is_some_and(|account| !account.user.is_active);
        // A right password that opens nothing is counted and noted like a wrong one.
        let known = known.filter(|_| !is_deactivated);

        let now = self.engine.now();
        let opening = self.opening(now, Some(actor.origin()), request.refresh);
        let subject = Subject {
            resource: Resource::User,
            id: owner.map_or(SubjectId::Whole, |user| SubjectId::Number(user.get())),
        };
        let mut write = inner.write(actor, now, Action::OpenSession, subject);
        if let Some(account) = &known {
            write
                .audit
                .data
                .insert("session_id".into(), opening.session.id.to_string().into());
            let user = account.user.id;
            inner.announce(
                &mut write,
                EventKind::SessionOpened,
                &[user],
                serde_json::Map::new(),
            );
        } else {
            write.audit.data.insert("refused".into(), true.into());
        }
        let conclude = ConcludeLogin {
            keys,
            limits,
            opened: known.map(|account| (account.user.id, opening.session.clone())),
            account: owner,
        };
        match inner.storage().conclude_login(&write, &conclude).await? {
            ConcludeLoginOutcome::Opened(stored) => self.signed(stored, opening, now).await,
            ConcludeLoginOutcome::Refused if is_deactivated => {
                Err(Error::new(Code::AccountDeactivated))
            }
            ConcludeLoginOutcome::Refused => Err(Error::new(Code::InvalidCredentials)),
            ConcludeLoginOutcome::Deactivated => Err(Error::new(Code::AccountDeactivated)),
            ConcludeLoginOutcome::Limited(until) => Err(limited(until, now)),
        }
    }
}
