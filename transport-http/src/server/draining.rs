//! How a handler that waits hears that the server stops.

use tokio::sync::watch;

use super::Phase;

/// In the extensions of every request: tells that the server is about to stop. What waits for
/// something to happen answers then; another host's server does not tell, and waits end by
/// themselves.
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<Phase>);

impl Draining {
    pub(super) fn new(phase: watch::Receiver<Phase>) -> Self {
        Self(phase)
    }

    /// Ends when the server begins to stop.
    pub async fn begun(mut self) {
        // Ends too when the server itself is gone.
        let _ = self.0.wait_for(|phase| *phase != Phase::Open).await;
    }
}
