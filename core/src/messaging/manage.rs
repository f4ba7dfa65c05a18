//! Looking at conversations and messages.

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::id::{ConversationId, MessageId};
use crate::journal::{Event, EventKind};
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

    /// A conversation of the actor's, with its newest message.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants.
    pub async fn conversation_summary(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationSummary, Error> {
        let (conversation, _) = self.own(actor, id, Action::ReadConversation).await?;
        let newest = conversation.last_seq;
        let storage = self.inner().storage();
        let found = match newest {
            0 => Vec::new(),
            _ => storage.message_window(id, newest, newest).await?,
        };
        Ok(ConversationSummary {
            last_message: self.open_all(found).await?.pop(),
            conversation,
        })
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
        Ok(self.messages_of_events([event]).await?.pop())
    }

    /// The messages that events are about, as their audience is shown them, in any order: one
    /// look-up for all. Events about something else are left out.
    ///
    /// # Errors
    /// When the store fails or a message does not open.
    pub async fn messages_of_events(
        &self,
        events: impl IntoIterator<Item = &Event>,
    ) -> Result<Vec<Message>, Error> {
        let ids: Vec<_> = events
            .into_iter()
            .filter(|event| event.kind == EventKind::MessageSent)
            .filter_map(|event| event.subject.as_uuid().map(MessageId::new))
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.open_all(self.inner().storage().messages_by_ids(&ids).await?)
            .await
    }
}
