//! The bus inside one process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Event, EventBus, Subscription};

/// A bus for one process: a bounded broadcast.
pub struct LocalBus(broadcast::Sender<Arc<Event>>);

impl LocalBus {
    /// A bus that keeps this many events for slow subscribers.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        Self(broadcast::channel(kept.max(1)).0)
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new(1024)
    }
}

#[async_trait]
impl EventBus for LocalBus {
    fn publish(&self, events: &[Event]) {
        // Without a subscriber there is nobody to tell, and nothing to copy.
        if self.0.receiver_count() == 0 {
            return;
        }
        for event in events {
            let _ = self.0.send(Arc::new(event.clone()));
        }
    }

    async fn subscribe(&self) -> Subscription {
        Subscription::new(self.0.subscribe())
    }
}
