//! Changes the own password.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::identity::account::limited;
use crate::identity::{
    ChangePasswordOutcome, ConcludeLogin, ConcludeLoginOutcome, Identity, LoginStanding,
    NewPassword, Password,
};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

/// A change of the own password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The password as it is.
    pub current: Password,
    /// The password as it shall be.
    pub new: NewPassword,
}

impl Identity<'_> {
    /// Changes the actor's password and ends his other sessions.
    ///
    /// Wrong guesses of the current password count as failed logins.
    ///
    /// # Errors
    /// [`Code::BrokenRule`] at `current_password`, [`Code::RateLimited`].
    pub async fn change_password(
        &self,
        actor: &Actor,
        request: ChangePassword,
    ) -> Result<(), Error> {
        require(actor, Action::ChangePassword, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let Actor::User(user) = actor else {
            return Err(Error::new(Code::Forbidden));
        };
        let inner = self.inner();
        let store = inner.storage();
        let account = store.account_by_user(user.user).await?;
        let account = account.ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let typed = account.user.login_text();
        let keys = self.login_keys(typed, actor.origin(), Some(user.session));
        let limits = inner.parts.settings.guessing;
        let now = self.engine.now();
        let standing = store
            .login_standing(&keys, Some(user.user), &limits, now)
            .await?;
        if let LoginStanding::Limited(until) = standing {
            return Err(limited(until, now));
        }
        let subject = Subject::number(Resource::User, user.user.get());
        if !inner
            .parts
            .hasher
            .verify(&request.current, Some(&account.password))
            .await?
        {
            let now = self.engine.now();
            let mut write = inner.write(actor, now, Action::ChangePassword, subject);
            write.audit.data.insert("refused".into(), true.into());
            let account = Some(user.user);
            let failure = ConcludeLogin {
                keys,
                limits,
                opened: None,
                account,
            };
            return Err(match store.conclude_login(&write, &failure).await? {
                ConcludeLoginOutcome::Limited(until) => limited(until, now),
                _ => Error::broken_rule("current_password", "is not your password"),
            });
        }

        let hash = inner.parts.hasher.hash(request.new.password()).await?;
        let mut write = inner.write(actor, self.engine.now(), Action::ChangePassword, subject);
        inner.announce(
            &mut write,
            EventKind::PasswordChanged,
            &[user.user],
            serde_json::Map::new(),
        );
        let expected = &account.password;
        match store
            .change_password(&write, user.user, expected, &hash, Some(user.session))
            .await?
        {
            ChangePasswordOutcome::Changed => Ok(()),
            ChangePasswordOutcome::Superseded => Err(Error::new(Code::VersionConflict)),
            ChangePasswordOutcome::UserNotFound => Err(Error::new(Code::Unauthenticated)),
        }
    }
}
