//! The in-memory store of scheduling.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::availability_memory::AvailabilityState;
use super::{
    AppointmentFilter, AppointmentNames, AppointmentRow, AppointmentStatus, BookCommand,
    BookOutcome, CancelOutcome, Capacity, ChangeStatus, ChangeStatusOutcome, CreateSlotOutcome,
    NewSlot, RetireSlotOutcome, SchedulingStore, Slot, SlotFacts, SlotFilter, StoredAppointment,
};
use crate::crypto::Sealed;
use crate::id::{AppointmentId, ClinicId, SlotId, UserId};
use crate::journal::Write;
use crate::memory::{Decided, MemoryStorage, State, keyed, next, page_of};
use crate::page::{Page, PageRequest};
use crate::store::{StoreResult, Written};
use crate::time::{LocalDay, TimeZone, Timestamp};

/// What scheduling keeps.
#[derive(Default)]
pub(crate) struct SchedulingState {
    last_slot: i64,
    pub(super) slots: BTreeMap<SlotId, Slot>,
    last_appointment: i64,
    pub(crate) appointments: BTreeMap<AppointmentId, StoredAppointment>,
    pub(super) availability: AvailabilityState,
}

impl SchedulingState {
    /// Derives the local days of a clinic's slots and appointments from its new zone.
    pub(crate) fn move_local_days(&mut self, clinic: ClinicId, zone: &TimeZone) {
        for slot in self
            .slots
            .values_mut()
            .filter(|slot| slot.facts.clinic == clinic)
        {
            slot.local_day = slot.facts.starts_at.local_day(zone);
        }
        let appointments = self.appointments.values_mut();
        for appointment in appointments.filter(|one| one.facts.clinic == clinic) {
            appointment.local_day = appointment.facts.starts_at.local_day(zone);
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &StoredAppointment> {
        self.appointments
            .values()
            .filter(|one| one.status.is_live())
    }

    /// The doctor's active slots.
    pub(super) fn active_slots(&self, doctor: UserId) -> impl Iterator<Item = &Slot> {
        self.slots
            .values()
            .filter(move |slot| slot.is_active && slot.facts.doctor == doctor)
    }

    /// Whether the doctor has an active slot that shares a moment with these facts.
    pub(super) fn has_slot_across(&self, facts: &SlotFacts) -> bool {
        self.active_slots(facts.doctor)
            .any(|slot| slot.facts.overlaps(facts.starts_at, facts.ends_at))
    }

    /// Adds a slot without bookings.
    pub(super) fn add_slot(
        &mut self,
        facts: SlotFacts,
        local_day: LocalDay,
        capacity: Capacity,
        is_published: bool,
        at: Timestamp,
    ) -> Slot {
        let slot = Slot {
            id: SlotId::from_row(next(&mut self.last_slot)),
            facts,
            local_day,
            capacity,
            booked_count: 0,
            is_published,
            is_active: true,
            created_at: at,
            updated_at: at,
        };
        self.slots.insert(slot.id, slot.clone());
        slot
    }

    pub(super) fn take_seat(&mut self, slot: SlotId, at: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.booked_count += 1;
            slot.updated_at = at;
        }
    }

    pub(super) fn free_seat(&mut self, slot: SlotId, at: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.booked_count = slot.booked_count.saturating_sub(1);
            slot.updated_at = at;
        }
    }
}

impl State {
    /// Whether patients may be booked on a slot, its time and its seats aside.
    fn is_offered(&self, slot: &Slot) -> bool {
        let clinic = self.directory.clinic(slot.facts.clinic);
        slot.is_active
            && self
                .doctor(slot.facts.doctor)
                .is_some_and(|doctor| doctor.is_listed())
            && clinic.is_some_and(|clinic| clinic.details.is_active)
    }

    /// Whether the doctor's limit of a day is reached, one appointment left aside.
    pub(super) fn day_is_full(
        &self,
        doctor: UserId,
        day: LocalDay,
        aside: Option<AppointmentId>,
    ) -> bool {
        let counts = |one: &&StoredAppointment| {
            one.facts.doctor == doctor
                && one.local_day == day
                && one.status.takes_seat()
                && Some(one.id) != aside
        };
        let taken = self.scheduling.appointments.values().filter(counts).count();
        let limit = self
            .doctor(doctor)
            .map_or(0, |doctor| doctor.details.daily_limit.get());
        taken >= usize::from(limit)
    }

