//! Deliveries: what somebody is told.

use std::fmt;

use crate::id::{AppointmentId, JobId, UserId};
use crate::identity::{ContactNumber, Email, FullName};
use crate::time::{TimeZone, Timestamp};
use crate::value::words;

words! {
    /// What somebody is told about an appointment.
    DeliveryKind {
        /// It is booked.
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
    /// The appointment.
    pub appointment: AppointmentId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// The zone of the clinic's wall clocks.
    pub time_zone: TimeZone,
    /// For a reminder: how many hours before the start it was due.
    pub hours_before: Option<u32>,
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
            .field("appointment", &self.appointment)
            .finish_non_exhaustive()
    }
}
