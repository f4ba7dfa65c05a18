//! Names of sessions. Who polls shows it with each request, so nobody can guess one.

use std::fmt::Write;

use telemed_core::error::{Code, Error};

/// 128 random bits in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Sid(String);

impl Sid {
    /// A new one.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when the machine has no randomness.
    pub(super) fn new() -> Result<Self, Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::new(Code::Unavailable).caused_by(error))?;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The name that a client shows.
    pub(super) fn shown(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
