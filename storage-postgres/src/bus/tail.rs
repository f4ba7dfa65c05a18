//! Reading the log from where this server was.

use std::sync::Arc;
use std::time::Duration;

use telemed_core::journal::{LoggedEvent, SubscriptionItem};
use telemed_core::store::StoreResult;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use crate::connection::Connection;
use crate::journal::horizon_here;
use crate::rows;
use crate::statement::{all, single};

/// How many events are read at once.
const PORTION: i64 = 1000;

/// How long the log is not looked at when nobody calls.
const QUIET: Duration = Duration::from_secs(1);

/// How often the log is read at most: what comes meanwhile is read together.
const APART: Duration = Duration::from_millis(2);

/// Between two looks at what cannot be told yet: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// After so long, what holds the log up is looked at more closely: it may have nothing to do with
/// this database.
const HELD_UP: Duration = Duration::from_millis(5);

/// A place in the log.
pub(super) struct Tail {
    shared: Arc<Shared>,
    /// Everything up to here was told.
    cursor: i64,
    /// Since when there is something that cannot be told yet.
    held_up_since: Option<Instant>,
}

/// What there is to read below a horizon that was looked for before, or else that of the same
/// moment.
async fn look(connection: &mut Connection, horizon: Option<i64>) -> StoreResult<Look> {
    single(
        connection,
        "looking at the log",
        "SELECT coalesce($1, event_horizon()), coalesce((SELECT max(seq) FROM events), 0), purged
         FROM event_log",
        (horizon,),
        |columns| {
            Ok(Look {
                horizon: columns.next()?,
                newest: columns.next()?,
                purged: columns.next()?,
            })
        },
    )
    .await
}

/// What there is to read.
struct Look {
    horizon: i64,
    /// The newest cursor in the log.
    newest: i64,
    /// The highest one that was dropped.
    purged: i64,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, cursor: i64) -> Self {
        Self {
            shared,
            cursor,
            held_up_since: None,
        }
    }

    /// Reads on as long as the bus is there.
    pub(super) async fn follow(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let (began, before) = (Instant::now(), self.cursor);
            let is_at_end = match self.read_on().await {
                Ok(is_held_up) => !is_held_up,
                Err(error) => {
                    tracing::warn!(%error, "the log of events cannot be read");
                    false
                }
            };
            if is_at_end || self.cursor > before {
                pause = PAUSES.0;
            }
            let rest = if is_at_end { QUIET } else { pause };
            pause = (pause * 2).min(PAUSES.1);
            // The next commit calls, here or at another server.
            let _ = timeout(rest, self.shared.grown.notified()).await;
            sleep_until(began + APART).await;
        }
    }

    /// Tells subscribers what was logged. Returns whether something is there that cannot be told
    /// yet: a transaction still runs that may log events below it.
    async fn read_on(&mut self) -> StoreResult<bool> {
        let look = self.look().await?;
        if look.purged > self.cursor {
            // What was dropped may have been for somebody here.
            self.shared.local.tell(SubscriptionItem::Lagged);
            self.cursor = self.cursor.max(look.purged.min(look.horizon - 1));
        }
        // Who begins to listen after this look is told of what is committed after it.
        let is_heard = self.shared.local.has_subscribers();
        while is_heard && self.cursor < look.newest.min(look.horizon - 1) {
            let events = self.portion(look.horizon).await?;
            let is_last = (events.len() as i64) < PORTION;
            let read_to = events.last().map(|(seq, _)| *seq);
            for (seq, event) in events {
                match event {
                    Ok(event) => self
                        .shared
                        .local
                        .tell(SubscriptionItem::Event(Arc::new(event))),
                    Err(error) => {
                        tracing::error!(seq, %error, "an event cannot be read and is not told");
                    }
                }
            }
            self.cursor = match read_to {
                Some(seq) if !is_last => seq,
                _ => look.horizon - 1,
            };
        }
        self.cursor = self.cursor.max(look.horizon - 1);
        let is_held_up = look.newest >= look.horizon;
        let since = self.held_up_since.unwrap_or_else(Instant::now);
        self.held_up_since = is_held_up.then_some(since);
        Ok(is_held_up)
    }

    async fn look(&self) -> StoreResult<Look> {
        let since = self.held_up_since;
        let is_close = since.is_some_and(|since| since.elapsed() >= HELD_UP);
        self.shared
            .connections
            .once(is_close, |connection, is_close| {
                Box::pin(async move {
                    let looked = look(connection, None).await?;
                    if looked.newest < looked.horizon || !*is_close {
                        return Ok(looked);
                    }
                    let horizon = horizon_here(connection).await?;
                    look(connection, Some(horizon)).await
                })
            })
            .await
    }

    /// The next events: each with its place, even if it cannot be read.
    async fn portion(&self, horizon: i64) -> StoreResult<Vec<(i64, StoreResult<LoggedEvent>)>> {
        let part = (self.cursor, horizon);
        self.shared
            .connections
            .once(part, |connection, (cursor, horizon)| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT seq, {} FROM events
                         WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3",
                        rows::EVENT
                    );
                    all(
                        connection,
                        "reading the log",
                        &sql,
                        (cursor, horizon, PORTION),
                        |columns| Ok((columns.next()?, rows::event(columns))),
                    )
                    .await
                })
            })
            .await
    }
}
