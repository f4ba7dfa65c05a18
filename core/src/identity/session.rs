//! Sessions: every access token belongs to one, and is good as long as it is live.

use super::StoredUser;
use crate::crypto::Fingerprint;
use crate::id::{SessionId, UserId};
use crate::time::Timestamp;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id, which the token carries.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether a token of this session is good now.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// A session to be opened. Its user and its times come from the write it is part of.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The keyed fingerprint of the session's first refresh token, if it has one.
    pub refresh: Option<Fingerprint>,
    /// The keyed fingerprint of the network it is opened from; by it the owner of an account is
    /// told from somebody who guesses elsewhere.
    pub network: Option<Fingerprint>,
}

/// A session and its user, read together on every request.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionWithUser {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: StoredUser,
}
