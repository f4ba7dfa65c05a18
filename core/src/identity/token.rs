//! Access tokens: what they claim, and the trait that signs and reads them.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::actor::Role;
use crate::crypto::keyed_hash;
use crate::id::{SessionId, UserId};
use crate::time::Timestamp;

/// What an access token claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub user: UserId,
    /// The user's role when the token was made; the session decides.
    pub role: Role,
    /// The session.
    pub session: SessionId,
    /// The token's own id.
    pub token: Uuid,
    /// When it was made, in whole seconds.
    pub issued_at: Timestamp,
    /// When it ends, in whole seconds.
    pub expires_at: Timestamp,
}

/// A signed access token.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The token that a signer made or a client sent.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// A refresh token: 64 hexadecimal digits. Only its keyed fingerprint is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// The token that was made or that a client sent.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// Why a token is not good. A client is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: malformed, another algorithm, an unknown key, a wrong signature.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// The signer failed.
    #[error("the token could not be signed")]
    Signing,
}

/// Signs and reads access tokens. The algorithm is pinned for each key.
pub trait TokenSigner: Send + Sync {
    /// Signs claims.
    ///
    /// # Errors
    /// [`TokenError::Signing`].
    fn sign(&self, claims: &Claims) -> Result<AccessToken, TokenError>;

    /// The claims of a token that this signer or another with its keys has made, if its time is
    /// not over at `now`.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] or [`TokenError::Expired`].
    fn read(&self, token: &AccessToken, now: Timestamp) -> Result<Claims, TokenError>;
}

/// Tokens of this process: the claims and an HMAC over them. For hosts that need no JWT, and for
/// tests.
pub struct HmacTokenSigner(Zeroizing<[u8; 32]>);

impl HmacTokenSigner {
    /// A signer with this key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    fn signature(&self, body: &str) -> String {
        let hash = keyed_hash(&self.0, &[b"telemed/token", body.as_bytes()]);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Body(i64, String, Uuid, Uuid, i64, i64);

impl TokenSigner for HmacTokenSigner {
    fn sign(&self, claims: &Claims) -> Result<AccessToken, TokenError> {
        let body = Body(
            claims.user.get(),
            claims.role.to_string(),
            claims.session.get(),
            claims.token,
            claims.issued_at.seconds(),
            claims.expires_at.seconds(),
        );
        let body = serde_json::to_string(&body).map_err(|_| TokenError::Signing)?;
        Ok(AccessToken(format!("{}.{body}", self.signature(&body))))
    }

    fn read(&self, token: &AccessToken, now: Timestamp) -> Result<Claims, TokenError> {
        let (signature, body) = token.0.split_once('.').ok_or(TokenError::Invalid)?;
        if !bool::from(self.signature(body).as_bytes().ct_eq(signature.as_bytes())) {
            return Err(TokenError::Invalid);
        }
        let Body(user, role, session, token, issued, expires) =
            serde_json::from_str(body).map_err(|_| TokenError::Invalid)?;
        if now.seconds() >= expires {
            return Err(TokenError::Expired);
        }
        Ok(Claims {
            user: UserId::new(user).ok_or(TokenError::Invalid)?,
            role: Role::parse(role).map_err(|_| TokenError::Invalid)?,
            session: SessionId::new(session),
            token,
            issued_at: Timestamp::from_micros(issued.saturating_mul(1_000_000)),
            expires_at: Timestamp::from_micros(expires.saturating_mul(1_000_000)),
        })
    }
}
