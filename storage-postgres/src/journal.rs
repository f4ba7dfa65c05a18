//! The journal: what every write leaves behind, and the storage traits that read it.

mod apply;

pub(crate) use apply::{Entries, apply_left, key_record, known, repeated, settle};

use telemed_core::store::StoreResult;

use crate::connection::Connection;
use crate::statement::change;

/// What a write came to.
pub(crate) enum Decided<T> {
    /// Nothing was changed; nothing is left behind.
    Refused(T),
    /// Rows that were there, or that carry an id of core's, were written.
    Changed(T),
    /// A row was made that has this number.
    Made(T, i64),
}

/// How a transaction ends.
pub(crate) enum Verdict<T> {
    /// What it changed is committed.
    Keep(T),
    /// Nothing is to change.
    Undo(T),
}

impl<T> Verdict<T> {
    /// The same verdict with another outcome in it.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Keep(outcome) => Verdict::Keep(change(outcome)),
            Self::Undo(outcome) => Verdict::Undo(change(outcome)),
        }
    }
}

/// Lifts the base of the cursors above what the log holds, when the database was moved to a
/// cluster that has counted fewer transactions than the one it comes from.
pub(crate) async fn raise_base(connection: &mut Connection) -> StoreResult<()> {
    change(
        connection,
        "looking for the end of the log",
        "UPDATE event_log SET base = base + newest.seq - event_horizon() + (1 << 14)
         FROM (SELECT max(seq) AS seq FROM (
                   SELECT max(seq) AS seq FROM events
                   UNION ALL SELECT max(seq) FROM audit_open
                   UNION ALL SELECT purged FROM event_log
               ) AS cursors) AS newest
         WHERE newest.seq >= base + (pg_snapshot_xmax(pg_current_snapshot())::TEXT::BIGINT << 14)",
        (),
    )
    .await
    .map(drop)
}
