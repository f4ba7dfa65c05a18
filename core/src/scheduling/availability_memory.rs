//! The in-memory store of doctors' hours.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::memory::{cancel, refuses};
use super::{
    AppointmentStatus, AvailabilityStore, BlockDetails, BlockOutcome, BlockedTime, BookOutcome,
    CancelForBlock, DaySlot, DoctorDays, Publication, PublishOutcome, RescheduleCommand,
    RescheduleOutcome, Schedule, Slot, SlotFacts, StoredAppointment, WeeklyHours,
};
use crate::directory::Doctor;
use crate::id::{AppointmentId, BlockId, SlotId, UserId};
use crate::journal::{LoggedEvent, Write};
use crate::memory::{Decided, MemoryStorage, State, keyed, next, settle};
use crate::store::{StoreResult, Written};
use crate::time::{LocalDay, Timestamp};

/// The most blocked times that are read at once.
const MOST_BLOCKS: usize = 500;
/// The most slots that are read at once.
const MOST_DAY_SLOTS: usize = 2_000;

/// What is kept of doctors' hours.
#[derive(Default)]
pub(super) struct AvailabilityState {
    schedules: BTreeMap<UserId, Schedule>,
    last_block: i64,
    blocks: BTreeMap<BlockId, BlockedTime>,
}

impl AvailabilityState {
    /// Whether a slot lies in a blocked time of its doctor, if only in part.
    pub(super) fn is_blocked(&self, facts: &SlotFacts) -> bool {
        self.blocks.values().any(|block| {
            let block = &block.details;
            block.doctor == facts.doctor && facts.overlaps(block.starts_at, block.ends_at)
        })
    }

    /// Whether bookings with the doctor are confirmed without his word.
    pub(super) fn confirms(&self, doctor: UserId) -> bool {
        let schedule = self.schedules.get(&doctor);
        schedule.is_some_and(|schedule| schedule.hours.auto_confirm)
    }
}

/// Whether slots that were derived from a publication's hours still fit the doctor and his
/// clinic.
fn is_current(state: &State, doctor: UserId, publication: &Publication) -> bool {
    let Some(doctor) = state.doctor(doctor) else {
        return false;
    };
    let clinic = doctor.details.clinic;
    let zone = state
        .directory
        .clinic(clinic)
        .map(|it| &it.details.time_zone);
    let at_clinic = |(facts, _): &(SlotFacts, _)| facts.clinic == clinic;
    zone == Some(&publication.time_zone) && publication.slots.iter().all(at_clinic)
}

/// Takes back what falls out of a publication and makes what is new in it.
fn publish(
    state: &mut State,
    at: Timestamp,
    schedule: &Schedule,
    publication: &Publication,
) -> PublishOutcome {
    let scheduling = &mut state.scheduling;
    let falls_out = |slot: &Slot| {
        let starts_at = slot.facts.starts_at;
        let stands = slot.capacity == publication.capacity
            && publication
                .slots
                .iter()
                .any(|(facts, _)| *facts == slot.facts);
        slot.is_published
            && slot.booked_count == 0
            && (publication.from..publication.until).contains(&starts_at)
            && !stands
    };
    let fallen: Vec<SlotId> = scheduling
        .active_slots(schedule.doctor)
        .filter(|slot| falls_out(slot))
        .map(|slot| slot.id)
        .collect();
    for id in &fallen {
        if let Some(slot) = scheduling.slots.get_mut(id) {
            slot.is_active = false;
            slot.updated_at = at;
        }
    }
    let mut made = 0;
    for (facts, local_day) in &publication.slots {
        if !scheduling.has_slot_across(facts) && !scheduling.availability.is_blocked(facts) {
            scheduling.add_slot(*facts, *local_day, publication.capacity, true, at);
            made += 1;
        }
    }
    PublishOutcome::Published {
        schedule: schedule.clone(),
        made,
        retired: u32::try_from(fallen.len()).unwrap_or(u32::MAX),
    }
}

fn set_schedule(
    state: &mut State,
    at: Timestamp,
    doctor: UserId,
    expected: Option<i64>,
    hours: &WeeklyHours,
    publication: &Publication,
) -> Decided<PublishOutcome> {
    if state.doctor(doctor).is_none() {
        return Decided::Refused(PublishOutcome::NotFound);
    }
    let schedules = &state.scheduling.availability.schedules;
    let version = schedules.get(&doctor).map(|schedule| schedule.version);
    if version != expected || !is_current(state, doctor, publication) {
        return Decided::Refused(PublishOutcome::Superseded);
    }
    let schedule = Schedule {
        doctor,
        hours: hours.clone(),
        version: version.map_or(1, |version| version + 1),
        updated_at: at,
    };
    let schedules = &mut state.scheduling.availability.schedules;
    schedules.insert(doctor, schedule.clone());
    Decided::Changed(publish(state, at, &schedule, publication))
}

