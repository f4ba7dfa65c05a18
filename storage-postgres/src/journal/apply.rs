//! What a write leaves behind: its audit row, events, jobs and key, as the function `apply_write`
//! of the schema takes them. Every operation goes through here, whether it calls the function
//! itself or another function of the schema does.

use serde::Serialize;
use telemed_core::crypto::Fingerprint;
use telemed_core::journal::{
    Event, IdempotencyKey, KeyClaim, KeyRecord, LoggedEvent, Subject, SubjectId, Write,
};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult, Written};
use uuid::Uuid;

use super::{Decided, Verdict};
use crate::connection::Connection;
use crate::rows;
use crate::statement::{one, only, single};

/// How many events one transaction can log: the cursor has 14 bits for them.
const MOST_EVENTS: usize = 1 << 14;

/// What some writes leave behind, ready to be sent.
pub(crate) struct Entries {
    text: String,
    /// Each event with the place of its write.
    events: Vec<(usize, Event)>,
}

/// The argument `entries` of `apply_write`.
#[derive(Default, Serialize)]
struct Arrays<'w> {
    audit: Vec<AuditEntry<'w>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyEntry<'w>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drops: Vec<DropEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    feeds: Vec<FeedEntry>,
}

#[derive(Serialize)]
struct AuditEntry<'w> {
    w: usize,
    id: Uuid,
    at: i64,
    actor_kind: &'static str,
    actor_id: Option<i64>,
    session: Option<Uuid>,
    action: &'w str,
    resource: &'static str,
    subject: Option<String>,
    data: String,
}

#[derive(Serialize)]
struct KeyEntry<'w> {
    w: usize,
    scope: &'w str,
    key: &'w str,
    fingerprint: String,
    resource: &'static str,
    subject: Option<String>,
    at: i64,
}

#[derive(Serialize)]
struct DropEntry {
    w: usize,
    kind: &'static str,
    resource: &'static str,
    subject: Option<String>,
}

#[derive(Serialize)]
struct JobEntry {
    w: usize,
    id: Uuid,
    kind: &'static str,
    resource: &'static str,
    subject: Option<String>,
    due_at: i64,
    data: String,
}

#[derive(Serialize)]
struct EventEntry {
    w: usize,
    id: Uuid,
    kind: &'static str,
    audience: String,
    resource: &'static str,
    subject: Option<String>,
    at: i64,
    actor_kind: &'static str,
    actor_id: Option<i64>,
    data: String,
}

#[derive(Serialize)]
struct FeedEntry {
    w: usize,
    event: usize,
    audience: String,
}

/// The id of a subject as rows keep it; `None` for the row that is yet to be made.
fn id_text(subject: Subject) -> Option<String> {
    (subject.id != SubjectId::New).then(|| subject.id_text())
}

/// A JSON object as rows keep it.
fn object_text(data: &serde_json::Map<String, serde_json::Value>) -> StoreResult<String> {
    serde_json::to_string(data).map_err(unwritable)
}

fn unwritable(_: serde_json::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Internal, "writing data as JSON")
}

impl Entries {
    /// What these writes leave behind, in order. A subject that is [`SubjectId::New`] takes the
    /// number that the function is given for its write.
    pub(crate) fn of<'w>(writes: impl IntoIterator<Item = &'w Write>) -> StoreResult<Self> {
        let mut arrays = Arrays::default();
        let mut events = Vec::new();
        for (place, write) in writes.into_iter().enumerate() {
            arrays.add(place + 1, write)?;
            events.extend(write.events.iter().map(|event| (place, event.clone())));
        }
        if events.len() > MOST_EVENTS {
            return Err(StoreError::new(
                StoreErrorKind::Internal,
                "one transaction would log too many events",
            ));
        }
        let text = serde_json::to_string(&arrays).map_err(unwritable)?;
        Ok(Self { text, events })
    }

    /// The argument `entries` of `apply_write`; it is bound as text and cast to JSONB.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The events' ids, for [`Connection::expect`].
    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.events.iter().map(|(_, event)| event.id.get())
    }

    /// The events as they were logged, given what the function was given and returned.
    pub(crate) fn logged(
        self,
        first: i64,
        made: Option<&[Option<i64>]>,
    ) -> StoreResult<Vec<LoggedEvent>> {
        let first = u64::try_from(first)
            .map_err(|_| StoreError::corrupt("the log of events has a negative cursor"))?;
        let seqs = first..;
        let logged = seqs.zip(self.events).filter_map(|(seq, (write, event))| {
            let event = match made {
                None => event,
                Some(made) => event.resolved(Some((*made.get(write)?)?)),
            };
            Some(LoggedEvent { seq, event })
        });
        Ok(logged.collect())
    }
}

