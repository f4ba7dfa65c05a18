//! Slots: times that a doctor offers, with a number of seats.

use std::time::Duration;

use crate::id::{ClinicId, SlotId, UserId};
use crate::time::{LocalDay, Timestamp};
use crate::value::number_values;

number_values! {
    /// How long a slot is: 5 to 240 minutes.
    SlotDuration = 5..=240;
    /// How many patients a slot takes: 1 to 100.
    Capacity = 1..=100;
}

impl Capacity {
    /// A slot for one patient alone.
    pub const ONE: Self = Self(1);
}

impl SlotDuration {
    /// The longest slot: what bounds the search for overlaps.
    pub const LONGEST: Duration = Duration::from_secs(240 * 60);

    /// The span of time.
    #[must_use]
    pub fn span(self) -> Duration {
        Duration::from_secs(u64::from(self.get()) * 60)
    }
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The id.
    pub id: SlotId,
    /// What never changes about it.
    pub facts: SlotFacts,
    /// The day of its start in the clinic's zone.
    pub local_day: LocalDay,
    /// How many patients it takes.
    pub capacity: Capacity,
    /// How many seats live, completed and missed appointments take: 0 to the capacity.
    pub booked_count: u16,
    /// Whether it was published from the doctor's hours; otherwise it was made by itself.
    pub is_published: bool,
    /// Whether it is offered; a slot that was taken back is kept and is not.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl Slot {
    /// How many seats are free.
    #[must_use]
    pub fn free_seats(&self) -> u16 {
        self.capacity.get().saturating_sub(self.booked_count)
    }
}

/// What never changes about a slot: whose it is and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotFacts {
    /// The doctor.
    pub doctor: UserId,
    /// The clinic.
    pub clinic: ClinicId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl SlotFacts {
    /// Whether two spans of time share a moment; one that ends when the other begins does not.
    #[must_use]
    pub fn overlaps(&self, starts_at: Timestamp, ends_at: Timestamp) -> bool {
        self.starts_at < ends_at && starts_at < self.ends_at
    }
}

/// Which slots to list. Only those are listed that can be booked: active, with a free seat, in
/// the future, of a listed doctor at an active clinic, outside of blocked times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotFilter {
    /// Of this doctor.
    pub doctor: Option<UserId>,
    /// At this clinic.
    pub clinic: Option<ClinicId>,
    /// That begin at this time or later.
    pub from: Option<Timestamp>,
    /// That begin at this time or earlier.
    pub to: Option<Timestamp>,
}
