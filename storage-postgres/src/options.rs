//! What a host may choose about its PostgreSQL database.

use std::time::Duration;

/// What a host may choose about its PostgreSQL database; [`Default`] is right for a server.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Whether the schema is made in a database that has none. A program that only looks at one says
    /// no. On by default.
    pub create: bool,
    /// How many connections the store opens at most; at least one. Sixteen by default. The bus
    /// has two more.
    pub connections: u32,
    /// How long a caller waits for a connection, the time to connect included, before the answer
    /// is "unavailable". Five seconds by default.
    pub acquire_timeout: Duration,
    /// How long the server works on one statement. Thirty seconds by default.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock. Ten seconds by default.
    pub lock_timeout: Duration,
    /// Commit without waiting for the disk (`synchronous_commit=off`). A crash of the database may
    /// lose the newest commits, though never in part. Off by default.
    pub relaxed_durability: bool,
    /// The name under which the connections show at the server. `telemed` by default.
    pub application_name: String,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            create: true,
            connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            relaxed_durability: false,
            application_name: "telemed".to_owned(),
        }
    }
}
