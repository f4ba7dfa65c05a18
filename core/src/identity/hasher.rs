//! How passwords are hashed: a trait, since a good hash needs threads of its own.

use std::sync::Arc;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Password, PasswordHash};
use crate::env::Entropy;

/// Hashes and verifies passwords.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password with a fresh salt.
    ///
    /// # Errors
    /// When the hasher is overloaded or broken.
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError>;

    /// Whether the password is the hash's. Without a hash (an unknown account) it does the same
    /// work and answers `false`, so that the time does not tell which accounts exist.
    ///
    /// # Errors
    /// When the hasher is overloaded or broken.
    async fn verify(
        &self,
        password: &Password,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HasherError>;
}

/// Why a password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// Too many are waiting already.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The hash cannot be read, or the hasher failed.
    #[error("the password hasher failed")]
    Failed,
}

/// PBKDF2-HMAC-SHA256 (RFC 8018) of one block, in the caller's thread: for tests and
/// simulations, where a costly hash only costs time. A host that keeps real passwords brings
/// Argon2id, as the facade does.
pub struct Pbkdf2Hasher {
    rounds: u32,
    entropy: Arc<dyn Entropy>,
}

impl Pbkdf2Hasher {
    /// A hasher with this many rounds.
    #[must_use]
    pub fn new(rounds: u32, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            rounds: rounds.max(1),
            entropy,
        }
    }

    fn derive(&self, password: &Password, salt: &[u8]) -> [u8; 32] {
        derive(password.as_bytes(), salt, self.rounds)
    }
}

/// The first block of PBKDF2-HMAC-SHA256.
fn derive(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail; the fallback keeps the function total.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else {
        return [0; 32];
    };
    let hash = |parts: [&[u8]; 2]| -> [u8; 32] {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut block = hash([salt, &1_u32.to_be_bytes()]);
    let mut derived = block;
    for _ in 1..rounds {
        block = hash([&block, &[]]);
        for (into, from) in derived.iter_mut().zip(block) {
            *into ^= from;
        }
    }
    derived
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn salt_of(text: &str) -> Option<[u8; 16]> {
    let mut salt = [0u8; 16];
    for (at, byte) in salt.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(salt)
}

#[async_trait]
impl PasswordHasher for Pbkdf2Hasher {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        let mut salt = [0u8; 16];
        self.entropy.fill(&mut salt);
        let derived = self.derive(password, &salt);
        Ok(PasswordHash::new(format!(
            "$pbkdf2${}${}",
            hex(&salt),
            hex(&derived)
        )))
    }

    async fn verify(
        &self,
        password: &Password,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HasherError> {
        let Some(hash) = hash else {
            let _ = self.derive(password, &[0; 16]);
            return Ok(false);
        };
        let mut parts = hash.as_str().split('$').skip(2);
        let salt = parts.next().and_then(salt_of).ok_or(HasherError::Failed)?;
        let stored = parts.next().ok_or(HasherError::Failed)?;
        Ok(hex(&self.derive(password, &salt))
            .as_bytes()
            .ct_eq(stored.as_bytes())
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_rfc_7914_hold() {
        assert_eq!(
            hex(&derive(b"passwd", b"salt", 1)),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        assert_eq!(
            hex(&derive(b"Password", b"NaCl", 80_000)),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }
}
