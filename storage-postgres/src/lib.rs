#![doc = include_str!("../README.md")]

mod bus;
mod calls;
mod connection;
mod connections;
mod directory;
mod failure;
mod identity;
mod journal;
mod limiter;
mod messaging;
mod migrate;
mod options;
mod presence;
mod rows;
mod scheduling;
mod statement;
mod store;

pub use bus::PostgresBus;
pub use limiter::PostgresLimiter;
pub use migrate::OpenError;
pub use options::PostgresOptions;
pub use store::PostgresStore;
