//! The randomness of the operating system.

use std::thread;
use std::time::Duration;

use telemed_core::env::Entropy;

/// The random source of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl SystemEntropy {
    /// Whether the operating system gives randomness at all. [`crate::Telemed::open`] asks once.
    pub(crate) fn works(self) -> bool {
        getrandom::fill(&mut [0; 16]).is_ok()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Keys and ids are made of these bytes: better to stand still than to go on without them.
        while getrandom::fill(bytes).is_err() {
            tracing::error!("the operating system gives no randomness; waiting for it");
            thread::sleep(Duration::from_millis(100));
        }
    }
}
