//! The way to the operations of identity, and what they share.

use crate::actor::Origin;
use crate::actor::Role;
use crate::crypto::Fingerprint;
use crate::error::{Code, Error};
use crate::id::{SessionId, UserId};
use crate::identity::guessing::network_of;
use crate::identity::user::ADDRESS;
use crate::identity::{
    AccessToken, Claims, HasherError, Identity, LoginKeys, NewSession, RefreshToken, Signed,
    StoredUser, TokenError, User,
};
use crate::time::Timestamp;

impl Identity<'_> {
    /// A user with the opened address.
    pub(super) async fn open_user(&self, stored: StoredUser) -> Result<User, Error> {
        let inner = self.inner();
        let keys = inner
            .vault
            .keys_of(inner.storage(), stored.address.iter(), &[])
            .await?;
        let address = keys.text(stored.address.as_ref(), ADDRESS, stored.seal_id)?;
        Ok(stored.opened(address))
    }

    /// A session to be opened now, and its refresh token if one is wanted. A session with one
    /// has short access tokens and lasts as long as it is refreshed.
    pub(super) fn opening(&self, now: Timestamp, origin: Option<Origin>, refresh: bool) -> Opening {
        let inner = self.inner();
        let settings = &inner.parts.settings;
        let refresh_token = refresh.then(|| self.new_refresh_token());
        let lasts = if refresh {
            settings.refresh_lifetime
        } else {
            settings.access_lifetime
        };
        let session = NewSession {
            id: SessionId::new(inner.uuid(now)),
            expires_at: now.plus(lasts),
            refresh: refresh_token
                .as_ref()
                .map(|token| self.refresh_fingerprint(token)),
            network: origin.and_then(|origin| self.network(origin)),
        };
        Opening {
            session,
            refresh_token,
        }
    }

    /// A fresh refresh token.
    pub(super) fn new_refresh_token(&self) -> RefreshToken {
        let mut bytes = [0u8; 32];
        self.inner().entropy().fill(&mut bytes);
        RefreshToken::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Under what a refresh token is stored.
    pub(super) fn refresh_fingerprint(&self, token: &RefreshToken) -> Fingerprint {
        self.inner()
            .vault
            .fingerprint("session/refresh", &[token.as_str().as_bytes()])
    }

    /// What somebody gets whose session is open.
    pub(super) async fn signed(
        &self,
        stored: StoredUser,
        opening: Opening,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        let Opening {
            session,
            refresh_token,
        } = opening;
        let settings = &self.inner().parts.settings;
        let lifetime = match refresh_token {
            Some(_) => settings.short_access_lifetime,
            None => settings.access_lifetime,
        };
        let expires_at = now.plus(lifetime).min(session.expires_at);
        let token = self.token(stored.id, stored.role, session.id, now, expires_at)?;
        let user = self.open_user(stored).await?;
        Ok(Signed {
            user,
            token,
            lifetime: expires_at.since(now),
            refresh_token,
        })
    }

    /// An access token of a session that is open.
    pub(super) fn token(
        &self,
        user: UserId,
        role: Role,
        session: SessionId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<AccessToken, Error> {
        let inner = self.inner();
        let token = inner.uuid(now);
        let claims = Claims {
            user,
            role,
            session,
            token,
            issued_at: now,
            expires_at,
        };
        inner
            .parts
            .signer
            .sign(&claims)
            .map_err(|error: TokenError| {
                Error::new(Code::Internal)
                    .message("a token could not be signed")
                    .caused_by(error)
            })
    }

    /// Under what the failures of a login are counted.
    pub(super) fn login_keys(
        &self,
        typed: &str,
        origin: Origin,
        session: Option<SessionId>,
    ) -> LoginKeys {
        let vault = &self.inner().vault;
        LoginKeys {
            account: vault.fingerprint("login/account", &[typed.as_bytes()]),
            network: self.network(origin),
            session: session
                .map(|session| vault.fingerprint("login/session", &[session.get().as_bytes()])),
        }
    }

    fn network(&self, origin: Origin) -> Option<Fingerprint> {
        origin.address.map(|address| {
            self.inner()
                .vault
                .fingerprint("login/network", &[&network_of(address)])
        })
    }
}

impl From<HasherError> for Error {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy => {
                Error::new(Code::Unavailable).retry_after(std::time::Duration::from_secs(1))
            }
            HasherError::Failed => Error::new(Code::Internal),
        }
        .caused_by(error)
    }
}

/// A session on its way, with the token that only its owner is shown.
pub(super) struct Opening {
    pub(super) session: NewSession,
    pub(super) refresh_token: Option<RefreshToken>,
}

/// The refusal of a login that was tried too often.
pub(super) fn limited(until: Timestamp, now: Timestamp) -> Error {
    // Rounded up: a client that waits as told is let in.
    let seconds = until.since(now).as_micros().div_ceil(1_000_000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX).max(1);
    Error::new(Code::RateLimited)
        .message("Too many failed logins, try again later")
        .retry_after(std::time::Duration::from_secs(seconds))
}
