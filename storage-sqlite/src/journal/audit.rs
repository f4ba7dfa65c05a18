//! The audit trail: rows are numbered and chained as the last thing before COMMIT.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use telemed_core::crypto::TenantKeyId;
use telemed_core::journal::{
    AuditHead, AuditRow, AuditStore, Checkpoint, EventBus, LoggedEvent, SealedAuditRow,
};
use telemed_core::store::{StoreError, StoreResult};
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::rows;
use crate::statement::{all, change, one};
use crate::writer::{GroupEnd, Verdict};

/// Seals the audit rows of a group inside its transaction, and announces its events after it.
pub(crate) struct Sealer {
    bus: Arc<dyn EventBus>,
}

impl Sealer {
    pub(crate) fn new(bus: Arc<dyn EventBus>) -> Self {
        Self { bus }
    }
}

impl GroupEnd for Sealer {
    fn before_commit(&mut self, connection: &Connection, audit: &[AuditRow]) -> StoreResult<()> {
        if audit.is_empty() {
            return Ok(());
        }
        // Read each time: another process may have written since.
        let mut end = head(connection)?;
        for row in audit {
            end = end.after(row);
            insert_row(connection, end, row)?;
        }
        change(
            connection,
            "noting the end of the audit trail",
            "UPDATE audit_head SET number = ?1, hash = ?2",
            (number(end.count)?, end.hash),
        )?;
        Ok(())
    }

    fn after_commit(&mut self, events: &[LoggedEvent]) {
        if !events.is_empty() {
            self.bus.publish(events);
        }
    }
}

fn head(connection: &Connection) -> StoreResult<AuditHead> {
    one(
        connection,
        "reading the end of the audit trail",
        "SELECT number, hash FROM audit_head",
        [],
        rows::audit_head,
    )?
    .ok_or_else(|| StoreError::corrupt("the end of the audit trail is missing"))
}

fn insert_row(connection: &Connection, head: AuditHead, row: &AuditRow) -> StoreResult<()> {
    change(
        connection,
        "adding an audit row",
        "INSERT INTO audit_rows (number, hash, id, at, actor_kind, actor_id, session, action,
                                 resource, subject, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        (
            number(head.count)?,
            head.hash,
            row.id.get().as_bytes(),
            row.at.micros(),
            row.actor.kind(),
            row.actor.user_id().map(|user| user.get()),
            row.session.map(|session| session.get().into_bytes()),
            &row.action,
            row.subject.resource.as_str(),
            row.subject.id_text(),
            row.data_text(),
        ),
    )?;
    Ok(())
}

fn number(count: u64) -> StoreResult<i64> {
    i64::try_from(count).map_err(|_| StoreError::corrupt("the audit trail is too long"))
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn seal_audit(&self, _limit: u32) -> StoreResult<AuditHead> {
        self.read(head).await
    }

    async fn unsealed_audit_rows(&self) -> StoreResult<u64> {
        Ok(0)
    }

    async fn audit_head(&self) -> StoreResult<AuditHead> {
        self.read(head).await
    }

    async fn sealed_audit_rows(&self, after: u64, limit: u32) -> StoreResult<Vec<SealedAuditRow>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = format!(
                "SELECT {} FROM audit_rows WHERE number > ?1 ORDER BY number LIMIT ?2",
                rows::AUDIT_ROW
            );
            all(
                connection,
                "reading the audit trail",
                &sql,
                (after, limit),
                rows::audit_row,
            )
        })
        .await
    }

    async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> StoreResult<()> {
        let checkpoint = checkpoint.clone();
        self.write(move |context| {
            let kept = change(
                context.connection(),
                "keeping a checkpoint",
                "INSERT INTO audit_checkpoints (number, hash, at, tenant_key, signature)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                (
                    number(checkpoint.head.count)?,
                    checkpoint.head.hash,
                    checkpoint.at.micros(),
                    checkpoint.key.0,
                    checkpoint.signature,
                ),
            )?;
            Ok(if kept > 0 {
                Verdict::Keep(())
            } else {
                Verdict::Undo(())
            })
        })
        .await
    }

    async fn newest_checkpoint(&self, at_most: Option<u64>) -> StoreResult<Option<Checkpoint>> {
        let at_most = at_most
            .and_then(|count| i64::try_from(count).ok())
            .unwrap_or(i64::MAX);
        self.read(move |connection| {
            one(
                connection,
                "reading a checkpoint",
                "SELECT number, hash, at, tenant_key, signature FROM audit_checkpoints
                 WHERE number <= ?1 ORDER BY number DESC LIMIT 1",
                [at_most],
                |columns| {
                    Ok(Checkpoint {
                        head: rows::audit_head(columns)?,
                        at: columns.make(Timestamp::from_micros)?,
                        key: columns.make(TenantKeyId)?,
                        signature: columns.next()?,
                    })
                },
            )
        })
        .await
    }
}
