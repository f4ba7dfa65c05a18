//! Encryption at rest: tenant keys from a provider, a data key for each person, sealed text bound
//! to its row and column, and keyed fingerprints.
//!
//! A data key is random, wrapped by the tenant key and stored; destroying it destroys what it
//! sealed. A sealed value is bound by its associated data to its table, its column and the
//! [`SealId`](crate::id::SealId) of its row: moved to another row it does not open.

mod data_key;
mod fingerprint;
mod key_provider;
mod sealing;
mod vault;

pub use data_key::{DataKey, WrappedDataKey};
pub use fingerprint::Fingerprint;
pub use key_provider::{
    FixedKeyProvider, KeyProvider, KeyProviderError, TenantKey, TenantKeyId, TenantKeys,
};
pub use sealing::{Column, Sealed};
pub(crate) use vault::Vault;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 (RFC 2104) over parts, each preceded by its length, so that no two lists of parts
/// give the same input.
pub(crate) fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail; the fallback keeps the function total.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
