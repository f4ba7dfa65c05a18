//! Exchanges a refresh token for a new pair of tokens.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::identity::account::Opening;
use crate::identity::{Identity, NewSession, RefreshCommand, RefreshOutcome, RefreshToken, Signed};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

impl Identity<'_> {
    /// Exchanges a refresh token. It can be used once: a second use means that somebody else
    /// holds it, and ends the session with all of its tokens.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], whatever is wrong with the token.
    pub async fn refresh(&self, actor: &Actor, token: &RefreshToken) -> Result<Signed, Error> {
        require(actor, Action::RefreshSession, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let refused = || Error::new(Code::Unauthenticated).message("Invalid refresh token");
        let presented = self.refresh_fingerprint(token);
        let found = inner.storage().session_of_refresh_token(presented).await?;
        let found = found.ok_or_else(refused)?;
        let now = self.engine.now();
        let user = found.user.id;
        let subject = Subject::uuid(Resource::Session, found.session.id.get());
        let write = inner.write(actor, now, Action::RefreshSession, subject);
        let mut reuse = inner.write(actor, now, Action::RefreshSession, subject);
        reuse.audit.data.insert("reused".into(), true.into());
        let nothing = serde_json::Map::new;
        inner.announce(&mut reuse, EventKind::RefreshReused, &[user], nothing());
        inner.announce(&mut reuse, EventKind::SessionEnded, &[user], nothing());
        let next = self.new_refresh_token();
        let command = RefreshCommand {
            presented,
            next: self.refresh_fingerprint(&next),
            expires_at: now.plus(inner.parts.settings.refresh_lifetime),
            reuse,
        };
        match inner.storage().refresh_session(&write, &command).await? {
            RefreshOutcome::Refreshed(found) => {
                let session = NewSession {
                    id: found.session.id,
                    expires_at: found.session.expires_at,
                    refresh: None,
                    network: None,
                };
                let opening = Opening {
                    session,
                    refresh_token: Some(next),
                };
                self.signed(found.user, opening, now).await
            }
            RefreshOutcome::Reused | RefreshOutcome::Ended | RefreshOutcome::Unknown => {
                Err(refused())
            }
        }
    }
}
