//! Changing a call that is still as core saw it.

use rusqlite::Connection;
use telemed_core::calls::{
    AdvanceCall, AdvanceCallOutcome, CallProgress, CallSide, DeviceId, EndReason,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::lists;
use crate::journal::Decided;
use crate::statement::change;

pub(super) fn advance(
    connection: &Connection,
    at: Timestamp,
    command: &AdvanceCall,
) -> StoreResult<Decided<AdvanceCallOutcome>> {
    let Some(mut call) = lists::by_id(connection, command.call)? else {
        return Ok(Decided::Refused(AdvanceCallOutcome::NotFound));
    };
    if call.version != command.seen {
        return Ok(Decided::Refused(AdvanceCallOutcome::Superseded));
    }
    if let Some((appointment, seen)) = command.appointment {
        let changed = change(
            connection,
            "an appointment goes in progress with its call",
            "UPDATE appointments SET status = 'in_progress', updated_at = ?3
             WHERE id = ?1 AND status = ?2",
            (appointment.get(), seen.as_str(), at.micros()),
        )?;
        if changed == 0 {
            return Ok(Decided::Refused(AdvanceCallOutcome::Superseded));
        }
    }
    store(connection, call.id, &command.progress)?;
    call.progress = command.progress.clone();
    call.version += 1;
    for side in [CallSide::Caller, CallSide::Callee] {
        change(
            connection,
            "changing how a call looks to a party",
            "UPDATE call_parties SET status = ?3, is_live = ?4, seconds = ?5
             WHERE call_id = ?1 AND user_id = ?2",
            (
                call.id.get().as_bytes(),
                call.party(side).user.get(),
                call.progress.shown_to(side).as_str(),
                call.progress.state.is_live(),
                seconds(&call.progress),
            ),
        )?;
    }
    Ok(Decided::Changed(AdvanceCallOutcome::Advanced(call)))
}

/// Writes how far a call has come, which makes its next version.
fn store(connection: &Connection, call: CallId, progress: &CallProgress) -> StoreResult<()> {
    change(
        connection,
        "changing a call",
        "UPDATE calls
         SET state = ?2, end_reason = ?3, ended_by = ?4, caller_device = ?5, callee_device = ?6,
             ringing_at = ?7, accepted_at = ?8, connected_at = ?9, ended_at = ?10,
             reported_duration = ?11, version = version + 1
         WHERE id = ?1",
        (
            call.get().as_bytes(),
            progress.state.as_str(),
            progress.end_reason.map(EndReason::as_str),
            progress.ended_by.map(UserId::get),
            progress.caller_device.as_ref().map(DeviceId::as_str),
            progress.callee_device.as_ref().map(DeviceId::as_str),
            progress.ringing_at.map(Timestamp::micros),
            progress.accepted_at.map(Timestamp::micros),
            progress.connected_at.map(Timestamp::micros),
            progress.ended_at.map(Timestamp::micros),
            progress.reported_duration,
        ),
    )?;
    Ok(())
}

/// For how many whole seconds the two heard each other, as rows keep it.
pub(super) fn seconds(progress: &CallProgress) -> i64 {
    i64::try_from(progress.duration().as_secs()).unwrap_or(i64::MAX)
}
