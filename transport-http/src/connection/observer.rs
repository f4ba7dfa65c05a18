//! Has the calls whose signals pass this node follow what happens to them. It is a task of its
//! own, which may wait for the store while sockets are told.

use std::time::Duration;

use telemed_core::Engine;
use telemed_core::journal::{Subscription, SubscriptionItem};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long to wait before something that failed is tried again.
const REST: Duration = Duration::from_secs(1);

/// Observes until the hub is dropped.
pub(super) async fn run(
    engine: Engine,
    mut subscription: Subscription,
    mut alive: watch::Receiver<()>,
) {
    engine.calls().attend();
    loop {
        let next = tokio::select! {
            biased;
            // Nothing is ever sent: it ends with the hub.
            _ = alive.changed() => return,
            next = subscription.next() => next,
        };
        let is_gone = next.is_none();
        // What was missed is made good by a look at every call that is known.
        let mut item = next.unwrap_or(SubscriptionItem::Lagged);
        if is_gone {
            tokio::select! {
                _ = alive.changed() => return,
                () = sleep(REST) => {}
            }
            subscription = engine.subscribe().await;
        }
        while let Err(error) = engine.calls().observe(&item).await {
            tracing::warn!(code = error.code.as_str(), "calls are followed later");
            item = SubscriptionItem::Lagged;
            tokio::select! {
                _ = alive.changed() => return,
                () = sleep(REST) => {}
            }
        }
    }
}
