//! The journal: what every write leaves behind, and the storage traits that read it.

mod apply;
mod audit;
mod events;
mod jobs;
mod purge;
mod unknown;

pub(crate) use apply::{Entries, apply_left, known, repeated, settle};
pub(crate) use events::{horizon, horizon_here, raise_base};
pub(crate) use unknown::{Unknown, committed};

use async_trait::async_trait;
use telemed_core::id::JobId;
use telemed_core::journal::{
    Audience, ClaimedJob, EventSpan, IdempotencyKey, JobEnd, JournalStore, KeyRecord, LoggedEvent,
    Retention, Write,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::PostgresStore;
use crate::statement::{can_be_stored, change, one, only, single};
use crate::store::Repeat;

/// What a write came to.
pub(crate) enum Decided<T> {
    /// Nothing was changed; nothing is left behind.
    Refused(T),
    /// Rows that were there, or that carry an id of core's, were written.
    Changed(T),
    /// A row was made that has this number.
    Made(T, i64),
}

/// How a transaction ends.
pub(crate) enum Verdict<T> {
    /// What it changed is committed.
    Keep(T),
    /// Nothing is to change.
    Undo(T),
}

impl<T> Verdict<T> {
    /// The same verdict with another outcome in it.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Keep(outcome) => Verdict::Keep(change(outcome)),
            Self::Undo(outcome) => Verdict::Undo(change(outcome)),
        }
    }
}

#[async_trait]
impl JournalStore for PostgresStore {
    async fn record(&self, write: &Write) -> StoreResult<()> {
        self.call(Repeat::IfUndone, write.clone(), |connection, write| {
            connection.leave(write.clone());
            Box::pin(apply_left(connection))
        })
        .await
    }

    async fn key_record(
        &self,
        scope: &str,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<KeyRecord>> {
        if !can_be_stored(scope) {
            return Ok(None);
        }
        let name = (scope.to_owned(), key.clone());
        self.read(name, |connection, (scope, key)| {
            Box::pin(apply::key_record(connection, scope, key))
        })
        .await
    }

    async fn events_after(
        &self,
        audiences: &[Audience],
        seq: u64,
        limit: u32,
    ) -> StoreResult<Vec<LoggedEvent>> {
        events::after(self, audiences, seq, limit).await
    }

    async fn event_span(&self) -> StoreResult<EventSpan> {
        self.read((), |connection, ()| Box::pin(events::span(connection)))
            .await
    }

    async fn claim_jobs(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ClaimedJob>> {
        let claim = (now, lease_until, limit);
        self.call(Repeat::IfUndone, claim, |connection, claim| {
            let (now, lease_until, limit) = *claim;
            Box::pin(jobs::claim(connection, now, lease_until, limit))
        })
        .await
    }

    async fn finish_job(
        &self,
        job: JobId,
        lease_until: Timestamp,
        end: JobEnd,
    ) -> StoreResult<bool> {
        let finished = (job, lease_until, end);
        self.call(Repeat::IfUndone, finished, |connection, finished| {
            let (job, lease_until, end) = *finished;
            Box::pin(jobs::finish(connection, job, lease_until, end))
        })
        .await
    }

    async fn next_job_due(&self) -> StoreResult<Option<Timestamp>> {
        self.read((), |connection, ()| Box::pin(jobs::next_due(connection)))
            .await
    }

    async fn installation_value(&self, name: &str) -> StoreResult<Option<String>> {
        if !can_be_stored(name) {
            return Ok(None);
        }
        self.read(name.to_owned(), |connection, name| {
            Box::pin(one(
                connection,
                "reading a value of the installation",
                "SELECT value FROM installation WHERE name = $1",
                (name,),
                only,
            ))
        })
        .await
    }

    async fn claim_installation_value(&self, name: &str, value: &str) -> StoreResult<String> {
        let pair = (name.to_owned(), value.to_owned());
        self.call(Repeat::Always, pair, |connection, (name, value)| {
            Box::pin(async move {
                change(
                    connection,
                    "writing a value of the installation",
                    "INSERT INTO installation (name, value) VALUES ($1, $2)
                     ON CONFLICT (name) DO NOTHING",
                    (name, value),
                )
                .await?;
                // A statement of its own: it sees what another has written in the meantime.
                single(
                    connection,
                    "reading a value of the installation",
                    "SELECT value FROM installation WHERE name = $1",
                    (name,),
                    only,
                )
                .await
            })
        })
        .await
    }

    async fn purge(&self, retention: &Retention) -> StoreResult<u64> {
        let mut gone = 0;
        // In portions, so that other writers do not wait for a long one.
        loop {
            let portion = self
                .call(Repeat::Always, *retention, |connection, retention| {
                    Box::pin(purge::portion(connection, retention))
                })
                .await?;
            match portion {
                Some(rows) => gone += rows,
                None => return Ok(gone),
            }
        }
    }

    async fn ready(&self) -> StoreResult<()> {
        self.call(Repeat::Always, (), |connection, ()| {
            Box::pin(async move {
                // Begins to write, and changes nothing.
                change(
                    connection,
                    "trying to read and write",
                    "UPDATE audit_head SET number = number WHERE NOT is_only",
                    (),
                )
                .await
                .map(drop)
            })
        })
        .await
    }
}
