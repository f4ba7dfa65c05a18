//! Builders of conversations and messages.

use telemed_core::id::{ConversationId, MessageId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, ClientMessage, ClientMessageId, Conversation,
    MarkMessages, MarkMessagesOutcome, MessageKind, NewConversation, OpenConversationOutcome,
    Participant, ReceiptKind, SearchNeedle, SearchToken, StoredMessage,
};
use telemed_core::time::Timestamp;

use super::{NOW, World, applied, fingerprint, sealed};

/// What is looked for in a conversation.
#[must_use]
pub fn needle(conversation: ConversationId, tokens: &[i64]) -> SearchNeedle {
    SearchNeedle {
        conversation,
        tokens: tokens.iter().copied().map(SearchToken).collect(),
    }
}

/// A client's id, and what it stands for.
///
/// # Panics
/// When it is no such id.
#[must_use]
pub fn client_message(id: &str, content: u8) -> ClientMessage {
    ClientMessage {
        id: ClientMessageId::new(id).unwrap(),
        fingerprint: fingerprint(content),
    }
}

impl World {
    /// A conversation of two to be opened.
    #[must_use]
    pub fn new_conversation(&self, pair: [UserId; 2]) -> NewConversation {
        NewConversation {
            id: ConversationId::new(self.uuid()),
            pair,
            key: self.data_key(),
        }
    }

    /// Opens this conversation at a time, or finds the one of its pair.
    pub async fn open_at(&self, at: Timestamp, new: &NewConversation) -> OpenConversationOutcome {
        let subject = Subject::uuid(Resource::Conversation, new.id.get());
        let write = self.write_at(at, subject);
        applied(self.storage.open_conversation(&write, new).await.unwrap())
    }

    /// Opens the conversation of two.
    pub async fn conversation(&self, pair: [UserId; 2]) -> ConversationId {
        match self.open_at(NOW, &self.new_conversation(pair)).await {
            OpenConversationOutcome::Opened(opened) => opened.id,
            other @ OpenConversationOutcome::Existing(_) => panic!("there is one: {other:?}"),
        }
    }

    /// Two patients and their conversation.
    pub async fn two(&self) -> (ConversationId, UserId, UserId) {
        let (one, other) = (self.patient().await, self.patient().await);
        (self.conversation([one, other]).await, one, other)
    }

    /// The conversation with this id.
    pub async fn conversation_now(&self, id: ConversationId) -> Conversation {
        let found = self.storage.conversation_by_id(id).await.unwrap();
        found.unwrap()
    }

    /// A user's place in a conversation.
    pub async fn place(&self, id: ConversationId, user: UserId) -> Participant {
        let conversation = self.conversation_now(id).await;
        conversation.participant(user).unwrap().clone()
    }

    /// A message to be sent, with nothing but a text.
    #[must_use]
    pub fn new_message(&self, conversation: ConversationId, sender: UserId) -> AppendMessage {
        let id = self.uuid();
        AppendMessage {
            id: MessageId::new(id),
            conversation,
            sender,
            kind: MessageKind::Text,
            body: sealed(&format!("text {id}")),
            tokens: vec![],
            appointment: None,
            service: None,
            call: None,
            client: None,
        }
    }

    /// Sends a message at a time, whatever comes of it.
    pub async fn append_at(&self, at: Timestamp, new: &AppendMessage) -> AppendMessageOutcome {
        let subject = Subject::uuid(Resource::Message, new.id.get());
        let write = self.write_at(at, subject);
        applied(self.storage.append_message(&write, new).await.unwrap())
    }

    /// Sends this message.
    pub async fn append(&self, new: &AppendMessage) -> StoredMessage {
        match self.append_at(NOW, new).await {
            AppendMessageOutcome::Appended(message) => message,
            other => panic!("the message was refused: {other:?}"),
        }
    }

    /// Sends so many messages.
    pub async fn send(
        &self,
        conversation: ConversationId,
        sender: UserId,
        count: usize,
    ) -> Vec<StoredMessage> {
        let mut sent = Vec::with_capacity(count);
        for _ in 0..count {
            sent.push(self.append(&self.new_message(conversation, sender)).await);
        }
        sent
    }

    /// A mark at a time.
    #[must_use]
    pub fn marking(
        &self,
        at: Timestamp,
        conversation: ConversationId,
        user: UserId,
        kind: ReceiptKind,
        up_to: u64,
    ) -> MarkMessages {
        let subject = Subject::uuid(Resource::Conversation, conversation.get());
        MarkMessages {
            write: self.write_at(at, subject),
            conversation,
            user,
            kind,
            up_to,
        }
    }

    /// Marks at a time, whatever comes of it.
    pub async fn mark_at(
        &self,
        at: Timestamp,
        conversation: ConversationId,
        user: UserId,
        kind: ReceiptKind,
        up_to: u64,
    ) -> MarkMessagesOutcome {
        let mark = self.marking(at, conversation, user, kind, up_to);
        applied(self.storage.mark_messages(&mark).await.unwrap())
    }
}
