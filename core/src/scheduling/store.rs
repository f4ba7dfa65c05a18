//! The storage trait of scheduling.

use super::{
    AppointmentFilter, AppointmentKind, AppointmentRow, AppointmentStatus, Capacity, Slot,
    SlotFacts, SlotFilter, StoredAppointment,
};
use crate::crypto::Sealed;
use crate::id::{AppointmentId, ClinicId, SealId, SlotId, UserId};
use crate::journal::Write;
use crate::page::{Page, PageRequest};
use crate::store::{Written, store_trait};
use crate::time::{LocalDay, TimeZone, Timestamp};

/// A slot to be made.
#[derive(Clone, Debug)]
pub struct NewSlot {
    /// Whose it is and when.
    pub facts: SlotFacts,
    /// The zone in which `local_day` was derived: the clinic's, or the slot is refused.
    pub time_zone: TimeZone,
    /// The day of its start in that zone.
    pub local_day: LocalDay,
    /// How many patients it takes.
    pub capacity: Capacity,
}

/// What became of a new slot, in the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateSlotOutcome {
    /// There is no such doctor.
    DoctorNotFound,
    /// There is no such clinic.
    ClinicNotFound,
    /// The doctor does not work at that clinic.
    ClinicMismatch,
    /// The clinic's zone is no longer the one the day was derived in.
    ZoneChanged,
    /// The doctor has an active slot that shares a moment with it.
    Overlap,
    /// The slot is there.
    Created(Slot),
}

/// What became of taking back a slot, in the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetireSlotOutcome {
    /// There is no such slot, or it was taken back before.
    NotFound,
    /// It has this many live appointments.
    HasBookings(u64),
    /// It is no longer offered.
    Retired(Slot),
}

/// A booking of a slot.
#[derive(Clone, Debug)]
pub struct BookCommand {
    /// What the write leaves behind, but for what follows from the slot: see
    /// [`BookCommand::write_for`].
    pub write: Write,
    /// The patient.
    pub patient: UserId,
    /// The doctor that the caller believes the slot to be of.
    pub expected_doctor: Option<UserId>,
    /// The clinic that the caller believes the slot to be at.
    pub expected_clinic: Option<ClinicId>,
    /// How doctor and patient meet.
    pub kind: AppointmentKind,
    /// Under what the row's texts are sealed.
    pub seal_id: SealId,
    /// Why the patient comes, sealed.
    pub reason_for_visit: Option<Sealed>,
    /// What the patient feels, sealed.
    pub symptoms: Option<Sealed>,
    /// Notes on the appointment, sealed.
    pub notes: Option<Sealed>,
    /// Reminders: the id of each job and how long before the start it is due.
    pub reminders: Vec<(crate::id::JobId, std::time::Duration)>,
}

/// What became of a booking, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum BookOutcome {
    /// There is no such slot.
    SlotNotFound,
    /// The slot is of another doctor or clinic than the caller believes.
    SlotMismatch,
    /// There is no such patient.
    PatientNotFound,
    /// The patient's account is deactivated.
    PatientInactive,
    /// The slot was taken back, the doctor is deactivated or not verified, or the clinic is not
    /// active.
    SlotInactive,
    /// The slot has begun.
    SlotPast,
    /// The patient has a live appointment on this slot.
    AlreadyBooked,
    /// The patient has a live appointment that shares a moment with this slot.
    PatientOverlap,
    /// Every seat is taken.
    SlotFull,
    /// The doctor is away.
    OnLeave,
    /// The doctor's appointments of that day have reached his limit.
    DailyLimit,
    /// The appointment is there and its seat is taken: pending, or confirmed when the doctor
    /// confirms without his word.
    Booked(StoredAppointment),
}

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq)]
pub enum CancelOutcome {
    /// There is no such appointment.
    NotFound,
    /// Its state cannot be cancelled any more.
    Illegal(AppointmentStatus),
    /// It is cancelled and its seat is free.
    Cancelled(StoredAppointment),
}

