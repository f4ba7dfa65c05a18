//! From PostgreSQL's errors to the errors of a store.
//!
//! The context says what was being done and which rule of the schema stood in the way; it never
//! holds a value of a row.

use sqlx::Error;
use sqlx::postgres::PgDatabaseError;
use telemed_core::store::{StoreError, StoreErrorKind};

/// What an error means for the transaction and the connection that it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another transaction came between: rolled back, it can be decided anew.
    Conflict,
    /// The connection is of no use any more.
    Lost,
    /// Trying again would not help.
    Refused,
}

/// What a caller is told about an error of PostgreSQL, and what it means for the connection.
pub(crate) fn store_error(action: &str, error: &Error) -> (Fault, StoreError) {
    match error {
        Error::Database(error) => {
            let error: &PgDatabaseError = error.downcast_ref();
            let code = error.code();
            let (fault, kind) = meaning(code);
            let rule = rule(error).unwrap_or_default();
            let context = format!("{action}: SQLSTATE {code}{rule}");
            (fault, StoreError::new(kind, context))
        }
        Error::Io(error) => lost(action, &error.kind().to_string()),
        Error::Tls(_) => lost(action, "the connection cannot be encrypted"),
        Error::Protocol(_) => lost(action, "the server answered something unexpected"),
        Error::ColumnDecode { index, .. } => {
            let context = format!("{action}: column {index} holds something else");
            (Fault::Refused, StoreError::corrupt(context))
        }
        Error::Encode(_) => internal(action, "a value cannot be sent"),
        Error::Configuration(_) => internal(action, "the address of the database is wrong"),
        _ => {
            // Whatever it is, the connection may be in the middle of something.
            let context = format!("{action}: misuse of the driver");
            let error = StoreError::new(StoreErrorKind::Internal, context);
            (Fault::Lost, error)
        }
    }
}

/// The error of a connection that is gone.
pub(crate) fn lost(action: &str, why: &str) -> (Fault, StoreError) {
    let error = StoreError::unavailable(format!("{action}: {why}"));
    (Fault::Lost, error)
}

fn internal(action: &str, why: &str) -> (Fault, StoreError) {
    let error = StoreError::new(StoreErrorKind::Internal, format!("{action}: {why}"));
    (Fault::Refused, error)
}

/// The constraint that stood in the way, or what is wrong with the statement. The server's own
/// message may quote a value, but for a statement that it does not understand.
fn rule(error: &PgDatabaseError) -> Option<String> {
    if let Some(constraint) = error.constraint() {
        return Some(format!(" ({constraint})"));
    }
    error
        .code()
        .starts_with("42")
        .then(|| format!(" ({})", error.message()))
}

/// The codes of the appendix "PostgreSQL Error Codes".
fn meaning(code: &str) -> (Fault, StoreErrorKind) {
    use StoreErrorKind::{Corrupt, Internal, StorageFull, Unavailable};
    match code {
        // Serialization failure, deadlock.
        "40001" | "40P01" => (Fault::Conflict, Unavailable),
        // A unique key or an exclusion: what was decided on has changed.
        "23505" | "23P01" => (Fault::Conflict, Internal),
        "53100" => (Fault::Refused, StorageFull),
        // A prepared statement that a change of the schema has made void, or that is gone.
        "0A000" | "26000" => (Fault::Lost, Unavailable),
        // A standby, or a server that has become one.
        "25006" => (Fault::Lost, Unavailable),
        // Ended while idle, or in the middle of a transaction.
        "25P03" | "25P04" | "57P05" => (Fault::Lost, Unavailable),
        // Lock timeout, cancelled by the statement timeout, an error of the file system.
        "55P03" | "57014" | "58030" => (Fault::Refused, Unavailable),
        _ => match code.get(..2) {
            // Connection exceptions; shut down, crashed, starting.
            Some("08" | "57") => (Fault::Lost, Unavailable),
            // Refused at the door: a wrong password, no such database.
            Some("28" | "3D") => (Fault::Refused, Unavailable),
            Some("53") => (Fault::Refused, Unavailable),
            Some("XX") if code != "XX000" => (Fault::Refused, Corrupt),
            _ => (Fault::Refused, Internal),
        },
    }
}

/// What a caller is told when nobody could connect: whatever the server says, it is not to be had.
pub(crate) fn connect_error(error: &Error) -> StoreError {
    let mut error = store_error("connecting", error).1;
    error.kind = StoreErrorKind::Unavailable;
    error
}

/// Whether connecting may succeed when it is tried again in a moment.
pub(crate) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Io(_) => true,
        Error::Database(error) => {
            let error: &PgDatabaseError = error.downcast_ref();
            // Starting or shutting down, every place is taken, or the database is closed.
            let code = error.code();
            code.starts_with("57P") || code == "53300" || code == "55000"
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        use StoreErrorKind::{Corrupt, Internal, StorageFull, Unavailable};
        for (code, expected) in [
            ("40P01", (Fault::Conflict, Unavailable)),
            ("23505", (Fault::Conflict, Internal)),
            ("23503", (Fault::Refused, Internal)),
            ("53100", (Fault::Refused, StorageFull)),
            ("53200", (Fault::Refused, Unavailable)),
            ("57P01", (Fault::Lost, Unavailable)),
            ("57014", (Fault::Refused, Unavailable)),
            ("08006", (Fault::Lost, Unavailable)),
            ("28P01", (Fault::Refused, Unavailable)),
            ("XX001", (Fault::Refused, Corrupt)),
            ("42601", (Fault::Refused, Internal)),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
