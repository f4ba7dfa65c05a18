//! Has the calls whose signals pass this node follow what happens to them. It is a task of its
//! own, which may wait for the store while sockets are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telemed_core::Engine;
use telemed_core::journal::SubscriptionItem;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How much waits until it is observed.
const WAITING: usize = 256;
/// How long to wait before something that failed is tried again.
const REST: Duration = Duration::from_secs(1);

/// Hands the observer what concerns calls that it follows.
pub(super) struct Observed {
    engine: Engine,
    items: mpsc::Sender<SubscriptionItem>,
    /// Something did not fit in. What waits is read to its end before this is looked at.
    has_missed: Arc<AtomicBool>,
}

impl Observed {
    /// Hands an item on, without waiting.
    pub(super) fn hand(&self, item: &SubscriptionItem) {
        if self.engine.calls().observes(item) && self.items.try_send(item.clone()).is_err() {
            self.has_missed.store(true, Ordering::Release);
            // It may have read everything and looked in this moment: then this one fits in, and
            // otherwise there is one to be read after which it looks.
            let _ = self.items.try_send(SubscriptionItem::Lagged);
        }
    }
}

/// Begins to observe what is handed over, until that can be dropped.
pub(super) fn observe(engine: &Engine) -> Observed {
    engine.calls().attend();
    let (items, waiting) = mpsc::channel(WAITING);
    let has_missed = Arc::new(AtomicBool::new(false));
    tokio::spawn(run(engine.clone(), waiting, Arc::clone(&has_missed)));
    Observed {
        engine: engine.clone(),
        items,
        has_missed,
    }
}

async fn run(
    engine: Engine,
    mut items: mpsc::Receiver<SubscriptionItem>,
    has_missed: Arc<AtomicBool>,
) {
    while let Some(mut item) = items.recv().await {
        loop {
            match engine.calls().observe(&item).await {
                Ok(()) if !has_missed.swap(false, Ordering::AcqRel) => break,
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(code = error.code.as_str(), "calls are followed later");
                    sleep(REST).await;
                    if items.is_closed() {
                        return;
                    }
                }
            }
            // What was missed is made good by a look at every call that is known.
            item = SubscriptionItem::Lagged;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::House;

    #[tokio::test]
    async fn what_does_not_fit_in_is_made_good() {
        let house = House::open().await;
        let observed = observe(&house.engine);
        // Nothing is read meanwhile.
        for _ in 0..=WAITING {
            observed.hand(&SubscriptionItem::Lagged);
        }
        let has_missed = || observed.has_missed.load(Ordering::Acquire);
        assert!(has_missed());
        let looks = async {
            while has_missed() || observed.items.capacity() < WAITING {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(REST, looks).await.unwrap();
    }
}
