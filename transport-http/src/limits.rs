//! How often something may be done on the surfaces.

use std::fmt;
use std::sync::Arc;

use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::limits::{LimitKey, LimitName, LocalLimiter, RateLimiter, RateLimits, Verdict};
use telemed_core::time::Timestamp;

/// The limits, and who counts. Surfaces and sockets of one installation share one.
#[derive(Clone)]
pub struct LimitConfig {
    /// The limits.
    pub limits: RateLimits,
    /// Who counts.
    pub limiter: Arc<dyn RateLimiter>,
}

impl LimitConfig {
    /// These limits, counted in this process.
    #[must_use]
    pub fn local(limits: RateLimits) -> Self {
        Self {
            limits,
            limiter: Arc::new(LocalLimiter::default()),
        }
    }

    /// Counts something that the actor does. A visitor without an address is not counted.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the time to wait.
    pub async fn spend(&self, name: LimitName, actor: &Actor, now: Timestamp) -> Result<(), Error> {
        self.check(LimitKey::of(name, actor), now).await
    }

    /// Counts something that the actor does to one thing of many.
    ///
    /// # Errors
    /// As [`LimitConfig::spend`].
    pub async fn spend_on(
        &self,
        name: LimitName,
        actor: &Actor,
        thing: impl fmt::Display,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = LimitKey::of(name, actor).map(|key| key.about(thing));
        self.check(key, now).await
    }

    async fn check(&self, key: Option<LimitKey>, now: Timestamp) -> Result<(), Error> {
        let limit = key.as_ref().and_then(|key| self.limits.get(key.name));
        let (Some(limit), Some(key)) = (limit, key) else {
            return Ok(());
        };
        match self.limiter.check(&key, limit, now).await {
            Verdict::Allowed => Ok(()),
            Verdict::Wait(wait) => Err(Error::new(Code::RateLimited).retry_after(wait)),
        }
    }
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self::local(RateLimits::default())
    }
}

impl fmt::Debug for LimitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitConfig")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
