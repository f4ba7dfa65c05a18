//! Calls, their states and their parties.

use std::time::Duration;

use crate::id::{AppointmentId, CallId, SessionId, UserId};
use crate::identity::FullName;
use crate::journal::EventKind;
use crate::time::Timestamp;
use crate::value::{text_values, words};

words! {
    /// What is sent in a call.
    CallKind {
        /// Picture and sound.
        Video = "video",
        /// Sound alone.
        Voice = "voice",
    }
}

words! {
    /// The state of a call.
    CallState {
        /// The server knows of it; no device of the callee does.
        Initiated = "initiated",
        /// A device of the callee rings.
        Ringing = "ringing",
        /// A device of the callee has answered.
        Accepted = "accepted",
        /// The two devices look for a way to each other.
        Connecting = "connecting",
        /// The two devices hear each other.
        Connected = "connected",
        /// It was answered and is over.
        Ended = "ended",
        /// Nobody answered, or the caller gave up before.
        Missed = "missed",
        /// The callee did not want it.
        Declined = "declined",
        /// The two devices did not find to each other.
        Failed = "failed",
        /// The callee was in another call, or did not want to be disturbed.
        Busy = "busy",
    }
}

impl CallState {
    /// Whether the call goes on.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(
            self,
            Self::Initiated | Self::Ringing | Self::Accepted | Self::Connecting | Self::Connected
        )
    }

    /// The event that tells of a call's coming into this state.
    #[must_use]
    pub const fn event(self) -> EventKind {
        match self {
            Self::Initiated => EventKind::CallInitiated,
            Self::Ringing => EventKind::CallRinging,
            Self::Accepted => EventKind::CallAccepted,
            Self::Connecting => EventKind::CallConnecting,
            Self::Connected => EventKind::CallConnected,
            Self::Ended => EventKind::CallEnded,
            Self::Missed => EventKind::CallMissed,
            Self::Declined => EventKind::CallDeclined,
            Self::Failed => EventKind::CallFailed,
            Self::Busy => EventKind::CallBusy,
        }
    }
}

words! {
    /// Why a call is over.
    EndReason {
        /// A party has hung up.
        UserHangup = "user_hangup",
        /// The callee did not want it.
        UserDeclined = "user_declined",
        /// The callee was busy.
        Busy = "busy",
        /// The callee has rejected it.
        Rejected = "rejected",
        /// The callee's device rang and nobody touched it.
        Unanswered = "unanswered",
        /// The callee's device could not connect.
        ConnectionFailed = "connection_failed",
        /// The caller gave up before it was answered.
        Cancelled = "cancelled",
        /// It rang until the deadline.
        NoAnswer = "no_answer",
        /// No device of the callee was there until the deadline.
        Unreachable = "unreachable",
        /// A party was gone for longer than the grace.
        NetworkError = "network_error",
        /// It has lasted as long as a call may.
        Timeout = "timeout",
    }
}

words! {
    /// How a call looks to one of its parties.
    CallStatus {
        /// The server knows of it; no device of the callee does.
        Initiated = "initiated",
        /// A device of the callee rings.
        Ringing = "ringing",
        /// A device of the callee has answered.
        Accepted = "accepted",
        /// The two devices look for a way to each other.
        Connecting = "connecting",
        /// The two devices hear each other.
        Connected = "connected",
        /// They heard each other, and it is over.
        Completed = "completed",
        /// Nobody answered.
        Missed = "missed",
        /// The callee did not want it.
        Declined = "declined",
        /// The two devices did not find to each other.
        Failed = "failed",
        /// The callee was busy.
        Busy = "busy",
        /// It was given up before the two heard each other.
        Cancelled = "cancelled",
    }
}

words! {
    /// On which side of a call somebody is.
    CallSide {
        /// Who has begun it.
        Caller = "outgoing",
        /// Who is called.
        Callee = "incoming",
    }
}

text_values! {
    /// The id that a client gives a call that it begins; it stands for the call in everything
    /// that this client sends: 1 to 128 characters.
    ClientCallId = line 1..=128;
    /// A device of a user, as it calls itself: 1 to 128 characters.
    DeviceId = line 1..=128;
}

impl DeviceId {
    /// The device of a session that has not named one.
    #[must_use]
    pub fn of_session(session: SessionId) -> Self {
        Self::from_row(format!("session:{session}"))
    }
}

