//! Reading the log from where this server was.

use std::sync::Arc;

use telemed_core::journal::{LoggedEvent, SubscriptionItem};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use super::Shared;
use crate::connection::Connection;
use crate::journal::horizon_here;
use crate::rows;
use crate::statement::{all, single};

/// How many events are read at once.
const PORTION: i64 = 1000;

/// A place in the log.
pub(super) struct Tail {
    shared: Arc<Shared>,
    /// Everything up to here was told, or is this server's own.
    cursor: i64,
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
        Self { shared, cursor }
    }

    /// Tells subscribers what other servers have logged. Returns whether something is there that
    /// cannot be told yet: a transaction still runs that may log events below it.
    pub(super) async fn read_on(&mut self) -> StoreResult<bool> {
        let look = self.look().await?;
        if look.purged > self.cursor {
            // What was dropped may have been for somebody here.
            self.shared.local.tell(SubscriptionItem::Lagged);
            self.cursor = self.cursor.max(look.purged.min(look.horizon - 1));
        }
        while self.cursor < look.newest.min(look.horizon - 1) {
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
        Ok(look.newest >= look.horizon)
    }

    async fn look(&self) -> StoreResult<Look> {
        self.shared
            .connections
            .once((), |connection, ()| {
                Box::pin(async move {
                    let looked = look(connection, None).await?;
                    if looked.newest < looked.horizon {
                        return Ok(looked);
                    }
                    // What holds it up may have nothing to do with this database.
                    let horizon = horizon_here(connection).await?;
                    look(connection, Some(horizon)).await
                })
            })
            .await
    }

    /// The next events of other servers: each with its place, even if it cannot be read.
    async fn portion(&self, horizon: i64) -> StoreResult<Vec<(i64, StoreResult<LoggedEvent>)>> {
        let part: (i64, i64, Uuid) = (self.cursor, horizon, self.shared.connections.node());
        self.shared
            .connections
            .once(part, |connection, (cursor, horizon, node)| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT seq, {} FROM events
                         WHERE seq > $1 AND seq < $2 AND node <> $3 ORDER BY seq LIMIT $4",
                        rows::EVENT
                    );
                    all(
                        connection,
                        "reading the events of other servers",
                        &sql,
                        (cursor, horizon, node, PORTION),
                        |columns| Ok((columns.next()?, rows::event(columns))),
                    )
                    .await
                })
            })
            .await
    }
}
