//! The in-memory store of the journal.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{
    Audience, AuditHead, AuditRow, AuditStore, Checkpoint, ClaimedJob, Event, EventSpan,
    IdempotencyKey, Job, JobEnd, JournalStore, KeyRecord, LoggedEvent, Retention, SealedAuditRow,
    Write,
};
use crate::id::JobId;
use crate::memory::{Decided, MemoryStorage, State};
use crate::store::StoreResult;
use crate::time::Timestamp;

/// What the journal keeps.
#[derive(Default)]
pub(crate) struct JournalState {
    /// By cursor; the next one is one above the highest that was ever given.
    events: BTreeMap<u64, Event>,
    last_seq: u64,
    dropped_up_to: u64,
    jobs: BTreeMap<JobId, JobRow>,
    /// By scope and key.
    keys: BTreeMap<(String, String), KeyRow>,
    installation: BTreeMap<String, String>,
    /// Committed and not sealed, in the order of their commit.
    unsealed: Vec<AuditRow>,
    sealed: Vec<SealedAuditRow>,
    checkpoints: BTreeMap<u64, Checkpoint>,
}

struct JobRow {
    job: Job,
    attempt: u32,
    lease_until: Option<Timestamp>,
    is_dead: bool,
}

struct KeyRow {
    record: KeyRecord,
    at: Timestamp,
}

impl JobRow {
    /// When it may be claimed: its due time, or the end of its lease.
    fn ready_at(&self) -> Timestamp {
        self.lease_until.unwrap_or(self.job.due_at)
    }
}

impl JournalState {
    pub(crate) fn key_record(&self, scope: &str, key: &IdempotencyKey) -> Option<KeyRecord> {
        let name = (scope.to_owned(), key.as_str().to_owned());
        self.keys.get(&name).map(|row| row.record)
    }

    fn audit_head(&self) -> AuditHead {
        self.sealed.last().map_or(AuditHead::EMPTY, |row| row.head)
    }
}

/// Stores what a write leaves behind, with the number of the row that was made, and returns the
/// events to announce after the commit.
///
/// A key is remembered for the subject of the audit row.
pub(crate) fn apply_write(state: &mut State, write: &Write, made: Option<i64>) -> Vec<LoggedEvent> {
    let journal = &mut state.journal;
    let audit = write.audit.clone().resolved(made);
    if let Some(claim) = &write.idempotency {
        let record = KeyRecord {
            fingerprint: claim.fingerprint,
            subject: audit.subject,
        };
        let name = (claim.scope.clone(), claim.key.as_str().to_owned());
        journal.keys.insert(
            name,
            KeyRow {
                record,
                at: write.at,
            },
        );
    }
    journal.unsealed.push(audit);

    for selector in &write.drop_jobs {
        let subject = selector.subject.resolved(made);
        journal.jobs.retain(|_, row| {
            row.is_dead || row.job.kind != selector.kind || row.job.subject != subject
        });
    }
    for job in &write.jobs {
        let job = Job {
            subject: job.subject.resolved(made),
            ..job.clone()
        };
        let row = JobRow {
            job,
            attempt: 0,
            lease_until: None,
            is_dead: false,
        };
        journal.jobs.insert(row.job.id, row);
    }

    let log = |event: &Event| {
        let event = event.clone().resolved(made);
        journal.last_seq += 1;
        journal.events.insert(journal.last_seq, event.clone());
        LoggedEvent {
            seq: journal.last_seq,
            event,
        }
    };
    write.events.iter().map(log).collect()
}

#[async_trait]
impl JournalStore for MemoryStorage {
    async fn record(&self, write: &Write) -> StoreResult<()> {
        self.unkeyed(write, |_| Decided::Changed(()));
        Ok(())
    }

