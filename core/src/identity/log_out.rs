//! Ends the own session.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::identity::Identity;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

impl Identity<'_> {
    /// Ends the actor's session; its token is refused from the next request on. A session that
    /// has ended already stays ended.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub async fn log_out(&self, actor: &Actor) -> Result<(), Error> {
        require(actor, Action::EndSession, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let Actor::User(user) = actor else {
            return Err(Error::new(Code::Forbidden));
        };
        let inner = self.inner();
        let subject = Subject::uuid(Resource::Session, user.session.get());
        let mut write = inner.write(actor, self.engine.now(), Action::EndSession, subject);
        inner.announce(
            &mut write,
            EventKind::SessionEnded,
            &[user.user],
            serde_json::Map::new(),
        );
        inner.storage().end_session(&write, user.session).await?;
        Ok(())
    }
}