/// A change of an appointment's state that core has decided on.
#[derive(Clone, Debug)]
pub struct ChangeStatus {
    /// The state that core saw.
    pub from: AppointmentStatus,
    /// The state it becomes.
    pub to: AppointmentStatus,
    /// Why, sealed.
    pub reason: Option<Sealed>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeStatusOutcome {
    /// There is no such appointment.
    NotFound,
    /// The state is no longer the one that core saw.
    Superseded(AppointmentStatus),
    /// The appointment after the change.
    Changed(StoredAppointment),
}

store_trait! {
    /// Slots and appointments.
    pub trait SchedulingStore in scheduling_delegation {
        /// Makes a slot.
        ///
        /// # Behavior
        /// - `a_slot_is_refused_in_order`: the outcomes in the order of [`CreateSlotOutcome`].
        /// - `slots_of_a_doctor_do_not_overlap`: a slot that was taken back is no hindrance; one
        ///   that ends when the other begins is none.
        /// - `parallel_slots_at_one_time_make_one`
        async fn create_slot(&self, write: &Write, slot: &NewSlot) -> Written<CreateSlotOutcome>;

        /// The slot with this id, offered or not.
        ///
        /// # Behavior
        /// - `an_unknown_slot_is_none`
        async fn slot_by_id(&self, slot: SlotId) -> Option<Slot>;

        /// Slots that can be booked at `now`, by start and id.
        ///
        /// # Behavior
        /// - `only_slots_that_can_be_booked_are_listed`: active, not begun, with a free seat, of
        ///   an active and verified doctor, at an active clinic.
        /// - `slots_are_found_by_doctor_clinic_and_time`: both ends of the span included.
        async fn open_slot_page(&self, filter: &SlotFilter, now: Timestamp, page: PageRequest) -> Page<Slot>;

        /// Takes a slot back; it is kept, and is not offered any more.
        ///
        /// # Behavior
        /// - `a_slot_with_live_bookings_stays`
        /// - `a_retired_slot_is_gone`
        async fn retire_slot(&self, write: &Write, slot: SlotId) -> Written<RetireSlotOutcome>;

        /// Books a slot for several callers at once, each by itself: the answers stand in the
        /// order of the commands. It is the only way to book.
        ///
        /// # Behavior
        /// - `a_booking_is_refused_in_order`: the outcomes in the order of [`BookOutcome`]; a
        ///   refusal writes nothing.
        /// - `a_booking_takes_a_seat`: the appointment is pending and has the slot's facts; the
        ///   slot's count is one higher; [`BookCommand::write_for`] says what is left behind.
        /// - `a_booking_is_confirmed_by_hours_that_say_so`: with
        ///   [`super::WeeklyHours::auto_confirm`].
        /// - `a_slot_is_never_oversold`: N callers in parallel, in one call and in many, sell
        ///   exactly the smaller of N and the capacity.
        /// - `the_daily_limit_holds_in_parallel`: it counts live, completed and no-show
        ///   appointments of the doctor on the slot's local day, over all his slots.
        /// - `a_patient_is_never_in_two_places`: in parallel, over different slots.
        /// - `a_booking_replays_its_key`: the key comes before every refusal.
        async fn book_many(&self, slot: SlotId, commands: &[BookCommand]) -> Vec<Written<BookOutcome>>;

        /// Cancels a pending or confirmed appointment and frees its seat.
        ///
        /// # Behavior
        /// - `a_cancel_frees_one_seat`: N in parallel free one.
        /// - `a_cancelled_seat_is_sold_again`: to the same patient too.
        /// - `a_cancel_drops_the_jobs`: those that its write selects.
        async fn cancel(&self, write: &Write, appointment: AppointmentId, reason: &Sealed) -> Written<CancelOutcome>;

        /// Changes the state of an appointment if it is still the one that core saw. A seat is
        /// freed when the new state takes none.
        ///
        /// # Behavior
        /// - `a_status_changes_from_the_expected_one`
        /// - `a_rejection_frees_the_seat`
        async fn change_status(&self, write: &Write, appointment: AppointmentId, change: &ChangeStatus) -> Written<ChangeStatusOutcome>;

        /// The appointment with this id.
        ///
        /// # Behavior
        /// - `an_unknown_appointment_is_none`
        async fn appointment_by_id(&self, appointment: AppointmentId) -> Option<StoredAppointment>;

        /// Changes the notes on an appointment; `None` when there is no such appointment.
        ///
        /// # Behavior
        /// - `notes_are_replaced`
        async fn update_notes(&self, write: &Write, appointment: AppointmentId, notes: Option<&Sealed>) -> Written<Option<StoredAppointment>>;

        /// The appointment with this id, with its names.
        ///
        /// # Behavior
        /// - `appointments_are_listed_with_their_names`: and with their patients' data keys.
        async fn appointment_row(&self, appointment: AppointmentId) -> Option<AppointmentRow>;

        /// Appointments with their names, newest first: by id, downwards. A page costs two
        /// statements at most, its total and its rows, each by an index.
        ///
        /// # Behavior
        /// - `appointments_are_listed_newest_first`
        /// - `appointments_are_listed_with_their_names`: and with their patients' data keys, so
        ///   that opening a page asks for nothing more.
        /// - `appointments_are_found_by_their_start`: both ends of the span included.
        async fn appointment_page(&self, filter: &AppointmentFilter, page: PageRequest) -> Page<AppointmentRow>;

        /// Whether the doctor has an appointment with the patient that takes a seat and ended
        /// after `ended_after`, or will end.
        ///
        /// # Behavior
        /// - `a_care_relation_follows_from_an_appointment`
        async fn care_relation(&self, doctor: UserId, patient: UserId, ended_after: Timestamp) -> bool;
    }
}
