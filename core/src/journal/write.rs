//! The command that accompanies every write.

use uuid::Uuid;

use super::{AuditRow, Event, Job, JobSelector, KeyClaim};
use crate::actor::ActorReference;
use crate::time::Timestamp;
use crate::value::words;

/// What a write leaves behind in its own transaction: the audit row, events, jobs and the
/// idempotency key. A refusal leaves nothing.
#[derive(Clone, Debug)]
pub struct Write {
    /// When it happens: the time of every row that the write makes or changes.
    pub at: Timestamp,
    /// Who does it.
    pub actor: ActorReference,
    /// The audit row.
    pub audit: AuditRow,
    /// The events, in order.
    pub events: Vec<Event>,
    /// Jobs to drop, before those of `jobs` are added.
    pub drop_jobs: Vec<JobSelector>,
    /// Jobs to add.
    pub jobs: Vec<Job>,
    /// The key under which the effect is remembered.
    pub idempotency: Option<KeyClaim>,
}

words! {
    /// The kind of thing that a subject is.
    Resource {
        /// A user account.
        User = "user",
        /// A patient's profile.
        Patient = "patient",
        /// A doctor's profile.
        Doctor = "doctor",
        /// A clinic.
        Clinic = "clinic",
        /// A slot.
        Slot = "slot",
        /// An appointment.
        Appointment = "appointment",
        /// A doctor's weekly hours.
        Schedule = "schedule",
        /// A time that a doctor has blocked.
        BlockedTime = "blocked_time",
        /// A session.
        Session = "session",
        /// A conversation.
        Conversation = "conversation",
        /// A message.
        Message = "message",
        /// A call.
        Call = "call",
        /// The installation as a whole.
        Installation = "installation",
    }
}

/// What an event, a job, an audit row or a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The kind of thing.
    pub resource: Resource,
    /// Which one.
    pub id: SubjectId,
}

/// Which thing a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectId {
    /// The row that this write makes: the store puts its number here.
    New,
    /// A row with an integer id.
    Number(i64),
    /// A row with a UUID.
    Uuid(Uuid),
    /// The only one of its kind, or none in particular.
    Whole,
}

impl Subject {
    /// The row that this write makes.
    #[must_use]
    pub fn new_row(resource: Resource) -> Self {
        Self {
            resource,
            id: SubjectId::New,
        }
    }

    /// A row with an integer id.
    #[must_use]
    pub fn number(resource: Resource, id: i64) -> Self {
        Self {
            resource,
            id: SubjectId::Number(id),
        }
    }

    /// A row with a UUID.
    #[must_use]
    pub fn uuid(resource: Resource, id: Uuid) -> Self {
        Self {
            resource,
            id: SubjectId::Uuid(id),
        }
    }

    /// The subject with the number of the row that was made in the place of
    /// [`SubjectId::New`].
    #[must_use]
    pub fn resolved(self, made: Option<i64>) -> Self {
        match (self.id, made) {
            (SubjectId::New, Some(number)) => Self::number(self.resource, number),
            _ => self,
        }
    }

    /// The integer id, if it has one.
    #[must_use]
    pub fn as_number(self) -> Option<i64> {
        match self.id {
            SubjectId::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The UUID, if it has one.
    #[must_use]
    pub fn as_uuid(self) -> Option<Uuid> {
        match self.id {
            SubjectId::Uuid(uuid) => Some(uuid),
            _ => None,
        }
    }

    /// The id as text, as rows keep it: digits, a UUID, or nothing.
    #[must_use]
    pub fn id_text(self) -> String {
        match self.id {
            SubjectId::Number(number) => number.to_string(),
            SubjectId::Uuid(uuid) => uuid.to_string(),
            SubjectId::New | SubjectId::Whole => String::new(),
        }
    }

    /// The subject of a row: the resource's word and the id as [`Subject::id_text`] wrote it.
    #[must_use]
    pub fn from_row(resource: &str, id: &str) -> Option<Self> {
        let resource = Resource::parse(resource).ok()?;
        let id = if id.is_empty() {
            SubjectId::Whole
        } else if let Ok(number) = id.parse() {
            SubjectId::Number(number)
        } else {
            SubjectId::Uuid(id.parse().ok()?)
        };
        Some(Self { resource, id })
    }
}
