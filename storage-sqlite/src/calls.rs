//! Calls and the quality of their connection.

mod advance;
mod lists;
mod quality;
mod rows;
mod start;

use async_trait::async_trait;
use telemed_core::calls::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, Call, CallFilter, CallRow, CallStore,
    CallTally, ClientCallId, NamedSample, PartyQuality, QualitySample, StartCall, StartCallOutcome,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::journal::Write;
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::SqliteStore;

#[async_trait]
impl CallStore for SqliteStore {
    async fn start_call(&self, start: &StartCall) -> StoreResult<Written<StartCallOutcome>> {
        let start = start.clone();
        self.write(move |context| start::start(context, &start))
            .await
    }

    async fn call_by_id(&self, call: CallId) -> StoreResult<Option<Call>> {
        self.read(move |connection| lists::by_id(connection, call))
            .await
    }

    async fn call_by_client_id(
        &self,
        caller: UserId,
        id: &ClientCallId,
    ) -> StoreResult<Option<Call>> {
        let id = id.clone();
        self.read(move |connection| lists::by_client_id(connection, caller, &id))
            .await
    }

    async fn live_calls_of(&self, user: UserId) -> StoreResult<Vec<Call>> {
        self.read(move |connection| lists::live(connection, user))
            .await
    }

    async fn advance_call(
        &self,
        write: &Write,
        change: &AdvanceCall,
    ) -> StoreResult<Written<AdvanceCallOutcome>> {
        let change = change.clone();
        self.keyed(write, move |connection, write| {
            advance::advance(connection, write.at, &change)
        })
        .await
    }

    async fn call_page(
        &self,
        user: UserId,
        filter: &CallFilter,
        page: PageRequest,
    ) -> StoreResult<Page<CallRow>> {
        let filter = *filter;
        self.read(move |connection| lists::page(connection, user, &filter, page))
            .await
    }

    async fn call_tallies(
        &self,
        user: UserId,
        from: Option<Timestamp>,
    ) -> StoreResult<Vec<CallTally>> {
        self.read(move |connection| lists::tallies(connection, user, from))
            .await
    }

    async fn add_quality_sample(&self, sample: &QualitySample) -> StoreResult<AddSampleOutcome> {
        let sample = sample.clone();
        self.write(move |context| quality::add(context.connection(), &sample))
            .await
    }

    async fn quality_samples(&self, call: CallId, limit: u32) -> StoreResult<Vec<NamedSample>> {
        self.read(move |connection| quality::samples(connection, call, limit))
            .await
    }

    async fn call_quality(&self, call: CallId) -> StoreResult<Option<[PartyQuality; 2]>> {
        self.read(move |connection| quality::of_call(connection, call))
            .await
    }
}
