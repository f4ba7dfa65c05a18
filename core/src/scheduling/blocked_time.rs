//! Times that a doctor has blocked: leaves, and hours in which he is away.

use crate::crypto::{Column, Sealed};
use crate::id::{BlockId, SealId, UserId};
use crate::scheduling::LocalTime;
use crate::time::{LocalDay, Timestamp};

/// Where [`BlockedTime::reason`] is sealed to.
pub(crate) const BLOCK_REASON: Column = Column("blocked_times.reason");

/// A blocked time.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockedTime {
    /// The id.
    pub id: BlockId,
    /// What was decided about it.
    pub details: BlockDetails,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What somebody decides about a blocked time.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockDetails {
    /// The doctor.
    pub doctor: UserId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The day that was meant, by the clinic's wall clocks.
    pub day: LocalDay,
    /// The beginning that was meant.
    pub start: LocalTime,
    /// The end that was meant.
    pub end: LocalTime,
    /// The name of the zone in which it was meant.
    pub time_zone: String,
    /// Under what the reason is sealed.
    pub seal_id: SealId,
    /// Why, sealed with the doctor's key.
    pub reason: Option<Sealed>,
}
