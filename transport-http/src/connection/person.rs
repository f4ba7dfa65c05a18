//! Whose a socket is, and whether it still is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use telemed_core::Engine;
use telemed_core::actor::{Actor, Origin};
use telemed_core::error::{Code, Error, Kind};
use telemed_core::id::{ConversationId, UserId};
use telemed_core::identity::{AccessToken, Language};
use telemed_core::messaging::Typist;
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
    /// Where he writes, as long as his credential is not looked at again.
    typist: KnownTypist,
}

#[derive(Clone, Default)]
struct KnownTypist(Arc<Mutex<Option<Arc<Typist>>>>);

impl fmt::Debug for KnownTypist {
    // It has a name in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownTypist")
    }
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
            typist: KnownTypist::default(),
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

    /// Shows that he writes in a conversation, or has stopped. Whether he may is looked up once
    /// for as long as his credential counts as looked at: keystrokes come fast.
    ///
    /// # Errors
    /// As [`telemed_core::messaging::Messaging::set_typing`].
    pub(crate) async fn set_typing(
        &self,
        engine: &Engine,
        id: ConversationId,
        is_typing: bool,
    ) -> Result<(), Error> {
        let slot = || self.typist.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot().clone().filter(|typist| typist.conversation() == id);
        let messaging = engine.messaging();
        let typist = match known {
            Some(typist) => typist,
            None => {
                let typist = Arc::new(messaging.typist(&self.actor, id).await?);
                *slot() = Some(Arc::clone(&typist));
                typist
            }
        };
        messaging.show_typing(&typist, is_typing);
        Ok(())
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
        // Apart: it is seldom, and would be room in every task.
        Box::pin(self.recheck(engine)).await
    }
}

/// Whether a credential is good no longer, and not only out of sight for now.
pub(crate) fn is_refused(error: &Error) -> bool {
    error.kind() == Kind::Unauthenticated
}
