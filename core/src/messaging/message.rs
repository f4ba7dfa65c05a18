//! Messages.

use std::fmt;

use crate::crypto::{Column, Sealed};
use crate::id::{AppointmentId, CallId, ConversationId, MessageId, UserId};
use crate::identity::FullName;
use crate::time::Timestamp;
use crate::value::{ValueError, text_values, words};

/// What seals the body of a message; the row is the message's own id.
pub(crate) const BODY: Column = Column("messages.body");

words! {
    /// What a message is.
    MessageKind {
        /// Text.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A file.
        File = "file",
        /// A recorded voice.
        VoiceNote = "voice_note",
        /// A prescription in words.
        Prescription = "prescription",
        /// A report in words.
        Report = "report",
        /// A line of the system itself.
        System = "system",
    }
}

impl MessageKind {
    /// Whether such a message is nothing without a file.
    #[must_use]
    pub const fn needs_attachment(self) -> bool {
        matches!(self, Self::Image | Self::File | Self::VoiceNote)
    }
}

words! {
    /// How far a message has come with its recipient.
    MessageStatus {
        /// It is stored.
        Sent = "sent",
        /// A device of the recipient has it.
        Delivered = "delivered",
        /// The recipient has read it.
        Read = "read",
    }
}

text_values! {
    /// The id that a client gives a message, so that sending it again sends it once: 1 to 128
    /// characters.
    ClientMessageId = line 1..=128;
    /// The label of a service that a message is about: 1 to 64 characters.
    ServiceLabel = line 1..=64;
}

/// The text of a message: kept byte for byte, never trimmed, and escaped by whoever shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody(String);

impl MessageBody {
    /// The text, if it has at most `most` characters and is more than white space.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(text: impl Into<String>, most: usize) -> Result<Self, ValueError> {
        let text = text.into();
        if text.chars().take(most.saturating_add(1)).count() > most {
            return Err(ValueError(
                format!("must have at most {most} characters").into(),
            ));
        }
        if text.trim().is_empty() {
            return Err("must not be blank".into());
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageBody(…)")
    }
}

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage {
    /// The id; it also names the row inside the associated data of the sealed body.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The place in the conversation: dense, from 1.
    pub seq: u64,
    /// Who sent it.
    pub sender: UserId,
    /// The sender's name.
    pub sender_name: FullName,
    /// The other one of a direct conversation.
    pub recipient: Option<UserId>,
    /// What it is.
    pub kind: MessageKind,
    /// The text, sealed with the conversation's key.
    pub body: Sealed,
    /// The appointment that it is about.
    pub appointment: Option<AppointmentId>,
    /// The service that it is about.
    pub service: Option<ServiceLabel>,
    /// The call in which it was sent.
    pub call: Option<CallId>,
    /// The id that the sender's client gave it.
    pub client_id: Option<ClientMessageId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When a device of the recipient had it first.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient read it first.
    pub read_at: Option<Timestamp>,
}

/// A message, opened.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The place in the conversation: dense, from 1.
    pub seq: u64,
    /// Who sent it.
    pub sender: UserId,
    /// The sender's name.
    pub sender_name: FullName,
    /// The other one of a direct conversation.
    pub recipient: Option<UserId>,
    /// What it is.
    pub kind: MessageKind,
    /// The text, byte for byte as it was sent.
    pub body: String,
    /// The appointment that it is about.
    pub appointment: Option<AppointmentId>,
    /// The service that it is about.
    pub service: Option<ServiceLabel>,
    /// The call in which it was sent.
    pub call: Option<CallId>,
    /// The id that the sender's client gave it.
    pub client_id: Option<ClientMessageId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When a device of the recipient had it first.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient read it first.
    pub read_at: Option<Timestamp>,
}

impl Message {
    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> MessageStatus {
        if self.read_at.is_some() {
            MessageStatus::Read
        } else if self.delivered_at.is_some() {
            MessageStatus::Delivered
        } else {
            MessageStatus::Sent
        }
    }
}

// The body does not show in a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_body_is_kept_byte_for_byte() {
        for text in ["L <R left hand", "<script>", "  \ta\n", "\0a", "مُستشفى"] {
            assert_eq!(MessageBody::new(text, 20).unwrap().as_str(), text);
        }
    }

    #[test]
    fn white_space_alone_is_no_message() {
        for text in ["", " ", "\n\t", "\u{2003}"] {
            assert!(MessageBody::new(text, 20).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lengths_count_characters() {
        assert!(MessageBody::new("م".repeat(20), 20).is_ok());
        assert!(MessageBody::new("م".repeat(21), 20).is_err());
    }
}
