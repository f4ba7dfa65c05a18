//! Changing a call that is as core saw it: one call of the schema's function, which compares,
//! writes and commits.

use telemed_core::calls::{AdvanceCall, AdvanceCallOutcome, CallSide};
use telemed_core::journal::Write;
use telemed_core::store::{StoreError, StoreResult, Written};

use super::{ANSWER, ANSWER_JOINS, Answer, answer, rows};
use crate::connection::Connection;
use crate::journal::{Entries, known};
use crate::rows::there;
use crate::statement::single;

pub(super) async fn advance(
    connection: &mut Connection,
    write: &Write,
    change: &AdvanceCall,
) -> StoreResult<Written<AdvanceCallOutcome>> {
    let entries = Entries::of(std::slice::from_ref(write))?;
    connection.expect(entries.ids());
    let answer = call(connection, write, change, entries.text()).await?;
    if let Some(record) = answer.used {
        let claim = there(write.idempotency.as_ref())?;
        return Ok(known(claim, record));
    }
    let outcome = match (answer.outcome.as_str(), answer.met) {
        ("not_found", _) => AdvanceCallOutcome::NotFound,
        ("superseded", _) => AdvanceCallOutcome::Superseded,
        ("advanced", Some(met)) => {
            connection.announce(entries.logged(there(answer.first_event)?, None)?);
            AdvanceCallOutcome::Advanced(met)
        }
        _ => return Err(StoreError::corrupt("changing a call: an unknown outcome")),
    };
    Ok(Written::Applied(outcome))
}

async fn call(
    connection: &mut Connection,
    write: &Write,
    change: &AdvanceCall,
    entries: &str,
) -> StoreResult<Answer> {
    let node = connection.node();
    let claim = write.idempotency.as_ref();
    let progress = &change.progress;
    let sql = format!(
        "SELECT {ANSWER}, {}
         FROM advance_call($1, $2::JSONB, $3, $4, $5, $6, $7::JSONB, $8, $9, $10, $11, $12, $13)
             AS answer {ANSWER_JOINS}",
        rows::CALL
    );
    single(
        connection,
        "changing a call",
        &sql,
        (
            node,
            entries,
            claim.map(|claim| claim.scope.as_str()),
            claim.map(|claim| claim.key.as_str()),
            change.call.get(),
            // No row has a version beyond.
            i64::try_from(change.seen).unwrap_or(i64::MAX),
            rows::record(&rows::Progress::of(progress))?,
            progress.shown_to(CallSide::Caller).as_str(),
            progress.shown_to(CallSide::Callee).as_str(),
            rows::seconds(progress),
            change.appointment.map(|(id, _)| id.get()),
            change.appointment.map(|(_, seen)| seen.as_str()),
            write.at.micros(),
        ),
        answer,
    )
    .await
}
