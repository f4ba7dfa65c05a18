//! The log of events and its cursors.

use std::time::Duration;

use telemed_core::journal::{Audience, EventSpan, LoggedEvent};
use telemed_core::store::StoreResult;
use tokio::time::Instant;

use crate::PostgresStore;
use crate::connection::Connection;
use crate::rows;
use crate::statement::{all, change, only, single};

/// How long a reader waits for transactions that began before what it is to read. Longer ones
/// are not waited for: what lies above them comes with a later call.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// Events of the audiences after a cursor, oldest first.
///
/// A reader stops at the oldest transaction that still runs: it may log events below those that
/// are there already, and who has read those would never see it. What was committed before this
/// call is waited for.
pub(super) async fn after(
    store: &PostgresStore,
    audiences: &[Audience],
    seq: u64,
    limit: u32,
) -> StoreResult<Vec<LoggedEvent>> {
    let feeds: Vec<String> = audiences.iter().map(|one| one.as_row()).collect();
    let after = i64::try_from(seq).unwrap_or(i64::MAX);
    let deadline = Instant::now() + PATIENCE;
    let mut pause = PAUSES.0;
    let mut is_again = false;
    loop {
        let question = (feeds.clone(), after, limit, is_again);
        let found = store
            .read(question, |connection, (feeds, after, limit, is_again)| {
                Box::pin(async move {
                    let horizon = match is_again {
                        true => Some(horizon_here(connection).await?),
                        false => None,
                    };
                    look(connection, feeds, *after, *limit, horizon).await
                })
            })
            .await?;
        let is_over = Instant::now() >= deadline;
        if is_over || found.iter().all(|(_, is_settled)| *is_settled) {
            let settled = found.into_iter().take_while(|(_, is_settled)| *is_settled);
            return Ok(settled.map(|(event, _)| event).collect());
        }
        if is_again {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        is_again = true;
    }
}

/// What is there, each event with whether nothing can appear below it any more: below the horizon
/// that was looked for before, or else that of the same moment.
async fn look(
    connection: &mut Connection,
    feeds: &[String],
    after: i64,
    limit: u32,
    horizon: Option<i64>,
) -> StoreResult<Vec<(LoggedEvent, bool)>> {
    // A feed is read from its own index; an event of several audiences is one row.
    let sql = format!(
        "WITH horizon AS MATERIALIZED (SELECT coalesce($4, event_horizon()) AS seq),
              found AS (SELECT DISTINCT seq FROM event_feeds
                        WHERE audience = ANY($1) AND seq > $2 ORDER BY seq LIMIT $3)
         SELECT {}, events.seq < horizon.seq FROM found
         JOIN events ON events.seq = found.seq CROSS JOIN horizon ORDER BY events.seq",
        rows::EVENT
    );
    all(
        connection,
        "reading events",
        &sql,
        (feeds, after, i64::from(limit), horizon),
        |columns| Ok((rows::event(columns)?, columns.next()?)),
    )
    .await
}

/// From where to where the log reaches for those who read it: not up to what lies above a
/// transaction that still runs. The newest event may have been dropped; its cursor is not given
/// again.
pub(super) async fn span(connection: &mut Connection) -> StoreResult<EventSpan> {
    let (span, is_more) = span_below(connection, None).await?;
    if !is_more {
        return Ok(span);
    }
    // What lies above may wait for a transaction of another database only.
    let horizon = horizon_here(connection).await?;
    Ok(span_below(connection, Some(horizon)).await?.0)
}

/// The span below a horizon, or below that of the same moment, and whether there are events above
/// it.
async fn span_below(
    connection: &mut Connection,
    horizon: Option<i64>,
) -> StoreResult<(EventSpan, bool)> {
    single(
        connection,
        "reading how far the log of events reaches",
        "WITH horizon AS MATERIALIZED (SELECT coalesce($1, event_horizon()) AS seq)
         SELECT purged,
                greatest(purged, (SELECT seq FROM events
                                  WHERE seq < (SELECT seq FROM horizon)
                                  ORDER BY seq DESC LIMIT 1)),
                EXISTS (SELECT FROM events WHERE seq >= (SELECT seq FROM horizon))
         FROM event_log",
        (horizon,),
        |columns| {
            let span = EventSpan {
                dropped_up_to: rows::number(columns)?,
                newest: rows::number(columns)?,
            };
            Ok((span, columns.next()?))
        },
    )
    .await
}

/// Below which cursor nothing new can appear.
pub(crate) async fn horizon(connection: &mut Connection) -> StoreResult<i64> {
    single(
        connection,
        "looking for the end of the log",
        "SELECT event_horizon()",
        (),
        only,
    )
    .await
}

/// The same, where only transactions of this database count. It takes longer to find out, and is
/// for statements that come after it.
pub(crate) async fn horizon_here(connection: &mut Connection) -> StoreResult<i64> {
    single(
        connection,
        "looking for the end of the log in this database",
        "SELECT event_horizon_here()",
        (),
        only,
    )
    .await
}

/// Lifts the base of the cursors above what the log holds, when the database was moved to a
/// cluster that has counted fewer transactions than the one it comes from.
pub(crate) async fn raise_base(connection: &mut Connection) -> StoreResult<()> {
    change(
        connection,
        "looking for the end of the log",
        "UPDATE event_log SET base = base + newest.seq - event_horizon() + (1 << 14)
         FROM (SELECT max(seq) AS seq FROM (
                   SELECT max(seq) AS seq FROM events
                   UNION ALL SELECT max(seq) FROM audit_open
                   UNION ALL SELECT purged FROM event_log
               ) AS cursors) AS newest
         WHERE newest.seq >= base + (pg_snapshot_xmax(pg_current_snapshot())::TEXT::BIGINT << 14)",
        (),
    )
    .await
    .map(drop)
}
