//! From SQLite's errors to the errors of a store.
//!
//! The context says what was being done and which rule of the schema stood in the way; it never
//! holds a value of a row.

use rusqlite::{Error, ErrorCode};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};

/// Gives the error of a statement its place: `insert.execute(…).during("inserting a slot")?`.
pub(crate) trait During<T> {
    /// The same result with a [`StoreError`] that names what was being done.
    fn during(self, action: &'static str) -> StoreResult<T>;
}

impl<T> During<T> for rusqlite::Result<T> {
    fn during(self, action: &'static str) -> StoreResult<T> {
        self.map_err(|error| store_error(action, &error))
    }
}

/// What a caller is told about an error of SQLite.
pub(crate) fn store_error(action: &str, error: &Error) -> StoreError {
    let Error::SqliteFailure(code, message) = error else {
        return unreadable(action, error);
    };
    let kind = match code.code {
        ErrorCode::DiskFull => StoreErrorKind::StorageFull,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::OperationInterrupted
        | ErrorCode::OutOfMemory
        | ErrorCode::FileLockingProtocolFailed => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Internal,
    };
    // SQLite's own message names tables, columns and constraints; the code names the rest.
    let message = message.as_deref().unwrap_or("no message");
    StoreError::new(
        kind,
        format!("{action}: {message} (SQLite {})", code.extended_code),
    )
}

/// Errors that rusqlite makes itself. Their text may quote a value or a statement: only what
/// kind of error it is goes on.
fn unreadable(action: &str, error: &Error) -> StoreError {
    match error {
        Error::FromSqlConversionFailure(column, ..)
        | Error::IntegralValueOutOfRange(column, _)
        | Error::InvalidColumnType(column, ..) => {
            StoreError::corrupt(format!("{action}: column {column} holds something else"))
        }
        Error::Utf8Error(column, _) => {
            StoreError::corrupt(format!("{action}: column {column} is not UTF-8"))
        }
        Error::QueryReturnedNoRows => {
            StoreError::corrupt(format!("{action}: a row that has to be there is missing"))
        }
        Error::SqlInputError { msg, .. } => {
            StoreError::new(StoreErrorKind::Internal, format!("{action}: {msg}"))
        }
        _ => StoreError::new(
            StoreErrorKind::Internal,
            format!("{action}: misuse of SQLite"),
        ),
    }
}

/// After such an error at COMMIT nobody knows what is on the disk.
pub(crate) fn leaves_the_outcome_unknown(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_context_names_the_rule_and_never_the_value() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE person (mail TEXT NOT NULL UNIQUE, age INTEGER CHECK (age > 0))
                     STRICT;
                 INSERT INTO person VALUES ('canary@example.org', 1);",
            )
            .unwrap();
        for sql in [
            "INSERT INTO person VALUES ('canary@example.org', 1)",
            "INSERT INTO person VALUES ('canary', -1)",
            "INSERT INTO person VALUES ('x', 'canary')",
        ] {
            let error = connection
                .execute(sql, [])
                .during("adding a person")
                .unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Internal);
            assert!(error.context.starts_with("adding a person: "), "{error}");
            assert!(!error.context.contains("canary"), "{error}");
        }
        let error = connection
            .query_row("SELECT mail FROM person", [], |row| row.get::<_, i64>(0))
            .during("reading a person")
            .unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt);
        assert!(!error.context.contains("canary"), "{error}");
    }
}
