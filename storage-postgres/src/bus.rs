//! The bus between servers on one database.
//!
//! Every server tells its subscribers what it reads in the log, in the order of the log: its own
//! commits too, since another server's may come before them, and who goes on from the cursor of a
//! later event would never hear of an earlier one. It reads on when it has committed something
//! itself, and when it is called: a server that has committed notifies the others after it, outside
//! the transaction (inside, commits would queue for one lock). It looks every second in any case,
//! so nothing is missed when a server dies between the two. Frames are kept nowhere: they travel in
//! the notification, or beside it when they are long.

mod frames;
mod listener;
mod outbox;
mod tail;

use std::sync::Arc;

use async_trait::async_trait;
use telemed_core::journal::{EventBus, Frame, LocalBus, LoggedEvent, Subscription};
use telemed_core::store::StoreResult;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::connections::Connections;
use crate::failure::connect_error;
use crate::journal::horizon;
use crate::statement::{only, single};
use outbox::Outbox;
use tail::Tail;

/// How many items are kept for slow subscribers.
const KEPT: usize = 4096;

/// Carries events and frames between the servers that share a PostgreSQL database.
///
/// Every event reaches the subscribers of every server at least once, in the order of the log.
pub struct PostgresBus {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 3],
}

/// What the bus and its tasks share.
struct Shared {
    local: LocalBus,
    outbox: Outbox,
    /// The log holds more.
    grown: Notify,
    /// Two, for what is short: who reads the log does not wait for who calls the others. Whoever
    /// listens has another.
    connections: Connections,
    /// Of this schema: another installation in the same database does not hear it.
    channel: String,
}

impl PostgresBus {
    /// Begins to listen. The schema is there already.
    pub(crate) async fn start(store: &Connections) -> StoreResult<Self> {
        let connections = store.more(2);
        let (channel, horizon) = connections
            .once((), |connection, ()| {
                Box::pin(async move {
                    let channel: String = single(
                        connection,
                        "naming the channel",
                        "SELECT 'telemed_' || md5(current_schema())",
                        (),
                        only,
                    )
                    .await?;
                    Ok((channel, horizon(connection).await?))
                })
            })
            .await?;
        let shared = Arc::new(Shared {
            local: LocalBus::new(KEPT),
            outbox: Outbox::default(),
            grown: Notify::new(),
            connections,
            channel,
        });
        let tail = Tail::new(Arc::clone(&shared), horizon - 1);
        // Whoever subscribes to it hears frames at once.
        let listener = listener::connect(&shared)
            .await
            .map_err(|error| connect_error(&error))?;
        let tasks = [
            tokio::spawn(outbox::send_on(Arc::clone(&shared))),
            tokio::spawn(listener::listen(Arc::clone(&shared), listener)),
            tokio::spawn(tail.follow()),
        ];
        Ok(Self { shared, tasks })
    }
}

impl Drop for PostgresBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[async_trait]
impl EventBus for PostgresBus {
    fn publish(&self, events: &[LoggedEvent]) {
        if !events.is_empty() {
            self.shared.grown.notify_one();
            self.shared.outbox.events();
        }
    }

    fn pass(&self, frame: Frame) {
        if let Some(letter) = frames::letter(&frame) {
            self.shared.outbox.frame(letter);
        }
        self.shared.local.pass(frame);
    }

    async fn subscribe(&self) -> Subscription {
        self.shared.local.subscribe().await
    }
}
