//! Opens a Telemed engine from one configuration.
//!
//! `telemed-core` holds the rules and has no clock, no randomness, no threads and no files. This
//! crate brings them: the store behind a URL, the clock and the random source of the machine,
//! password hashing, access tokens, key files, checkpoints of the audit trail, and the tasks that
//! run jobs, seal and purge.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use telemed_facade::{Config, Telemed};
//!
//! let telemed = Telemed::open(Config::new("memory:")).await?;
//! telemed.engine().ready().await?;
//! telemed.close().await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | what a host decides |
//! | `open.rs`, `open/` | the order in which things are opened, and why that can fail |
//! | `telemed.rs` | the open engine |
//! | `jobs.rs` | the background tasks |
//! | `serve.rs` | the server (feature `server`) |
//! | `keys.rs`, `files.rs` | the key files |
//! | `tokens.rs` | access tokens |
//! | `hashing.rs` | passwords |
//! | `checkpoints.rs` | checkpoints of the audit trail |
//! | `clock.rs`, `entropy.rs`, `log_notifier.rs` | the machine's clock and randomness, the log |
//!
//! # Files
//!
//! With `sqlite:PATH` everything is in one folder unless the configuration says otherwise: the
//! database, `master.key`, `signing.key` and `audit-checkpoints.log`, each for its owner only.
//! **Back up the key files**: without `master.key` the database does not open again. With
//! `memory:` nothing is written.
//!
//! Several processes may open one SQLite database, as a command beside a server does. Their events
//! do not reach each other.
//!
//! # Several servers
//!
//! With `postgres://…` any number of servers share a database. They share the key files too: give
//! all of them the same key folder, or copies of it. The first start makes the keys, and of
//! several that start at once on a shared folder one; a database that has keys is never served
//! with others. The data folder is each server's own: its checkpoints of the audit trail, and the
//! name (`server.id`) under which the database remembers that there are some. Events, the limits
//! on rates and those on guessing passwords, jobs and idempotency keys hold over all servers.
//!
//! # Features
//!
//! `sqlite` (on by default) brings the embedded store, `postgres` the one that several servers
//! share, `server` (on by default) the HTTP surfaces and `Telemed::serve`.

mod checkpoints;
mod clock;
mod config;
mod entropy;
mod files;
mod hashing;
mod jobs;
mod keys;
mod log_notifier;
mod open;
pub mod prelude;
#[cfg(feature = "server")]
mod serve;
mod telemed;
mod tokens;

pub use checkpoints::FileCheckpoints;
pub use clock::SystemClock;
pub use config::{Config, DatabaseError};
pub use entropy::SystemEntropy;
pub use hashing::{ArgonCost, ArgonCostError, ArgonHasher};
pub use keys::{KeyFileError, KeyFolder, read_secret_file};
pub use log_notifier::LogNotifier;
pub use open::OpenError;
#[cfg(feature = "server")]
pub use serve::ServerOptions;
pub use telemed::Telemed;
pub use telemed_core as core;
#[cfg(feature = "server")]
pub use telemed_transport_http as http;
pub use tokens::{JwtSigner, SigningKey};
