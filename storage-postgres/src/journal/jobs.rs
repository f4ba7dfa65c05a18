//! Jobs: rows with a due time.

use telemed_core::id::JobId;
use telemed_core::journal::{ClaimedJob, JobEnd};
use telemed_core::store::{StoreErrorKind, StoreResult};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use crate::connection::Connection;
use crate::rows;
use crate::statement::{Columns, all, change, one};

/// Claims what is due. Jobs that another server is claiming are passed over, not waited for.
///
/// A row that cannot be read, such as one of a kind that only a newer version knows, is given up:
/// it is dead from then on and stops none of the others.
pub(super) async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> StoreResult<Vec<ClaimedJob>> {
    let sql = format!(
        "WITH due AS (
             SELECT id AS due_id, ready_at AS was_ready_at FROM jobs
             WHERE NOT is_dead AND ready_at <= $1
             ORDER BY ready_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
         ), claimed AS (
             UPDATE jobs SET attempt = attempt + 1, lease_until = $2
             FROM due WHERE id = due_id RETURNING {}, attempt, was_ready_at
         )
         SELECT id, claimed.* FROM claimed ORDER BY was_ready_at, id",
        rows::JOB
    );
    let mut claimed = Vec::new();
    // Each round gives at least one row up, so there is a last one.
    loop {
        let most = i64::from(limit) - claimed.len() as i64;
        let mut unreadable = Vec::new();
        all(
            connection,
            "claiming jobs",
            &sql,
            (now.micros(), lease_until.micros(), most),
            |columns| {
                let id: JobId = columns.uuid()?;
                match claimed_job(columns, lease_until) {
                    Ok(job) => claimed.push(job),
                    Err(error) if error.kind == StoreErrorKind::Corrupt => {
                        tracing::error!(job = %id, %error, "a job cannot be read and is given up");
                        unreadable.push(id.get());
                    }
                    Err(error) => return Err(error),
                }
                Ok(())
            },
        )
        .await?;
        if unreadable.is_empty() {
            return Ok(claimed);
        }
        give_up(connection, &unreadable).await?;
    }
}

fn claimed_job(columns: &mut Columns<'_>, lease_until: Timestamp) -> StoreResult<ClaimedJob> {
    Ok(ClaimedJob {
        job: rows::job(columns)?,
        attempt: columns.known(|attempt: i32| u32::try_from(attempt).ok())?,
        lease_until,
    })
}

async fn give_up(connection: &mut Connection, jobs: &[Uuid]) -> StoreResult<()> {
    change(
        connection,
        "giving jobs up that cannot be read",
        "UPDATE jobs SET lease_until = NULL, is_dead = true WHERE id = ANY($1)",
        (jobs,),
    )
    .await
    .map(drop)
}

/// Ends a run, if the claim is still the caller's.
pub(super) async fn finish(
    connection: &mut Connection,
    job: JobId,
    lease_until: Timestamp,
    end: JobEnd,
) -> StoreResult<bool> {
    let (id, lease) = (job.get(), lease_until.micros());
    let ended = match end {
        JobEnd::Done => {
            change(
                connection,
                "removing a job",
                "DELETE FROM jobs WHERE id = $1 AND lease_until = $2 AND NOT is_dead",
                (id, lease),
            )
            .await?
        }
        JobEnd::Retry(at) => {
            change(
                connection,
                "putting a job off",
                "UPDATE jobs SET lease_until = NULL, due_at = $3
                 WHERE id = $1 AND lease_until = $2 AND NOT is_dead",
                (id, lease, at.micros()),
            )
            .await?
        }
        JobEnd::Dead => {
            change(
                connection,
                "giving a job up",
                "UPDATE jobs SET lease_until = NULL, is_dead = true
                 WHERE id = $1 AND lease_until = $2 AND NOT is_dead",
                (id, lease),
            )
            .await?
        }
    };
    Ok(ended > 0)
}

/// When the next job can be claimed.
pub(super) async fn next_due(connection: &mut Connection) -> StoreResult<Option<Timestamp>> {
    one(
        connection,
        "finding the next due time",
        "SELECT ready_at FROM jobs WHERE NOT is_dead ORDER BY ready_at, id LIMIT 1",
        (),
        |columns| columns.make(Timestamp::from_micros),
    )
    .await
}
