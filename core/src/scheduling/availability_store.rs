//! The storage trait of doctors' hours.

use super::{
    AppointmentStatus, BlockDetails, BlockedTime, BookOutcome, Publication, Schedule, Slot,
    SlotFacts, StoredAppointment, WeeklyHours,
};
use crate::crypto::Sealed;
use crate::id::{AppointmentId, BlockId, JobId, SlotId, UserId};
use crate::journal::Write;
use crate::store::{Written, store_trait};
use crate::time::{LocalDay, TimeZone, Timestamp};

/// What became of hours that were set, or of slots that were published, in the order of
/// precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// There is no such doctor, or he has no hours to publish from.
    NotFound,
    /// The hours have another version than the expected one, the doctor has moved to another
    /// clinic, or the clinic has another zone: decide anew.
    Superseded,
    /// The slots are there.
    Published {
        /// The hours then.
        schedule: Schedule,
        /// How many slots were made.
        made: u32,
        /// How many unbooked slots were taken back.
        retired: u32,
    },
}

/// A cancellation of a live appointment in a time that is to be blocked.
#[derive(Clone, Debug)]
pub struct CancelForBlock {
    /// The appointment.
    pub appointment: AppointmentId,
    /// What its cancellation leaves behind.
    pub write: Write,
    /// Why, sealed with its patient's key.
    pub reason: Sealed,
}

/// What became of a time to be blocked, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockOutcome {
    /// There is no such doctor.
    DoctorNotFound,
    /// Pending or confirmed appointments lie in it that were not given to be cancelled, or one
    /// is in progress: their ids, in order. Nothing was written.
    HasBookings(Vec<AppointmentId>),
    /// It is blocked, and the appointments that were given are cancelled.
    Blocked {
        /// The blocked time.
        block: BlockedTime,
        /// How many appointments were cancelled.
        cancelled: u32,
    },
}

/// A move of an appointment to another slot.
#[derive(Clone, Debug)]
pub struct RescheduleCommand {
    /// What the write leaves behind, but for what follows from the slot: see
    /// [`RescheduleCommand::write_for`].
    pub write: Write,
    /// The slot that it moves to.
    pub slot: SlotId,
    /// The state that core saw.
    pub from: AppointmentStatus,
    /// Whether a confirmed appointment has to be confirmed again, unless the doctor confirms
    /// without his word.
    pub confirm_again: bool,
    /// Why it moves, sealed. It takes the place of the reason of an earlier move.
    pub reason: Option<Sealed>,
    /// Reminders: the id of each job and how long before the start it is due.
    pub reminders: Vec<(JobId, std::time::Duration)>,
}

/// What became of a move, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum RescheduleOutcome {
    /// There is no such appointment.
    NotFound,
    /// The state is no longer the one that core saw.
    Superseded(AppointmentStatus),
    /// The appointment is on that slot already; nothing was written.
    Unchanged(StoredAppointment),
    /// The slot is another doctor's.
    OtherDoctor,
    /// The slot refuses it as it would refuse a booking of the same patient, the appointment
    /// itself left aside; never `Booked` nor `SlotMismatch`.
    Refused(BookOutcome),
    /// It has its seat on the new slot, and the seat on the old one is free.
    Rescheduled(StoredAppointment),
}

/// A slot of a doctor's day, with what decides whether it can be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySlot {
    /// The slot.
    pub slot: Slot,
    /// Whether it lies in a blocked time.
    pub is_blocked: bool,
    /// Whether the doctor's limit of its day is reached.
    pub is_day_full: bool,
    /// Whether its clinic is active.
    pub is_clinic_active: bool,
}

/// The times of a listed doctor on some days.
#[derive(Clone, Debug, PartialEq)]
pub struct DoctorDays {
    /// The zone of the wall clocks of the clinic where he works.
    pub time_zone: TimeZone,
    /// His active slots of these days, by local day and start, at most 2,000.
    pub slots: Vec<DaySlot>,
}

