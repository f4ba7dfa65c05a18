//! The storage traits of the journal.

use crate::id::JobId;
use crate::journal::{
    Audience, AuditHead, Checkpoint, ClaimedJob, EventSpan, IdempotencyKey, JobEnd, KeyRecord,
    LoggedEvent, SealedAuditRow, Write,
};
use crate::store::store_trait;
use crate::time::Timestamp;

/// Up to when old rows of the journal are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events before this instant.
    pub events_before: Timestamp,
    /// Idempotency keys before this instant.
    pub keys_before: Timestamp,
    /// Jobs that were given up and were due before this instant.
    pub dead_jobs_before: Timestamp,
    /// Failed logins before this instant.
    pub login_failures_before: Timestamp,
    /// Sessions that ended or expired before this instant.
    pub sessions_before: Timestamp,
}

store_trait! {
    /// Events, jobs, idempotency keys and the installation's own values.
    pub trait JournalStore in journal_delegation {
        /// Writes only what a write leaves behind, as for an audited read.
        ///
        /// # Behavior
        /// - `a_record_leaves_its_audit_row`
        async fn record(&self, write: &Write) -> ();

        /// Looks up an idempotency key.
        ///
        /// # Behavior
        /// - `an_unknown_key_is_none`
        /// - `a_key_is_known_with_its_effect`: after a write with a key was applied, its
        ///   fingerprint and its subject, with the number of the row that was made.
        /// - `a_refusal_leaves_no_key`
        async fn key_record(&self, scope: &str, key: &IdempotencyKey) -> Option<KeyRecord>;

        /// Events of the audiences after a cursor, oldest first.
        ///
        /// # Behavior
        /// - `events_come_in_order_after_the_cursor`: an event of several of the audiences
        ///   comes once.
        /// - `events_of_others_do_not_show`
        async fn events_after(&self, audiences: &[Audience], seq: u64, limit: u32) -> Vec<LoggedEvent>;

        /// From where to where the log of events reaches.
        ///
        /// # Behavior
        /// - `the_span_of_the_log_is_known`: nothing in an empty log; then the highest cursor that
        ///   a reader can have reached, and the highest that was dropped.
        async fn event_span(&self) -> EventSpan;

        /// Claims jobs that are due, earliest first, for the time of a lease.
        ///
        /// # Behavior
        /// - `due_jobs_are_claimed_once`: not again before `lease_until`.
        /// - `a_lease_that_ended_is_claimed_again`: with the attempt counted up.
        /// - `jobs_before_their_time_stay`
        async fn claim_jobs(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<ClaimedJob>;

        /// Ends a run of a job; `false` when the claim is no longer this caller's.
        ///
        /// # Behavior
        /// - `an_ended_claim_changes_nothing`: after another claimed the job.
        /// - `done_removes_the_job`
        /// - `retry_is_due_again_at_its_time`
        /// - `dead_is_never_claimed_again`
        async fn finish_job(&self, job: JobId, lease_until: Timestamp, end: JobEnd) -> bool;

        /// When the next job is due; a lease counts as due at its end.
        ///
        /// # Behavior
        /// - `the_next_due_time_is_the_earliest`
        async fn next_job_due(&self) -> Option<Timestamp>;

        /// A value that the installation keeps, such as the check value of its keys.
        ///
        /// # Behavior
        /// - `an_installation_value_is_written_once`
        async fn installation_value(&self, name: &str) -> Option<String>;

        /// Writes a value unless there is one, and returns the one that is there then.
        ///
        /// # Behavior
        /// - `an_installation_value_is_written_once`
        async fn claim_installation_value(&self, name: &str, value: &str) -> String;

        /// Drops old rows and returns how many went.
        ///
        /// # Behavior
        /// - `purge_drops_only_what_is_old`
        async fn purge(&self, retention: &Retention) -> u64;

        /// Answers if the backend can be read and written.
        ///
        /// # Behavior
        /// - `a_healthy_store_is_ready`
        async fn ready(&self) -> ();
    }
}

store_trait! {
    /// The audit trail. Rows come in with the writes of the other slices.
    pub trait AuditStore in audit_delegation {
        /// Seals at most `limit` committed rows that are not sealed, in the order of their
        /// commit, and returns the head then. A store that seals as it commits returns the head.
        ///
        /// # Behavior
        /// - `sealing_gives_dense_numbers_and_a_chain`
        /// - `sealing_twice_changes_nothing`
        async fn seal_audit(&self, limit: u32) -> AuditHead;

        /// How many committed rows are not sealed.
        ///
        /// # Behavior
        /// - `sealing_leaves_nothing_unsealed`
        async fn unsealed_audit_rows(&self) -> u64;

        /// The head as the store itself has noted it.
        ///
        /// # Behavior
        /// - `sealing_gives_dense_numbers_and_a_chain`
        async fn audit_head(&self) -> AuditHead;

        /// Sealed rows with a number above `after`, in order. A row that was tampered with comes
        /// as it stands; one that cannot be read at all is [`crate::store::StoreErrorKind::Corrupt`].
        ///
        /// # Behavior
        /// - `sealed_rows_come_in_order`
        async fn sealed_audit_rows(&self, after: u64, limit: u32) -> Vec<SealedAuditRow>;

        /// Keeps a checkpoint; the same head twice is kept once.
        ///
        /// # Behavior
        /// - `checkpoints_are_kept_in_order`
        async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> ();

        /// The newest checkpoint, or the newest with at most `count` rows.
        ///
        /// # Behavior
        /// - `checkpoints_are_kept_in_order`
        async fn newest_checkpoint(&self, at_most: Option<u64>) -> Option<Checkpoint>;
    }
}
