//! What a connection holds of its server, and what has to outlive it when it becomes a socket.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{NetworkPlace, Phase};

/// A connection's seat at its server and its place in its network.
/// The server puts it into the extensions of every request; whoever takes a connection over holds
/// on to it, so that it is counted and waited for as before.
#[derive(Clone)]
pub(crate) struct Lifeline(Arc<Held>);

struct Held {
    phase: watch::Receiver<Phase>,
    _seat: OwnedSemaphorePermit,
    _place: NetworkPlace,
}

impl Lifeline {
    pub(super) fn new(
        phase: watch::Receiver<Phase>,
        seat: OwnedSemaphorePermit,
        place: NetworkPlace,
    ) -> Self {
        Self(Arc::new(Held {
            phase,
            _seat: seat,
            _place: place,
        }))
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.0.phase.clone()
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        *self.0.phase.borrow() != Phase::Open
    }

    /// Completes when the server waits no longer.
    pub(crate) async fn cut(&self) {
        // Ends too when the server itself is gone.
        let _ = self.phase().wait_for(|now| *now >= Phase::Cut).await;
    }
}
