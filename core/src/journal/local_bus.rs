//! The bus inside one process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{EventBus, Frame, LoggedEvent, Subscription, SubscriptionItem};

/// A bus for one process: a bounded broadcast.
pub struct LocalBus(broadcast::Sender<SubscriptionItem>);

impl LocalBus {
    /// A bus that keeps this many items for slow subscribers.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        Self(broadcast::channel(kept.max(1)).0)
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn has_subscribers(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells subscribers something as it stands: for a bus that hears it from elsewhere.
    pub fn tell(&self, item: SubscriptionItem) {
        // Without a subscriber there is nobody to tell.
        let _ = self.0.send(item);
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new(1024)
    }
}

#[async_trait]
impl EventBus for LocalBus {
    fn publish(&self, events: &[LoggedEvent]) {
        // Without a subscriber there is nothing to copy either.
        if !self.has_subscribers() {
            return;
        }
        for event in events {
            self.tell(SubscriptionItem::Event(Arc::new(event.clone())));
        }
    }

    fn pass(&self, frame: Frame) {
        self.tell(SubscriptionItem::Frame(Arc::new(frame)));
    }

    async fn subscribe(&self) -> Subscription {
        Subscription::new(self.0.subscribe())
    }
}
