//! The embedded default: every storage trait of `telemed-core` on SQLite.
//!
//! One thread owns the only connection that writes and commits in groups (`writer`); a small
//! pool of threads with connections of their own reads (`reader`). The schema grows through
//! numbered SQL files (`migrate`). No database work runs in a request's future, so a dropped
//! future never leaves a transaction open.

mod calls;
mod connection;
mod directory;
mod failure;
mod identity;
mod journal;
mod messaging;
mod migrate;
mod options;
mod presence;
mod reader;
mod rows;
mod scheduling;
mod statement;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use migrate::OpenError;
pub use options::SqliteOptions;
pub use store::SqliteStore;
pub use writer::WriterCounts;
