//! Turns an access token into an actor, on every request.

use crate::actor::{Actor, Origin, UserActor};
use crate::error::{Code, Error};
use crate::identity::{AccessToken, Identity, Language};
use crate::time::Timestamp;

/// Whom a token has turned out to be of.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The actor.
    pub actor: Actor,
    /// The language that he prefers.
    pub language: Option<Language>,
    /// When the token is good no longer, unless its session ends before: what outlives one
    /// request is closed then.
    pub expires_at: Timestamp,
}

impl Identity<'_> {
    /// The actor of a token, if its session is live and the account active. What ended a session
    /// is effective here at once.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], whatever is wrong with the token.
    pub async fn authenticate(&self, token: &AccessToken, origin: Origin) -> Result<Actor, Error> {
        Ok(self.recognize(token, origin).await?.actor)
    }

    /// As [`Identity::authenticate`], with what the row says beside it.
    ///
    /// # Errors
    /// As [`Identity::authenticate`].
    pub async fn recognize(
        &self,
        token: &AccessToken,
        origin: Origin,
    ) -> Result<Authenticated, Error> {
        let inner = self.inner();
        let now = self.engine.now();
        let claims = inner
            .parts
            .signer
            .read(token, now)
            .map_err(|error| Error::new(Code::Unauthenticated).caused_by(error))?;
        let refused = || Error::new(Code::Unauthenticated);
        let found = inner
            .storage()
            .session_with_user(claims.session)
            .await?
            .ok_or_else(refused)?;
        if found.session.user != claims.user || !found.session.is_live(now) || !found.user.is_active
        {
            return Err(refused());
        }
        let actor = Actor::User(UserActor {
            user: found.user.id,
            // The row decides, not the claim: a role that was changed is changed at once.
            role: found.user.role,
            verified: found.user.is_verified,
            session: found.session.id,
            origin,
        });
        Ok(Authenticated {
            actor,
            language: found.user.language,
            expires_at: claims.expires_at.min(found.session.expires_at),
        })
    }
}
