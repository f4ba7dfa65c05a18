//! Conversations, messages and calls as this surface and its sockets show them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use telemed_core::calls::{
    Call, CallRow, CallSide, CallStatus, EndReason, PartyQuality, QualityGrade, assessment, figure,
};
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::messaging::{Conversation, Message};
use utoipa::ToSchema;

use super::words::status_seen_by;

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

/// A call in a list.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct CallLine {
    /// The call.
    #[schema(format = "uuid")]
    call_id: String,
    /// Who has begun it.
    caller_id: i64,
    /// The caller's name.
    caller_name: String,
    /// Who was called.
    callee_id: i64,
    /// The callee's name.
    callee_name: String,
    /// `video` or `voice`.
    #[schema(value_type = String, example = "video")]
    call_type: &'static str,
    /// `incoming` or `outgoing` for a party.
    #[schema(value_type = Option<String>, example = "outgoing")]
    direction: Option<&'static str>,
    /// The appointment that it belongs to.
    appointment_id: Option<i64>,
    /// For how many whole seconds the two heard each other.
    duration: u64,
    /// When it was begun.
    #[schema(format = DateTime)]
    initiated_at: String,
    /// `completed`, `missed`, `declined`, `failed`, `busy`, `cancelled`, or a state while it
    /// lasts.
    #[schema(value_type = String, example = "completed")]
    status: &'static str,
    /// How good it was for the party for whom it was worse: `excellent`, `good`, `fair` or `poor`.
    #[schema(value_type = Option<String>, example = "good")]
    quality_assessment: Option<&'static str>,
}

impl CallLine {
    /// The call as a user sees it.
    pub(super) fn of(row: &CallRow, user: Option<UserId>) -> Self {
        let call = &row.call;
        let side = user.and_then(|user| call.side_of(user));
        Self {
            call_id: call.id.to_string(),
            caller_id: call.caller.user.get(),
            caller_name: call.caller.name.as_str().to_owned(),
            callee_id: call.callee.user.get(),
            callee_name: call.callee.name.as_str().to_owned(),
            call_type: call.kind.as_str(),
            direction: side.map(CallSide::as_str),
            appointment_id: call.appointment.map(AppointmentId::get),
            duration: call.progress.duration().as_secs(),
            initiated_at: call.initiated_at.to_string(),
            status: status_seen_by(call, user).as_str(),
            quality_assessment: assessment(&row.quality).map(QualityGrade::as_str),
        }
    }
}

/// A call in full.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct CallDetail {
    #[serde(flatten)]
    line: CallLine,
    #[serde(flatten)]
    times: CallTimes,
    /// What the parties have measured, by their ids.
    quality_metrics: BTreeMap<String, PartyLine>,
}

impl CallDetail {
    /// The call as a user sees it.
    pub(super) fn of(row: &CallRow, user: Option<UserId>) -> Self {
        let measured = row.quality.iter().filter(|party| party.samples > 0);
        Self {
            line: CallLine::of(row, user),
            times: CallTimes::from(&row.call),
            quality_metrics: measured
                .map(|party| (party.user.to_string(), PartyLine::from(party)))
                .collect(),
        }
    }
}

/// When a call went on, and why it is over.
#[derive(Clone, Serialize, ToSchema)]
struct CallTimes {
    /// When it was answered.
    #[schema(format = DateTime)]
    accepted_at: Option<String>,
    /// When the two heard each other.
    #[schema(format = DateTime)]
    connected_at: Option<String>,
    /// When it was over.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Why it is over, such as `user_hangup`.
    #[schema(value_type = Option<String>, example = "user_hangup")]
    end_reason: Option<&'static str>,
}

impl From<&Call> for CallTimes {
    fn from(call: &Call) -> Self {
        let progress = &call.progress;
        Self {
            accepted_at: progress.accepted_at.map(|at| at.to_string()),
            connected_at: progress.connected_at.map(|at| at.to_string()),
            ended_at: progress.ended_at.map(|at| at.to_string()),
            end_reason: progress.end_reason.map(EndReason::as_str),
        }
    }
}

/// What one party has measured.
#[derive(Clone, Serialize, ToSchema)]
struct PartyLine {
    /// The median of the round trips, in milliseconds.
    #[schema(value_type = Option<f64>)]
    rtt: Value,
    /// The median of the losses, in percent.
    #[schema(value_type = Option<f64>)]
    packet_loss: Value,
    /// The grade of the sound in the newest sample.
    #[schema(value_type = Option<String>, example = "good")]
    audio_quality: Option<&'static str>,
}

impl From<&PartyQuality> for PartyLine {
    fn from(party: &PartyQuality) -> Self {
        Self {
            rtt: measured(party.round_trip),
            packet_loss: measured(party.loss),
            audio_quality: party.audio.map(QualityGrade::as_str),
        }
    }
}

/// A figure that may not have been measured.
pub(super) fn measured(value: Option<f64>) -> Value {
    value.map_or(Value::Null, figure)
}

/// How a call went.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct CallSummary {
    /// The call.
    #[schema(format = "uuid")]
    call_id: String,
    /// `video` or `voice`.
    #[schema(value_type = String, example = "video")]
    call_type: &'static str,
    /// As the history shows it.
    #[schema(value_type = String, example = "completed")]
    status: &'static str,
    /// For how many whole seconds the two heard each other.
    duration: u64,
    /// When it was begun.
    #[schema(format = DateTime)]
    initiated_at: String,
    #[serde(flatten)]
    times: CallTimes,
}

impl CallSummary {
    /// The call with how it looks to whom it is shown.
    pub(crate) fn of(call: &Call, status: CallStatus) -> Self {
        Self {
            call_id: call.id.to_string(),
            call_type: call.kind.as_str(),
            status: status.as_str(),
            duration: call.progress.duration().as_secs(),
            initiated_at: call.initiated_at.to_string(),
            times: CallTimes::from(call),
        }
    }
}
