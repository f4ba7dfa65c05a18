//! One who calls, again and again.

use std::sync::Arc;

use telemed_core::id::{AppointmentId, ClinicId, UserId};
use telemed_core::journal::{JobKind, Resource, Subject, Write};
use telemed_core::scheduling::{
    AppointmentStatus, BlockOutcome, BookOutcome, CancelOutcome, ChangeStatus, CreateSlotOutcome,
    NewSlot, RescheduleOutcome, StoredAppointment,
};
use telemed_core::time::TimeZone;
use telemed_tests::build::{NOW, applied, at, hours, sealed, zone};
use tokio::time::Instant;

use super::dice::Dice;
use super::practice::Practice;

/// Calls until it is time; how many appointments it has booked, moved and cancelled. Every outcome
/// is one, an error is none.
pub async fn call(practice: Arc<Practice>, mut dice: Dice, until: Instant) -> [u32; 3] {
    let caller = Caller(practice);
    let [mut booked, mut moved, mut cancelled] = [0; 3];
    while Instant::now() < until {
        match dice.below(100) {
            0..40 => booked += u32::from(caller.book(&mut dice).await),
            40..56 => cancelled += u32::from(caller.cancel(&mut dice).await),
            56..70 => moved += u32::from(caller.reschedule(&mut dice).await),
            70..76 => caller.decide(&mut dice).await,
            76..79 => caller.note(&mut dice).await,
            79..85 => caller.make_slot(&mut dice).await,
            85..88 => caller.take_slot_back(&mut dice).await,
            88..91 => caller.publish(&mut dice).await,
            91..94 => caller.block(&mut dice).await,
            94..97 => caller.unblock(&mut dice).await,
            97..98 => caller.move_clinic(&mut dice).await,
            _ => caller.change_doctor(&mut dice).await,
        }
    }
    [booked, moved, cancelled]
}

struct Caller(Arc<Practice>);

impl Caller {
    /// A write that tells somebody and leaves a job behind.
    fn write(&self, subject: Subject) -> Write {
        let world = &self.0.world;
        let mut write = world.write(subject);
        write.events = vec![world.event(&self.0.patients[..2], subject)];
        write.jobs = vec![world.job(JobKind::AppointmentNotice, subject, NOW)];
        write
    }

    async fn book(&self, dice: &mut Dice) -> bool {
        let practice = &self.0;
        let Some((_, slot)) = practice.slots.pick(dice) else {
            return false;
        };
        let mut command = practice.world.booking(*dice.one_of(&practice.patients));
        command.write = self.write(Subject::new_row(Resource::Appointment));
        match applied(practice.world.try_book(slot, &command).await) {
            BookOutcome::Booked(appointment) => {
                practice.appointments.add(appointment.id);
                true
            }
            _ => false,
        }
    }

    async fn appointment(&self, dice: &mut Dice) -> Option<StoredAppointment> {
        let id = self.0.appointments.pick(dice)?;
        self.0.world.storage.appointment_by_id(id).await.unwrap()
    }

    fn about(&self, appointment: AppointmentId) -> Write {
        self.write(Subject::number(Resource::Appointment, appointment.get()))
    }

    async fn cancel(&self, dice: &mut Dice) -> bool {
        let Some(id) = self.0.appointments.pick(dice) else {
            return false;
        };
        let (write, reason) = (self.about(id), sealed("ill"));
        let cancelled = self.0.world.storage.cancel(&write, id, &reason).await;
        matches!(applied(cancelled.unwrap()), CancelOutcome::Cancelled(_))
    }

    async fn reschedule(&self, dice: &mut Dice) -> bool {
        let Some(now) = self.appointment(dice).await else {
            return false;
        };
        let is_his = |(doctor, _): &(UserId, _)| *doctor == now.facts.doctor;
        let Some((_, slot)) = self.0.slots.pick_if(dice, is_his) else {
            return false;
        };
        if !matches!(
            now.status,
            AppointmentStatus::Pending | AppointmentStatus::Confirmed
        ) {
            return false;
        }
        let mut command = self.0.world.moving(NOW, &now, slot);
        command.write = self.about(now.id);
        let moved = self.0.world.storage.reschedule(now.id, &command).await;
        matches!(applied(moved.unwrap()), RescheduleOutcome::Rescheduled(_))
    }

    /// Confirms or rejects what is pending.
    async fn decide(&self, dice: &mut Dice) {
        let Some(now) = self.appointment(dice).await else {
            return;
        };
        let words = [AppointmentStatus::Confirmed, AppointmentStatus::Rejected];
        let change = ChangeStatus {
            from: AppointmentStatus::Pending,
            to: *dice.one_of(&words),
            reason: None,
        };
        let (write, store) = (self.about(now.id), &self.0.world.storage);
        applied(store.change_status(&write, now.id, &change).await.unwrap());
    }

    async fn note(&self, dice: &mut Dice) {
        let Some(id) = self.0.appointments.pick(dice) else {
            return;
        };
        let (write, notes) = (self.about(id), sealed("a note"));
        let noted = self.0.world.storage.update_notes(&write, id, Some(&notes));
        applied(noted.await.unwrap());
    }

