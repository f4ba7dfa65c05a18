//! Brings the schema up to date when a database is opened.
//!
//! Migrations are numbered SQL files, embedded in the program, that only go forward. Each runs
//! in one transaction together with the row that says so, so a killed migration leaves the old
//! schema or the new one. The write lock keeps two processes from running the same one. What was
//! applied before has to be what this program knows under that number.

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use telemed_core::store::{StoreError, StoreResult};

use crate::failure::During;

/// One numbered step of the schema.
pub(crate) struct Migration {
    version: u32,
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
        name: "platform",
        sql: include_str!("../migrations/0002_platform.sql"),
    },
    Migration {
        version: 3,
        name: "days",
        sql: include_str!("../migrations/0003_days.sql"),
    },
    Migration {
        version: 4,
        name: "messaging",
        sql: include_str!("../migrations/0004_messaging.sql"),
    },
    Migration {
        version: 5,
        name: "calls",
        sql: include_str!("../migrations/0005_calls.sql"),
    },
    Migration {
        version: 6,
        name: "waiting_tokens",
        sql: include_str!("../migrations/0006_waiting_tokens.sql"),
    },
];

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
    /// The file is a SQLite database, but of something else.
    #[error("the file is the database of another program")]
    Foreign,
    /// The backend failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Looks whether the database is one that this program may open; changes nothing.
pub(crate) fn check(connection: &Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    next_missing(connection, migrations).map(drop)
}

/// Applies what is missing. Returns how many migrations that were.
pub(crate) fn migrate(
    connection: &Connection,
    migrations: &[Migration],
) -> Result<usize, OpenError> {
    let mut applied = 0;
    // Nothing is locked when nothing is missing.
    while let Some(next) = next_missing(connection, migrations)? {
        connection
            .execute_batch("BEGIN EXCLUSIVE")
            .during("locking the database to migrate it")?;
        let done = apply_locked(connection, migrations, next);
        if !connection.is_autocommit() {
            connection
                .execute_batch("ROLLBACK")
                .during("rolling back a migration")?;
        }
        applied += usize::from(done?);
    }
    Ok(applied)
}

/// Applies the migration unless another process did while this one waited for the lock.
fn apply_locked(
    connection: &Connection,
    migrations: &[Migration],
    next: &Migration,
) -> Result<bool, OpenError> {
    match next_missing(connection, migrations)? {
        Some(missing) if missing.version == next.version => {}
        _ => return Ok(false),
    }
    tracing::info!(
        version = next.version,
        name = next.name,
        "migrating the database"
    );
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migration (
                 version INTEGER PRIMARY KEY CHECK (version > 0),
                 name TEXT NOT NULL,
                 checksum BLOB NOT NULL CHECK (length(checksum) = 32)
             ) STRICT",
        )
        .during("making the table of migrations")?;
    connection
        .execute_batch(next.sql)
        .during("applying a migration")?;
    connection
        .execute(
            "INSERT INTO schema_migration (version, name, checksum) VALUES (?1, ?2, ?3)",
            (next.version, next.name, checksum(next.sql)),
        )
        .during("recording a migration")?;
    connection
        .execute_batch("COMMIT")
        .during("committing a migration")?;
    Ok(true)
}

/// Checks what was applied and finds the first migration that was not.
fn next_missing<'m>(
    connection: &Connection,
    migrations: &'m [Migration],
) -> Result<Option<&'m Migration>, OpenError> {
    let applied = applied(connection)?;
    let known = migrations.last().map_or(0, |newest| newest.version);
    if let Some(found) = applied
        .last()
        .map(|(version, _)| *version)
        .filter(|v| *v > known)
    {
        return Err(OpenError::Newer { found, known });
    }
    let mut applied = applied.into_iter();
    for migration in migrations {
        let Some((version, sum)) = applied.next() else {
            return Ok(Some(migration));
        };
        if version != migration.version || sum != checksum(migration.sql) {
            return Err(OpenError::Changed { version });
        }
    }
    Ok(None)
}

