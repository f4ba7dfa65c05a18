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
use crate::SqliteStore;

#[async_trait]
impl AvailabilityStore for SqliteStore {
    async fn schedule_of_doctor(&self, doctor: UserId) -> StoreResult<Option<Schedule>> {
        self.read(move |connection| schedules::of_doctor(connection, doctor))
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
        let (hours, publication) = (hours.clone(), publication.clone());
        self.keyed(write, move |connection, write| {
            schedules::set(connection, write.at, doctor, expected, &hours, &publication)
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
        let publication = publication.clone();
        self.unkeyed(write, move |connection, write| {
            schedules::publish(connection, write.at, doctor, version, &publication)
        })
        .await
    }

    async fn block_time(
        &self,
        write: &Write,
        details: &BlockDetails,
        cancel: &[CancelForBlock],
    ) -> StoreResult<Written<BlockOutcome>> {
        let (write, details, cancel) = (write.clone(), details.clone(), cancel.to_vec());
        self.write(move |context| blocked_times::block(context, &write, &details, &cancel))
            .await
    }

    async fn unblock_time(
        &self,
        write: &Write,
        doctor: UserId,
        block: BlockId,
    ) -> StoreResult<Written<bool>> {
        self.keyed(write, move |connection, _| {
            blocked_times::unblock(connection, doctor, block)
        })
        .await
    }

    async fn block_by_id(&self, block: BlockId) -> StoreResult<Option<BlockedTime>> {
        self.read(move |connection| blocked_times::by_id(connection, block))
            .await
    }

    async fn blocks_of_doctor(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<BlockedTime>> {
        self.read(move |connection| blocked_times::of_doctor(connection, doctor, from, until))
            .await
    }

    async fn live_bookings(
        &self,
        doctor: UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<StoredAppointment>> {
        self.read(move |connection| blocked_times::live_bookings(connection, doctor, from, until))
            .await
    }

    async fn slot_at(&self, doctor: UserId, starts_at: Timestamp) -> StoreResult<Option<Slot>> {
        self.read(move |connection| slots::at(connection, doctor, starts_at))
            .await
    }

    async fn days_of_listed_doctor(
        &self,
        doctor: UserId,
        from: LocalDay,
        to: LocalDay,
    ) -> StoreResult<Option<DoctorDays>> {
        self.read(move |connection| slots::of_days(connection, doctor, from, to))
            .await
    }

    async fn reschedule(
        &self,
        appointment: AppointmentId,
        command: &RescheduleCommand,
    ) -> StoreResult<Written<RescheduleOutcome>> {
        let command = command.clone();
        self.write(move |context| reschedule::reschedule(context, appointment, &command))
            .await
    }
}
