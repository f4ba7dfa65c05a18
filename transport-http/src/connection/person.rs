//! Whose a socket is, and whether it still is.

use std::time::Duration;

use telemed_core::Engine;
use telemed_core::actor::{Actor, Origin};
use telemed_core::error::{Code, Error, Kind};
use telemed_core::id::UserId;
use telemed_core::identity::{AccessToken, Language};
use telemed_core::time::Timestamp;
use tokio::time::Instant;

/// For how long a credential counts as looked at just now.
const FRESH: Duration = Duration::from_millis(100);

/// A user who has shown a credential on a socket.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    token: AccessToken,
    actor: Actor,
    user: UserId,
    language: Language,
    expires_at: Timestamp,
    known_at: Instant,
}

impl Person {
    /// The user of an access token.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub(crate) async fn of(
        engine: &Engine,
        token: AccessToken,
        origin: Origin,
    ) -> Result<Self, Error> {
        let known_at = Instant::now();
        let found = engine.identity().recognize(&token, origin).await?;
        let unknown = || Error::new(Code::Unauthenticated);
        Ok(Self {
            user: found.actor.user_id().ok_or_else(unknown)?,
            actor: found.actor,
            language: found.language.unwrap_or(Language::English),
            expires_at: found.expires_at,
            token,
            known_at,
        })
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    pub(crate) fn language(&self) -> Language {
        self.language
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Looks at the credential again.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when it is good no longer; another when that cannot be told now.
    pub(crate) async fn recheck(&mut self, engine: &Engine) -> Result<(), Error> {
        *self = Self::of(engine, self.token.clone(), self.actor.origin()).await?;
        Ok(())
    }

    /// Looks at the credential again before something is done with it, unless that was just now.
    ///
    /// # Errors
    /// As [`Person::recheck`].
    pub(crate) async fn still_good(&mut self, engine: &Engine) -> Result<(), Error> {
        if self.known_at.elapsed() < FRESH && engine.now() < self.expires_at {
            return Ok(());
        }
        self.recheck(engine).await
    }
}

/// Whether a credential is good no longer, and not only out of sight for now.
pub(crate) fn is_refused(error: &Error) -> bool {
    error.kind() == Kind::Unauthenticated
}
