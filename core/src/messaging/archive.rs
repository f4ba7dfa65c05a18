//! Puts a conversation away for one of its participants, or brings it back.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, data, settle};
use crate::error::Error;
use crate::id::ConversationId;
use crate::journal::{EventKind, Resource, Subject};
use crate::messaging::service::{missing, user_of};
use crate::messaging::{ArchiveOutcome, Conversation, Messaging};
use crate::policy::Action;

impl Messaging<'_> {
    /// Puts a conversation away for the actor alone, or brings it back; the next message brings
    /// it back by itself.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but participants.
    pub async fn archive(
        &self,
        actor: &Actor,
        id: ConversationId,
        archived: bool,
    ) -> Result<Conversation, Error> {
        let inner = self.inner();
        let (conversation, _) = self.own(actor, id, Action::ArchiveConversation).await?;
        let user = user_of(actor)?;
        let parts = RequestParts::default()
            .text(Some(&id.to_string()))
            .number(i64::from(archived));
        let keyed = self.command(actor, Action::ArchiveConversation, parts);
        let subject = Subject::uuid(Resource::Conversation, id.get());
        let mut write = inner.write(
            actor,
            self.engine.now(),
            Action::ArchiveConversation,
            subject,
        );
        let state = data([("is_archived", archived.into())]);
        write.audit.data.clone_from(&state);
        inner.announce(&mut write, EventKind::ConversationArchived, &[user], state);
        write.idempotency = keyed.claim();
        let answer = inner
            .storage()
            .archive_conversation(&write, id, user, archived)
            .await?;
        match settle(answer)? {
            Settled::Now(ArchiveOutcome::Unchanged(now) | ArchiveOutcome::Changed(now)) => Ok(now),
            Settled::Now(ArchiveOutcome::NotFound) => Err(missing(id)),
            Settled::Before(_) => Ok(conversation),
        }
    }
}
