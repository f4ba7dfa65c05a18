//! How a connection is opened and set.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};

use crate::failure::During;
use crate::options::SqliteOptions;

/// Statements that a connection keeps prepared; more than the store has.
const PREPARED: usize = 256;

/// How much of the database a connection keeps in memory, once it has read so much: in KiB, below
/// zero, as SQLite wants it. A search goes down the index of every conversation, and the inner
/// pages of a million messages fit into it.
const CACHE: i64 = -16 * 1024;

/// Opens the connection that writes; makes the file if there is none.
pub(crate) fn open_writer(path: &Path, options: &SqliteOptions) -> StoreResult<Connection> {
    let connection = open_unset(path, options)?;
    set_writer(&connection, options)?;
    Ok(connection)
}

/// Opens the file, or makes it, and changes nothing in it: whose it is can be looked at before
/// [`set_writer`].
pub(crate) fn open_unset(path: &Path, options: &SqliteOptions) -> StoreResult<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_CREATE, options)
}

/// Makes a connection the one that writes.
pub(crate) fn set_writer(connection: &Connection, options: &SqliteOptions) -> StoreResult<()> {
    let setting = "setting up the connection that writes";
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .during(setting)?;
    if mode != "wal" {
        return Err(StoreError::new(
            StoreErrorKind::Internal,
            "the database cannot use a write-ahead log where it lies",
        ));
    }
    set_pragmas(connection, options).during(setting)
}

/// Opens a connection that can only read. The database is there already.
pub(crate) fn open_reader(path: &Path, options: &SqliteOptions) -> StoreResult<Connection> {
    let connection = open(path, OpenFlags::empty(), options)?;
    let setting = "setting up a connection that reads";
    connection
        .pragma_update(None, "query_only", true)
        .during(setting)?;
    connection
        .pragma_update(None, "cache_size", CACHE)
        .during(setting)?;
    Ok(connection)
}

fn open(path: &Path, more: OpenFlags, options: &SqliteOptions) -> StoreResult<Connection> {
    // Each connection stays in one thread: SQLite's own mutexes are not needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags).during("opening the database")?;
    set_common(&connection, options).during("setting up a connection")?;
    Ok(connection)
}

fn set_common(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.busy_timeout(options.busy_timeout)?;
    // No temporary files: what is sorted or set aside stays in memory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn set_pragmas(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    let synchronous = if options.relaxed_durability {
        "NORMAL"
    } else {
        "FULL"
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Apple's fsync does not reach the platter; elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", !options.relaxed_durability)?;
    connection.pragma_update(None, "secure_delete", options.secure_delete)?;
    connection.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages)?;
    // A log that a long read made large is cut back once it has been copied.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn pragma(connection: &Connection, name: &str) -> String {
        connection
            .pragma_query_value(None, name, |row| {
                row.get_ref(0).map(|value| match value {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap().to_owned(),
                })
            })
            .unwrap()
    }

    #[test]
    fn the_writer_waits_for_the_disk_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let strict = open_writer(&path, &SqliteOptions::default()).unwrap();
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("temp_store", "2"),
            ("cell_size_check", "1"),
            ("busy_timeout", "5000"),
            ("wal_autocheckpoint", "4000"),
        ] {
            assert_eq!(pragma(&strict, name), value, "{name}");
        }
        let options = SqliteOptions {
            relaxed_durability: true,
            ..SqliteOptions::default()
        };
        let relaxed = open_writer(&path, &options).unwrap();
        assert_eq!(pragma(&relaxed, "synchronous"), "1");
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let options = SqliteOptions::default();
        let writer = open_writer(&path, &options).unwrap();
        writer
            .execute_batch("CREATE TABLE t (n INTEGER) STRICT")
            .unwrap();
        let reader = open_reader(&path, &options).unwrap();
        assert!(reader.execute("INSERT INTO t VALUES (1)", []).is_err());
        assert!(open_reader(&folder.path().join("absent.db"), &options).is_err());
    }
}
