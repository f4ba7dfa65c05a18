//! Dropping old rows.

use rusqlite::Connection;
use telemed_core::journal::Retention;
use telemed_core::store::StoreResult;

use crate::rows;
use crate::statement::{Columns, all, change};
use crate::writer::Verdict;

/// How many rows of each table go in one transaction.
const PORTION: i64 = 1000;

/// Drops some of what is old and returns how many rows that were, without what went with them;
/// `None` when nothing is left to drop.
pub(super) fn portion(
    connection: &Connection,
    retention: &Retention,
) -> StoreResult<Verdict<Option<u64>>> {
    let mut gone = events(connection, retention.events_before.micros())?;
    let tokens = refresh_tokens(connection, retention.sessions_before.micros())?;
    for (action, sql, before) in [
        (
            "dropping old idempotency keys",
            "DELETE FROM idempotency_keys WHERE (scope, key) IN
                 (SELECT scope, key FROM idempotency_keys WHERE at < ?1 LIMIT ?2)",
            retention.keys_before,
        ),
        (
            "dropping dead jobs",
            "DELETE FROM jobs WHERE id IN
                 (SELECT id FROM jobs WHERE is_dead = 1 AND due_at < ?1 LIMIT ?2)",
            retention.dead_jobs_before,
        ),
        (
            "dropping old login failures",
            "DELETE FROM login_failures WHERE id IN
                 (SELECT id FROM login_failures WHERE at < ?1 LIMIT ?2)",
            retention.login_failures_before,
        ),
        (
            "dropping expired sessions",
            "DELETE FROM sessions WHERE id IN
                 (SELECT id FROM sessions WHERE expires_at < ?1 AND NOT EXISTS
                     (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id)
                  LIMIT ?2)",
            retention.sessions_before,
        ),
        (
            "dropping ended sessions",
            "DELETE FROM sessions WHERE id IN
                 (SELECT id FROM sessions WHERE ended_at < ?1 AND NOT EXISTS
                     (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id)
                  LIMIT ?2)",
            retention.sessions_before,
        ),
    ] {
        gone += change(connection, action, sql, (before.micros(), PORTION))? as u64;
    }
    Ok(if gone + tokens == 0 {
        Verdict::Undo(None)
    } else {
        Verdict::Keep(Some(gone))
    })
}

/// Drops the tokens of old sessions, which go before them: a session may have had thousands.
fn refresh_tokens(connection: &Connection, before: i64) -> StoreResult<u64> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM refresh_tokens WHERE fingerprint IN
             (SELECT fingerprint FROM sessions
              CROSS JOIN refresh_tokens ON session_id = sessions.id
              WHERE expires_at < ?1 LIMIT ?2)",
        "DELETE FROM refresh_tokens WHERE fingerprint IN
             (SELECT fingerprint FROM sessions
              CROSS JOIN refresh_tokens ON session_id = sessions.id
              WHERE ended_at < ?1 LIMIT ?2)",
    ] {
        let action = "dropping the refresh tokens of old sessions";
        gone += change(connection, action, sql, (before, PORTION))? as u64;
    }
    Ok(gone)
}

fn events(connection: &Connection, before: i64) -> StoreResult<u64> {
    let old: Vec<(i64, String)> = all(
        connection,
        "dropping old events",
        "DELETE FROM events WHERE seq IN
             (SELECT seq FROM events WHERE at < ?1 ORDER BY at LIMIT ?2)
         RETURNING seq, audience",
        (before, PORTION),
        |columns: &mut Columns<'_>| Ok((columns.next()?, columns.next()?)),
    )?;
    if let Some(highest) = old.iter().map(|(seq, _)| seq).max() {
        change(
            connection,
            "noting how far the log of events was dropped",
            "UPDATE event_log SET dropped_up_to = max(dropped_up_to, ?1) WHERE only = 1",
            [highest],
        )?;
    }
    for (seq, audiences) in &old {
        for feed in rows::audiences(audiences).unwrap_or_default() {
            change(
                connection,
                "dropping an event from a feed",
                "DELETE FROM event_feeds WHERE audience = ?1 AND seq = ?2",
                (feed.as_row(), seq),
            )?;
        }
    }
    Ok(old.len() as u64)
}
