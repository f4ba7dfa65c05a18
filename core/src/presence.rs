//! Presence: who can be reached. It follows from leases that devices keep up, so that a server or
//! a device that dies takes its own with it.

mod lease;
mod look;
pub(crate) mod memory;
mod say;
mod settle;
mod sockets;
mod store;

use crate::engine::{Engine, Inner};

pub use lease::{DeviceType, Lease, LeaseSource, Presence, PresenceRow, PresenceStatus};
pub use say::SayPresence;
pub use sockets::{AFTER_CLOSE, RENEW_EVERY};
pub use store::{ContactBounds, PresenceStore};

/// Who can be reached. What passes needs no idempotency key: said twice it is the same.
pub struct Presences<'e> {
    engine: &'e Engine,
}

impl<'e> Presences<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Self { engine }
    }

    fn inner(&self) -> &'e Inner {
        &self.engine.inner
    }
}
