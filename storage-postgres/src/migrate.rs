//! Brings the schema up to date when a database is opened.
//!
//! Migrations are numbered SQL files, embedded in the program, that only go forward. Each runs
//! in one transaction together with the row that says so, so a killed migration leaves the old
//! schema or the new one. An advisory lock keeps two processes from running the same one. What was
//! applied before has to be what this program knows under that number.

use sha2::{Digest, Sha256};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};

use crate::connection::Connection;
use crate::statement::{all, change, single};

/// One numbered step of the schema.
pub(crate) struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// Every step, in order, numbered from 1 without a gap.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "foundation",
        sql: include_str!("../migrations/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        name: "scheduling",
        sql: include_str!("../migrations/0002_scheduling.sql"),
    },
    Migration {
        version: 3,
        name: "messaging",
        sql: include_str!("../migrations/0003_messaging.sql"),
    },
    Migration {
        version: 4,
        name: "calls",
        sql: include_str!("../migrations/0004_calls.sql"),
    },
    Migration {
        version: 5,
        name: "bookings",
        sql: include_str!("../migrations/0005_bookings.sql"),
    },
];

/// The oldest server that has what is used here.
const OLDEST_SERVER: u32 = 14;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program has changed the schema; this one could damage it.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: \
         use the newer program"
    )]
    Newer {
        /// The version of the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A migration that was applied is not the one this program has under the same number.
    #[error("migration {version} of the database differs from the one in this program")]
    Changed {
        /// The number of the migration.
        version: u32,
    },
    /// The schema holds tables, but of something else.
    #[error("the schema of the database belongs to another program")]
    Foreign,
    /// There is no schema, and none is to be made.
    #[error("the database holds nothing of this program")]
    Absent,
    /// The server is too old, or the database does not hold UTF-8.
    #[error("the database needs PostgreSQL {OLDEST_SERVER} or newer and UTF-8")]
    Unsuitable,
    /// The backend failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Applies what is missing, but makes a schema where there is none only if `create` says so.
/// Returns how many migrations that were.
///
/// The connection is used for nothing else: it is left without its time limits.
pub(crate) async fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
    create: bool,
) -> Result<usize, OpenError> {
    check_server(connection).await?;
    // Nothing is locked when nothing is missing.
    match next_missing(connection, migrations).await? {
        None => return Ok(0),
        Some(first) if first.version == 1 && !create => return Err(OpenError::Absent),
        Some(_) => {}
    }
    // Another process may be at it, and a migration takes the time that it takes.
    connection
        .command(
            "preparing to migrate",
            "SET lock_timeout = 0; SET statement_timeout = 0;
             SET idle_in_transaction_session_timeout = 0",
        )
        .await?;
    connection.wait_without_end();
    let lock = "hashtextextended('telemed migration ' || current_schema(), 2)";
    let waiting = format!("SELECT pg_advisory_lock({lock})");
    connection
        .command("waiting for another process to migrate", &waiting)
        .await?;
    let mut applied = 0;
    while let Some(next) = next_missing(connection, migrations).await? {
        connection.begin().await?;
        if let Err(error) = apply(connection, next).await {
            connection.roll_back().await;
            return Err(error.into());
        }
        applied += 1;
    }
    let unlocking = format!("SELECT pg_advisory_unlock({lock})");
    connection.command("ending a migration", &unlocking).await?;
    Ok(applied)
}

async fn check_server(connection: &mut Connection) -> Result<(), OpenError> {
    let (version, encoding, schema): (i32, String, Option<String>) = single(
        connection,
        "looking at the server",
        "SELECT current_setting('server_version_num')::INTEGER,
                current_setting('server_encoding'), current_schema()::TEXT",
        (),
        |columns| Ok((columns.next()?, columns.next()?, columns.next()?)),
    )
    .await?;
    if u32::try_from(version).unwrap_or(0) / 10_000 < OLDEST_SERVER || encoding != "UTF8" {
        return Err(OpenError::Unsuitable);
    }
    if schema.is_none() {
        return Err(OpenError::Store(StoreError::new(
            StoreErrorKind::Internal,
            "the search path of the connection names no schema that exists",
        )));
    }
    Ok(())
}

async fn apply(connection: &mut Connection, migration: &Migration) -> StoreResult<()> {
    tracing::info!(
        version = migration.version,
        name = migration.name,
        "migrating the database"
    );
    connection
        .command(
            "making the table of migrations",
            "CREATE TABLE IF NOT EXISTS schema_migration (
                 version INTEGER PRIMARY KEY CHECK (version > 0),
                 name TEXT NOT NULL,
                 checksum BYTEA NOT NULL CHECK (octet_length(checksum) = 32)
             )",
        )
        .await?;
    connection
        .command("applying a migration", migration.sql)
        .await?;
    change(
        connection,
        "recording a migration",
        "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)",
        (migration.version, migration.name, checksum(migration.sql)),
    )
    .await?;
    connection.commit().await
}

/// Checks what was applied and finds the first migration that was not.
async fn next_missing<'m>(
    connection: &mut Connection,
    migrations: &'m [Migration],
) -> Result<Option<&'m Migration>, OpenError> {
    let number = |version: i32| u32::try_from(version).unwrap_or(0);
    let applied = applied(connection).await?;
    let known = migrations.last().map_or(0, |newest| newest.version);
    if let Some((found, _)) = applied.last().filter(|(version, _)| *version > known) {
        return Err(OpenError::Newer {
            found: number(*found),
            known: number(known),
        });
    }
    let mut applied = applied.into_iter();
    for migration in migrations {
        let Some((version, sum)) = applied.next() else {
            return Ok(Some(migration));
        };
        if version != migration.version || sum != checksum(migration.sql) {
            return Err(OpenError::Changed {
                version: number(version),
            });
        }
    }
    Ok(None)
}

async fn applied(connection: &mut Connection) -> Result<Vec<(i32, [u8; 32])>, OpenError> {
    let reading = "reading what was migrated";
    // Tables of extensions are nobody's.
    let (tables, is_ours): (i64, bool) = single(
        connection,
        reading,
        "SELECT count(*), coalesce(bool_or(relname = 'schema_migration'), false)
         FROM pg_class
         WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
             AND relkind IN ('r', 'p', 'v', 'm', 'f')
             AND NOT EXISTS (SELECT 1 FROM pg_depend
                             WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                                 AND deptype = 'e')",
        (),
        |columns| Ok((columns.next()?, columns.next()?)),
    )
    .await?;
    if !is_ours {
        return if tables == 0 {
            Ok(Vec::new())
        } else {
            Err(OpenError::Foreign)
        };
    }
    let rows = all(
        connection,
        reading,
        "SELECT version, checksum FROM schema_migration ORDER BY version",
        (),
        |columns| Ok((columns.next()?, columns.next()?)),
    )
    .await?;
    Ok(rows)
}

/// The same on every machine, whatever line ends a check-out made.
fn checksum(sql: &str) -> [u8; 32] {
    Sha256::digest(sql.replace("\r\n", "\n")).into()
}
