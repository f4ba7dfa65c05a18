//! Sealed values.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::DataKey;
use crate::env::Entropy;
use crate::error::{Code, Error};
use crate::id::{DataKeyId, SealId};

/// The table and column that a sealed value belongs to, such as `patients.profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(pub &'static str);

/// A value that only its data key opens, and only in its own row and column.
///
/// Layout: one byte of version (1), the data key's id (16), the nonce (24), then
/// XChaCha20-Poly1305 ciphertext and tag (draft-irtf-cfrg-xchacha).
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

const VERSION: u8 = 1;
const HEADER: usize = 1 + 16 + 24;

impl Sealed {
    /// The value that a store has read.
    #[must_use]
    pub fn from_row(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The data key that opens it; `None` if this is no sealed value.
    #[must_use]
    pub fn data_key(&self) -> Option<DataKeyId> {
        if self.0.len() < HEADER || self.0[0] != VERSION {
            return None;
        }
        uuid::Uuid::from_slice(&self.0[1..17])
            .ok()
            .map(DataKeyId::new)
    }

    pub(crate) fn seal(
        key: &DataKey,
        column: Column,
        row: SealId,
        text: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Self, Error> {
        let mut nonce = [0u8; 24];
        entropy.fill(&mut nonce);
        let aad = associated_data(column, row, key.id());
        let payload = Payload {
            msg: text,
            aad: &aad,
        };
        let ciphertext = XChaCha20Poly1305::new(key.secret().into())
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::new(Code::Internal).message("sealing failed"))?;
        let mut bytes = Vec::with_capacity(HEADER + ciphertext.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(key.id().get().as_bytes());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(Self(bytes))
    }

    pub(crate) fn open(
        &self,
        key: &DataKey,
        column: Column,
        row: SealId,
    ) -> Result<Vec<u8>, Error> {
        let broken = || Error::new(Code::Internal).message("a sealed value does not open");
        if self.data_key() != Some(key.id()) {
            return Err(broken());
        }
        let nonce: [u8; 24] = self.0[17..HEADER].try_into().map_err(|_| broken())?;
        let aad = associated_data(column, row, key.id());
        XChaCha20Poly1305::new(key.secret().into())
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: &self.0[HEADER..],
                    aad: &aad,
                },
            )
            .map_err(|_| broken())
    }
}

fn associated_data(column: Column, row: SealId, key: DataKeyId) -> Vec<u8> {
    let mut aad = Vec::with_capacity(column.0.len() + 34);
    aad.extend_from_slice(column.0.as_bytes());
    aad.push(0);
    aad.extend_from_slice(row.get().as_bytes());
    aad.extend_from_slice(key.get().as_bytes());
    aad
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::SeededEntropy;
    use uuid::Uuid;

    const NOTES: Column = Column("appointments.notes");

    fn key(seed: u8) -> DataKey {
        DataKey::new(DataKeyId::new(Uuid::from_bytes([seed; 16])), [seed; 32])
    }

    fn row(seed: u8) -> SealId {
        SealId::new(Uuid::from_bytes([seed; 16]))
    }

    #[test]
    fn a_value_opens_only_in_its_row_and_column() {
        let entropy = SeededEntropy::new(1);
        let sealed = Sealed::seal(&key(1), NOTES, row(1), "صداع".as_bytes(), &entropy).unwrap();
        assert_eq!(
            sealed.open(&key(1), NOTES, row(1)).unwrap(),
            "صداع".as_bytes()
        );
        assert!(sealed.open(&key(1), NOTES, row(2)).is_err());
        assert!(
            sealed
                .open(&key(1), Column("appointments.reason"), row(1))
                .is_err()
        );
        assert!(sealed.open(&key(2), NOTES, row(1)).is_err());
        assert!(
            !sealed
                .as_bytes()
                .windows(4)
                .any(|part| part == &"صداع".as_bytes()[..4])
        );
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = Sealed::seal(&key(1), NOTES, row(1), b"text", &SeededEntropy::new(1)).unwrap();
        for at in 0..sealed.0.len() {
            let mut bytes = sealed.0.clone();
            bytes[at] ^= 1;
            assert!(
                Sealed(bytes).open(&key(1), NOTES, row(1)).is_err(),
                "byte {at}"
            );
        }
        assert!(Sealed(vec![]).open(&key(1), NOTES, row(1)).is_err());
    }
}
