//! Idempotency keys: a command that is sent again takes effect once.

use super::Subject;
use crate::crypto::Fingerprint;
use crate::value::text_values;

text_values! {
    /// A key that a client gives a command: 1 to 255 visible characters.
    IdempotencyKey = line 1..=255;
}

/// A key on its way into a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The actor (or `anonymous`) and the operation: the same key of another is another key.
    pub scope: String,
    /// The client's key.
    pub key: IdempotencyKey,
    /// The keyed fingerprint of the whole request.
    pub fingerprint: Fingerprint,
}

/// A key whose command took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The fingerprint of the request that took effect.
    pub fingerprint: Fingerprint,
    /// What it made or changed.
    pub subject: Subject,
}
