//! What other servers are to be told, and the task that tells them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telemed_core::store::StoreResult;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;
use super::frames::{self, Letter};
use crate::connection::Connection;
use crate::statement::any;

/// How many frames wait at most, and how many bytes of them; a frame that is lost stays lost.
const MOST_FRAMES: usize = 4096;
const MOST_BYTES: usize = 32 << 20;

/// How often others are told that there are events, at most: they read all of them at once.
const EVENTS_APART: Duration = Duration::from_millis(5);

/// After a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// What waits to be told.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    has_events: bool,
    letters: Vec<Letter>,
    bytes: usize,
}

impl Outbox {
    /// Events were logged.
    pub(super) fn events(&self) {
        self.lock().has_events = true;
        self.arrived.notify_one();
    }

    /// A frame passes.
    pub(super) fn frame(&self, letter: Letter) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + letter.text.len();
        if waiting.letters.len() < MOST_FRAMES && bytes <= MOST_BYTES {
            waiting.bytes = bytes;
            waiting.letters.push(letter);
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells other servers what waits, together with what has come in the meantime.
pub(super) async fn send_on(shared: Arc<Shared>) {
    let mut last = Instant::now();
    loop {
        shared.outbox.arrived.notified().await;
        let waits_for_events_only = shared.outbox.lock().letters.is_empty();
        if waits_for_events_only {
            tokio::time::sleep_until(last + EVENTS_APART).await;
        }
        let waiting = shared.outbox.take();
        let has_events = waiting.has_events;
        if !has_events && waiting.letters.is_empty() {
            continue;
        }
        last = Instant::now();
        let told = shared
            .connections
            .once(
                (shared.channel.clone(), shared.connections.node(), waiting),
                |connection, (channel, node, waiting)| {
                    Box::pin(tell(
                        connection,
                        channel,
                        node.simple().to_string(),
                        waiting,
                    ))
                },
            )
            .await;
        if let Err(error) = told {
            tracing::warn!(%error, "other servers could not be notified");
            tokio::time::sleep(PAUSE).await;
            if has_events {
                shared.outbox.events();
            }
        }
    }
}

async fn tell(
    connection: &mut Connection,
    channel: &str,
    node: String,
    waiting: &Waiting,
) -> StoreResult<()> {
    let long: Vec<&Letter> = waiting.letters.iter().filter(|it| it.is_long()).collect();
    let has_long = !long.is_empty();
    if has_long {
        frames::lay(connection, &long).await?;
    }
    let events = waiting.has_events.then(|| format!("events {node}"));
    // In the order in which they passed, whatever their length: a candidate makes no sense before
    // its offer.
    let letters = waiting.letters.iter().map(|letter| match letter.is_long() {
        true => format!("long {node} {}", letter.id.simple()),
        false => format!("frame {node} {}", letter.text),
    });
    let payloads: Vec<String> = events.into_iter().chain(letters).collect();
    any(
        connection,
        "notifying other servers",
        "SELECT pg_notify($1, payload) FROM unnest($2::TEXT[]) AS payload",
        (channel, payloads),
    )
    .await?;
    // Whoever lays out tidies up.
    if has_long {
        frames::clear(connection).await?;
    }
    Ok(())
}
