//! The frames of the raw chat. Ids are strings here.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemed_core::error::Error;
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::identity::Language;
use telemed_core::messaging::{ClientMessageId, Message, MessageBody, ServiceLabel};
use telemed_core::value::{Checks, Issue};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::connection::{Delivers, Packet};
use crate::extract::{Id, from_json, unless_blank};
use crate::platform::envelope::{code_word, message};

/// What a client sends: a message, or its credential as the first thing.
#[derive(Deserialize)]
pub(super) struct FrameIn {
    receiver_id: Option<Id>,
    appointment_id: Option<Value>,
    service_id: Option<Value>,
    message_text: Option<String>,
    client_msg_id: Option<String>,
    /// The access token, in the first frame of who could send it by no other way.
    pub(super) token: Option<String>,
    /// The cursor of the feed after which the client wants to be told.
    pub(super) after: Option<u64>,
}

impl FrameIn {
    /// # Errors
    /// A wrong shape that names the field.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        from_json(text.as_bytes()).map_err(|refusal| refusal.error)
    }

    /// The id that the client gave the message.
    pub(super) fn client_msg_id(&self) -> Option<&str> {
        self.client_msg_id.as_deref()
    }
}

/// A message that a client sends.
pub(super) struct Outgoing {
    pub(super) receiver: UserId,
    pub(super) appointment: Option<AppointmentId>,
    pub(super) service: Option<ServiceLabel>,
    pub(super) body: MessageBody,
    pub(super) client_id: Option<ClientMessageId>,
}

impl Outgoing {
    /// # Errors
    /// A wrong shape that names the fields.
    pub(super) fn of(frame: FrameIn, most: usize) -> Result<Self, Error> {
        let mut checks = Checks::new();
        let receiver = checks.required("receiver_id", frame.receiver_id, Id::typed);
        let appointment = label(frame.appointment_id);
        let appointment = checks.optional("appointment_id", appointment, |label| {
            let id: Option<Id> = serde_json::from_value(label).ok();
            id.ok_or_else(|| "must be a positive whole number".into())
                .and_then(Id::typed)
        });
        let service = label(frame.service_id);
        let service = checks.optional("service_id", service, |label| match label {
            Value::String(text) => ServiceLabel::new(text),
            Value::Number(number) => ServiceLabel::new(number.to_string()),
            _ => Err("must be a text".into()),
        });
        let body = checks.required("message_text", frame.message_text, |text| {
            MessageBody::new(text, most)
        });
        let client_id = unless_blank(frame.client_msg_id);
        let client_id = checks.optional("client_msg_id", client_id, ClientMessageId::new);
        let (receiver, body) = checks.finish(receiver.zip(body))?;
        Ok(Self {
            receiver,
            appointment,
            service,
            body,
            client_id,
        })
    }
}

/// Whether a text is a message to somebody.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn reads_frame(text: &str) -> bool {
    FrameIn::read(text).is_ok_and(|frame| Outgoing::of(frame, 5000).is_ok())
}

/// A label that is there: neither absent nor null nor blank.
fn label(value: Option<Value>) -> Option<Value> {
    value.filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    })
}

/// A message, as its receiver is sent it.
#[derive(Serialize)]
pub(crate) struct MessageFrame {
    sender_id: String,
    receiver_id: String,
    appointment_id: String,
    service_id: String,
    message_text: String,
    timestamp: String,
    message_id: String,
    seq: u64,
    /// The cursor from which the feed goes on after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_seq: Option<u64>,
    #[serde(skip)]
    receiver: UserId,
}

impl MessageFrame {
    /// The message for its recipient; `None` if it has none.
    pub(crate) fn of(message: &Message, feed_seq: Option<u64>) -> Option<Self> {
        let receiver = message.recipient?;
        let appointment = message.appointment.map(|id| id.to_string());
        let service = message
            .service
            .as_ref()
            .map(|label| label.as_str().to_owned());
        Some(Self {
            sender_id: message.sender.to_string(),
            receiver_id: receiver.to_string(),
            appointment_id: appointment.unwrap_or_default(),
            service_id: service.unwrap_or_default(),
            message_text: message.body.clone(),
            timestamp: message.created_at.to_string(),
            message_id: message.id.to_string(),
            seq: message.seq,
            feed_seq,
            receiver,
        })
    }

    /// Whom it is for.
    pub(crate) fn receiver(&self) -> UserId {
        self.receiver
    }

    /// The frame, which delivers the message once it is sent.
    pub(crate) fn packet(&self, delivers: Delivers) -> Packet {
        Packet {
            text: text(self),
            delivers: Some(delivers),
        }
    }
}

/// The word to a sender that his message is stored.
#[derive(Serialize)]
pub(super) struct AckFrame<'a> {
    r#type: &'static str,
    client_msg_id: &'a str,
    message_id: String,
    seq: u64,
    timestamp: String,
}

impl<'a> AckFrame<'a> {
    pub(super) fn of(client_id: &'a ClientMessageId, message: &Message) -> Self {
        Self {
            r#type: "ack",
            client_msg_id: client_id.as_str(),
            message_id: message.id.to_string(),
            seq: message.seq,
            timestamp: message.created_at.to_string(),
        }
    }
}

/// What was wrong with a frame.
#[derive(Serialize)]
pub(super) struct ErrorFrame<'a> {
    r#type: &'static str,
    error_code: &'static str,
    detail: String,
    /// Of the frame that it is about, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_msg_id: Option<&'a str>,
    /// Seconds after which the same may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<f64>,
}

impl<'a> ErrorFrame<'a> {
    pub(super) fn of(error: &Error, language: Language, client_msg_id: Option<&'a str>) -> Self {
        Self {
            r#type: "error",
            error_code: code_word(error),
            detail: message(language, error),
            client_msg_id,
            retry_after: error.retry_after.map(|wait| wait.as_secs_f64()),
        }
    }
}

/// A frame's text. Ours are structures that JSON can hold.
pub(super) fn text(frame: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(frame).unwrap_or_default().into()
}

/// Something that is no text frame.
pub(super) fn not_a_frame(reason: &'static str) -> Error {
    Error::wrong_shape(vec![Issue::new("frame", reason)])
}
