//! Beginning a call: one call of the schema's function, which decides, writes and commits.

use serde::Serialize;
use telemed_core::calls::{
    CallProgress, CallSide, ClientCallId, NewCall, StartCall, StartCallOutcome,
};
use telemed_core::id::AppointmentId;
use telemed_core::store::{StoreError, StoreResult, Written};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::{ANSWER, ANSWER_JOINS, Answer, answer, rows};
use crate::connection::Connection;
use crate::journal::{Entries, known};
use crate::rows::there;
use crate::statement::single;

/// The row of a call that begins, in the names of its columns.
#[derive(Serialize)]
struct Begun<'c> {
    id: Uuid,
    caller_id: i64,
    callee_id: i64,
    kind: &'static str,
    appointment_id: Option<i64>,
    client_id: Option<&'c str>,
    initiated_at: i64,
    version: i64,
    #[serde(flatten)]
    progress: rows::Progress<'c>,
}

/// What of it is different when the callee is busy.
#[derive(Serialize)]
struct Busy<'c> {
    initiated_at: i64,
    #[serde(flatten)]
    progress: rows::Progress<'c>,
}

impl<'c> Begun<'c> {
    fn of(call: &'c NewCall, progress: &'c CallProgress, at: Timestamp) -> Self {
        Self {
            id: call.id.get(),
            caller_id: call.caller.get(),
            callee_id: call.callee.get(),
            kind: call.kind.as_str(),
            appointment_id: call.appointment.map(AppointmentId::get),
            client_id: call.client_id.as_ref().map(ClientCallId::as_str),
            initiated_at: at.micros(),
            version: 1,
            progress: rows::Progress::of(progress),
        }
    }
}

pub(super) async fn start(
    connection: &mut Connection,
    start: &StartCall,
) -> StoreResult<Written<StartCallOutcome>> {
    let entries = Entries::of(std::slice::from_ref(&start.write))?;
    let busy_entries = Entries::of(std::slice::from_ref(&start.write_busy))?;
    connection.expect(entries.ids());
    connection.expect(busy_entries.ids());
    let answer = call(connection, start, entries.text(), busy_entries.text()).await?;
    if let Some(record) = answer.used {
        let claim = there(start.write.idempotency.as_ref())?;
        return Ok(known(claim, record));
    }
    let outcome = match (answer.outcome.as_str(), answer.met) {
        ("client_id_reused", _) => StartCallOutcome::ClientIdReused,
        ("repeated", Some(met)) => StartCallOutcome::Repeated(met),
        ("glare", Some(met)) => StartCallOutcome::Glare(met),
        ("caller_busy", Some(met)) => StartCallOutcome::CallerBusy(met),
        ("callee_busy", Some(met)) => {
            connection.announce(busy_entries.logged(there(answer.first_event)?, None)?);
            StartCallOutcome::CalleeBusy(met)
        }
        ("started", Some(met)) => {
            connection.announce(entries.logged(there(answer.first_event)?, None)?);
            StartCallOutcome::Started(met)
        }
        _ => return Err(StoreError::corrupt("beginning a call: an unknown outcome")),
    };
    Ok(Written::Applied(outcome))
}

async fn call(
    connection: &mut Connection,
    start: &StartCall,
    entries: &str,
    busy_entries: &str,
) -> StoreResult<Answer> {
    let node = connection.node();
    let claim = start.write.idempotency.as_ref();
    let begun = CallProgress::begun(start.call.caller_device.clone());
    let busy = Busy {
        initiated_at: start.write_busy.at.micros(),
        progress: rows::Progress::of(&start.busy),
    };
    let sql = format!(
        "SELECT {ANSWER}, {}
         FROM start_call($1, $2::JSONB, $3::JSONB, $4, $5, $6::JSONB, $7, $8::JSONB, $9, $10, $11,
                         $12, $13) AS answer {ANSWER_JOINS}",
        rows::CALL
    );
    single(
        connection,
        "beginning a call",
        &sql,
        (
            node,
            entries,
            busy_entries,
            claim.map(|claim| claim.scope.as_str()),
            claim.map(|claim| claim.key.as_str()),
            rows::record(&Begun::of(&start.call, &begun, start.write.at))?,
            // It looks alike from both sides.
            begun.shown_to(CallSide::Caller).as_str(),
            rows::record(&busy)?,
            start.busy.shown_to(CallSide::Caller).as_str(),
            start.busy.shown_to(CallSide::Callee).as_str(),
            rows::seconds(&start.busy),
            start.callee_refuses,
            i64::from(start.most_live),
        ),
        answer,
    )
    .await
}
