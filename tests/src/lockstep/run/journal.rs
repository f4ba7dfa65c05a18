//! Steps of the journal.

use telemed_core::crypto::TenantKeyId;
use telemed_core::id::UserId;
use telemed_core::journal::{Checkpoint, JobEnd, Retention};

use super::Pair;
use crate::build::{at, user_id};
use crate::lockstep::operation::{Operation, Step};

impl Pair {
    pub(super) async fn journal(&mut self, step: &Step) {
        match &step.operation {
            Operation::ClaimJobs { lease, limit } => {
                let (now, until) = (self.at(), at(self.now + lease));
                let claimed = both!(self, claim_jobs(now, until, *limit));
                self.claimed.extend(claimed);
            }
            Operation::FinishJob { claim, end } => {
                let Some(claim) = self.claimed.iter().rev().nth(*claim) else {
                    return;
                };
                let (job, until) = (claim.job.id, claim.lease_until);
                let end = match end {
                    0 => JobEnd::Done,
                    1 => JobEnd::Retry(at(self.now + 5)),
                    _ => JobEnd::Dead,
                };
                both!(self, finish_job(job, until, end));
            }
            Operation::Record { audience } => {
                let mut write = self.write("record", crate::build::whole(), None);
                let users: Vec<UserId> = audience.iter().map(|user| user_id(*user)).collect();
                write
                    .events
                    .push(self.world.event(&users, crate::build::whole()));
                both!(self, record(&write));
            }
            Operation::ClaimValue { name, value } => {
                let (name, value) = (format!("name {name}"), format!("value {value}"));
                both!(self, installation_value(&name));
                both!(self, claim_installation_value(&name, &value));
            }
            Operation::Purge { ages } => {
                let [events, keys, jobs, failures, sessions] = ages.map(|age| at(self.now - age));
                let retention = Retention {
                    events_before: events,
                    keys_before: keys,
                    dead_jobs_before: jobs,
                    login_failures_before: failures,
                    sessions_before: sessions,
                };
                both!(self, purge(&retention));
            }
            Operation::Seal => {
                both!(self, seal_audit(1_000_000));
            }
            Operation::KeepCheckpoint { back } => {
                let mut head = both!(self, seal_audit(1_000_000));
                head.count = head.count.saturating_sub(*back);
                let checkpoint = Checkpoint {
                    head,
                    at: self.at(),
                    key: TenantKeyId(1),
                    signature: [2; 32],
                };
                both!(self, keep_checkpoint(&checkpoint));
                both!(self, newest_checkpoint(Some(head.count)));
            }
            _ => {}
        }
    }
}
