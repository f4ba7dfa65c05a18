//! The event bus: how what was committed reaches those who listen.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Frame, LoggedEvent};

/// Carries committed events, and frames that nobody keeps, to subscribers on this node and on
/// others.
///
/// A store holds the bus and publishes after its commit, outside the caller's future: what was
/// committed is announced even when the caller is gone.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Announces committed events. Subscribers hear them in the order of the log, also those that
    /// are announced by several at once. It does not wait and does not fail: a subscriber that
    /// cannot follow is told so and reads the log.
    fn publish(&self, events: &[LoggedEvent]);

    /// Tells those who listen now. It does not wait and does not fail: a frame that is lost stays
    /// lost.
    fn pass(&self, frame: Frame);

    /// Listens from now on.
    async fn subscribe(&self) -> Subscription;
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq)]
pub enum SubscriptionItem {
    /// An event, with its place in the log. It may come twice; its id tells.
    Event(Arc<LoggedEvent>),
    /// Something that passes. It may come twice; its id tells.
    Frame(Arc<Frame>),
    /// Something was missed: read the log from your cursor.
    Lagged,
}

/// A place in the stream of events.
pub struct Subscription(Receiver<SubscriptionItem>);

impl Subscription {
    /// The subscription to a broadcast channel of an own bus.
    #[must_use]
    pub fn new(receiver: Receiver<SubscriptionItem>) -> Self {
        Self(receiver)
    }

    /// The next item; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<SubscriptionItem> {
        match self.0.recv().await {
            Ok(item) => Some(item),
            Err(RecvError::Lagged(_)) => Some(SubscriptionItem::Lagged),
            Err(RecvError::Closed) => None,
        }
    }
}
