//! Commits whose answer was lost with their connection.
//!
//! What was committed is announced, even when nobody could say so in time: once the backend that
//! was at it is gone, the log tells whether its events are there.

use std::time::Duration;

use telemed_core::journal::LoggedEvent;
use telemed_core::store::StoreResult;
use tokio::time::Instant;
use uuid::Uuid;

use crate::connection::{Backend, Connection};
use crate::connections::Connections;
use crate::rows;
use crate::statement::{all, any};

/// How long the database is asked. After that subscribers find the events in the log.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between two attempts: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A transaction that may have been committed.
pub(crate) struct Unknown {
    /// Who was at it.
    pub(crate) backend: Backend,
    /// What it would have logged.
    pub(crate) events: Vec<Uuid>,
    /// A cursor that is lower than theirs.
    pub(crate) after: i64,
}

/// The events, if they were committed.
pub(crate) async fn committed(connections: &Connections, unknown: Unknown) -> Vec<LoggedEvent> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = PAUSES.0;
    while Instant::now() < deadline {
        let question = (unknown.backend, unknown.events.clone(), unknown.after);
        let looked = connections
            .once(question, |connection, (backend, events, after)| {
                Box::pin(look(connection, *backend, events, *after))
            })
            .await;
        match looked {
            Ok(Some(events)) => return events,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "whether a write was committed is not known yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    Vec::new()
}

/// `None` while the backend is still at it.
async fn look(
    connection: &mut Connection,
    backend: Backend,
    events: &[Uuid],
    after: i64,
) -> StoreResult<Option<Vec<LoggedEvent>>> {
    // It serves nobody any more.
    let is_there = any(
        connection,
        "ending a backend whose connection was lost",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid = $1 AND backend_start = to_timestamp(0) + $2 * INTERVAL '1 microsecond'",
        (backend.process, backend.started_at),
    )
    .await?;
    if is_there {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {} FROM events WHERE seq > $1 AND id = ANY($2) ORDER BY seq",
        rows::EVENT
    );
    let reading = "looking for events in the log";
    all(connection, reading, &sql, (after, events), rows::event)
        .await
        .map(Some)
}
