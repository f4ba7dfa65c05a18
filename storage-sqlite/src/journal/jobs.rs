//! Jobs: rows with a due time.

use rusqlite::Connection;
use telemed_core::id::JobId;
use telemed_core::journal::{ClaimedJob, Job, JobEnd, JobKind, Subject};
use telemed_core::store::{StoreErrorKind, StoreResult};
use telemed_core::time::Timestamp;

use super::apply::object_text;
use crate::rows;
use crate::statement::{Columns, all, change, one};

/// Adds a job.
pub(super) fn add(connection: &Connection, job: &Job) -> StoreResult<()> {
    change(
        connection,
        "adding a job",
        "INSERT OR REPLACE INTO jobs (id, kind, resource, subject, due_at, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            job.id.get().as_bytes(),
            job.kind.as_str(),
            job.subject.resource.as_str(),
            job.subject.id_text(),
            job.due_at.micros(),
            object_text(&job.data)?,
        ),
    )?;
    Ok(())
}

/// Drops the open jobs of a kind about a subject.
pub(super) fn drop_open(
    connection: &Connection,
    kind: JobKind,
    subject: Subject,
) -> StoreResult<()> {
    change(
        connection,
        "dropping jobs",
        "DELETE FROM jobs
         WHERE is_dead = 0 AND resource = ?1 AND subject = ?2 AND kind = ?3",
        (subject.resource.as_str(), subject.id_text(), kind.as_str()),
    )?;
    Ok(())
}

/// What a look for due jobs came to.
pub(super) struct Claims {
    pub(super) claimed: Vec<ClaimedJob>,
    /// Whether rows were given up because nobody can read them.
    pub(super) gave_up: bool,
}

/// Claims what is due.
///
/// A row that cannot be read, such as one of a kind that only a newer version knows, is given up:
/// it is dead from then on and stops none of the others.
pub(super) fn claim(
    connection: &Connection,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> StoreResult<Claims> {
    let mut gave_up = false;
    // Each round gives at least one row up, so there is a last one.
    let claimed = loop {
        let (readable, unreadable) = due(connection, now, lease_until, limit)?;
        if unreadable.is_empty() {
            break readable;
        }
        for id in unreadable {
            give_up(connection, id)?;
        }
        gave_up = true;
    };
    for claim in &claimed {
        change(
            connection,
            "claiming a job",
            "UPDATE jobs SET attempt = ?2, lease_until = ?3 WHERE id = ?1",
            (
                claim.job.id.get().as_bytes(),
                claim.attempt,
                lease_until.micros(),
            ),
        )?;
    }
    Ok(Claims { claimed, gave_up })
}

/// Reads what is due: jobs as they will be claimed, and the ids of rows that cannot be read.
fn due(
    connection: &Connection,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> StoreResult<(Vec<ClaimedJob>, Vec<JobId>)> {
    let sql = format!(
        "SELECT id, {}, attempt FROM jobs WHERE is_dead = 0 AND ready_at <= ?1
         ORDER BY ready_at, id LIMIT ?2",
        rows::JOB
    );
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    all(
        connection,
        "finding due jobs",
        &sql,
        (now.micros(), limit),
        |columns| {
            let id: JobId = columns.uuid()?;
            match claimed(columns, lease_until) {
                Ok(job) => readable.push(job),
                Err(error) if error.kind == StoreErrorKind::Corrupt => {
                    tracing::error!(job = %id, %error, "a job cannot be read and is given up");
                    unreadable.push(id);
                }
                Err(error) => return Err(error),
            }
            Ok(())
        },
    )?;
    Ok((readable, unreadable))
}

fn claimed(columns: &mut Columns<'_>, lease_until: Timestamp) -> StoreResult<ClaimedJob> {
    let job = rows::job(columns)?;
    let before: u32 = columns.next()?;
    Ok(ClaimedJob {
        job,
        attempt: before.saturating_add(1),
        lease_until,
    })
}

fn give_up(connection: &Connection, job: JobId) -> StoreResult<()> {
    change(
        connection,
        "giving a job up that cannot be read",
        "UPDATE jobs SET lease_until = NULL, is_dead = 1 WHERE id = ?1",
        [job.get().as_bytes()],
    )?;
    Ok(())
}

/// Ends a run, if the claim is still the caller's.
pub(super) fn finish(
    connection: &Connection,
    job: JobId,
    lease_until: Timestamp,
    end: JobEnd,
) -> StoreResult<bool> {
    let id = job.get();
    let (id, lease) = (id.as_bytes(), lease_until.micros());
    let ended = match end {
        JobEnd::Done => change(
            connection,
            "removing a job",
            "DELETE FROM jobs WHERE id = ?1 AND lease_until = ?2 AND is_dead = 0",
            (id, lease),
        )?,
        JobEnd::Retry(at) => change(
            connection,
            "putting a job off",
            "UPDATE jobs SET lease_until = NULL, due_at = ?3
             WHERE id = ?1 AND lease_until = ?2 AND is_dead = 0",
            (id, lease, at.micros()),
        )?,
        JobEnd::Dead => change(
            connection,
            "giving a job up",
            "UPDATE jobs SET lease_until = NULL, is_dead = 1
             WHERE id = ?1 AND lease_until = ?2 AND is_dead = 0",
            (id, lease),
        )?,
    };
    Ok(ended > 0)
}

/// When the next job can be claimed.
pub(super) fn next_due(connection: &Connection) -> StoreResult<Option<Timestamp>> {
    one(
        connection,
        "finding the next due time",
        "SELECT ready_at FROM jobs WHERE is_dead = 0 ORDER BY ready_at, id LIMIT 1",
        [],
        |columns: &mut Columns<'_>| columns.make(Timestamp::from_micros),
    )
}
