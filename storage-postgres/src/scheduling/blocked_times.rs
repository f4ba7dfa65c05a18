//! Times that a doctor has blocked.

use telemed_core::id::{AppointmentId, BlockId, UserId};
use telemed_core::journal::Write;
use telemed_core::scheduling::{
    AppointmentStatus, BlockDetails, BlockOutcome, BlockedTime, CancelForBlock, SlotDuration,
    StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use super::{LIVE, appointments, slots};
use crate::connection::Connection;
use crate::journal::{Decided, Verdict, repeated, settle};
use crate::rows;
use crate::statement::{all, any, change, one, single};

/// Whether a row of `slots` shares a moment with a blocked time of its doctor.
pub(super) const IS_BLOCKED: &str = "EXISTS (
    SELECT FROM blocked_times
    WHERE blocked_times.doctor_id = slots.doctor_id
        AND blocked_times.ends_at > slots.starts_at
        AND blocked_times.starts_at < slots.ends_at)";

/// The spans that a doctor has blocked and that share a moment with a span.
pub(super) async fn spans(
    connection: &mut Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<(Timestamp, Timestamp)>> {
    all(
        connection,
        "reading the blocked times of a doctor",
        "SELECT starts_at, ends_at FROM blocked_times
         WHERE doctor_id = $1 AND ends_at > $2 AND starts_at < $3",
        (doctor.get(), from.micros(), until.micros()),
        |columns| {
            let starts_at = columns.make(Timestamp::from_micros)?;
            Ok((starts_at, columns.make(Timestamp::from_micros)?))
        },
    )
    .await
}

pub(super) async fn by_id(
    connection: &mut Connection,
    block: BlockId,
) -> StoreResult<Option<BlockedTime>> {
    let sql = format!(
        "SELECT {} FROM blocked_times WHERE id = $1",
        rows::BLOCKED_TIME
    );
    one(
        connection,
        "reading a blocked time",
        &sql,
        (block.get(),),
        rows::blocked_time,
    )
    .await
}

/// A doctor's blocked times that share a moment with a span, by start and id, at most 500.
pub(super) async fn of_doctor(
    connection: &mut Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<BlockedTime>> {
    let sql = format!(
        "SELECT {} FROM blocked_times
         WHERE doctor_id = $1 AND ends_at > $2 AND starts_at < $3
         ORDER BY starts_at, id LIMIT 500",
        rows::BLOCKED_TIME
    );
    all(
        connection,
        "listing blocked times",
        &sql,
        (doctor.get(), from.micros(), until.micros()),
        rows::blocked_time,
    )
    .await
}

/// A doctor's live appointments that share a moment with a span, by id.
pub(super) async fn live_bookings(
    connection: &mut Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<StoredAppointment>> {
    // Found by their slots: a slot with live appointments is never taken back, and one that
    // overlaps cannot have begun longer ago than the longest slot lasts.
    let earliest = from.minus(SlotDuration::LONGEST);
    let sql = format!(
        "SELECT {} FROM slots JOIN appointments ON appointments.slot_id = slots.id
         WHERE slots.doctor_id = $1 AND slots.is_active AND slots.booked_count > 0
             AND slots.starts_at > $2 AND slots.starts_at < $3 AND slots.ends_at > $4 AND {LIVE}
         ORDER BY appointments.id",
        rows::APPOINTMENT
    );
    all(
        connection,
        "looking for live appointments",
        &sql,
        (
            doctor.get(),
            earliest.micros(),
            until.micros(),
            from.micros(),
        ),
        rows::appointment,
    )
    .await
}

/// A time to be blocked.
pub(super) struct Block {
    pub(super) write: Write,
    pub(super) details: BlockDetails,
    pub(super) cancel: Vec<CancelForBlock>,
}

/// Blocks a time. The cancellations in it come before the block, in the journal too.
pub(super) async fn block(
    connection: &mut Connection,
    block: &Block,
) -> StoreResult<Verdict<Written<BlockOutcome>>> {
    let Block {
        write,
        details,
        cancel,
    } = block;
    if let Some(answer) = repeated(connection, write).await? {
        return Ok(Verdict::Undo(answer));
    }
    let refused = |outcome| Ok(Verdict::Undo(Written::Applied(outcome)));
    let doctor = details.doctor;
    if slots::lock_doctor(connection, doctor).await?.is_none() {
        return refused(BlockOutcome::DoctorNotFound);
    }
    // Who books a slot in it comes before this and is seen, or after it and sees the block.
    let (from, until) = (details.starts_at, details.ends_at);
    lock_slots(connection, doctor, from, until).await?;
    let live = live_bookings(connection, doctor, from, until).await?;
    let is_given = |id| cancel.iter().any(|one| one.appointment == id);
    let (in_the_way, given): (Vec<_>, Vec<_>) = live
        .iter()
        .partition(|row| row.status == AppointmentStatus::InProgress || !is_given(row.id));
    let ids = |rows: &[&StoredAppointment]| -> Vec<AppointmentId> {
        rows.iter().map(|row| row.id).collect()
    };
    if !in_the_way.is_empty() {
        return refused(BlockOutcome::HasBookings(ids(&in_the_way)));
    }
    lock_days(connection, &given).await?;
    let given = ids(&given);
    let mut cancelled = 0;
    // What is over by now, or lies elsewhere, is left as it is.
    for one in cancel.iter().filter(|one| given.contains(&one.appointment)) {
        let (at, reason) = (one.write.at, &one.reason);
        let ended = appointments::cancel(connection, at, one.appointment, reason).await?;
        let ended = settle(connection, &one.write, ended);
        cancelled += u32::from(matches!(ended, Verdict::Keep(_)));
    }
    let block = add(connection, write.at, details).await?;
    let number = block.id.get();
    let made = Decided::Made(BlockOutcome::Blocked { block, cancelled }, number);
    Ok(settle(connection, write, made).map(Written::Applied))
}

/// Locks a doctor's slots that share a moment with a span.
async fn lock_slots(
    connection: &mut Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<()> {
    let earliest = from.minus(SlotDuration::LONGEST);
    any(
        connection,
        "locking the slots of a span",
        "SELECT 1 FROM slots
         WHERE doctor_id = $1 AND is_active AND starts_at > $2 AND starts_at < $3 AND ends_at > $4
         ORDER BY id FOR NO KEY UPDATE",
        (
            doctor.get(),
            earliest.micros(),
            until.micros(),
            from.micros(),
        ),
    )
    .await
    .map(drop)
}

/// Locks the days of appointments of one doctor.
async fn lock_days(
    connection: &mut Connection,
    appointments: &[&StoredAppointment],
) -> StoreResult<()> {
    let Some(first) = appointments.first() else {
        return Ok(());
    };
    let days = appointments.iter().map(|row| row.local_day.to_string());
    any(
        connection,
        "locking the days of a doctor",
        "SELECT 1 FROM doctor_days WHERE doctor_id = $1 AND local_day = ANY ($2)
         ORDER BY local_day FOR NO KEY UPDATE",
        (first.facts.doctor.get(), days.collect::<Vec<_>>()),
    )
    .await
    .map(drop)
}

async fn add(
    connection: &mut Connection,
    at: Timestamp,
    details: &BlockDetails,
) -> StoreResult<BlockedTime> {
    let sql = format!(
        "INSERT INTO blocked_times (doctor_id, starts_at, ends_at, local_day, start_minute,
                                    end_minute, time_zone, seal_id, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         RETURNING {}",
        rows::BLOCKED_TIME
    );
    single(
        connection,
        "blocking a time",
        &sql,
        (
            details.doctor.get(),
            details.starts_at.micros(),
            details.ends_at.micros(),
            details.day.to_string(),
            i32::from(details.start.minutes()),
            i32::from(details.end.minutes()),
            details.time_zone.as_str(),
            details.seal_id.get(),
            details.reason.as_ref().map(|reason| reason.as_bytes()),
            at.micros(),
        ),
        rows::blocked_time,
    )
    .await
}

pub(super) async fn unblock(
    connection: &mut Connection,
    doctor: UserId,
    block: BlockId,
) -> StoreResult<Decided<bool>> {
    let freed = change(
        connection,
        "freeing a blocked time",
        "DELETE FROM blocked_times WHERE id = $1 AND doctor_id = $2",
        (block.get(), doctor.get()),
    )
    .await?;
    Ok(if freed > 0 {
        Decided::Changed(true)
    } else {
        Decided::Refused(false)
    })
}
