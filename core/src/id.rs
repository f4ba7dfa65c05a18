//! Identifiers. Each has a type of its own, so that a doctor's id is never passed for a slot's.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! integer_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A positive 64-bit integer from a sequence of the database.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The id with this number; `None` unless it is positive.
            #[must_use]
            pub const fn new(number: i64) -> Option<Self> {
                if number > 0 { Some(Self(number)) } else { None }
            }

            /// The id of a row that a store has read, whatever its number.
            #[must_use]
            pub const fn from_row(number: i64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A version 7 UUID (RFC 9562), made in core.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn get(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_id! {
    /// A user: patient, doctor or administrator. A doctor's and a patient's id is the user's id.
    UserId;
    /// A clinic.
    ClinicId;
    /// A slot.
    SlotId;
    /// An appointment.
    AppointmentId;
    /// A time that a doctor has blocked.
    BlockId;
}

uuid_id! {
    /// A session: what an access token belongs to.
    SessionId;
    /// An event in the log.
    EventId;
    /// A job.
    JobId;
    /// An audit row.
    AuditId;
    /// A data key.
    DataKeyId;
    /// The identity of a row inside the associated data of what it seals.
    SealId;
    /// A conversation.
    ConversationId;
    /// A message.
    MessageId;
    /// A call.
    CallId;
    /// A sample of a call's quality.
    SampleId;
    /// A lease of presence: one connection of a device, or what a device has said over HTTP.
    LeaseId;
}
