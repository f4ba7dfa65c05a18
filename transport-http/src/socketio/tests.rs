#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calling;
mod credentials;
mod engine;
mod events;
mod leases;
mod socket;
