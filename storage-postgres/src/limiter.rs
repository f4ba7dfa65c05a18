//! The limiter that the servers on one database share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use telemed_core::limits::{Limit, LimitKey, RateLimiter, Verdict};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::connection::Connection;
use crate::connections::Connections;
use crate::statement::{change, single};
use crate::store::in_a_task;

/// How often rows that have recovered are dropped.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// How many rows go with one statement; it is written into it, so that the planner knows.
const PORTION: i64 = 1000;

/// The longest time that is reckoned with; sums of a few of them are numbers still.
const LONGEST: i64 = i64::MAX / 8;

/// A limiter whose counts all servers on one database share, by the generic cell rate algorithm:
/// a row for each key says when it will have recovered. A crash of the database forgets them.
///
/// When the database cannot be reached nobody is limited here; what is limited needs it, too.
pub struct PostgresLimiter {
    connections: Arc<Connections>,
    /// When rows are dropped again, in microseconds.
    purge_at: AtomicI64,
}

impl PostgresLimiter {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self {
            connections,
            purge_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Drops what has recovered, now and then, beside what is being asked.
    fn purge(&self, now: i64) {
        let due = self.purge_at.load(Ordering::Relaxed);
        let next = now.saturating_add(micros(PURGE_EVERY));
        // A clock that was set back does not put it off for long.
        if due != i64::MIN && now < due && due <= next {
            return;
        }
        let claim = self
            .purge_at
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if claim.is_ok() {
            let connections = Arc::clone(&self.connections);
            tokio::spawn(async move {
                if let Err(error) = drop_recovered(&connections, now).await {
                    tracing::warn!(%error, "limits that have recovered could not be dropped");
                }
            });
        }
    }
}

#[async_trait]
impl RateLimiter for PostgresLimiter {
    async fn check(&self, key: &LimitKey, limit: Limit, now: Timestamp) -> Verdict {
        let question = Question::new(key, limit, now);
        self.purge(question.now);
        let connections = Arc::clone(&self.connections);
        let asked = in_a_task(async move {
            connections
                .once(question, |connection, question| {
                    Box::pin(count(connection, question))
                })
                .await
        });
        match asked.await {
            Ok(0) => Verdict::Allowed,
            Ok(wait) => Verdict::Wait(Duration::from_micros(wait)),
            Err(error) => {
                tracing::warn!(%error, "a limit could not be checked");
                Verdict::Allowed
            }
        }
    }
}

/// What is asked, in microseconds.
struct Question {
    name: &'static str,
    subject: String,
    now: i64,
    interval: i64,
    /// The latest that a key can have recovered if it is asked for now.
    latest: i64,
}

impl Question {
    fn new(key: &LimitKey, limit: Limit, now: Timestamp) -> Self {
        let recovery = micros(limit.interval().saturating_mul(limit.burst()));
        // A time that is cut is cut for the whole burst.
        let interval = micros(limit.interval()).min(recovery / i64::from(limit.burst()));
        Self {
            name: key.name.as_str(),
            subject: key.subject.clone(),
            now: now.micros(),
            interval,
            latest: now.micros() + recovery,
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).map_or(LONGEST, |micros| micros.min(LONGEST))
}

/// Counts one more and returns zero, or returns how long is to be waited.
async fn count(connection: &mut Connection, question: &Question) -> StoreResult<u64> {
    let Question {
        name,
        subject,
        now,
        interval,
        latest,
    } = question;
    // A clock that was set back, or a limit that was made smaller, locks nobody out: what is known
    // is held between now and the latest. Who asks for the same key waits for the row.
    let (recovered_at, is_allowed): (i64, bool) = single(
        connection,
        "counting for a limit",
        "INSERT INTO rate_limits AS known (name, subject, recovered_at, is_allowed)
         VALUES ($1, $2, $3 + $4, true)
         ON CONFLICT (name, subject) DO UPDATE SET
             is_allowed = greatest(least(known.recovered_at, $5), $3) + $4 <= $5,
             recovered_at = CASE
                 WHEN greatest(least(known.recovered_at, $5), $3) + $4 <= $5
                 THEN greatest(known.recovered_at, $3) + $4
                 ELSE known.recovered_at
             END
         RETURNING recovered_at, is_allowed",
        (*name, subject, now, interval, latest),
        |columns| Ok((columns.next()?, columns.next()?)),
    )
    .await?;
    if is_allowed {
        return Ok(0);
    }
    let recovered_at = recovered_at.clamp(*now, *latest);
    let wait = recovered_at + interval - latest;
    Ok(u64::try_from(wait).unwrap_or(0).max(1))
}

async fn drop_recovered(connections: &Connections, now: i64) -> StoreResult<()> {
    loop {
        let gone = connections
            .once(now, |connection, now| {
                Box::pin(change(
                    connection,
                    "dropping limits that have recovered",
                    "DELETE FROM rate_limits WHERE (name, subject) IN
                         (SELECT name, subject FROM rate_limits WHERE recovered_at <= $1
                          ORDER BY recovered_at LIMIT 1000 FOR UPDATE SKIP LOCKED)",
                    (now,),
                ))
            })
            .await?;
        if gone < PORTION as u64 {
            return Ok(());
        }
    }
}