fn publish_slots(
    state: &mut State,
    at: Timestamp,
    doctor: UserId,
    version: i64,
    publication: &Publication,
) -> Decided<PublishOutcome> {
    let schedules = &state.scheduling.availability.schedules;
    let Some(schedule) = schedules.get(&doctor).cloned() else {
        return Decided::Refused(PublishOutcome::NotFound);
    };
    if schedule.version != version || !is_current(state, doctor, publication) {
        return Decided::Refused(PublishOutcome::Superseded);
    }
    Decided::Changed(publish(state, at, &schedule, publication))
}

/// The doctor's live appointments that share a moment with a span, by id.
fn live_bookings(
    state: &State,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = &StoredAppointment> {
    let live = state.scheduling.live();
    live.filter(move |one| one.facts.doctor == doctor && one.facts.overlaps(from, until))
}

/// Blocks a time; the cancellations in it come before the block, in the journal too.
fn block_time(
    state: &mut State,
    events: &mut Vec<LoggedEvent>,
    at: Timestamp,
    details: &BlockDetails,
    cancellations: &[CancelForBlock],
) -> Decided<BlockOutcome> {
    if state.doctor(details.doctor).is_none() {
        return Decided::Refused(BlockOutcome::DoctorNotFound);
    }
    let (from, until) = (details.starts_at, details.ends_at);
    let is_given = |id| cancellations.iter().any(|one| one.appointment == id);
    let (in_the_way, given): (Vec<_>, Vec<_>) = live_bookings(state, details.doctor, from, until)
        .partition(|one| one.status == AppointmentStatus::InProgress || !is_given(one.id));
    let ids = |rows: Vec<&StoredAppointment>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    if !in_the_way.is_empty() {
        return Decided::Refused(BlockOutcome::HasBookings(ids(in_the_way)));
    }
    let given = ids(given);
    let mut cancelled = 0;
    // What is over by now, or lies elsewhere, is left as it is.
    for one in cancellations {
        if given.contains(&one.appointment) {
            settle(state, events, &one.write, |state| {
                cancel(state, one.write.at, one.appointment, &one.reason)
            });
            cancelled += 1;
        }
    }
    let availability = &mut state.scheduling.availability;
    let block = BlockedTime {
        id: BlockId::from_row(next(&mut availability.last_block)),
        details: details.clone(),
        created_at: at,
    };
    availability.blocks.insert(block.id, block.clone());
    let number = block.id.get();
    Decided::Made(BlockOutcome::Blocked { block, cancelled }, number)
}

fn reschedule(
    state: &mut State,
    at: Timestamp,
    id: AppointmentId,
    command: &RescheduleCommand,
) -> Decided<RescheduleOutcome> {
    use RescheduleOutcome as Outcome;
    let Some(mut row) = state.scheduling.appointments.get(&id).cloned() else {
        return Decided::Refused(Outcome::NotFound);
    };
    if row.status != command.from {
        return Decided::Refused(Outcome::Superseded(row.status));
    }
    if row.slot == command.slot {
        return Decided::Refused(Outcome::Unchanged(row));
    }
    let Some(slot) = state.scheduling.slots.get(&command.slot).cloned() else {
        return Decided::Refused(Outcome::Refused(BookOutcome::SlotNotFound));
    };
    if slot.facts.doctor != row.facts.doctor {
        return Decided::Refused(Outcome::OtherDoctor);
    }
    if let Some(refusal) = refuses(state, at, &slot, row.patient, Some(id)) {
        return Decided::Refused(Outcome::Refused(refusal));
    }
    let scheduling = &mut state.scheduling;
    scheduling.free_seat(row.slot, at);
    scheduling.take_seat(slot.id, at);
    let auto_confirm = scheduling.availability.confirms(slot.facts.doctor);
    row.status = command.status_after(row.status, auto_confirm);
    row.slot = slot.id;
    row.facts = slot.facts;
    row.local_day = slot.local_day;
    row.reschedule_reason.clone_from(&command.reason);
    row.updated_at = at;
    scheduling.appointments.insert(id, row.clone());
    Decided::Changed(Outcome::Rescheduled(row))
}

#[async_trait]
impl AvailabilityStore for MemoryStorage {
    async fn schedule_of_doctor(&self, doctor: UserId) -> StoreResult<Option<Schedule>> {
        Ok(self.read(|state| {
            let schedules = &state.scheduling.availability.schedules;
            schedules.get(&doctor).cloned()
        }))
    }

    async fn set_schedule(
        &self,
        write: &Write,
        doctor: UserId,
        expected: Option<i64>,
        hours: &WeeklyHours,
        publication: &Publication,
    ) -> StoreResult<Written<PublishOutcome>> {
        Ok(self.keyed(write, |state| {
            set_schedule(state, write.at, doctor, expected, hours, publication)
        }))
    }

    async fn publish_slots(
        &self,
        write: &Write,
        doctor: UserId,
        version: i64,
        publication: &Publication,
    ) -> StoreResult<PublishOutcome> {
        Ok(self.unkeyed(write, |state| {
            publish_slots(state, write.at, doctor, version, publication)
        }))
    }

    async fn block_time(
        &self,
        write: &Write,
        details: &BlockDetails,
        cancel: &[CancelForBlock],
    ) -> StoreResult<Written<BlockOutcome>> {
        Ok(self.transaction(|state, events| {
            let mut own = Vec::new();
            let answer = keyed(state, &mut own, write, |state| {
                block_time(state, events, write.at, details, cancel)
            });
            events.append(&mut own);
            answer
        }))
    }

    async fn unblock_time(
        &self,
        write: &Write,
        doctor: UserId,
        block: BlockId,
    ) -> StoreResult<Written<bool>> {
        Ok(self.keyed(write, |state| {
            let blocks = &mut state.scheduling.availability.blocks;
            match blocks.get(&block) {
                Some(row) if row.details.doctor == doctor => {
                    blocks.remove(&block);
                    Decided::Changed(true)
                }
                _ => Decided::Refused(false),
            }
        }))
    }

    async fn block_by_id(&self, block: BlockId) -> StoreResult<Option<BlockedTime>> {
        Ok(self.read(|state| {
            let blocks = &state.scheduling.availability.blocks;
            blocks.get(&block).cloned()
        }))
    }

    async fn blocks_of_doctor(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<BlockedTime>> {
        Ok(self.read(|state| {
            let of_doctor = |block: &&BlockedTime| {
                let block = &block.details;
                block.doctor == doctor && block.starts_at < until && from < block.ends_at
            };
            let blocks = state.scheduling.availability.blocks.values();
            let mut blocks: Vec<BlockedTime> = blocks.filter(of_doctor).cloned().collect();
            blocks.sort_by_key(|block| (block.details.starts_at, block.id));
            blocks.truncate(MOST_BLOCKS);
            blocks
        }))
    }

    async fn live_bookings(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<StoredAppointment>> {
        Ok(self.read(|state| live_bookings(state, doctor, from, until).cloned().collect()))
    }

    async fn slot_at(&self, doctor: UserId, starts_at: Timestamp) -> StoreResult<Option<Slot>> {
        Ok(self.read(|state| {
            let mut slots = state.scheduling.active_slots(doctor);
            slots
                .find(|slot| slot.facts.starts_at == starts_at)
                .cloned()
        }))
    }

    async fn days_of_listed_doctor(
        &self,
        doctor: UserId,
        from: LocalDay,
        to: LocalDay,
    ) -> StoreResult<Option<DoctorDays>> {
        Ok(self.read(|state| {
            let listed = state.doctor(doctor).filter(Doctor::is_listed)?;
            let clinic = |id| state.directory.clinic(id).map(|clinic| &clinic.details);
            let slots = state.scheduling.active_slots(doctor);
            let mut slots: Vec<DaySlot> = slots
                .filter(|slot| (from..=to).contains(&slot.local_day))
                .map(|slot| DaySlot {
                    slot: slot.clone(),
                    is_blocked: state.scheduling.availability.is_blocked(&slot.facts),
                    is_day_full: state.day_is_full(doctor, slot.local_day, None),
                    is_clinic_active: clinic(slot.facts.clinic).is_some_and(|it| it.is_active),
                })
                .collect();
            slots.sort_by_key(|day| (day.slot.local_day, day.slot.facts.starts_at));
            slots.truncate(MOST_DAY_SLOTS);
            let time_zone = clinic(listed.details.clinic)?.time_zone.clone();
            Some(DoctorDays { time_zone, slots })
        }))
    }

    async fn reschedule(
        &self,
        appointment: AppointmentId,
        command: &RescheduleCommand,
    ) -> StoreResult<Written<RescheduleOutcome>> {
        Ok(self.transaction(|state, events| {
            let row = state.scheduling.appointments.get(&appointment);
            let slot = state.scheduling.slots.get(&command.slot);
            let write = match (row, slot) {
                (Some(row), Some(slot)) => {
                    let doctor = slot.facts.doctor;
                    let auto_confirm = state.scheduling.availability.confirms(doctor);
                    command.write_for(row, &slot.facts, auto_confirm)
                }
                _ => command.write.clone(),
            };
            keyed(state, events, &write, |state| {
                reschedule(state, write.at, appointment, command)
            })
        }))
    }
}