    /// A slot somewhere in the two days, in the zone that the clinic has now.
    async fn new_slot(&self, dice: &mut Dice) -> NewSlot {
        let (doctor, clinic) = *dice.one_of(&self.0.doctors);
        let start = 900 + 15 * i64::try_from(dice.below(80)).unwrap();
        let seats = 1 + i64::try_from(dice.below(4)).unwrap();
        let time_zone = self.zone_of(clinic).await;
        let new = self.0.world.new_slot(doctor, clinic, start, seats);
        NewSlot {
            local_day: new.facts.starts_at.local_day(&time_zone),
            time_zone,
            ..new
        }
    }

    async fn zone_of(&self, clinic: ClinicId) -> TimeZone {
        let clinic = self.0.world.storage.clinic_by_id(clinic).await.unwrap();
        clinic.unwrap().details.time_zone
    }

    async fn make_slot(&self, dice: &mut Dice) {
        let slot = self.new_slot(dice).await;
        let write = self.write(Subject::new_row(Resource::Slot));
        let made = self.0.world.storage.create_slot(&write, &slot).await;
        if let CreateSlotOutcome::Created(slot) = applied(made.unwrap()) {
            self.0.slots.add((slot.facts.doctor, slot.id));
        }
    }

    async fn take_slot_back(&self, dice: &mut Dice) {
        let Some((_, slot)) = self.0.slots.pick(dice) else {
            return;
        };
        let write = self.write(Subject::number(Resource::Slot, slot.get()));
        applied(
            self.0
                .world
                .storage
                .retire_slot(&write, slot)
                .await
                .unwrap(),
        );
    }

    /// Sets hours that were derived a moment ago, and publishes from them.
    async fn publish(&self, dice: &mut Dice) {
        let world = &self.0.world;
        let (doctor, clinic) = *dice.one_of(&self.0.doctors);
        let starts: Vec<i64> = (0..12)
            .map(|place| 900 + 45 * (place + i64::try_from(dice.below(3)).unwrap()))
            .collect();
        let seats = 1 + i64::try_from(dice.below(3)).unwrap();
        let mut publication = world.publication(doctor, clinic, seats, &starts);
        let time_zone = self.zone_of(clinic).await;
        for (facts, local_day) in &mut publication.slots {
            *local_day = facts.starts_at.local_day(&time_zone);
        }
        publication.time_zone = time_zone;
        publication.until = at(2400);
        let now = world.storage.schedule_of_doctor(doctor).await.unwrap();
        let version = now.map(|schedule| schedule.version);
        let hours = hours(seats, dice.below(2) == 0);
        let write = self.write(Subject::number(Resource::Schedule, doctor.get()));
        let set = world
            .storage
            .set_schedule(&write, doctor, version, &hours, &publication);
        applied(set.await.unwrap());
    }

    /// Blocks two hours and cancels what it finds in them.
    async fn block(&self, dice: &mut Dice) {
        let world = &self.0.world;
        let (doctor, _) = *dice.one_of(&self.0.doctors);
        let from = 900 + 30 * i64::try_from(dice.below(40)).unwrap();
        let details = world.block_details(doctor, from, from + 120);
        let live = world
            .storage
            .live_bookings(doctor, details.starts_at, details.ends_at);
        let live = live.await.unwrap();
        let cancel: Vec<_> = live.iter().map(|one| world.cancel_for_block(one)).collect();
        let write = self.write(Subject::new_row(Resource::BlockedTime));
        let blocked = world.storage.block_time(&write, &details, &cancel).await;
        if let BlockOutcome::Blocked { block, .. } = applied(blocked.unwrap()) {
            self.0.blocks.add((doctor, block.id));
        }
    }

    async fn unblock(&self, dice: &mut Dice) {
        let Some((doctor, block)) = self.0.blocks.take(dice) else {
            return;
        };
        let write = self.write(Subject::number(Resource::BlockedTime, block.get()));
        let freed = self.0.world.storage.unblock_time(&write, doctor, block);
        applied(freed.await.unwrap());
    }

    /// To another zone: every slot has another day then.
    async fn move_clinic(&self, dice: &mut Dice) {
        let id = *dice.one_of(&self.0.clinics);
        let store = &self.0.world.storage;
        let clinic = store.clinic_by_id(id).await.unwrap().unwrap();
        let mut details = clinic.details;
        let zones = ["UTC", "Asia/Tokyo", "America/New_York"];
        details.time_zone = zone(zones[dice.below(zones.len())]);
        let write = self.write(Subject::number(Resource::Clinic, id.get()));
        let updated = store.update_clinic(&write, id, clinic.version, &details);
        applied(updated.await.unwrap());
    }

    async fn change_doctor(&self, dice: &mut Dice) {
        let (id, _) = *dice.one_of(&self.0.doctors);
        let store = &self.0.world.storage;
        let doctor = store.doctor_by_id(id).await.unwrap().unwrap();
        let write = self.write(Subject::number(Resource::Doctor, id.get()));
        let updated = store.update_doctor(&write, id, doctor.version, &doctor.details);
        applied(updated.await.unwrap());
    }
}
