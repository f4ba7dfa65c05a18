//! Presence: who can be reached. It follows from leases that devices keep up, so that a server or
//! a device that dies takes its own with it.

mod lease;
pub(crate) mod memory;
mod store;

pub use lease::{DeviceType, Lease, LeaseSource, Presence, PresenceRow, PresenceStatus};
pub use store::{ContactBounds, PresenceStore};
