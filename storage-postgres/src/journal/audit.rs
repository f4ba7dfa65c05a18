//! The audit trail. Rows are committed open, with their effects; a sealer takes them in order and
//! gives each its number and its hash, one sealer at a time.

use async_trait::async_trait;
use telemed_core::crypto::TenantKeyId;
use telemed_core::journal::{AuditHead, AuditRow, AuditStore, Checkpoint, SealedAuditRow};
use telemed_core::store::{StoreError, StoreResult};
use telemed_core::time::Timestamp;

use super::Verdict;
use crate::PostgresStore;
use crate::connection::Connection;
use crate::rows;
use crate::statement::{all, change, one, only, single};
use crate::store::Repeat;

const HEAD: &str = "SELECT number, hash FROM audit_head";

async fn head(connection: &mut Connection) -> StoreResult<AuditHead> {
    let reading = "reading the end of the audit trail";
    single(connection, reading, HEAD, (), rows::audit_head).await
}

fn number(count: u64) -> StoreResult<i64> {
    i64::try_from(count).map_err(|_| StoreError::corrupt("the audit trail is too long"))
}

/// Seals what is open, in the order of the transactions, and returns the end then.
async fn seal(connection: &mut Connection, limit: u32) -> StoreResult<Verdict<AuditHead>> {
    // Whoever holds this row is the sealer.
    let mut end = single(
        connection,
        "waiting for another sealer",
        "SELECT number, hash FROM audit_head FOR UPDATE",
        (),
        rows::audit_head,
    )
    .await?;
    let sql = format!(
        "SELECT seq, {} FROM audit_open ORDER BY seq LIMIT $1",
        rows::AUDIT_OPEN_ROW
    );
    let open: Vec<(i64, AuditRow)> = all(
        connection,
        "reading what is not sealed",
        &sql,
        (i64::from(limit),),
        |columns| Ok((columns.next()?, rows::audit_open_row(columns)?)),
    )
    .await?;
    if open.is_empty() {
        return Ok(Verdict::Undo(end));
    }
    let (mut seqs, mut numbers, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (seq, row) in &open {
        end = end.after(row);
        seqs.push(*seq);
        numbers.push(number(end.count)?);
        hashes.push(end.hash);
    }
    let sql = format!(
        "WITH sealed AS (SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BYTEA[]) AS sealed (seq, number, hash)),
              opened AS (DELETE FROM audit_open WHERE seq = ANY($1) RETURNING *)
         INSERT INTO audit_rows (number, hash, {columns})
         SELECT number, hash, {columns} FROM sealed JOIN opened USING (seq)",
        columns = rows::AUDIT_OPEN_ROW
    );
    let sealed = change(
        connection,
        "sealing audit rows",
        &sql,
        (seqs, numbers, hashes),
    )
    .await?;
    if sealed != open.len() as u64 {
        return Err(StoreError::corrupt(
            "an audit row went before it was sealed",
        ));
    }
    change(
        connection,
        "noting the end of the audit trail",
        "UPDATE audit_head SET number = $1, hash = $2",
        (number(end.count)?, end.hash),
    )
    .await?;
    Ok(Verdict::Keep(end))
}

#[async_trait]
impl AuditStore for PostgresStore {
    async fn seal_audit(&self, limit: u32) -> StoreResult<AuditHead> {
        // Done twice, the second time finds less to seal.
        self.write(Repeat::Always, limit, |connection, limit| {
            Box::pin(seal(connection, *limit))
        })
        .await
    }

    async fn unsealed_audit_rows(&self) -> StoreResult<u64> {
        let count: i64 = self
            .read((), |connection, ()| {
                let sql = "SELECT count(*) FROM audit_open";
                Box::pin(single(
                    connection,
                    "counting what is not sealed",
                    sql,
                    (),
                    only,
                ))
            })
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn audit_head(&self) -> StoreResult<AuditHead> {
        self.read((), |connection, ()| Box::pin(head(connection)))
            .await
    }

    async fn sealed_audit_rows(&self, after: u64, limit: u32) -> StoreResult<Vec<SealedAuditRow>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.read((after, limit), |connection, (after, limit)| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {} FROM audit_rows WHERE number > $1 ORDER BY number LIMIT $2",
                    rows::AUDIT_ROW
                );
                let reading = "reading the audit trail";
                let part = (*after, i64::from(*limit));
                all(connection, reading, &sql, part, rows::audit_row).await
            })
        })
        .await
    }

    async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> StoreResult<()> {
        let checkpoint = checkpoint.clone();
        self.call(Repeat::Always, checkpoint, |connection, checkpoint| {
            Box::pin(async move {
                change(
                    connection,
                    "keeping a checkpoint",
                    "INSERT INTO audit_checkpoints (number, hash, at, tenant_key, signature)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (number) DO NOTHING",
                    (
                        number(checkpoint.head.count)?,
                        checkpoint.head.hash,
                        checkpoint.at.micros(),
                        checkpoint.key.0,
                        checkpoint.signature,
                    ),
                )
                .await
                .map(drop)
            })
        })
        .await
    }

    async fn newest_checkpoint(&self, at_most: Option<u64>) -> StoreResult<Option<Checkpoint>> {
        let at_most = at_most
            .and_then(|count| i64::try_from(count).ok())
            .unwrap_or(i64::MAX);
        self.read(at_most, |connection, at_most| {
            Box::pin(one(
                connection,
                "reading a checkpoint",
                "SELECT number, hash, at, tenant_key, signature FROM audit_checkpoints
                 WHERE number <= $1 ORDER BY number DESC LIMIT 1",
                (at_most,),
                |columns| {
                    Ok(Checkpoint {
                        head: rows::audit_head(columns)?,
                        at: columns.make(Timestamp::from_micros)?,
                        key: columns.make(TenantKeyId)?,
                        signature: columns.next()?,
                    })
                },
            ))
        })
        .await
    }
}
