//! The task that hears other servers.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use telemed_core::journal::SubscriptionItem;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::{Shared, frames};
use crate::failure::connect_error;

/// How often the connection is tried when nothing is heard on it, and how long that may take.
const CHECK: Duration = Duration::from_secs(10);
const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts to connect: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Listens as long as the bus is there.
pub(super) async fn listen(shared: Arc<Shared>, first: PgListener) {
    let mut connected = Ok(first);
    let mut pause = PAUSES.0;
    loop {
        match connected {
            Ok(mut listener) => {
                pause = PAUSES.0;
                hear(&shared, &mut listener).await;
                tracing::warn!("the connection that hears other servers was lost");
            }
            Err(error) => {
                let error = connect_error(&error);
                tracing::warn!(%error, "other servers cannot be heard");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
        connected = connect(&shared).await;
    }
}

/// A connection that listens.
pub(super) async fn connect(shared: &Shared) -> sqlx::Result<PgListener> {
    // A pool of one, since a listener is made of a pool; it is not asked to connect again.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CHECK_PATIENCE)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(shared.connections.address().clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.ignore_pool_close_event(true);
    listener.listen(&shared.channel).await?;
    Ok(listener)
}

/// Hears until the connection is lost.
async fn hear(shared: &Shared, listener: &mut PgListener) {
    // What came before this connection listened.
    shared.grown.notify_one();
    let mut check_at = Instant::now() + CHECK;
    loop {
        if Instant::now() >= check_at {
            let check = timeout(
                CHECK_PATIENCE,
                sqlx::Executor::execute(&mut *listener, "SELECT"),
            );
            if !matches!(check.await, Ok(Ok(_))) {
                return;
            }
            clear(shared).await;
            check_at = Instant::now() + CHECK;
        }
        match timeout_at(check_at, listener.try_recv()).await {
            Err(_) => {}
            Ok(Ok(Some(notification))) => take(shared, &notification).await,
            Ok(Ok(None) | Err(_)) => return,
        }
    }
}

/// Takes a notification.
async fn take(shared: &Shared, notification: &PgNotification) {
    let mut words = notification.payload().splitn(3, ' ');
    let (kind, node) = (words.next(), words.next());
    let is_own = node.and_then(|node| node.parse().ok()) == Some(shared.connections.node());
    if is_own {
        return;
    }
    let rest = words.next().unwrap_or_default();
    let letter = match kind {
        Some("events") => {
            shared.grown.notify_one();
            None
        }
        Some("frame") => Some(rest.to_owned()),
        Some("long") => fetch(shared, rest).await,
        // Of a newer version.
        _ => None,
    };
    if let Some(frame) = letter.and_then(|letter| frames::open(&letter)) {
        shared.local.tell(SubscriptionItem::Frame(Arc::new(frame)));
    }
}

/// Drops long frames that everybody has fetched.
async fn clear(shared: &Shared) {
    let cleared = shared
        .connections
        .once((), |connection, ()| Box::pin(frames::clear(connection)))
        .await;
    if let Err(error) = cleared {
        tracing::warn!(%error, "long frames could not be dropped");
    }
}

async fn fetch(shared: &Shared, id: &str) -> Option<String> {
    let id: Uuid = id.parse().ok()?;
    let fetched = shared
        .connections
        .once(id, |connection, id| {
            Box::pin(frames::fetch(connection, *id))
        })
        .await;
    fetched.unwrap_or_else(|error| {
        tracing::warn!(%error, "a long frame was lost");
        None
    })
}
