//! Checking the audit trail.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::Error;
use crate::journal::seal_audit::unreachable_outside;
use crate::journal::{AuditHead, Checkpoint, SealedAuditRow};
use crate::store::{StoreErrorKind, StoreResult};

/// How many rows are read at once.
const BATCH: u32 = 1000;

/// What a check of the audit trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// How many rows were found whole, from the first.
    pub rows: u64,
    /// What is wrong; nothing when the trail is whole.
    pub fault: Option<AuditFault>,
}

/// What is wrong with an audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// The row with this number is missing or stands in another place.
    #[error("row {0} is missing or was moved")]
    Missing(u64),
    /// The row with this number is not the one that was sealed.
    #[error("row {0} was changed")]
    Changed(u64),
    /// The trail ends at `found`, but was `known` rows long.
    #[error("the trail was cut: {known} rows were sealed, {found} are there")]
    Cut {
        /// How many rows a checkpoint or the store's own note speaks of.
        known: u64,
        /// How many rows are there.
        found: u64,
    },
    /// There are more rows than the store has sealed.
    #[error("a row was added behind row {0}, the last that was sealed")]
    Added(u64),
    /// The trail was sealed anew: its hash at this number is not the checkpoint's.
    #[error("the trail was rewritten up to row {0}")]
    Rewritten(u64),
    /// The checkpoint at this number does not carry a good signature.
    #[error("the checkpoint at row {0} is forged, or was signed by a key that is not here")]
    Forged(u64),
    /// Checkpoints were kept outside the database before, and none is there.
    #[error("the checkpoints outside the database are gone")]
    CheckpointsGone,
}

impl Engine {
    /// Walks the whole trail and compares it with every checkpoint in the database and outside
    /// of it; if it is whole, seals what is open and signs it.
    ///
    /// # Errors
    /// When the store fails. A trail that is not whole is no error but a report.
    pub async fn verify_audit(&self) -> Result<AuditReport, Error> {
        let checkpoints = self.all_checkpoints().await?;
        let before = self.walk(&checkpoints).await?;
        if before.fault.is_some() {
            // Nothing is sealed on top of a broken trail: it would bury the evidence.
            return Ok(before);
        }
        if !checkpoints.outside && self.has_lost_outside().await? {
            let fault = Some(AuditFault::CheckpointsGone);
            return Ok(AuditReport {
                rows: before.rows,
                fault,
            });
        }
        self.seal_audit().await?;
        self.walk(&self.all_checkpoints().await?).await
    }

    async fn all_checkpoints(&self) -> Result<Checkpoints, Error> {
        let outside = self
            .inner
            .parts
            .checkpoints
            .all()
            .map_err(unreachable_outside)?;
        let mut checkpoints = Checkpoints {
            by_count: BTreeMap::new(),
            outside: !outside.is_empty(),
        };
        outside
            .into_iter()
            .for_each(|checkpoint| checkpoints.add(checkpoint));
        let store = self.inner.storage();
        let mut at_most = None;
        while let Some(checkpoint) = store.newest_checkpoint(at_most).await? {
            let count = checkpoint.head.count;
            checkpoints.add(checkpoint);
            match count.checked_sub(1) {
                Some(below) => at_most = Some(below),
                None => break,
            }
        }
        Ok(checkpoints)
    }

    async fn walk(&self, checkpoints: &Checkpoints) -> Result<AuditReport, Error> {
        let mut head = AuditHead::EMPTY;
        let report = |head: AuditHead, fault| {
            Ok(AuditReport {
                rows: head.count,
                fault,
            })
        };
        for checkpoint in checkpoints.by_count.values().flatten() {
            if !checkpoint.is_signed_by(self.inner.vault.tenant()) {
                return report(head, Some(AuditFault::Forged(checkpoint.head.count)));
            }
        }
        let mut noted = AuditHead::EMPTY;
        loop {
            let Some(rows) = readable(self.rows_after(head.count).await)? else {
                return report(head, Some(AuditFault::Changed(head.count + 1)));
            };
            if rows.is_empty() {
                // The store's note is read behind the rows: while it grows, somebody seals.
                let before =
                    std::mem::replace(&mut noted, self.inner.storage().audit_head().await?);
                if noted.count > head.count && noted != before {
                    continue;
                }
                break;
            }
            for row in rows {
                let next = head.after(&row.row);
                if row.head.count != next.count {
                    return report(head, Some(AuditFault::Missing(next.count)));
                }
                if row.head.hash != next.hash {
                    return report(head, Some(AuditFault::Changed(next.count)));
                }
                head = next;
                let here = checkpoints.by_count.get(&head.count);
                if here
                    .into_iter()
                    .flatten()
                    .any(|checkpoint| checkpoint.head != head)
                {
                    return report(head, Some(AuditFault::Rewritten(head.count)));
                }
            }
        }
        let signed = checkpoints
            .by_count
            .last_key_value()
            .map_or(0, |(count, _)| *count);
        let known = signed.max(noted.count);
        if known > head.count {
            return report(
                head,
                Some(AuditFault::Cut {
                    known,
                    found: head.count,
                }),
            );
        }
        if noted.count < head.count {
            return report(head, Some(AuditFault::Added(noted.count)));
        }
        if noted != head {
            return report(head, Some(AuditFault::Rewritten(head.count)));
        }
        report(head, None)
    }

    /// The next rows; only one where a batch holds one that cannot be read, so that the row
    /// before it is still told from it.
    async fn rows_after(&self, count: u64) -> StoreResult<Vec<SealedAuditRow>> {
        match self.inner.storage().sealed_audit_rows(count, BATCH).await {
            Err(error) if error.kind == StoreErrorKind::Corrupt => {
                self.inner.storage().sealed_audit_rows(count, 1).await
            }
            read => read,
        }
    }
}

/// Checkpoints by the count of rows that they speak of.
struct Checkpoints {
    by_count: BTreeMap<u64, Vec<Checkpoint>>,
    /// Whether there is one outside the database.
    outside: bool,
}

impl Checkpoints {
    fn add(&mut self, checkpoint: Checkpoint) {
        let there = self.by_count.entry(checkpoint.head.count).or_default();
        if !there.contains(&checkpoint) {
            there.push(checkpoint);
        }
    }
}

/// The rows, or `None` when the next of them cannot be read.
fn readable(read: StoreResult<Vec<SealedAuditRow>>) -> Result<Option<Vec<SealedAuditRow>>, Error> {
    match read {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.kind == StoreErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error.into()),
    }
}
