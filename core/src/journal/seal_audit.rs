//! Sealing the audit trail and signing checkpoints.

use crate::engine::Engine;
use crate::error::{Code, Error};
use crate::journal::{AuditHead, Checkpoint};
use crate::store::Storage;

/// How many rows one transaction of the sealer takes.
const BATCH: u32 = 1000;

/// The installation value that says that checkpoints are kept outside the database; behind it
/// the name of the place, if it has one.
const KEPT_OUTSIDE: &str = "audit_checkpoints_outside";

impl Engine {
    /// Seals every committed row of the audit trail, and signs a checkpoint if the trail has
    /// grown since the last. The checkpoint is kept in the database and outside of it.
    ///
    /// A trail that does not agree with its newest checkpoint is not signed: a signature would
    /// bury the evidence. [`Engine::verify_audit`] says what is wrong with it.
    ///
    /// The host calls it after commits and at least each second: what was committed since is the
    /// window in which a tampered row goes unnoticed.
    ///
    /// # Errors
    /// [`Code::AuditBroken`] for a trail that is not signed; when the store fails, or the place
    /// outside the database cannot be written.
    pub async fn seal_audit(&self) -> Result<AuditHead, Error> {
        // The checkpoints first: other servers seal and sign too, and the trail that is compared
        // with a checkpoint must not be older than it.
        let inside = self.inner.storage().newest_checkpoint(None).await?;
        let outside = self.newest_outside()?;
        let head = self.seal_rows().await?;
        let is_new = |known: &Option<Checkpoint>| {
            known
                .as_ref()
                .is_none_or(|known| known.head.count < head.count)
        };
        let goes_on = !is_new(&inside) && !is_new(&outside);
        if goes_on && inside.as_ref().is_none_or(|known| known.head == head) {
            return Ok(head);
        }
        if outside.is_none() && self.has_lost_outside().await? {
            return Err(broken(
                "the audit checkpoints outside the database are gone",
            ));
        }
        for known in [&inside, &outside].into_iter().flatten() {
            if !self.agrees(known, head).await? {
                return Err(broken(
                    "the audit trail does not agree with its checkpoints",
                ));
            }
        }
        if head.count > 0 {
            self.sign(head, is_new(&inside), is_new(&outside)).await?;
        }
        Ok(head)
    }

    /// Signs the trail as it stands, whatever the checkpoints say: for an operator who has lost
    /// the checkpoints outside the database, or has put back an older backup, and knows it.
    ///
    /// # Errors
    /// As [`Engine::seal_audit`].
    pub async fn accept_audit(&self) -> Result<AuditHead, Error> {
        let head = self.seal_rows().await?;
        self.sign(head, true, true).await?;
        Ok(head)
    }

    /// How many committed rows of the audit trail are not sealed yet.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unsealed_audit_rows(&self) -> Result<u64, Error> {
        Ok(self.inner.storage().unsealed_audit_rows().await?)
    }

    async fn seal_rows(&self) -> Result<AuditHead, Error> {
        let store = self.inner.storage();
        let mut head = store.seal_audit(BATCH).await?;
        while store.unsealed_audit_rows().await? > 0 {
            let next = store.seal_audit(BATCH).await?;
            if next == head {
                break;
            }
            head = next;
        }
        Ok(head)
    }

    async fn sign(&self, head: AuditHead, inside: bool, outside: bool) -> Result<(), Error> {
        let store = self.inner.storage();
        let checkpoint = Checkpoint::sign(head, self.now(), self.inner.vault.tenant());
        let sink = &self.inner.parts.checkpoints;
        // Outside first: a checkpoint that only the database knows proves nothing.
        if outside {
            sink.keep(&checkpoint).map_err(unreachable_outside)?;
            if sink.is_lasting() {
                let name = self.kept_outside();
                store.claim_installation_value(&name, "yes").await?;
            }
        }
        if inside {
            store.keep_checkpoint(&checkpoint).await?;
        }
        Ok(())
    }

    /// Whether the trail up to `head` still has the row that a checkpoint speaks of.
    async fn agrees(&self, known: &Checkpoint, head: AuditHead) -> Result<bool, Error> {
        if known.head.count == 0 {
            return Ok(true);
        }
        if known.head.count > head.count || !known.is_signed_by(self.inner.vault.tenant()) {
            return Ok(false);
        }
        let store: &dyn Storage = self.inner.storage();
        let rows = store.sealed_audit_rows(known.head.count - 1, 1).await?;
        Ok(rows.first().is_some_and(|row| row.head == known.head))
    }

    /// The newest checkpoint outside the database that carries a good signature: a line that
    /// somebody has added to the end hides none before it.
    fn newest_outside(&self) -> Result<Option<Checkpoint>, Error> {
        let sink = &self.inner.parts.checkpoints;
        let keys = self.inner.vault.tenant();
        let newest = sink.newest().map_err(unreachable_outside)?;
        if newest
            .as_ref()
            .is_none_or(|newest| newest.is_signed_by(keys))
        {
            return Ok(newest);
        }
        tracing::error!("an audit checkpoint outside the database does not carry a good signature");
        let all = sink.all().map_err(unreachable_outside)?;
        Ok(all
            .into_iter()
            .filter(|checkpoint| checkpoint.is_signed_by(keys))
            .max_by_key(|checkpoint| checkpoint.head.count))
    }

    /// Whether checkpoints were kept in a lasting place before, and none is there. It is looked at
    /// after the question: another process keeps its first one before it says that it does.
    pub(super) async fn has_lost_outside(&self) -> Result<bool, Error> {
        Ok(self.was_kept_outside().await? && self.newest_outside()?.is_none())
    }

    async fn was_kept_outside(&self) -> Result<bool, Error> {
        let kept = self
            .inner
            .storage()
            .installation_value(&self.kept_outside())
            .await?;
        Ok(kept.is_some() && self.inner.parts.checkpoints.is_lasting())
    }

    fn kept_outside(&self) -> String {
        match self.inner.parts.checkpoints.name() {
            None => KEPT_OUTSIDE.to_owned(),
            Some(name) => format!("{KEPT_OUTSIDE}/{name}"),
        }
    }
}

/// The refusal to sign.
fn broken(text: &'static str) -> Error {
    Error::new(Code::AuditBroken).message(text)
}

/// The error of a place outside the database that cannot be used.
pub(super) fn unreachable_outside(error: std::io::Error) -> Error {
    Error::new(Code::Unavailable)
        .message("the audit checkpoints outside the database cannot be reached")
        .caused_by(error)
}
