//! Conversations and messages as this surface and its sockets show them.

use serde::Serialize;
use telemed_core::id::UserId;
use telemed_core::messaging::{Conversation, Message};
use utoipa::ToSchema;

/// A message.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct MessageLine {
    /// The id.
    #[schema(format = "uuid")]
    message_id: String,
    /// The conversation.
    #[schema(format = "uuid")]
    conversation_id: String,
    /// Who sent it.
    sender_id: i64,
    /// The sender's name.
    sender_name: String,
    /// The text, byte for byte as it was sent: escape it where you show it.
    body: String,
    /// `text`, `image`, `file`, `voice_note`, `prescription`, `report` or `system`.
    #[schema(value_type = String, example = "text")]
    message_type: &'static str,
    /// `sent`, `delivered` or `read`.
    #[schema(value_type = String, example = "sent")]
    status: &'static str,
    /// When it was sent.
    #[schema(format = DateTime)]
    created_at: String,
    /// When a device of the recipient had it first.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// When the recipient read it first.
    #[schema(format = DateTime)]
    read_at: Option<String>,
    /// The call in which it was sent.
    #[schema(format = "uuid")]
    call_id: Option<String>,
    /// The id that the sender's client gave it.
    client_msg_id: Option<String>,
    /// Its place in the conversation: dense, from 1.
    seq: u64,
}

impl From<Message> for MessageLine {
    fn from(message: Message) -> Self {
        Self {
            status: message.status().as_str(),
            message_id: message.id.to_string(),
            conversation_id: message.conversation.to_string(),
            sender_id: message.sender.get(),
            sender_name: message.sender_name.as_str().to_owned(),
            body: message.body,
            message_type: message.kind.as_str(),
            created_at: message.created_at.to_string(),
            delivered_at: message.delivered_at.map(|at| at.to_string()),
            read_at: message.read_at.map(|at| at.to_string()),
            call_id: message.call.map(|id| id.to_string()),
            client_msg_id: message.client_id.map(|id| id.as_str().to_owned()),
            seq: message.seq,
        }
    }
}

/// A conversation, as the caller sees it.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ConversationLine {
    /// The id.
    #[schema(format = "uuid")]
    conversation_id: String,
    /// Who takes part, by id.
    participant_ids: Vec<i64>,
    /// `direct`.
    #[schema(value_type = String, example = "direct")]
    conversation_type: &'static str,
    /// When the newest message was sent.
    #[schema(format = DateTime)]
    last_message_at: Option<String>,
    /// How many messages the caller has not read.
    unread_count: u64,
}

impl ConversationLine {
    /// The conversation for one of its participants.
    pub(super) fn of(conversation: &Conversation, user: Option<UserId>) -> Self {
        let own = user.and_then(|user| conversation.participant(user));
        Self {
            conversation_id: conversation.id.to_string(),
            participant_ids: conversation.users().iter().map(|user| user.get()).collect(),
            conversation_type: conversation.kind.as_str(),
            last_message_at: conversation.last_message_at.map(|at| at.to_string()),
            unread_count: own.map_or(0, |own| own.unread),
        }
    }
}
