//! What all stores are held to, as a library: the storage conformance suite, the builders its
//! cases are written with, and the stores it runs on.
//!
//! Every `# Behavior` bullet of a storage trait in `telemed-core` has a [`suite::Case`] of the same
//! name. The runner is `tests/conformance.rs`; the other programs beside it test the engine over
//! the same stores.
//!
//! # A store of your own
//!
//! Implement [`StoreUnderTest`] and run every case on it, each with a fresh database:
//!
//! ```no_run
//! use std::sync::Arc;
//! use telemed_core::journal::LocalBus;
//! use telemed_core::memory::MemoryStorage;
//! use telemed_tests::{Fixture, StoreUnderTest, suite, trials};
//!
//! struct MyStore;
//!
//! #[async_trait::async_trait]
//! impl StoreUnderTest for MyStore {
//!     fn name(&self) -> &'static str {
//!         "mine"
//!     }
//!
//!     async fn fresh(&self) -> Fixture {
//!         let bus = Arc::new(LocalBus::default());
//!         let storage = Arc::new(MemoryStorage::new(bus.clone())); // yours
//!         Fixture::new(storage, bus, ()) // a directory to be removed in the place of `()`
//!     }
//! }
//!
//! let arguments = libtest_mimic::Arguments::from_args();
//! libtest_mimic::run(&arguments, trials(&Arc::new(MyStore), &suite::cases())).exit();
//! ```

// This library is nothing but tests: a panic is how a case fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod build;
pub mod chat;
pub mod client;
pub mod clients;
pub mod cluster;
pub mod dump;
pub mod engine;
pub mod invariants;
pub mod lockstep;
pub mod postgres;
pub mod practice;
mod runner;
pub mod server;
mod stores;
pub mod suite;
pub mod traffic;

pub use postgres::PostgresUnderTest;
pub use runner::{in_runtime, is_long, on_postgres, together, trials};
pub use stores::{Fixture, MemoryUnderTest, SqliteUnderTest, StoreUnderTest};
