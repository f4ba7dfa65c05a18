//! Events: what happened, as it is told to those whom it concerns.

use serde_json::{Map, Value};

use super::Subject;
use crate::actor::ActorReference;
use crate::id::{EventId, UserId};
use crate::time::Timestamp;
use crate::value::words;

words! {
    /// What happened.
    EventKind {
        /// An account was made.
        UserRegistered = "user.registered",
        /// A session was opened.
        SessionOpened = "session.opened",
        /// A session ended.
        SessionEnded = "session.ended",
        /// A password was changed; other sessions ended.
        PasswordChanged = "user.password_changed",
        /// An account was activated.
        UserActivated = "user.activated",
        /// An account was deactivated; its sessions ended.
        UserDeactivated = "user.deactivated",
        /// An account's own data were changed.
        UserUpdated = "user.updated",
        /// A refresh token was used a second time; the session was ended.
        RefreshReused = "session.refresh_reused",
        /// A clinic was made.
        ClinicCreated = "clinic.created",
        /// A clinic was changed.
        ClinicUpdated = "clinic.updated",
        /// A doctor's profile was made or completed.
        DoctorCreated = "doctor.created",
        /// A doctor's profile was changed.
        DoctorUpdated = "doctor.updated",
        /// A doctor was verified.
        DoctorVerified = "doctor.verified",
        /// A patient's profile was changed.
        PatientUpdated = "patient.updated",
        /// A slot was made.
        SlotCreated = "slot.created",
        /// A slot was taken back.
        SlotRetired = "slot.retired",
        /// A doctor's weekly hours were set.
        ScheduleSet = "schedule.set",
        /// Slots were published or taken back from a doctor's hours.
        SlotsPublished = "slot.published",
        /// A doctor has blocked a time.
        TimeBlocked = "time.blocked",
        /// A doctor has freed a blocked time.
        TimeUnblocked = "time.unblocked",
        /// An appointment was booked.
        AppointmentBooked = "appointment.booked",
        /// An appointment was cancelled.
        AppointmentCancelled = "appointment.cancelled",
        /// An appointment was moved to another slot.
        AppointmentRescheduled = "appointment.rescheduled",
        /// An appointment's status changed otherwise.
        AppointmentUpdated = "appointment.updated",
        /// A conversation was opened.
        ConversationOpened = "conversation.opened",
        /// A participant put a conversation away, or brought it back.
        ConversationArchived = "conversation.archived",
        /// A message was sent.
        MessageSent = "message.sent",
        /// A participant's device has messages.
        MessagesDelivered = "messages.delivered",
        /// A participant has read messages.
        MessagesRead = "messages.read",
        /// A call was begun.
        CallInitiated = "call.initiated",
        /// A device of the callee rings.
        CallRinging = "call.ringing",
        /// A device of the callee has answered.
        CallAccepted = "call.accepted",
        /// The two devices look for a way to each other.
        CallConnecting = "call.connecting",
        /// The two devices hear each other.
        CallConnected = "call.connected",
        /// A call that was answered is over.
        CallEnded = "call.ended",
        /// Nobody answered, or the caller gave up before.
        CallMissed = "call.missed",
        /// The callee did not want it.
        CallDeclined = "call.declined",
        /// The two devices did not find to each other.
        CallFailed = "call.failed",
        /// The callee was in another call, or did not want to be disturbed.
        CallBusy = "call.busy",
    }
}

/// To whom an event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// A user, on all of his devices.
    User(UserId),
}

impl Audience {
    /// The audience as rows keep it.
    #[must_use]
    pub fn as_row(self) -> String {
        match self {
            Self::User(user) => format!("user:{user}"),
        }
    }

    /// The audience of a row.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        let user = text.strip_prefix("user:")?.parse().ok()?;
        UserId::new(user).map(Self::User)
    }
}

/// Something that happened. Its data are ids and states, never text of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's id, by which a subscriber drops duplicates.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// Who is told.
    pub audience: Vec<Audience>,
    /// What it happened to.
    pub subject: Subject,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: ActorReference,
    /// Ids and states beside the subject.
    pub data: Map<String, Value>,
}

impl Event {
    /// The event with the number of the row that was made in the place of a new one.
    #[must_use]
    pub fn resolved(mut self, made: Option<i64>) -> Self {
        self.subject = self.subject.resolved(made);
        self
    }
}

/// From where to where the log of events reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSpan {
    /// The highest cursor of an event that is no longer kept; 0 when none was dropped.
    pub dropped_up_to: u64,
    /// The highest cursor that a reader can have reached; 0 when nothing was ever logged.
    pub newest: u64,
}

/// An event in the log, with the cursor that a reader goes on from.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// The cursor: it rises, but has gaps.
    pub seq: u64,
    /// The event.
    pub event: Event,
}