    async fn key_record(
        &self,
        scope: &str,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<KeyRecord>> {
        Ok(self.read(|state| state.journal.key_record(scope, key)))
    }

    async fn events_after(
        &self,
        audiences: &[Audience],
        seq: u64,
        limit: u32,
    ) -> StoreResult<Vec<LoggedEvent>> {
        let concerns = |event: &Event| event.audience.iter().any(|one| audiences.contains(one));
        Ok(self.read(|state| {
            let later = state.journal.events.iter().filter(|(at, _)| **at > seq);
            later
                .filter(|(_, event)| concerns(event))
                .take(limit as usize)
                .map(|(seq, event)| LoggedEvent {
                    seq: *seq,
                    event: event.clone(),
                })
                .collect()
        }))
    }

    async fn event_span(&self) -> StoreResult<EventSpan> {
        Ok(self.read(|state| EventSpan {
            dropped_up_to: state.journal.dropped_up_to,
            newest: state.journal.last_seq,
        }))
    }

    async fn claim_jobs(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ClaimedJob>> {
        Ok(self.transaction(|state, _| {
            let jobs = &mut state.journal.jobs;
            let due: BTreeSet<(Timestamp, JobId)> = jobs
                .values()
                .filter(|row| !row.is_dead && row.ready_at() <= now)
                .map(|row| (row.ready_at(), row.job.id))
                .collect();
            let mut claimed = Vec::new();
            for (_, id) in due.into_iter().take(limit as usize) {
                let Some(row) = jobs.get_mut(&id) else {
                    continue;
                };
                row.attempt += 1;
                row.lease_until = Some(lease_until);
                let attempt = row.attempt;
                claimed.push(ClaimedJob {
                    job: row.job.clone(),
                    attempt,
                    lease_until,
                });
            }
            claimed
        }))
    }

    async fn finish_job(
        &self,
        job: JobId,
        lease_until: Timestamp,
        end: JobEnd,
    ) -> StoreResult<bool> {
        Ok(self.transaction(|state, _| {
            let jobs = &mut state.journal.jobs;
            let Some(row) = jobs.get_mut(&job) else {
                return false;
            };
            if row.is_dead || row.lease_until != Some(lease_until) {
                return false;
            }
            row.lease_until = None;
            match end {
                JobEnd::Done => drop(jobs.remove(&job)),
                JobEnd::Retry(at) => row.job.due_at = at,
                JobEnd::Dead => row.is_dead = true,
            }
            true
        }))
    }

    async fn next_job_due(&self) -> StoreResult<Option<Timestamp>> {
        Ok(self.read(|state| {
            let open = state.journal.jobs.values().filter(|row| !row.is_dead);
            open.map(JobRow::ready_at).min()
        }))
    }

    async fn installation_value(&self, name: &str) -> StoreResult<Option<String>> {
        Ok(self.read(|state| state.journal.installation.get(name).cloned()))
    }

    async fn claim_installation_value(&self, name: &str, value: &str) -> StoreResult<String> {
        Ok(self.transaction(|state, _| {
            let values = &mut state.journal.installation;
            values
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned())
                .clone()
        }))
    }

    async fn purge(&self, retention: &Retention) -> StoreResult<u64> {
        Ok(self.transaction(|state, _| {
            let before = rows(state);
            let State {
                journal, identity, ..
            } = state;
            let dropped_up_to = &mut journal.dropped_up_to;
            journal.events.retain(|seq, event| {
                let stays = event.at >= retention.events_before;
                if !stays {
                    *dropped_up_to = (*dropped_up_to).max(*seq);
                }
                stays
            });
            journal
                .keys
                .retain(|_, row| row.at >= retention.keys_before);
            journal
                .jobs
                .retain(|_, row| !row.is_dead || row.job.due_at >= retention.dead_jobs_before);
            identity.purge(retention);
            (before - rows(state)) as u64
        }))
    }

    async fn ready(&self) -> StoreResult<()> {
        Ok(())
    }
}

/// How many rows there are of those that can be purged.
fn rows(state: &State) -> usize {
    let journal = &state.journal;
    journal.events.len() + journal.keys.len() + journal.jobs.len() + state.identity.rows_to_purge()
}

#[async_trait]
impl AuditStore for MemoryStorage {
    async fn seal_audit(&self, limit: u32) -> StoreResult<AuditHead> {
        Ok(self.transaction(|state, _| {
            let journal = &mut state.journal;
            let count = journal.unsealed.len().min(limit as usize);
            let rows: Vec<AuditRow> = journal.unsealed.drain(..count).collect();
            for row in rows {
                let head = journal.audit_head().after(&row);
                journal.sealed.push(SealedAuditRow { head, row });
            }
            journal.audit_head()
        }))
    }

    async fn unsealed_audit_rows(&self) -> StoreResult<u64> {
        Ok(self.read(|state| state.journal.unsealed.len() as u64))
    }

    async fn audit_head(&self) -> StoreResult<AuditHead> {
        Ok(self.read(|state| state.journal.audit_head()))
    }

    async fn sealed_audit_rows(&self, after: u64, limit: u32) -> StoreResult<Vec<SealedAuditRow>> {
        Ok(self.read(|state| {
            let rows = state.journal.sealed.iter();
            rows.filter(|row| row.head.count > after)
                .take(limit as usize)
                .cloned()
                .collect()
        }))
    }

    async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> StoreResult<()> {
        self.transaction(|state, _| {
            let checkpoints = &mut state.journal.checkpoints;
            checkpoints
                .entry(checkpoint.head.count)
                .or_insert_with(|| checkpoint.clone());
        });
        Ok(())
    }

    async fn newest_checkpoint(&self, at_most: Option<u64>) -> StoreResult<Option<Checkpoint>> {
        Ok(self.read(|state| {
            let kept = state
                .journal
                .checkpoints
                .range(..=at_most.unwrap_or(u64::MAX));
            kept.last().map(|(_, checkpoint)| checkpoint.clone())
        }))
    }
}
