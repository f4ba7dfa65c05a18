//! Conversations: messages in one order, receipts, unread counts, and search over sealed text.

mod archive;
mod conversation;
mod manage;
mod mark;
pub(crate) mod memory;
mod message;
mod open;
mod read_messages;
mod receipt;
mod search;
mod search_words;
mod send;
mod service;
mod store;
mod typing;

pub use conversation::{
    Conversation, ConversationKind, ConversationRow, ConversationSummary, Participant,
};
pub use mark::Marked;
pub use message::{
    ClientMessageId, Message, MessageBody, MessageKind, MessageStatus, ServiceLabel, StoredMessage,
};
pub use open::OpenConversation;
pub use read_messages::{MessagePage, MessageRange, PageFrom};
pub use receipt::ReceiptKind;
pub(crate) use receipt::{Receipt, first_covering};
pub use search::MOST_FOUND;
pub use search_words::{SearchToken, normalised_words};
pub use send::{MessageContext, SendMessage};
pub use store::{
    AppendMessage, AppendMessageOutcome, ArchiveOutcome, ClientMessage, MarkMessages,
    MarkMessagesOutcome, MessagingStore, NewConversation, OpenConversationOutcome, SearchNeedle,
};
pub use typing::Typist;

crate::engine::operations! {
    /// Conversations and their messages.
    Messaging
}
