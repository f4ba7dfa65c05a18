//! Data keys, open and wrapped.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::key_provider::derive;
use super::{TenantKeyId, TenantKeys};
use crate::env::Entropy;
use crate::error::{Code, Error};
use crate::id::DataKeyId;

/// A data key, open: it seals what belongs to one person.
#[derive(Clone)]
pub struct DataKey {
    id: DataKeyId,
    secret: Zeroizing<[u8; 32]>,
}

/// A data key as it is stored: wrapped by a tenant key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// The data key's id.
    pub id: DataKeyId,
    /// The tenant key that wraps it.
    pub tenant_key: TenantKeyId,
    /// The nonce (24 bytes), then ciphertext and tag.
    pub wrapped: Vec<u8>,
}

const WRAP: &str = "telemed/wrap-data-key";

impl DataKey {
    pub(crate) fn new(id: DataKeyId, secret: [u8; 32]) -> Self {
        Self {
            id,
            secret: Zeroizing::new(secret),
        }
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> DataKeyId {
        self.id
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// A key for one purpose (HKDF-SHA256, RFC 5869).
    pub(crate) fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.secret, purpose)
    }

    /// Makes a new key and its wrapped form.
    pub(crate) fn generate(
        id: DataKeyId,
        tenant: &TenantKeys,
        entropy: &dyn Entropy,
    ) -> Result<(Self, WrappedDataKey), Error> {
        let mut secret = Zeroizing::new([0u8; 32]);
        entropy.fill(secret.as_mut_slice());
        let mut nonce = [0u8; 24];
        entropy.fill(&mut nonce);
        let wrapper = tenant.current().subkey(WRAP);
        let ciphertext = XChaCha20Poly1305::new((&*wrapper).into())
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: secret.as_slice(),
                    aad: id.get().as_bytes(),
                },
            )
            .map_err(|_| Error::new(Code::Internal).message("a data key could not be wrapped"))?;
        let mut wrapped = nonce.to_vec();
        wrapped.extend_from_slice(&ciphertext);
        let tenant_key = tenant.current().id();
        Ok((
            Self { id, secret },
            WrappedDataKey {
                id,
                tenant_key,
                wrapped,
            },
        ))
    }
}

impl WrappedDataKey {
    /// Opens the key with the tenant key that wraps it.
    pub(crate) fn unwrap_with(&self, tenant: &TenantKeys) -> Result<DataKey, Error> {
        let broken = |text: &'static str| Error::new(Code::Internal).message(text);
        let Some(tenant_key) = tenant.find(self.tenant_key) else {
            return Err(broken(
                "a data key is wrapped by a tenant key that was not given",
            ));
        };
        let (Some(nonce), Some(ciphertext)) = (self.wrapped.get(..24), self.wrapped.get(24..))
        else {
            return Err(broken("a wrapped data key is too short"));
        };
        let nonce: [u8; 24] = nonce
            .try_into()
            .map_err(|_| broken("a wrapped data key is too short"))?;
        let wrapper = tenant_key.subkey(WRAP);
        let secret = XChaCha20Poly1305::new((&*wrapper).into())
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: ciphertext,
                    aad: self.id.get().as_bytes(),
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| broken("a wrapped data key does not open"))?;
        let secret: [u8; 32] = secret
            .as_slice()
            .try_into()
            .map_err(|_| broken("a data key has a wrong length"))?;
        Ok(DataKey::new(self.id, secret))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}
