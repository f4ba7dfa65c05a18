//! Conversations and who takes part in them.

use crate::actor::Role;
use crate::directory::Specialty;
use crate::id::{ConversationId, DataKeyId, UserId};
use crate::identity::FullName;
use crate::messaging::{Message, ReceiptKind, StoredMessage};
use crate::time::Timestamp;
use crate::value::words;

words! {
    /// The kind of a conversation.
    ConversationKind {
        /// Of two people; there is one for each pair.
        Direct = "direct",
    }
}

/// A conversation with its participants. It holds no text.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The id.
    pub id: ConversationId,
    /// The kind.
    pub kind: ConversationKind,
    /// The data key that seals its messages.
    pub key: DataKeyId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// The order number of the newest message; 0 when there is none. Numbers are dense, so it is
    /// the count of messages too.
    pub last_seq: u64,
    /// When the newest message was sent.
    pub last_message_at: Option<Timestamp>,
    /// Who takes part, by id.
    pub participants: Vec<Participant>,
}

/// Somebody who takes part in a conversation, and how far he has come in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: FullName,
    /// The user's role.
    pub role: Role,
    /// The field of medicine, for a doctor.
    pub specialty: Option<Specialty>,
    /// Up to which message his devices have what was sent to him.
    pub delivered_up_to: u64,
    /// Up to which message he has read.
    pub read_up_to: u64,
    /// How many messages of others come after that.
    pub unread: u64,
    /// Whether he has put the conversation away; the next message brings it back.
    pub is_archived: bool,
}

impl Participant {
    /// Up to which message he has come.
    #[must_use]
    pub fn up_to(&self, kind: ReceiptKind) -> u64 {
        match kind {
            ReceiptKind::Delivered => self.delivered_up_to,
            ReceiptKind::Read => self.read_up_to,
        }
    }
}

impl Conversation {
    /// The user's place in it, if he takes part.
    #[must_use]
    pub fn participant(&self, user: UserId) -> Option<&Participant> {
        self.participants.iter().find(|one| one.user == user)
    }

    /// The others.
    pub fn others(&self, user: UserId) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(move |one| one.user != user)
    }

    /// The other one of two.
    #[must_use]
    pub fn other(&self, user: UserId) -> Option<&Participant> {
        self.others(user).next()
    }

    /// The users who take part.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.participants.iter().map(|one| one.user).collect()
    }
}

/// A conversation in somebody's list, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversationRow {
    /// The conversation.
    pub conversation: Conversation,
    /// Its newest message.
    pub last_message: Option<StoredMessage>,
}

/// A conversation in somebody's list.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversationSummary {
    /// The conversation.
    pub conversation: Conversation,
    /// Its newest message.
    pub last_message: Option<Message>,
}
