//! The audit trail: rows, the hash chain over them, and signed checkpoints.
//!
//! A row commits with its effect. A sealer takes committed rows in order, gives each a dense
//! number and the hash of the row and of the one before, and signs checkpoints with a key that
//! is not in the database.

use std::sync::Mutex;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Subject;
use crate::actor::ActorReference;
use crate::crypto::{TenantKey, TenantKeyId, TenantKeys, keyed_hash};
use crate::env::lock;
use crate::id::{AuditId, SessionId};
use crate::time::Timestamp;

/// Who did what to what, when: ids and states, never text of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// The row's id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: ActorReference,
    /// The session it was done in.
    pub session: Option<SessionId>,
    /// What was done, as the policy names the action.
    pub action: String,
    /// What it was done to.
    pub subject: Subject,
    /// Ids and states beside the subject.
    pub data: Map<String, Value>,
}

impl AuditRow {
    /// The row with the number of the row that was made in the place of a new one.
    #[must_use]
    pub fn resolved(mut self, made: Option<i64>) -> Self {
        self.subject = self.subject.resolved(made);
        self
    }

    /// The bytes that the hash covers: every field, each preceded by its length.
    fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        let mut field = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        field(self.id.get().as_bytes());
        field(&self.at.micros().to_be_bytes());
        field(self.actor.kind().as_bytes());
        field(
            &self
                .actor
                .user_id()
                .map_or(0, crate::id::UserId::get)
                .to_be_bytes(),
        );
        match self.session {
            Some(session) => field(session.get().as_bytes()),
            None => field(&[]),
        }
        field(self.action.as_bytes());
        field(self.subject.resource.as_str().as_bytes());
        field(self.subject.id_text().as_bytes());
        field(self.data_text().as_bytes());
        bytes
    }

    /// The data as rows keep them: one JSON object with sorted names.
    #[must_use]
    pub fn data_text(&self) -> String {
        Value::Object(self.data.clone()).to_string()
    }
}

/// The end of the sealed part: how many rows there are, and the hash of the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// How many rows are sealed; the last has this number.
    pub count: u64,
    /// The hash of the last row.
    pub hash: [u8; 32],
}

impl AuditHead {
    /// The head of an empty trail.
    pub const EMPTY: Self = Self {
        count: 0,
        hash: [0; 32],
    };

    /// The head after one more row: SHA-256 over the number, the hash before and the row.
    #[must_use]
    pub fn after(self, row: &AuditRow) -> Self {
        let count = self.count + 1;
        let mut hash = Sha256::new();
        hash.update(b"telemed/audit/1");
        hash.update(count.to_be_bytes());
        hash.update(self.hash);
        hash.update(row.canonical());
        Self {
            count,
            hash: hash.finalize().into(),
        }
    }
}

/// A row of the sealed part.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedAuditRow {
    /// The row's number and hash.
    pub head: AuditHead,
    /// The row.
    pub row: AuditRow,
}

/// A signed statement of how long the trail was, and of its last hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The end of the sealed part at that time.
    pub head: AuditHead,
    /// When it was made.
    pub at: Timestamp,
    /// The tenant key whose audit key signs it.
    pub key: TenantKeyId,
    /// HMAC-SHA256 over the fields above.
    pub signature: [u8; 32],
}

impl Checkpoint {
    /// A checkpoint signed by the current tenant key's audit key.
    pub(crate) fn sign(head: AuditHead, at: Timestamp, keys: &TenantKeys) -> Self {
        let key = keys.current();
        Self {
            head,
            at,
            key: key.id(),
            signature: Self::signature(head, at, key),
        }
    }

    fn signature(head: AuditHead, at: Timestamp, key: &TenantKey) -> [u8; 32] {
        keyed_hash(
            &key.subkey("telemed/audit-checkpoint"),
            &[
                &head.count.to_be_bytes(),
                &head.hash,
                &at.micros().to_be_bytes(),
            ],
        )
    }

    /// Whether the signature is good under one of these keys.
    #[must_use]
    pub fn is_signed_by(&self, keys: &TenantKeys) -> bool {
        keys.find(self.key).is_some_and(|key| {
            Self::signature(self.head, self.at, key)
                .ct_eq(&self.signature)
                .into()
        })
    }

    /// One line of text: count, hash, microseconds, key, signature; the form in which
    /// checkpoints leave the database.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.head.count,
            hex(&self.head.hash),
            self.at.micros(),
            self.key,
            hex(&self.signature)
        )
    }

    /// The checkpoint of a line.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let count = parts.next()?.parse().ok()?;
        let hash = unhex(parts.next()?)?;
        let at = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let key = u64::from_str_radix(parts.next()?, 16).ok()?;
        let signature = unhex(parts.next()?)?;
        if parts.next().is_some() {
            return None;
        }
        let key = TenantKeyId(i64::from_be_bytes(key.to_be_bytes()));
        Some(Self {
            head: AuditHead { count, hash },
            at,
            key,
            signature,
        })
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Where checkpoints go outside the database: a file, a log, another machine. Somebody who can
/// change the database but not this place cannot cut the trail unseen.
pub trait CheckpointSink: Send + Sync {
    /// Keeps a checkpoint. Calls come in order.
    ///
    /// # Errors
    /// When it could not be kept; the sealer reports it and tries again with the next.
    fn keep(&self, checkpoint: &Checkpoint) -> std::io::Result<()>;

    /// The newest checkpoint that was kept.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn newest(&self) -> std::io::Result<Option<Checkpoint>>;

    /// Every checkpoint that was kept and can be read, in any order.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn all(&self) -> std::io::Result<Vec<Checkpoint>>;

    /// Whether checkpoints are still there when the program is started again. If so, a place
    /// that is found empty has been emptied.
    fn is_lasting(&self) -> bool {
        true
    }

    /// The name of this place, if each server of a database keeps its checkpoints in a place of
    /// its own. A place with a name that the database has not heard of is a new one, and empty;
    /// without a name there is one place.
    fn name(&self) -> Option<&str> {
        None
    }
}

/// Checkpoints kept in memory.
#[derive(Default)]
pub struct MemoryCheckpoints(Mutex<Vec<Checkpoint>>);

impl CheckpointSink for MemoryCheckpoints {
    fn keep(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        lock(&self.0).push(checkpoint.clone());
        Ok(())
    }

    fn newest(&self) -> std::io::Result<Option<Checkpoint>> {
        Ok(lock(&self.0).last().cloned())
    }

    fn all(&self) -> std::io::Result<Vec<Checkpoint>> {
        Ok(lock(&self.0).clone())
    }

    fn is_lasting(&self) -> bool {
        false
    }
}
