//! Passwords and their hashes.

use std::fmt;

use zeroize::Zeroizing;

use crate::value::ValueError;

/// A password as somebody typed it, of any content. It is wiped when it is dropped and never
/// shows.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The longest password that is looked at, in bytes: a longer one cannot be anybody's.
const MOST_BYTES: usize = 1024;

impl Password {
    /// A password to be checked. Nothing is refused here: a wrong password is wrong, not
    /// malformed.
    #[must_use]
    pub fn typed(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The bytes to hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let bytes = self.0.as_bytes();
        &bytes[..bytes.len().min(MOST_BYTES)]
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password that somebody chooses: 8 to 128 characters.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password, if its length is right and it holds no NUL.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(text: impl Into<String>) -> Result<Self, ValueError> {
        let text = text.into();
        let length = text.chars().take(129).count();
        if !(8..=128).contains(&length) {
            return Err("must have 8 to 128 characters".into());
        }
        if text.contains('\0') {
            return Err("must not contain control characters".into());
        }
        Ok(Self(Password::typed(text)))
    }

    /// The password to hash.
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.0
    }
}

/// The hash of a password, in the hasher's own notation (a PHC string for Argon2id).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash that a hasher made or a store has read.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The notation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
