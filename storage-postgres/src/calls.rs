//! Calls, their history, and the quality of their connections.
//!
//! Who begins a call waits for others who begin one with the same users, before anything is
//! locked. Who changes a call locks it after everything else: see [`crate::scheduling`].

mod advance;
mod history;
mod quality;
mod rows;
mod start;

use async_trait::async_trait;
use telemed_core::calls::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, Call, CallFilter, CallRow, CallStore,
    CallTally, ClientCallId, NamedSample, PartyQuality, QualitySample, StartCall, StartCallOutcome,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::journal::{KeyRecord, Write};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::PostgresStore;
use crate::rows::key_record;
use crate::statement::Columns;
use crate::store::Repeat;

/// What a function of the schema has come to about a call.
struct Answer {
    outcome: String,
    /// What the idempotency key was used for.
    used: Option<KeyRecord>,
    first_event: Option<i64>,
    met: Option<Call>,
}

/// The columns of [`Answer`], of the function's call `AS answer` and [`ANSWER_JOINS`].
const ANSWER: &str = "answer.outcome, answer.used_fingerprint, answer.used_resource, \
     answer.used_subject, answer.first_event";

/// What belongs to the call that a function has met, for [`rows::CALL`]: there may be none.
const ANSWER_JOINS: &str = "LEFT JOIN LATERAL (SELECT (answer.met).*) AS calls ON true \
     LEFT JOIN users AS caller ON caller.id = calls.caller_id \
     LEFT JOIN users AS callee ON callee.id = calls.callee_id";

/// The columns of [`ANSWER`], then those of [`rows::CALL`].
fn answer(columns: &mut Columns<'_>) -> StoreResult<Answer> {
    let outcome: String = columns.next()?;
    let used = if outcome == "key_used" {
        Some(key_record(columns)?)
    } else {
        // No key was used.
        let _: Option<Vec<u8>> = columns.next()?;
        let _: (Option<String>, Option<String>) = (columns.next()?, columns.next()?);
        None
    };
    Ok(Answer {
        outcome,
        used,
        first_event: columns.next()?,
        met: rows::maybe_call(columns)?,
    })
}

/// What a live call is to its parties, in the words of the partial index.
pub(crate) const LIVE: &str =
    "place.status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected')";

#[async_trait]
impl CallStore for PostgresStore {
    async fn start_call(&self, start: &StartCall) -> StoreResult<Written<StartCallOutcome>> {
        // By its client's id a repetition is known too.
        let repeat = match start.call.client_id {
            Some(_) => Repeat::Always,
            None => Repeat::of(&start.write),
        };
        self.call(repeat, start.clone(), |connection, start| {
            Box::pin(start::start(connection, start))
        })
        .await
    }

    async fn call_by_id(&self, call: CallId) -> StoreResult<Option<Call>> {
        self.read(call, |connection, call| {
            Box::pin(history::by_id(connection, *call))
        })
        .await
    }

    async fn call_by_client_id(
        &self,
        caller: UserId,
        id: &ClientCallId,
    ) -> StoreResult<Option<Call>> {
        self.read((caller, id.clone()), |connection, (caller, id)| {
            Box::pin(history::by_client_id(connection, *caller, id))
        })
        .await
    }

    async fn live_calls_of(&self, user: UserId) -> StoreResult<Vec<Call>> {
        self.read(user, |connection, user| {
            Box::pin(history::live(connection, *user))
        })
        .await
    }

    async fn advance_call(
        &self,
        write: &Write,
        change: &AdvanceCall,
    ) -> StoreResult<Written<AdvanceCallOutcome>> {
        // The second time it finds another version, and changes nothing more.
        let input = (write.clone(), change.clone());
        self.call(Repeat::Always, input, |connection, (write, change)| {
            Box::pin(advance::advance(connection, write, change))
        })
        .await
    }

    async fn call_page(
        &self,
        user: UserId,
        filter: &CallFilter,
        page: PageRequest,
    ) -> StoreResult<Page<CallRow>> {
        let list = (user, *filter, page);
        self.read(list, |connection, (user, filter, page)| {
            Box::pin(history::page(connection, *user, filter, *page))
        })
        .await
    }

    async fn call_tallies(
        &self,
        user: UserId,
        from: Option<Timestamp>,
    ) -> StoreResult<Vec<CallTally>> {
        self.read((user, from), |connection, (user, from)| {
            Box::pin(history::tallies(connection, *user, *from))
        })
        .await
    }

    async fn add_quality_sample(&self, sample: &QualitySample) -> StoreResult<AddSampleOutcome> {
        self.call(Repeat::Always, sample.clone(), |connection, sample| {
            Box::pin(quality::add(connection, sample))
        })
        .await
    }

    async fn quality_samples(&self, call: CallId, limit: u32) -> StoreResult<Vec<NamedSample>> {
        self.read((call, limit), |connection, (call, limit)| {
            Box::pin(quality::samples(connection, *call, *limit))
        })
        .await
    }

    async fn call_quality(&self, call: CallId) -> StoreResult<Option<[PartyQuality; 2]>> {
        self.read(call, |connection, call| {
            Box::pin(quality::of_call(connection, *call))
        })
        .await
    }
}