    /// An appointment with its names.
    fn appointment_row(&self, appointment: &StoredAppointment) -> Option<AppointmentRow> {
        let doctor = self.doctor(appointment.facts.doctor)?;
        let clinic = self.directory.clinic(appointment.facts.clinic)?;
        let names = AppointmentNames {
            patient: self.identity.user(appointment.patient)?.full_name.clone(),
            doctor: doctor.full_name,
            specialty: doctor.details.specialty,
            time_zone: clinic.details.time_zone.clone(),
        };
        Some(AppointmentRow {
            appointment: appointment.clone(),
            names,
            patient_key: self.identity.data_key_of(appointment.patient).cloned(),
        })
    }
}

fn create_slot(state: &mut State, at: Timestamp, new: &NewSlot) -> Decided<CreateSlotOutcome> {
    let facts = new.facts;
    let Some(doctor) = state.doctor(facts.doctor) else {
        return Decided::Refused(CreateSlotOutcome::DoctorNotFound);
    };
    let Some(clinic) = state.directory.clinic(facts.clinic) else {
        return Decided::Refused(CreateSlotOutcome::ClinicNotFound);
    };
    if doctor.details.clinic != facts.clinic {
        return Decided::Refused(CreateSlotOutcome::ClinicMismatch);
    }
    if clinic.details.time_zone != new.time_zone {
        return Decided::Refused(CreateSlotOutcome::ZoneChanged);
    }
    let scheduling = &mut state.scheduling;
    if scheduling.has_slot_across(&facts) {
        return Decided::Refused(CreateSlotOutcome::Overlap);
    }
    let slot = scheduling.add_slot(facts, new.local_day, new.capacity, false, at);
    let number = slot.id.get();
    Decided::Made(CreateSlotOutcome::Created(slot), number)
}

fn retire_slot(state: &mut State, at: Timestamp, slot: SlotId) -> Decided<RetireSlotOutcome> {
    let live = state
        .scheduling
        .live()
        .filter(|one| one.slot == slot)
        .count();
    match state.scheduling.slots.get_mut(&slot) {
        Some(row) if row.is_active => {
            if live > 0 {
                return Decided::Refused(RetireSlotOutcome::HasBookings(live as u64));
            }
            row.is_active = false;
            row.updated_at = at;
            Decided::Changed(RetireSlotOutcome::Retired(row.clone()))
        }
        _ => Decided::Refused(RetireSlotOutcome::NotFound),
    }
}

/// Why a slot refuses a patient, if it does: the rules in their order. When an appointment is to
/// be moved to the slot, it is left aside itself.
pub(super) fn refuses(
    state: &State,
    at: Timestamp,
    slot: &Slot,
    patient: UserId,
    aside: Option<AppointmentId>,
) -> Option<BookOutcome> {
    let facts = slot.facts;
    let Some(patient) = state.patient(patient) else {
        return Some(BookOutcome::PatientNotFound);
    };
    if !patient.is_active {
        return Some(BookOutcome::PatientInactive);
    }
    if !state.is_offered(slot) {
        return Some(BookOutcome::SlotInactive);
    }
    if facts.starts_at <= at {
        return Some(BookOutcome::SlotPast);
    }
    let of_patient = || {
        state
            .scheduling
            .live()
            .filter(|one| one.patient == patient.id && Some(one.id) != aside)
    };
    if of_patient().any(|one| one.slot == slot.id) {
        return Some(BookOutcome::AlreadyBooked);
    }
    if of_patient().any(|one| one.facts.overlaps(facts.starts_at, facts.ends_at)) {
        return Some(BookOutcome::PatientOverlap);
    }
    if slot.free_seats() == 0 {
        return Some(BookOutcome::SlotFull);
    }
    if state.scheduling.availability.is_blocked(&facts) {
        return Some(BookOutcome::OnLeave);
    }
    if state.day_is_full(facts.doctor, slot.local_day, aside) {
        return Some(BookOutcome::DailyLimit);
    }
    None
}

