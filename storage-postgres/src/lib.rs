#![doc = include_str!("../README.md")]

mod connection;
mod connections;
mod failure;
mod journal;
mod messaging;
mod migrate;
mod options;
mod rows;
mod statement;
mod store;

pub use migrate::OpenError;
pub use options::PostgresOptions;
pub use store::PostgresStore;