store_trait! {
    /// Doctors' weekly hours, the slots that are published from them, blocked times, and moves.
    pub trait AvailabilityStore in availability_delegation {
        /// The weekly hours of a doctor.
        ///
        /// # Behavior
        /// - `a_doctor_without_hours_has_none`
        async fn schedule_of_doctor(&self, doctor: UserId) -> Option<Schedule>;

        /// Sets a doctor's weekly hours and publishes slots from them in one step. `expected` is
        /// the version that core saw; `None` when there were no hours.
        ///
        /// # Behavior
        /// - `hours_are_set_at_their_version`
        /// - `publishing_is_idempotent`: the same publication again makes and retires nothing.
        /// - `publishing_retires_unbooked_slots_that_fall_out`: those that were published before,
        ///   are active and have no booked seat, begin in the span, and do not stand in the
        ///   publication with their clinic, times and capacity.
        /// - `publishing_never_touches_booked_slots`
        /// - `publishing_leaves_single_slots_alone`: those that were made one by one.
        /// - `publishing_goes_around_what_is_there`: a slot that would share a moment with an
        ///   active slot of the doctor or with a blocked time is not made.
        async fn set_schedule(&self, write: &Write, doctor: UserId, expected: Option<i64>, hours: &WeeklyHours, publication: &Publication) -> Written<PublishOutcome>;

        /// Publishes slots from hours that have this version.
        ///
        /// # Behavior
        /// - `publishing_is_idempotent`
        async fn publish_slots(&self, write: &Write, doctor: UserId, version: i64, publication: &Publication) -> PublishOutcome;

        /// Blocks a time, and cancels the appointments in it that are given. Slots in it stay as
        /// they are; they cannot be booked.
        ///
        /// # Behavior
        /// - `a_block_over_live_bookings_is_refused_with_their_ids`
        /// - `a_block_cancels_what_it_is_given`: in the same transaction, each with its own write
        ///   before that of the block. One that is not live any more, or lies elsewhere, is left
        ///   as it is.
        /// - `a_blocked_slot_cannot_be_booked`: [`BookOutcome::OnLeave`], in its place in the
        ///   order; it is not listed among the open slots.
        /// - `parallel_bookings_and_blocks_leave_no_booking_in_a_block`
        async fn block_time(&self, write: &Write, details: &BlockDetails, cancel: &[CancelForBlock]) -> Written<BlockOutcome>;

        /// Frees a blocked time of a doctor; `false` when there is none with this id.
        ///
        /// # Behavior
        /// - `an_unblocked_slot_can_be_booked`
        async fn unblock_time(&self, write: &Write, doctor: UserId, block: BlockId) -> Written<bool>;

        /// The blocked time with this id.
        ///
        /// # Behavior
        /// - `blocked_times_are_listed_by_start`
        async fn block_by_id(&self, block: BlockId) -> Option<BlockedTime>;

        /// A doctor's blocked times that share a moment with a span, by start and id, at most 500.
        ///
        /// # Behavior
        /// - `blocked_times_are_listed_by_start`
        async fn blocks_of_doctor(&self, doctor: UserId, from: Timestamp, until: Timestamp) -> Vec<BlockedTime>;

        /// A doctor's live appointments that share a moment with a span, by id.
        ///
        /// # Behavior
        /// - `live_bookings_of_a_span_are_found`
        async fn live_bookings(&self, doctor: UserId, from: Timestamp, until: Timestamp) -> Vec<StoredAppointment>;

        /// The active slot of a doctor that begins at this instant.
        ///
        /// # Behavior
        /// - `a_slot_is_found_by_its_start`: one that was taken back is none.
        async fn slot_at(&self, doctor: UserId, starts_at: Timestamp) -> Option<Slot>;

        /// A doctor's active slots from one local day to another, both included. It is what a
        /// patient looks at before he books, and costs two statements at most: the doctor with
        /// his clinic's zone, and the slots by an index on doctor, local day and start.
        ///
        /// # Behavior
        /// - `only_a_listed_doctor_has_days`
        /// - `the_slots_of_a_day_say_what_can_be_booked`: blocked, by the limit of their day,
        ///   which counts the seats that are taken in all slots of it, those that were taken back
        ///   too, and by their clinic.
        /// - `a_slot_belongs_to_its_local_day`: that of its own clinic's zone, a new one too.
        /// - `days_are_cut_at_two_thousand_slots`: by local day and start.
        async fn days_of_listed_doctor(&self, doctor: UserId, from: LocalDay, to: LocalDay) -> Option<DoctorDays>;

        /// Moves an appointment to another slot of the same doctor: the new seat is gained or
        /// nothing changes.
        ///
        /// # Behavior
        /// - `a_move_is_refused_in_order`: the outcomes in the order of [`RescheduleOutcome`].
        /// - `a_move_takes_the_new_seat_and_frees_the_old`: the appointment has the new slot's
        ///   facts; [`RescheduleCommand::write_for`] says what is left behind.
        /// - `a_move_keeps_its_reason`: that of the last move alone; a move without one has none.
        /// - `a_move_leaves_its_own_seat_aside`: its own time is no overlap, and on the same day
        ///   it does not count twice for the limit.
        /// - `parallel_moves_never_oversell`
        async fn reschedule(&self, appointment: AppointmentId, command: &RescheduleCommand) -> Written<RescheduleOutcome>;
    }
}

impl RescheduleCommand {
    /// The state of an appointment after the move, as the doctor's hours confirm or do not.
    #[must_use]
    pub fn status_after(&self, was: AppointmentStatus, auto_confirm: bool) -> AppointmentStatus {
        if was == AppointmentStatus::Confirmed && self.confirm_again && !auto_confirm {
            AppointmentStatus::Pending
        } else {
            was
        }
    }

    /// The whole write, once the slot and the doctor's hours are known: see
    /// [`super::BookCommand::write_for`].
    #[must_use]
    pub fn write_for(
        &self,
        appointment: &StoredAppointment,
        slot: &SlotFacts,
        auto_confirm: bool,
    ) -> Write {
        let mut write = self.write.clone();
        let status = self.status_after(appointment.status, auto_confirm);
        let events = write.events.iter_mut().map(|event| &mut event.data);
        for data in events.chain([&mut write.audit.data]) {
            if let Some(told) = data.get_mut("status") {
                *told = status.as_str().into();
            }
        }
        super::book::remind(&mut write, appointment.patient, slot, &self.reminders);
        write
    }
}
