//! The journal: what every write leaves behind, and the storage traits that read it.

mod apply;
mod audit;
mod jobs;
mod purge;

pub(crate) use apply::{Decided, key_record, keyed, repeated, unkeyed};
pub(crate) use audit::Sealer;

use async_trait::async_trait;
use telemed_core::id::JobId;
use telemed_core::journal::{
    Audience, ClaimedJob, EventSpan, IdempotencyKey, JobEnd, JournalStore, KeyRecord, LoggedEvent,
    Retention, Write,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::rows;
use crate::statement::{all, any, change, one, only};
use crate::writer::Verdict;

#[async_trait]
impl JournalStore for SqliteStore {
    async fn record(&self, write: &Write) -> StoreResult<()> {
        self.unkeyed(write, |_, _| Ok(Decided::Changed(()))).await
    }

    async fn key_record(
        &self,
        scope: &str,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<KeyRecord>> {
        let (scope, key) = (scope.to_owned(), key.clone());
        self.read(move |connection| key_record(connection, &scope, &key))
            .await
    }

    async fn events_after(
        &self,
        audiences: &[Audience],
        seq: u64,
        limit: u32,
    ) -> StoreResult<Vec<LoggedEvent>> {
        let audiences: Vec<String> = audiences.iter().map(|one| one.as_row()).collect();
        let after = i64::try_from(seq).unwrap_or(i64::MAX);
        self.read(move |connection| {
            // A feed is read from its own index; an event of several audiences is one row.
            let feeds = serde_json::Value::from(audiences).to_string();
            let sql = format!(
                "SELECT {} FROM events WHERE seq IN (
                     SELECT DISTINCT seq FROM event_feeds
                     WHERE audience IN (SELECT value FROM json_each(?1)) AND seq > ?2
                     ORDER BY seq LIMIT ?3
                 ) ORDER BY seq",
                rows::EVENT
            );
            all(
                connection,
                "reading events",
                &sql,
                (feeds, after, limit),
                rows::event,
            )
        })
        .await
    }

    async fn event_span(&self) -> StoreResult<EventSpan> {
        self.read(|connection| {
            // The newest event may have been dropped: its cursor is not given again.
            let span = one(
                connection,
                "reading how far the log of events reaches",
                "SELECT dropped_up_to,
                     max(dropped_up_to, coalesce((SELECT max(seq) FROM events), 0))
                 FROM event_log WHERE only = 1",
                [],
                |columns| {
                    Ok(EventSpan {
                        dropped_up_to: rows::number(columns)?,
                        newest: rows::number(columns)?,
                    })
                },
            )?;
            rows::there(span)
        })
        .await
    }

    async fn claim_jobs(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ClaimedJob>> {
        self.write(move |context| {
            let claims = jobs::claim(context.connection(), now, lease_until, limit)?;
            Ok(if claims.claimed.is_empty() && !claims.gave_up {
                Verdict::Undo(claims.claimed)
            } else {
                Verdict::Keep(claims.claimed)
            })
        })
        .await
    }

    async fn finish_job(
        &self,
        job: JobId,
        lease_until: Timestamp,
        end: JobEnd,
    ) -> StoreResult<bool> {
        self.write(move |context| {
            let ours = jobs::finish(context.connection(), job, lease_until, end)?;
            Ok(if ours {
                Verdict::Keep(true)
            } else {
                Verdict::Undo(false)
            })
        })
        .await
    }

    async fn next_job_due(&self) -> StoreResult<Option<Timestamp>> {
        self.read(jobs::next_due).await
    }

    async fn installation_value(&self, name: &str) -> StoreResult<Option<String>> {
        let name = name.to_owned();
        self.read(move |connection| {
            let sql = "SELECT value FROM installation WHERE name = ?1";
            one(
                connection,
                "reading a value of the installation",
                sql,
                [&name],
                only,
            )
        })
        .await
    }

    async fn claim_installation_value(&self, name: &str, value: &str) -> StoreResult<String> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |context| {
            let connection = context.connection();
            let inserted = change(
                connection,
                "writing a value of the installation",
                "INSERT INTO installation (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (&name, &value),
            )?;
            if inserted > 0 {
                return Ok(Verdict::Keep(value.clone()));
            }
            let sql = "SELECT value FROM installation WHERE name = ?1";
            let known = one(
                connection,
                "reading a value of the installation",
                sql,
                [&name],
                only,
            )?;
            Ok(Verdict::Undo(rows::there(known)?))
        })
        .await
    }

    async fn purge(&self, retention: &Retention) -> StoreResult<u64> {
        let retention = *retention;
        let mut gone = 0;
        // In portions, so that other writers do not wait for a long one.
        loop {
            let portion = self
                .write(move |context| purge::portion(context.connection(), &retention))
                .await?;
            match portion {
                Some(rows) => gone += rows,
                None => return Ok(gone),
            }
        }
    }

    async fn ready(&self) -> StoreResult<()> {
        let readable = "SELECT 1 FROM audit_head";
        self.read(move |connection| any(connection, "trying to read", readable, []))
            .await?;
        self.write(|context| {
            // Begins to write, and changes nothing.
            let touch = "UPDATE audit_head SET number = number WHERE only = 0";
            change(context.connection(), "trying to write", touch, [])?;
            Ok(Verdict::Undo(()))
        })
        .await
    }
}
