//! Times that a doctor has blocked.

use rusqlite::Connection;
use telemed_core::id::{AppointmentId, BlockId, UserId};
use telemed_core::journal::Write;
use telemed_core::scheduling::{
    AppointmentStatus, BlockDetails, BlockOutcome, BlockedTime, CancelForBlock, SlotDuration,
    SlotFacts, StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use super::{LIVE, appointments, schedules};
use crate::journal::{Decided, repeated, unkeyed};
use crate::rows;
use crate::statement::{all, any, change, insert, one};
use crate::writer::{Verdict, WriteContext};

/// Whether a row of `slots` shares a moment with a blocked time of its doctor.
///
/// The plus sign keeps the beginning out of the choice of an index: by the end, everything that
/// is over by then is passed by.
pub(super) const IS_BLOCKED: &str = "EXISTS (
    SELECT 1 FROM blocked_times
    WHERE blocked_times.doctor_id = slots.doctor_id
        AND blocked_times.ends_at > slots.starts_at
        AND +blocked_times.starts_at < slots.ends_at)";

/// Whether a slot that is to be made shares a moment with a blocked time of its doctor.
pub(super) fn overlaps(connection: &Connection, facts: &SlotFacts) -> StoreResult<bool> {
    any(
        connection,
        "looking for a blocked time",
        "SELECT 1 FROM blocked_times
         WHERE doctor_id = ?1 AND ends_at > ?2 AND +starts_at < ?3 LIMIT 1",
        (
            facts.doctor.get(),
            facts.starts_at.micros(),
            facts.ends_at.micros(),
        ),
    )
}

pub(super) fn by_id(connection: &Connection, block: BlockId) -> StoreResult<Option<BlockedTime>> {
    let sql = format!(
        "SELECT {} FROM blocked_times WHERE id = ?1",
        rows::BLOCKED_TIME
    );
    one(
        connection,
        "reading a blocked time",
        &sql,
        [block.get()],
        rows::blocked_time,
    )
}

/// A doctor's blocked times that share a moment with a span, by start and id, at most 500.
pub(super) fn of_doctor(
    connection: &Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<BlockedTime>> {
    let sql = format!(
        "SELECT {} FROM blocked_times
         WHERE doctor_id = ?1 AND +ends_at > ?2 AND starts_at < ?3
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
}

/// A doctor's live appointments that share a moment with a span, by id.
pub(super) fn live_bookings(
    connection: &Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<StoredAppointment>> {
    // Found by their slots: a slot with live appointments is never taken back, and one that
    // overlaps cannot have begun longer ago than the longest slot lasts.
    let earliest = from.minus(SlotDuration::LONGEST);
    let sql = format!(
        "SELECT {} FROM slots CROSS JOIN appointments ON appointments.slot_id = slots.id
         WHERE slots.doctor_id = ?1 AND slots.is_active = 1 AND slots.booked_count > 0
             AND slots.starts_at > ?2 AND slots.starts_at < ?3 AND slots.ends_at > ?4 AND {LIVE}",
        rows::APPOINTMENT
    );
    let mut live = all(
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
    )?;
    live.sort_unstable_by_key(|row| row.id);
    Ok(live)
}

/// Blocks a time. The cancellations in it come before the block, in the journal too.
pub(super) fn block(
    context: &mut WriteContext<'_>,
    write: &Write,
    details: &BlockDetails,
    cancel: &[CancelForBlock],
) -> StoreResult<Verdict<Written<BlockOutcome>>> {
    if let Some(answer) = repeated(context.connection(), write)? {
        return Ok(Verdict::Undo(answer));
    }
    let refused = |outcome| Ok(Verdict::Undo(Written::Applied(outcome)));
    if !schedules::is_doctor(context.connection(), details.doctor)? {
        return refused(BlockOutcome::DoctorNotFound);
    }
    let live = live_bookings(
        context.connection(),
        details.doctor,
        details.starts_at,
        details.ends_at,
    )?;
    let is_given = |id| cancel.iter().any(|one| one.appointment == id);
    let (in_the_way, given): (Vec<_>, Vec<_>) = live
        .iter()
        .partition(|row| row.status == AppointmentStatus::InProgress || !is_given(row.id));
    let ids = |rows: Vec<&StoredAppointment>| -> Vec<AppointmentId> {
        rows.iter().map(|row| row.id).collect()
    };
    if !in_the_way.is_empty() {
        return refused(BlockOutcome::HasBookings(ids(in_the_way)));
    }
    let given = ids(given);
    let mut cancelled = 0;
    // What is over by now, or lies elsewhere, is left as it is.
    for one in cancel.iter().filter(|one| given.contains(&one.appointment)) {
        let ended = unkeyed(context, one.write.clone(), |connection, write| {
            appointments::cancel(connection, write.at, one.appointment, &one.reason)
        })?;
        cancelled += u32::from(matches!(ended, Verdict::Keep(_)));
    }
    let blocked = unkeyed(context, write.clone(), |connection, write| {
        let block = add(connection, write.at, details)?;
        let number = block.id.get();
        Ok(Decided::Made(
            BlockOutcome::Blocked { block, cancelled },
            number,
        ))
    })?;
    Ok(blocked.map(Written::Applied))
}

fn add(connection: &Connection, at: Timestamp, details: &BlockDetails) -> StoreResult<BlockedTime> {
    let id = insert(
        connection,
        "blocking a time",
        "INSERT INTO blocked_times (doctor_id, starts_at, ends_at, local_day, start_minute,
                                    end_minute, time_zone, seal_id, reason, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            details.doctor.get(),
            details.starts_at.micros(),
            details.ends_at.micros(),
            details.day.to_string(),
            details.start.minutes(),
            details.end.minutes(),
            &details.time_zone,
            details.seal_id.get().as_bytes(),
            details.reason.as_ref().map(|reason| reason.as_bytes()),
            at.micros(),
        ),
    )?;
    Ok(BlockedTime {
        id: BlockId::from_row(id),
        details: details.clone(),
        created_at: at,
    })
}

pub(super) fn unblock(
    connection: &Connection,
    doctor: UserId,
    block: BlockId,
) -> StoreResult<Decided<bool>> {
    let freed = change(
        connection,
        "freeing a blocked time",
        "DELETE FROM blocked_times WHERE id = ?1 AND doctor_id = ?2",
        (block.get(), doctor.get()),
    )?;
    Ok(if freed > 0 {
        Decided::Changed(true)
    } else {
        Decided::Refused(false)
    })
}