/// A party of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallParty {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: FullName,
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq)]
pub struct CallProgress {
    /// The state.
    pub state: CallState,
    /// Why it is over.
    pub end_reason: Option<EndReason>,
    /// Who has ended it; nobody where time or the network has.
    pub ended_by: Option<UserId>,
    /// The device from which it was begun: signals go there.
    pub caller_device: Option<DeviceId>,
    /// The device that has answered: signals go there.
    pub callee_device: Option<DeviceId>,
    /// When a device of the callee rang.
    pub ringing_at: Option<Timestamp>,
    /// When it was answered.
    pub accepted_at: Option<Timestamp>,
    /// When the two heard each other.
    pub connected_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How long it took by the claim of the client that hung up, in seconds; it decides nothing.
    pub reported_duration: Option<u32>,
}

impl CallProgress {
    /// The beginning of a call from a device.
    #[must_use]
    pub fn begun(caller_device: Option<DeviceId>) -> Self {
        Self {
            state: CallState::Initiated,
            end_reason: None,
            ended_by: None,
            caller_device,
            callee_device: None,
            ringing_at: None,
            accepted_at: None,
            connected_at: None,
            ended_at: None,
            reported_duration: None,
        }
    }

    /// How long the two heard each other, by the server's clock.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match (self.connected_at, self.ended_at) {
            (Some(connected), Some(ended)) => ended.since(connected),
            _ => Duration::ZERO,
        }
    }

    /// How it looks from one side.
    ///
    /// The caller sees what he has given up as cancelled and a busy callee as busy; to the callee
    /// both are missed.
    #[must_use]
    pub fn shown_to(&self, side: CallSide) -> CallStatus {
        let is_caller = side == CallSide::Caller;
        match self.state {
            CallState::Initiated => CallStatus::Initiated,
            CallState::Ringing => CallStatus::Ringing,
            CallState::Accepted => CallStatus::Accepted,
            CallState::Connecting => CallStatus::Connecting,
            CallState::Connected => CallStatus::Connected,
            CallState::Ended if self.connected_at.is_some() => CallStatus::Completed,
            CallState::Ended => CallStatus::Cancelled,
            CallState::Missed if is_caller && self.end_reason == Some(EndReason::Cancelled) => {
                CallStatus::Cancelled
            }
            CallState::Missed => CallStatus::Missed,
            CallState::Declined => CallStatus::Declined,
            CallState::Failed => CallStatus::Failed,
            CallState::Busy if is_caller => CallStatus::Busy,
            CallState::Busy => CallStatus::Missed,
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The id. The event of its beginning has the same.
    pub id: CallId,
    /// Who has begun it.
    pub caller: CallParty,
    /// Who is called.
    pub callee: CallParty,
    /// What is sent in it.
    pub kind: CallKind,
    /// The appointment that it belongs to.
    pub appointment: Option<AppointmentId>,
    /// The id that the caller's client gave it.
    pub client_id: Option<ClientCallId>,
    /// When it was begun.
    pub initiated_at: Timestamp,
    /// How far it has come.
    pub progress: CallProgress,
    /// The number of its newest event: 1 for its beginning, one more with each change.
    pub version: u64,
}

impl Call {
    /// The side on which a user is; none for an outsider.
    #[must_use]
    pub fn side_of(&self, user: UserId) -> Option<CallSide> {
        if user == self.caller.user {
            Some(CallSide::Caller)
        } else if user == self.callee.user {
            Some(CallSide::Callee)
        } else {
            None
        }
    }

    /// The party on a side.
    #[must_use]
    pub fn party(&self, side: CallSide) -> &CallParty {
        match side {
            CallSide::Caller => &self.caller,
            CallSide::Callee => &self.callee,
        }
    }

    /// The device of a side that signals go to.
    #[must_use]
    pub fn device(&self, side: CallSide) -> Option<&DeviceId> {
        match side {
            CallSide::Caller => self.progress.caller_device.as_ref(),
            CallSide::Callee => self.progress.callee_device.as_ref(),
        }
    }

    /// Both parties.
    #[must_use]
    pub fn users(&self) -> [UserId; 2] {
        [self.caller.user, self.callee.user]
    }

    /// The name of the room in which the two meet.
    #[must_use]
    pub fn room(&self) -> String {
        room_of(self.id)
    }
}

/// The name of a call's room.
#[must_use]
pub fn room_of(call: CallId) -> String {
    format!("room-{call}")
}

impl CallSide {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}
