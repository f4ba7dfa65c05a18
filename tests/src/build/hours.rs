//! Builders of doctors' hours, blocked times and moves.

use telemed_core::id::{ClinicId, SealId, SlotId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{
    BlockDetails, BlockOutcome, BlockedTime, CancelForBlock, Capacity, LocalTime, Publication,
    PublishOutcome, RescheduleCommand, RescheduleOutcome, SlotDuration, StoredAppointment,
    WeeklyHours, Window,
};
use telemed_core::time::{TimeZone, Timestamp};

use super::{NOW, World, applied, at, sealed};

/// Hours from nine to twelve on Mondays and Thursdays, in slots of half an hour.
///
/// # Panics
/// When there are no so many seats.
#[must_use]
pub fn hours(seats: i64, auto_confirm: bool) -> WeeklyHours {
    let window = |start, end| Window {
        start: LocalTime::from_minutes(start),
        end: LocalTime::from_minutes(end),
    };
    let mut days: [Vec<Window>; 7] = Default::default();
    days[0] = vec![window(540, 600), window(660, 720)];
    days[3] = vec![window(540, 720)];
    let duration = SlotDuration::new(30).unwrap();
    WeeklyHours::new(days, duration, Capacity::new(seats).unwrap(), auto_confirm).unwrap()
}

impl World {
    /// A publication for ten hours from [`super::NOW`] on, at a clinic in UTC: slots of half an
    /// hour that begin at these minutes.
    #[must_use]
    pub fn publication(
        &self,
        doctor: UserId,
        clinic: ClinicId,
        seats: i64,
        starts: &[i64],
    ) -> Publication {
        let slots = starts.iter().map(|start| {
            let slot = self.new_slot(doctor, clinic, *start, seats);
            (slot.facts, slot.local_day)
        });
        Publication {
            time_zone: TimeZone::utc(),
            from: NOW,
            until: at(600),
            capacity: Capacity::new(seats).unwrap(),
            slots: slots.collect(),
        }
    }

    /// Sets hours that had this version, whatever comes of it.
    pub async fn try_set_hours(
        &self,
        doctor: UserId,
        expected: Option<i64>,
        hours: &WeeklyHours,
        publication: &Publication,
    ) -> PublishOutcome {
        let write = self.changes(Resource::Schedule, doctor.get());
        let outcome = self
            .storage
            .set_schedule(&write, doctor, expected, hours, publication)
            .await;
        applied(outcome.unwrap())
    }

    /// Sets a doctor's hours anew and publishes slots of one seat that begin at these minutes; how
    /// many were made and taken back.
    pub async fn set_hours(&self, doctor: UserId, clinic: ClinicId, starts: &[i64]) -> (u32, u32) {
        let before = self.storage.schedule_of_doctor(doctor).await.unwrap();
        let expected = before.map(|schedule| schedule.version);
        let publication = self.publication(doctor, clinic, 1, starts);
        let outcome = self
            .try_set_hours(doctor, expected, &hours(1, false), &publication)
            .await;
        published(&outcome)
    }

    /// Half open from and until minutes after [`super::NOW`], by the wall clocks of UTC.
    #[must_use]
    pub fn block_details(&self, doctor: UserId, from: i64, until: i64) -> BlockDetails {
        let time = |minutes: i64| LocalTime::from_minutes(u16::try_from(minutes % 1440).unwrap());
        BlockDetails {
            doctor,
            starts_at: at(from),
            ends_at: at(until),
            day: at(from).local_day(&TimeZone::utc()),
            start: time(from),
            end: time(until),
            time_zone: "UTC".to_owned(),
            seal_id: SealId::new(self.uuid()),
            reason: Some(sealed("conference")),
        }
    }

    /// Blocks a time, whatever comes of it.
    pub async fn try_block(
        &self,
        details: &BlockDetails,
        cancel: &[CancelForBlock],
    ) -> BlockOutcome {
        let write = self.makes(Resource::BlockedTime);
        applied(
            self.storage
                .block_time(&write, details, cancel)
                .await
                .unwrap(),
        )
    }

    /// Blocks a time without bookings.
    pub async fn block(&self, doctor: UserId, from: i64, until: i64) -> BlockedTime {
        let details = self.block_details(doctor, from, until);
        match self.try_block(&details, &[]).await {
            BlockOutcome::Blocked { block, .. } => block,
            other => panic!("the block was refused: {other:?}"),
        }
    }

    /// A cancellation of this appointment for a block.
    #[must_use]
    pub fn cancel_for_block(&self, appointment: &StoredAppointment) -> CancelForBlock {
        CancelForBlock {
            appointment: appointment.id,
            write: self.changes(Resource::Appointment, appointment.id.get()),
            reason: sealed("away"),
        }
    }

    /// A move at a time of an appointment as it is here, that reminds of nothing.
    #[must_use]
    pub fn moving(
        &self,
        now: Timestamp,
        appointment: &StoredAppointment,
        slot: SlotId,
    ) -> RescheduleCommand {
        let subject = Subject::number(Resource::Appointment, appointment.id.get());
        RescheduleCommand {
            write: self.write_at(now, subject),
            slot,
            from: appointment.status,
            confirm_again: true,
            reason: None,
            reminders: vec![],
        }
    }

    /// Moves an appointment, whatever comes of it.
    pub async fn try_move(
        &self,
        appointment: &StoredAppointment,
        slot: SlotId,
    ) -> RescheduleOutcome {
        let command = self.moving(NOW, appointment, slot);
        applied(
            self.storage
                .reschedule(appointment.id, &command)
                .await
                .unwrap(),
        )
    }
}

/// How many slots were made and taken back.
///
/// # Panics
/// When nothing was published.
#[must_use]
pub fn published(outcome: &PublishOutcome) -> (u32, u32) {
    match outcome {
        PublishOutcome::Published { made, retired, .. } => (*made, *retired),
        other => panic!("nothing was published: {other:?}"),
    }
}
