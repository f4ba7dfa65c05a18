//! Two stores in lock step: the same random steps on both, the same answers from both, and the
//! same content at the end.
//!
//! The in-memory store is the specification; what differs from it, and what breaks an
//! [invariant](crate::invariants), is a fault.

mod operation;
mod run;
mod steps;

pub use operation::{Act, Booking, KeyUse, Operation, Publishing, Step};
pub use run::run;
pub use steps::{chats, prelude, steps, talks};
