//! Dropping old rows.

use telemed_core::journal::Retention;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::connection::Connection;
use crate::statement::{change, only, single};

// The rows that go with one statement are picked first, as many as are written into it: the planner
// would otherwise read the whole table to find a part of it.

/// Drops some of what is old and returns how many rows that were, without what went with them;
/// `None` when nothing is left to drop. Rows that another server is dropping are passed over.
pub(super) async fn portion(
    connection: &mut Connection,
    retention: &Retention,
) -> StoreResult<Option<u64>> {
    let mut gone = events(connection, retention.events_before).await?;
    let tokens = refresh_tokens(connection, retention.sessions_before).await?;
    for (action, sql, before) in [
        (
            "dropping old idempotency keys",
            "DELETE FROM idempotency_keys WHERE (scope, key) IN
                 (SELECT scope, key FROM idempotency_keys WHERE at < $1 LIMIT 1000
                  FOR UPDATE SKIP LOCKED)",
            retention.keys_before,
        ),
        (
            "dropping dead jobs",
            "DELETE FROM jobs WHERE id = ANY (ARRAY(
                 SELECT id FROM jobs WHERE is_dead AND due_at < $1 LIMIT 1000
                 FOR UPDATE SKIP LOCKED))",
            retention.dead_jobs_before,
        ),
        (
            "dropping old login failures",
            "DELETE FROM login_failures WHERE id = ANY (ARRAY(
                 SELECT id FROM login_failures WHERE at < $1 LIMIT 1000
                 FOR UPDATE SKIP LOCKED))",
            retention.login_failures_before,
        ),
        (
            "dropping expired sessions",
            "DELETE FROM sessions WHERE id = ANY (ARRAY(
                 SELECT id FROM sessions WHERE expires_at < $1 AND
                     (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id LIMIT 1) IS NULL
                 LIMIT 1000 FOR UPDATE SKIP LOCKED))",
            retention.sessions_before,
        ),
        (
            "dropping ended sessions",
            "DELETE FROM sessions WHERE id = ANY (ARRAY(
                 SELECT id FROM sessions WHERE ended_at < $1 AND
                     (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id LIMIT 1) IS NULL
                 LIMIT 1000 FOR UPDATE SKIP LOCKED))",
            retention.sessions_before,
        ),
    ] {
        gone += change(connection, action, sql, (before.micros(),)).await?;
    }
    Ok((gone + tokens > 0).then_some(gone))
}

/// Drops the tokens of old sessions, which go before them: a session may have had thousands.
async fn refresh_tokens(connection: &mut Connection, before: Timestamp) -> StoreResult<u64> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM refresh_tokens WHERE fingerprint = ANY (ARRAY(
             SELECT fingerprint FROM sessions CROSS JOIN LATERAL (
                 SELECT fingerprint FROM refresh_tokens WHERE session_id = sessions.id
                 LIMIT 1000 FOR UPDATE SKIP LOCKED) AS tokens
             WHERE expires_at < $1 LIMIT 1000))",
        "DELETE FROM refresh_tokens WHERE fingerprint = ANY (ARRAY(
             SELECT fingerprint FROM sessions CROSS JOIN LATERAL (
                 SELECT fingerprint FROM refresh_tokens WHERE session_id = sessions.id
                 LIMIT 1000 FOR UPDATE SKIP LOCKED) AS tokens
             WHERE ended_at < $1 LIMIT 1000))",
    ] {
        let action = "dropping the refresh tokens of old sessions";
        gone += change(connection, action, sql, (before.micros(),)).await?;
    }
    Ok(gone)
}

/// Drops old events with their feeds, and notes up to where the log has gaps.
async fn events(connection: &mut Connection, before: Timestamp) -> StoreResult<u64> {
    let gone: i64 = single(
        connection,
        "dropping old events",
        "WITH old AS (
             DELETE FROM events WHERE seq = ANY (ARRAY(
                 SELECT seq FROM events WHERE at < $1 ORDER BY at LIMIT 1000
                 FOR UPDATE SKIP LOCKED))
             RETURNING seq, audience
         ), feeds AS (
             DELETE FROM event_feeds USING old, string_to_table(old.audience, ' ') AS feed
             WHERE event_feeds.audience = feed AND event_feeds.seq = old.seq
         ), newest AS (
             SELECT max(seq) AS seq FROM old
         ), noted AS (
             UPDATE event_log SET purged = newest.seq FROM newest WHERE newest.seq > purged
         )
         SELECT count(*) FROM old",
        (before.micros(),),
        only,
    )
    .await?;
    Ok(u64::try_from(gone).unwrap_or(0))
}
