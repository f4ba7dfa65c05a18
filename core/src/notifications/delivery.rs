//! Deliveries: what somebody is told.

use std::fmt;

use crate::id::{AppointmentId, CallId, JobId, UserId};
use crate::identity::{ContactNumber, Email, FullName};
use crate::time::{TimeZone, Timestamp};
use crate::value::words;

words! {
    /// What somebody is told.
    DeliveryKind {
        /// An appointment is booked.
        Booked = "appointment_booked",
        /// The doctor has confirmed it.
        Confirmed = "appointment_confirmed",
        /// The doctor has declined it.
        Rejected = "appointment_rejected",
        /// It is moved to another time.
        Rescheduled = "appointment_rescheduled",
        /// It is called off.
        Cancelled = "appointment_cancelled",
        /// It is near.
        Reminder = "appointment_reminder",
        /// A call was missed.
        MissedCall = "call_missed",
    }
}

/// One thing to tell one person. `Debug` shows ids only.
#[derive(Clone, PartialEq)]
pub struct Delivery {
    /// The job it comes from: the same delivery tried again has the same one, so that a channel
    /// can drop what it has carried already.
    pub job: JobId,
    /// How many times it was tried, this time included.
    pub attempt: u32,
    /// What is told.
    pub kind: DeliveryKind,
    /// Who is told.
    pub recipient: Recipient,
    /// What it is about.
    pub about: DeliverySubject,
}

/// What somebody is told about.
#[derive(Clone, PartialEq)]
pub enum DeliverySubject {
    /// An appointment.
    Appointment {
        /// Which one.
        id: AppointmentId,
        /// When it begins.
        starts_at: Timestamp,
        /// The zone of the clinic's wall clocks.
        time_zone: TimeZone,
        /// For a reminder: how many hours before the start it was due.
        hours_before: Option<u32>,
    },
    /// A call.
    Call {
        /// Which one.
        id: CallId,
        /// Who called.
        caller: FullName,
        /// When.
        initiated_at: Timestamp,
    },
}

impl DeliverySubject {
    /// The id of what it is about, as text.
    #[must_use]
    pub fn id_text(&self) -> String {
        match self {
            Self::Appointment { id, .. } => id.to_string(),
            Self::Call { id, .. } => id.to_string(),
        }
    }
}

/// Who is told, and where he is reached.
#[derive(Clone, PartialEq)]
pub struct Recipient {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub full_name: FullName,
    /// The user's e-mail address.
    pub email: Option<Email>,
    /// The user's number.
    pub contact_number: Option<ContactNumber>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("job", &self.job)
            .field("kind", &self.kind)
            .field("user", &self.recipient.user)
            .field("about", &self.about.id_text())
            .finish_non_exhaustive()
    }
}