impl<'w> Arrays<'w> {
    fn add(&mut self, w: usize, write: &'w Write) -> StoreResult<()> {
        let audit = &write.audit;
        let (resource, subject) = (audit.subject.resource.as_str(), id_text(audit.subject));
        if let Some(claim) = &write.idempotency {
            self.keys.push(KeyEntry {
                w,
                scope: &claim.scope,
                key: claim.key.as_str(),
                fingerprint: hex(&claim.fingerprint),
                resource,
                subject: subject.clone(),
                at: write.at.micros(),
            });
        }
        self.audit.push(AuditEntry {
            w,
            id: audit.id.get(),
            at: audit.at.micros(),
            actor_kind: audit.actor.kind(),
            actor_id: audit.actor.user_id().map(|user| user.get()),
            session: audit.session.map(|session| session.get()),
            action: &audit.action,
            resource,
            subject,
            data: audit.data_text(),
        });
        self.drops
            .extend(write.drop_jobs.iter().map(|one| DropEntry {
                w,
                kind: one.kind.as_str(),
                resource: one.subject.resource.as_str(),
                subject: id_text(one.subject),
            }));
        for job in &write.jobs {
            self.jobs.push(JobEntry {
                w,
                id: job.id.get(),
                kind: job.kind.as_str(),
                resource: job.subject.resource.as_str(),
                subject: id_text(job.subject),
                due_at: job.due_at.micros(),
                data: object_text(&job.data)?,
            });
        }
        for event in &write.events {
            self.add_event(w, event)?;
        }
        Ok(())
    }

    fn add_event(&mut self, w: usize, event: &Event) -> StoreResult<()> {
        let place = self.events.len();
        let mut feeds: Vec<String> = event.audience.iter().map(|one| one.as_row()).collect();
        self.events.push(EventEntry {
            w,
            id: event.id.get(),
            kind: event.kind.as_str(),
            audience: feeds.join(" "),
            resource: event.subject.resource.as_str(),
            subject: id_text(event.subject),
            at: event.at.micros(),
            actor_kind: event.actor.kind(),
            actor_id: event.actor.user_id().map(|user| user.get()),
            data: object_text(&event.data)?,
        });
        // Somebody who is named twice is told once.
        feeds.sort_unstable();
        feeds.dedup();
        self.feeds
            .extend(feeds.into_iter().map(|audience| FeedEntry {
                w,
                event: place,
                audience,
            }));
        Ok(())
    }
}

fn hex(fingerprint: &Fingerprint) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in fingerprint.0 {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The answer to a write whose key was used before. Others that use the same key wait until this
/// transaction ends.
pub(crate) async fn repeated<T>(
    connection: &mut Connection,
    write: &Write,
) -> StoreResult<Option<Written<T>>> {
    let Some(claim) = &write.idempotency else {
        return Ok(None);
    };
    let record = one(
        connection,
        "reading an idempotency key",
        "SELECT fingerprint, resource, subject FROM lock_key($1, $2)",
        (&claim.scope, claim.key.as_str()),
        rows::key_record,
    )
    .await?;
    Ok(record.map(|record| known(claim, record)))
}

/// The answer to a write whose key was used before, for what is on record.
pub(crate) fn known<T>(claim: &KeyClaim, record: KeyRecord) -> Written<T> {
    if record.fingerprint == claim.fingerprint {
        Written::Replayed(record.subject)
    } else {
        Written::KeyMismatch
    }
}

/// The key's fingerprint and effect.
pub(crate) async fn key_record(
    connection: &mut Connection,
    scope: &str,
    key: &IdempotencyKey,
) -> StoreResult<Option<KeyRecord>> {
    one(
        connection,
        "looking up an idempotency key",
        "SELECT fingerprint, resource, subject FROM idempotency_keys
         WHERE scope = $1 AND key = $2",
        (scope, key.as_str()),
        rows::key_record,
    )
    .await
}

/// Leaves behind what the write says unless it was refused. What [`Connection::leave`] was given
/// comes before it.
pub(crate) fn settle<T>(
    connection: &mut Connection,
    write: &Write,
    decided: Decided<T>,
) -> Verdict<T> {
    let (outcome, made) = match decided {
        Decided::Refused(outcome) => return Verdict::Undo(outcome),
        Decided::Changed(outcome) => (outcome, None),
        Decided::Made(outcome, number) => (outcome, Some(number)),
    };
    connection.leave(resolved(write.clone(), made));
    Verdict::Keep(outcome)
}

/// The write with the number of the row that was made in the place of a new one.
fn resolved(mut write: Write, made: Option<i64>) -> Write {
    write.audit = write.audit.resolved(made);
    for selector in &mut write.drop_jobs {
        selector.subject = selector.subject.resolved(made);
    }
    for job in &mut write.jobs {
        job.subject = job.subject.resolved(made);
    }
    for event in &mut write.events {
        event.subject = event.subject.resolved(made);
    }
    write
}

/// Stores what the transaction leaves behind, as the last thing before COMMIT. The events are
/// announced after it.
pub(crate) async fn apply_left(connection: &mut Connection) -> StoreResult<()> {
    let writes = connection.take_left();
    if writes.is_empty() {
        return Ok(());
    }
    let entries = Entries::of(&writes)?;
    connection.expect(entries.ids());
    let node = connection.node();
    let first = single(
        connection,
        "writing the journal",
        "SELECT apply_write($1, $2::JSONB, NULL)",
        (node, entries.text()),
        only,
    )
    .await?;
    let events = entries.logged(first, None)?;
    connection.announce(events);
    Ok(())
}
