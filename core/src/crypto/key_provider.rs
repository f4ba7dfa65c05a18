//! Where the tenant keys come from.

use std::fmt;

use async_trait::async_trait;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Gives the engine its tenant keys, once, when it opens. A host brings its key management
/// service; the standalone server reads a file.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// The current key and every older one that rows may still be sealed under.
    ///
    /// # Errors
    /// When the keys cannot be had; the engine then does not open.
    async fn tenant_keys(&self) -> Result<TenantKeys, KeyProviderError>;
}

/// Why there are no keys: a sentence for the operator, without key material.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeyProviderError(pub String);

/// The identity of a tenant key, derived from the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantKeyId(pub i64);

impl fmt::Display for TenantKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A secret of 32 bytes from which the engine derives its keys.
#[derive(Clone)]
pub struct TenantKey {
    id: TenantKeyId,
    secret: Zeroizing<[u8; 32]>,
}

impl TenantKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        let name = derive(&secret, "telemed/tenant-key/id");
        let mut id = [0u8; 8];
        id.copy_from_slice(&name[..8]);
        Self {
            id: TenantKeyId(i64::from_be_bytes(id)),
            secret,
        }
    }

    /// The key's identity, which may be stored in clear.
    #[must_use]
    pub fn id(&self) -> TenantKeyId {
        self.id
    }

    /// A key for one purpose (HKDF-SHA256, RFC 5869).
    pub(crate) fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.secret, purpose)
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantKey({})", self.id)
    }
}

/// A key that follows from a secret for one purpose.
pub(super) fn derive(secret: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0u8; 32]);
    // 32 bytes are far below HKDF's limit of 255 blocks, so expansion cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(purpose.as_bytes(), key.as_mut_slice());
    key
}

/// The tenant keys of an installation.
#[derive(Clone, Debug)]
pub struct TenantKeys {
    current: TenantKey,
    older: Vec<TenantKey>,
}

impl TenantKeys {
    /// The key that seals from now on, and those before it, newest first.
    #[must_use]
    pub fn new(current: TenantKey, older: Vec<TenantKey>) -> Self {
        Self { current, older }
    }

    /// The key that wraps new data keys.
    #[must_use]
    pub fn current(&self) -> &TenantKey {
        &self.current
    }

    /// The first key of the installation: what must stay the same through a rotation (keyed
    /// fingerprints, the check value) comes from it.
    #[must_use]
    pub fn first(&self) -> &TenantKey {
        self.older.last().unwrap_or(&self.current)
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, id: TenantKeyId) -> Option<&TenantKey> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id == id)
    }

    /// A value that the database keeps, by which a start with other keys is refused.
    #[must_use]
    pub fn check_value(&self) -> String {
        let key = self.first().subkey("telemed/check-value");
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Keys that the caller holds already.
pub struct FixedKeyProvider(TenantKeys);

impl FixedKeyProvider {
    /// A provider of one key.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(TenantKeys::new(TenantKey::new(secret), Vec::new()))
    }

    /// A provider of these keys.
    #[must_use]
    pub fn of(keys: TenantKeys) -> Self {
        Self(keys)
    }
}

#[async_trait]
impl KeyProvider for FixedKeyProvider {
    async fn tenant_keys(&self) -> Result<TenantKeys, KeyProviderError> {
        Ok(self.0.clone())
    }
}
