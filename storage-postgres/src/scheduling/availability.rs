//! Doctors' hours, blocked times and moves.

use async_trait::async_trait;
use telemed_core::id::{AppointmentId, BlockId, UserId};
use telemed_core::journal::Write;
use telemed_core::scheduling::{
    AvailabilityStore, BlockDetails, BlockOutcome, BlockedTime, CancelForBlock, DoctorDays,
    Publication, PublishOutcome, RescheduleCommand, RescheduleOutcome, Schedule, Slot,
    StoredAppointment, WeeklyHours,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::{LocalDay, Timestamp};

use super::{blocked_times, reschedule, schedules, slots};
use crate::PostgresStore;
use crate::store::Repeat;

#[async_trait]
impl AvailabilityStore for PostgresStore {
    async fn schedule_of_doctor(&self, doctor: UserId) -> StoreResult<Option<Schedule>> {
        self.read(doctor, |connection, doctor| {
            Box::pin(schedules::of_doctor(connection, *doctor))
        })
        .await
    }

    async fn set_schedule(
        &self,
        write: &Write,
        doctor: UserId,
        expected: Option<i64>,
        hours: &WeeklyHours,
        publication: &Publication,
    ) -> StoreResult<Written<PublishOutcome>> {
        let input = (doctor, expected, hours.clone(), publication.clone());
        self.keyed(write, input, |connection, write, input| {
            let (doctor, expected, hours, publication) = input;
            Box::pin(schedules::set(
                connection,
                write.at,
                *doctor,
                *expected,
                hours,
                publication,
            ))
        })
        .await
    }

    async fn publish_slots(
        &self,
        write: &Write,
        doctor: UserId,
        version: i64,
        publication: &Publication,
    ) -> StoreResult<PublishOutcome> {
        let input = (doctor, version, publication.clone());
        self.unkeyed(write, input, |connection, write, input| {
            let (doctor, version, publication) = input;
            let at = write.at;
            Box::pin(schedules::publish(
                connection,
                at,
                *doctor,
                *version,
                publication,
            ))
        })
        .await
    }

    async fn block_time(
        &self,
        write: &Write,
        details: &BlockDetails,
        cancel: &[CancelForBlock],
    ) -> StoreResult<Written<BlockOutcome>> {
        let block = blocked_times::Block {
            write: write.clone(),
            details: details.clone(),
            cancel: cancel.to_vec(),
        };
        self.write(Repeat::of(write), block, |connection, block| {
            Box::pin(blocked_times::block(connection, block))
        })
        .await
    }

    async fn unblock_time(
        &self,
        write: &Write,
        doctor: UserId,
        block: BlockId,
    ) -> StoreResult<Written<bool>> {
        self.keyed(write, (doctor, block), |connection, _, (doctor, block)| {
            Box::pin(blocked_times::unblock(connection, *doctor, *block))
        })
        .await
    }

    async fn block_by_id(&self, block: BlockId) -> StoreResult<Option<BlockedTime>> {
        self.read(block, |connection, block| {
            Box::pin(blocked_times::by_id(connection, *block))
        })
        .await
    }

    async fn blocks_of_doctor(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<BlockedTime>> {
        let input = (doctor, from, until);
        self.read(input, |connection, (doctor, from, until)| {
            Box::pin(blocked_times::of_doctor(connection, *doctor, *from, *until))
        })
        .await
    }

    async fn live_bookings(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<StoredAppointment>> {
        let input = (doctor, from, until);
        self.read(input, |connection, (doctor, from, until)| {
            Box::pin(blocked_times::live_bookings(
                connection, *doctor, *from, *until,
            ))
        })
        .await
    }

    async fn slot_at(&self, doctor: UserId, starts_at: Timestamp) -> StoreResult<Option<Slot>> {
        let slot = self.read((doctor, starts_at), |connection, (doctor, starts_at)| {
            Box::pin(slots::at(connection, *doctor, *starts_at))
        });
        let slot = slot.await?;
        self.slot_facts().remember(&slot);
        Ok(slot)
    }

    async fn days_of_listed_doctor(
        &self,
        doctor: UserId,
        from: LocalDay,
        to: LocalDay,
    ) -> StoreResult<Option<DoctorDays>> {
        let days = self.read((doctor, from, to), |connection, (doctor, from, to)| {
            Box::pin(slots::of_days(connection, *doctor, *from, *to))
        });
        let days = days.await?;
        let slots = days.iter().flat_map(|days| &days.slots);
        self.slot_facts().remember(slots.map(|day| &day.slot));
        Ok(days)
    }

    async fn reschedule(
        &self,
        appointment: AppointmentId,
        command: &RescheduleCommand,
    ) -> StoreResult<Written<RescheduleOutcome>> {
        let input = (appointment, command.clone());
        let repeat = Repeat::of(&command.write);
        self.write(repeat, input, |connection, (appointment, command)| {
            Box::pin(reschedule::reschedule(connection, *appointment, command))
        })
        .await
    }
}
