//! Beginning a call.

use rusqlite::{Connection, params};
use telemed_core::calls::{
    Call, CallProgress, CallSide, CallState, ClientCallId, DeviceId, EndReason, NewCall, StartCall,
    StartCallOutcome,
};
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use super::advance::seconds;
use super::lists;
use crate::journal::{Decided, keyed};
use crate::rows::{number, there};
use crate::statement::{change, one};
use crate::writer::{Verdict, WriteContext};

pub(super) fn start(
    context: &mut WriteContext<'_>,
    command: &StartCall,
) -> StoreResult<Verdict<Written<StartCallOutcome>>> {
    let is_busy = is_busy(context.connection(), command)?;
    let write = if is_busy {
        &command.write_busy
    } else {
        &command.write
    };
    keyed(context, write.clone(), |connection, write| {
        if let Some(met) = met(connection, command)? {
            return Ok(Decided::Refused(met));
        }
        let progress = if is_busy {
            command.busy.clone()
        } else {
            CallProgress::begun(command.call.caller_device.clone())
        };
        insert(connection, write.at, &command.call, &progress)?;
        let call = there(lists::by_id(connection, command.call.id)?)?;
        Ok(Decided::Changed(if is_busy {
            StartCallOutcome::CalleeBusy(call)
        } else {
            StartCallOutcome::Started(call)
        }))
    })
}

fn is_busy(connection: &Connection, command: &StartCall) -> StoreResult<bool> {
    if command.callee_refuses {
        return Ok(true);
    }
    let live = one(
        connection,
        "counting the live calls of a user",
        "SELECT count(*) FROM call_parties WHERE user_id = ?1 AND is_live = 1",
        [command.call.callee.get()],
        number,
    )?;
    Ok(live.unwrap_or(0) >= u64::from(command.most_live))
}

/// What a call that is to be begun meets, if anything.
fn met(connection: &Connection, command: &StartCall) -> StoreResult<Option<StartCallOutcome>> {
    let new = &command.call;
    if let Some(id) = &new.client_id
        && let Some(before) = lists::by_client_id(connection, new.caller, id)?
    {
        return Ok(Some(if is_same(new, &before) {
            StartCallOutcome::Repeated(before)
        } else {
            StartCallOutcome::ClientIdReused
        }));
    }
    let live = lists::live(connection, new.caller)?;
    let is_glare = |call: &&Call| {
        let rings = [CallState::Initiated, CallState::Ringing].contains(&call.progress.state);
        rings && call.caller.user == new.callee && call.callee.user == new.caller
    };
    if let Some(call) = live.iter().find(is_glare) {
        return Ok(Some(StartCallOutcome::Glare(call.clone())));
    }
    let is_full = live.len() as u64 >= u64::from(command.most_live);
    let newest = live.into_iter().next().filter(|_| is_full);
    Ok(newest.map(StartCallOutcome::CallerBusy))
}

/// Whether a client's id stands for the same call as before.
fn is_same(new: &NewCall, before: &Call) -> bool {
    before.callee.user == new.callee
        && before.kind == new.kind
        && before.appointment == new.appointment
}

fn insert(
    connection: &Connection,
    at: Timestamp,
    new: &NewCall,
    progress: &CallProgress,
) -> StoreResult<()> {
    change(
        connection,
        "adding a call",
        "INSERT INTO calls (id, caller_id, callee_id, kind, appointment_id, client_id,
                            initiated_at, state, end_reason, ended_by, caller_device,
                            callee_device, ringing_at, accepted_at, connected_at, ended_at,
                            reported_duration, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 1)",
        params![
            new.id.get().as_bytes(),
            new.caller.get(),
            new.callee.get(),
            new.kind.as_str(),
            new.appointment.map(AppointmentId::get),
            new.client_id.as_ref().map(ClientCallId::as_str),
            at.micros(),
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
        ],
    )?;
    for (user, side) in [
        (new.caller, CallSide::Caller),
        (new.callee, CallSide::Callee),
    ] {
        change(
            connection,
            "adding a party of a call",
            "INSERT INTO call_parties (call_id, user_id, side, kind, initiated_at, status, is_live,
                                       seconds)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                new.id.get().as_bytes(),
                user.get(),
                side.as_str(),
                new.kind.as_str(),
                at.micros(),
                progress.shown_to(side).as_str(),
                progress.state.is_live(),
                seconds(progress),
            ),
        )?;
    }
    Ok(())
}