fn book(
    state: &mut State,
    at: Timestamp,
    slot: SlotId,
    command: &BookCommand,
) -> Decided<BookOutcome> {
    let Some(slot) = state.scheduling.slots.get(&slot).cloned() else {
        return Decided::Refused(BookOutcome::SlotNotFound);
    };
    let facts = slot.facts;
    let is_as_believed = command.expected_doctor.is_none_or(|it| it == facts.doctor)
        && command.expected_clinic.is_none_or(|it| it == facts.clinic);
    if !is_as_believed {
        return Decided::Refused(BookOutcome::SlotMismatch);
    }
    if let Some(refusal) = refuses(state, at, &slot, command.patient, None) {
        return Decided::Refused(refusal);
    }
    let status = if state.scheduling.availability.confirms(facts.doctor) {
        AppointmentStatus::Confirmed
    } else {
        AppointmentStatus::Pending
    };
    let scheduling = &mut state.scheduling;
    let id = AppointmentId::from_row(next(&mut scheduling.last_appointment));
    let appointment = StoredAppointment {
        id,
        patient: command.patient,
        slot: slot.id,
        facts,
        local_day: slot.local_day,
        kind: command.kind,
        status,
        seal_id: command.seal_id,
        reason_for_visit: command.reason_for_visit.clone(),
        symptoms: command.symptoms.clone(),
        notes: command.notes.clone(),
        status_reason: None,
        reschedule_reason: None,
        cancelled_at: None,
        created_at: at,
        updated_at: at,
    };
    scheduling.appointments.insert(id, appointment.clone());
    scheduling.take_seat(slot.id, at);
    Decided::Made(BookOutcome::Booked(appointment), id.get())
}

pub(super) fn cancel(
    state: &mut State,
    at: Timestamp,
    appointment: AppointmentId,
    reason: &Sealed,
) -> Decided<CancelOutcome> {
    let Some(row) = state.scheduling.appointments.get_mut(&appointment) else {
        return Decided::Refused(CancelOutcome::NotFound);
    };
    if !matches!(
        row.status,
        AppointmentStatus::Pending | AppointmentStatus::Confirmed
    ) {
        return Decided::Refused(CancelOutcome::Illegal(row.status));
    }
    row.status = AppointmentStatus::Cancelled;
    row.status_reason = Some(reason.clone());
    row.cancelled_at = Some(at);
    row.updated_at = at;
    let cancelled = row.clone();
    state.scheduling.free_seat(cancelled.slot, at);
    Decided::Changed(CancelOutcome::Cancelled(cancelled))
}

fn change_status(
    state: &mut State,
    at: Timestamp,
    appointment: AppointmentId,
    change: &ChangeStatus,
) -> Decided<ChangeStatusOutcome> {
    let Some(row) = state.scheduling.appointments.get_mut(&appointment) else {
        return Decided::Refused(ChangeStatusOutcome::NotFound);
    };
    if row.status != change.from {
        return Decided::Refused(ChangeStatusOutcome::Superseded(row.status));
    }
    row.status = change.to;
    if change.reason.is_some() {
        row.status_reason.clone_from(&change.reason);
    }
    row.updated_at = at;
    let changed = row.clone();
    if change.from.takes_seat() && !change.to.takes_seat() {
        state.scheduling.free_seat(changed.slot, at);
    }
    Decided::Changed(ChangeStatusOutcome::Changed(changed))
}

#[async_trait]
impl SchedulingStore for MemoryStorage {
    async fn create_slot(
        &self,
        write: &Write,
        slot: &NewSlot,
    ) -> StoreResult<Written<CreateSlotOutcome>> {
        Ok(self.keyed(write, |state| create_slot(state, write.at, slot)))
    }

    async fn slot_by_id(&self, slot: SlotId) -> StoreResult<Option<Slot>> {
        Ok(self.read(|state| state.scheduling.slots.get(&slot).cloned()))
    }

