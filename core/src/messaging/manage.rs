//! Looking at conversations and messages.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::id::{ConversationId, MessageId};
use crate::journal::Event;
use crate::messaging::service::user_of;
use crate::messaging::{Conversation, ConversationRow, ConversationSummary, Message, Messaging};
use crate::page::{Page, PageRequest};
use crate::policy::{Action, Relation, require};

impl Messaging<'_> {
    /// A conversation of the actor's.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants.
    pub async fn conversation(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<Conversation, Error> {
        let (conversation, _) = self.own(actor, id, Action::ReadConversation).await?;
        Ok(conversation)
    }

    /// Whether there is a conversation at all. A surface that tells outsiders that a conversation
    /// is not theirs asks this; the others keep to "not found".
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_conversation(&self, id: ConversationId) -> Result<bool, Error> {
        let found = self.inner().storage().conversation_by_id(id).await?;
        Ok(found.is_some())
    }

    /// The actor's conversations, the most recently active first, with their newest messages.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub async fn conversations(
        &self,
        actor: &Actor,
        with_archived: bool,
        page: PageRequest,
    ) -> Result<Page<ConversationSummary>, Error> {
        require(actor, Action::ListConversations, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let user = user_of(actor)?;
        let rows = self
            .inner()
            .storage()
            .conversation_page(user, with_archived, page)
            .await?;
        let newest = rows.items.iter().filter_map(|row| row.last_message.clone());
        let mut newest = self.open_all(newest.collect()).await?.into_iter();
        let summary = |row: ConversationRow| ConversationSummary {
            // They come in the order in which they were collected.
            last_message: row.last_message.and_then(|_| newest.next()),
            conversation: row.conversation,
        };
        Ok(rows.map(summary))
    }

    /// The message that an event is about, as its audience is shown it; `None` when the event is
    /// about something else.
    ///
    /// # Errors
    /// When the store fails or the message does not open.
    pub async fn message_of_event(&self, event: &Event) -> Result<Option<Message>, Error> {
        if event.kind != crate::journal::EventKind::MessageSent {
            return Ok(None);
        }
        let Some(id) = event.subject.as_uuid().map(MessageId::new) else {
            return Ok(None);
        };
        match self.inner().storage().messages_by_ids(&[id]).await?.pop() {
            Some(stored) => self.open_one(stored).await.map(Some),
            None => Ok(None),
        }
    }
}
