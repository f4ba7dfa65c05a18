//! The one function through which a write leaves its audit row, events, jobs and key.

use rusqlite::Connection;
use telemed_core::crypto::Fingerprint;
use telemed_core::journal::{
    Event, IdempotencyKey, KeyClaim, KeyRecord, LoggedEvent, Subject, Write,
};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult, Written};
use telemed_core::time::Timestamp;

use super::jobs;
use crate::rows;
use crate::statement::{change, insert, one};
use crate::writer::{Verdict, WriteContext};

/// What a write came to.
pub(crate) enum Decided<T> {
    /// Nothing was changed; nothing is left behind.
    Refused(T),
    /// Rows that were there, or that carry an id of core's, were written.
    Changed(T),
    /// A row was made that has this number.
    Made(T, i64),
}

/// A write that may carry an idempotency key: the key is looked at before anything else.
pub(crate) fn keyed<T>(
    context: &mut WriteContext<'_>,
    write: Write,
    decide: impl FnOnce(&Connection, &Write) -> StoreResult<Decided<T>>,
) -> StoreResult<Verdict<Written<T>>> {
    if let Some(answer) = repeated(context.connection(), &write)? {
        return Ok(Verdict::Undo(answer));
    }
    Ok(unkeyed(context, write, decide)?.map(Written::Applied))
}

/// The answer to a write whose key was used before.
pub(crate) fn repeated<T>(
    connection: &Connection,
    write: &Write,
) -> StoreResult<Option<Written<T>>> {
    let Some(claim) = &write.idempotency else {
        return Ok(None);
    };
    let record = key_record(connection, &claim.scope, &claim.key)?;
    Ok(record.map(|record| {
        if record.fingerprint == claim.fingerprint {
            Written::Replayed(record.subject)
        } else {
            Written::KeyMismatch
        }
    }))
}

/// Decides, and unless it was refused leaves behind what the write says.
pub(crate) fn unkeyed<T>(
    context: &mut WriteContext<'_>,
    write: Write,
    decide: impl FnOnce(&Connection, &Write) -> StoreResult<Decided<T>>,
) -> StoreResult<Verdict<T>> {
    let (outcome, made) = match decide(context.connection(), &write)? {
        Decided::Refused(outcome) => return Ok(Verdict::Undo(outcome)),
        Decided::Changed(outcome) => (outcome, None),
        Decided::Made(outcome, number) => (outcome, Some(number)),
    };
    apply_write(context, write, made)?;
    Ok(Verdict::Keep(outcome))
}

/// The key's fingerprint and effect.
pub(crate) fn key_record(
    connection: &Connection,
    scope: &str,
    key: &IdempotencyKey,
) -> StoreResult<Option<KeyRecord>> {
    one(
        connection,
        "reading an idempotency key",
        "SELECT fingerprint, resource, subject FROM idempotency_keys
         WHERE scope = ?1 AND key = ?2",
        (scope, key.as_str()),
        |columns| {
            Ok(KeyRecord {
                fingerprint: columns.make(Fingerprint)?,
                subject: rows::subject(columns)?,
            })
        },
    )
}

/// Stores what a write leaves behind, with the number of the row that was made.
///
/// The audit row is numbered and chained at the end of the group, and the events are announced
/// after its commit. A key is remembered for the subject of the audit row.
fn apply_write(context: &mut WriteContext<'_>, write: Write, made: Option<i64>) -> StoreResult<()> {
    let connection = context.connection();
    let audit = write.audit.resolved(made);
    if let Some(claim) = &write.idempotency {
        insert_key(connection, claim, audit.subject, write.at)?;
    }
    context.audit(audit);

    for selector in &write.drop_jobs {
        jobs::drop_open(connection, selector.kind, selector.subject.resolved(made))?;
    }
    for mut job in write.jobs {
        job.subject = job.subject.resolved(made);
        jobs::add(connection, &job)?;
    }
    for event in write.events {
        let event = event.resolved(made);
        let seq = log_event(connection, &event)?;
        context.announce(LoggedEvent { seq, event });
    }
    Ok(())
}

fn insert_key(
    connection: &Connection,
    claim: &KeyClaim,
    subject: Subject,
    at: Timestamp,
) -> StoreResult<()> {
    change(
        connection,
        "keeping an idempotency key",
        "INSERT INTO idempotency_keys (scope, key, fingerprint, resource, subject, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            &claim.scope,
            claim.key.as_str(),
            claim.fingerprint.0,
            subject.resource.as_str(),
            subject.id_text(),
            at.micros(),
        ),
    )?;
    Ok(())
}

/// Adds an event to the log and to the feeds of its audience, and returns its cursor.
fn log_event(connection: &Connection, event: &Event) -> StoreResult<u64> {
    let audience: Vec<String> = event.audience.iter().map(|one| one.as_row()).collect();
    let seq = insert(
        connection,
        "logging an event",
        "INSERT INTO events (id, kind, audience, resource, subject, at, actor_kind, actor_id, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            event.id.get().as_bytes(),
            event.kind.as_str(),
            audience.join(" "),
            event.subject.resource.as_str(),
            event.subject.id_text(),
            event.at.micros(),
            event.actor.kind(),
            event.actor.user_id().map(|user| user.get()),
            object_text(&event.data)?,
        ),
    )?;
    for feed in &audience {
        change(
            connection,
            "adding an event to a feed",
            "INSERT OR IGNORE INTO event_feeds (audience, seq) VALUES (?1, ?2)",
            (feed, seq),
        )?;
    }
    u64::try_from(seq).map_err(|_| StoreError::corrupt("the log of events has a negative cursor"))
}

/// A JSON object as rows keep it.
pub(super) fn object_text(
    data: &serde_json::Map<String, serde_json::Value>,
) -> StoreResult<String> {
    serde_json::to_string(data)
        .map_err(|_| StoreError::new(StoreErrorKind::Internal, "writing data as JSON"))
}