    async fn open_slot_page(
        &self,
        filter: &SlotFilter,
        now: Timestamp,
        page: PageRequest,
    ) -> StoreResult<Page<Slot>> {
        let is_wanted = |slot: &Slot| {
            filter
                .doctor
                .is_none_or(|doctor| slot.facts.doctor == doctor)
                && filter
                    .clinic
                    .is_none_or(|clinic| slot.facts.clinic == clinic)
                && filter.from.is_none_or(|from| slot.facts.starts_at >= from)
                && filter.to.is_none_or(|to| slot.facts.starts_at <= to)
        };
        Ok(self.read(|state| {
            let can_be_booked = |slot: &&Slot| {
                slot.facts.starts_at > now
                    && slot.free_seats() > 0
                    && state.is_offered(slot)
                    && !state.scheduling.availability.is_blocked(&slot.facts)
            };
            let open = state.scheduling.slots.values().filter(can_be_booked);
            let mut slots: Vec<&Slot> = open.filter(|slot| is_wanted(slot)).collect();
            slots.sort_by_key(|slot| (slot.facts.starts_at, slot.id));
            page_of(slots.into_iter().cloned(), page)
        }))
    }

    async fn retire_slot(
        &self,
        write: &Write,
        slot: SlotId,
    ) -> StoreResult<Written<RetireSlotOutcome>> {
        Ok(self.keyed(write, |state| retire_slot(state, write.at, slot)))
    }

    async fn book_many(
        &self,
        slot: SlotId,
        commands: &[BookCommand],
    ) -> StoreResult<Vec<Written<BookOutcome>>> {
        Ok(self.transaction(|state, events| {
            let book_one = |command: &BookCommand| {
                let write = match state.scheduling.slots.get(&slot) {
                    Some(slot) => command.write_for(&slot.facts),
                    None => command.write.clone(),
                };
                keyed(state, events, &write, |state| {
                    book(state, write.at, slot, command)
                })
            };
            commands.iter().map(book_one).collect()
        }))
    }

    async fn cancel(
        &self,
        write: &Write,
        appointment: AppointmentId,
        reason: &Sealed,
    ) -> StoreResult<Written<CancelOutcome>> {
        Ok(self.keyed(write, |state| cancel(state, write.at, appointment, reason)))
    }

    async fn change_status(
        &self,
        write: &Write,
        appointment: AppointmentId,
        change: &ChangeStatus,
    ) -> StoreResult<Written<ChangeStatusOutcome>> {
        Ok(self.keyed(write, |state| {
            change_status(state, write.at, appointment, change)
        }))
    }

    async fn appointment_by_id(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<StoredAppointment>> {
        Ok(self.read(|state| state.scheduling.appointments.get(&appointment).cloned()))
    }

    async fn update_notes(
        &self,
        write: &Write,
        appointment: AppointmentId,
        notes: Option<&Sealed>,
    ) -> StoreResult<Written<Option<StoredAppointment>>> {
        Ok(self.keyed(write, |state| {
            match state.scheduling.appointments.get_mut(&appointment) {
                Some(row) => {
                    row.notes = notes.cloned();
                    row.updated_at = write.at;
                    Decided::Changed(Some(row.clone()))
                }
                None => Decided::Refused(None),
            }
        }))
    }

    async fn appointment_row(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<AppointmentRow>> {
        Ok(self.read(|state| {
            let row = state.scheduling.appointments.get(&appointment)?;
            state.appointment_row(row)
        }))
    }

    async fn appointment_page(
        &self,
        filter: &AppointmentFilter,
        page: PageRequest,
    ) -> StoreResult<Page<AppointmentRow>> {
        let is_wanted = |one: &&StoredAppointment| {
            filter.patient.is_none_or(|patient| one.patient == patient)
                && filter
                    .doctor
                    .is_none_or(|doctor| one.facts.doctor == doctor)
                && filter.status.is_none_or(|status| one.status == status)
                && filter.from.is_none_or(|from| one.facts.starts_at >= from)
                && filter.to.is_none_or(|to| one.facts.starts_at <= to)
        };
        Ok(self.read(|state| {
            let newest_first = state.scheduling.appointments.values().rev();
            let wanted = newest_first.filter(is_wanted);
            page_of(wanted.filter_map(|one| state.appointment_row(one)), page)
        }))
    }

    async fn care_relation(
        &self,
        doctor: UserId,
        patient: UserId,
        ended_after: Timestamp,
    ) -> StoreResult<bool> {
        let relates = |one: &StoredAppointment| {
            one.facts.doctor == doctor
                && one.patient == patient
                && one.status.takes_seat()
                && one.facts.ends_at > ended_after
        };
        Ok(self.read(|state| state.scheduling.appointments.values().any(relates)))
    }
}