fn applied(connection: &Connection) -> Result<Vec<(u32, [u8; 32])>, OpenError> {
    let reading = "reading what was migrated";
    let (tables, ours): (u32, bool) = connection
        .query_row(
            "SELECT count(*), coalesce(max(name = 'schema_migration'), 0)
             FROM sqlite_schema WHERE type = 'table'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .during(reading)?;
    if !ours {
        return if tables == 0 {
            Ok(Vec::new())
        } else {
            Err(OpenError::Foreign)
        };
    }
    let rows: StoreResult<Vec<_>> = connection
        .prepare("SELECT version, checksum FROM schema_migration ORDER BY version")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .during(reading);
    Ok(rows?)
}

/// The same on every machine, whatever line ends a check-out made.
fn checksum(sql: &str) -> [u8; 32] {
    Sha256::digest(sql.replace("\r\n", "\n")).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::connection::open_writer;
    use crate::options::SqliteOptions;

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE a (n INTEGER) STRICT;",
    };
    const TWO: Migration = Migration {
        version: 2,
        name: "two",
        sql: "ALTER TABLE a ADD COLUMN m INTEGER; CREATE TABLE b (n INTEGER) STRICT;",
    };
    const BROKEN: Migration = Migration {
        version: 2,
        name: "two",
        sql: "CREATE TABLE b (n INTEGER) STRICT; INSERT INTO absent VALUES (1);",
    };

    fn tables(connection: &Connection) -> Vec<String> {
        let mut select = connection
            .prepare("SELECT name FROM sqlite_schema ORDER BY name")
            .unwrap();
        select
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn what_is_missing_is_applied_once() {
        let connection = memory();
        assert_eq!(migrate(&connection, &[ONE]).unwrap(), 1);
        assert_eq!(migrate(&connection, &[ONE, TWO]).unwrap(), 1);
        assert_eq!(migrate(&connection, &[ONE, TWO]).unwrap(), 0);
        assert_eq!(tables(&connection), ["a", "b", "schema_migration"]);
    }

    #[test]
    fn the_migrations_of_this_program_are_in_order_and_apply() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, at + 1);
        }
        assert_eq!(migrate(&memory(), MIGRATIONS).unwrap(), MIGRATIONS.len());
    }

    #[test]
    fn a_broken_migration_leaves_the_old_schema() {
        let connection = memory();
        migrate(&connection, &[ONE]).unwrap();
        assert!(matches!(
            migrate(&connection, &[ONE, BROKEN]),
            Err(OpenError::Store(_))
        ));
        assert!(connection.is_autocommit());
        assert_eq!(tables(&connection), ["a", "schema_migration"]);
        assert_eq!(migrate(&connection, &[ONE, TWO]).unwrap(), 1);
    }

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let connection = memory();
        migrate(&connection, &[ONE, TWO]).unwrap();
        let refused = migrate(&connection, &[ONE]).unwrap_err();
        assert!(
            matches!(refused, OpenError::Newer { found: 2, known: 1 }),
            "{refused}"
        );
        assert_eq!(tables(&connection), ["a", "b", "schema_migration"]);
    }

    #[test]
    fn a_changed_migration_is_refused() {
        let connection = memory();
        migrate(&connection, &[ONE]).unwrap();
        let other = Migration {
            sql: "CREATE TABLE c (n INTEGER) STRICT;",
            ..ONE
        };
        assert!(matches!(
            migrate(&connection, &[other, TWO]),
            Err(OpenError::Changed { version: 1 })
        ));
    }

    #[test]
    fn line_ends_do_not_change_a_checksum() {
        assert_eq!(checksum("a\nb\n"), checksum("a\r\nb\r\n"));
        assert_ne!(checksum("a\nb\n"), checksum("a\nb"));
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let connection = memory();
        connection
            .execute_batch("CREATE TABLE theirs (n INTEGER)")
            .unwrap();
        assert!(matches!(
            migrate(&connection, &[ONE]),
            Err(OpenError::Foreign)
        ));
        assert_eq!(tables(&connection), ["theirs"]);
    }

    #[test]
    fn processes_that_open_at_the_same_time_migrate_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let options = SqliteOptions::default();
        // The file becomes a WAL database first; changing that needs it alone.
        drop(open_writer(&path, &options).unwrap());
        let applied: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let connection = open_writer(&path, &options).unwrap();
                        migrate(&connection, &[ONE, TWO]).unwrap()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(applied, 2);
    }
}
