//! The event bus: how what was committed reaches those who listen.

use async_trait::async_trait;

use super::Event;

/// Carries committed events to subscribers, on this node and on others.
///
/// A store holds the bus and publishes after its commit, outside the caller's future: what was
/// committed is announced even when the caller is gone.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Announces committed events, in order. It does not wait and does not fail: a subscriber
    /// that cannot follow is told so and reads the log.
    fn publish(&self, events: &[Event]);

    /// Listens from now on.
    async fn subscribe(&self) -> Subscription;
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq)]
pub enum SubscriptionItem {
    /// An event. It may come twice; its id tells.
    Event(std::sync::Arc<Event>),
    /// Events were missed: read the log from your cursor.
    Lagged,
}

/// A place in the stream of events.
pub struct Subscription(pub(super) tokio::sync::broadcast::Receiver<std::sync::Arc<Event>>);

impl Subscription {
    /// The subscription to a broadcast channel of an own bus.
    #[must_use]
    pub fn new(receiver: tokio::sync::broadcast::Receiver<std::sync::Arc<Event>>) -> Self {
        Self(receiver)
    }

    /// The next item; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<SubscriptionItem> {
        use tokio::sync::broadcast::error::RecvError;
        match self.0.recv().await {
            Ok(event) => Some(SubscriptionItem::Event(event)),
            Err(RecvError::Lagged(_)) => Some(SubscriptionItem::Lagged),
            Err(RecvError::Closed) => None,
        }
    }
}
