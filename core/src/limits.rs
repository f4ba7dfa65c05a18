//! How often something may be done: named limits, their profiles, and the limiter that counts.
//!
//! The limits on guessing passwords are not here: they count failures, are kept in the store and
//! belong to [`crate::identity`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::actor::Actor;
use crate::env::lock;
use crate::identity::network_of;
use crate::time::Timestamp;
use crate::value::{ValueError, words};

/// So many at once, and one more after each interval (the generic cell rate algorithm of ITU-T
/// I.371, which is a token bucket without a clock of its own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    burst: u32,
    interval: Duration,
}

impl Limit {
    /// `burst` at once and one more after each `interval`. Both are at least one, the interval in
    /// microseconds.
    #[must_use]
    pub const fn new(burst: u32, interval: Duration) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        let interval = if interval.as_micros() == 0 {
            Duration::from_micros(1)
        } else {
            interval
        };
        Self { burst, interval }
    }

    /// `burst` at once and `per_minute` more in each minute.
    #[must_use]
    pub const fn per_minute(burst: u32, per_minute: u32) -> Self {
        let per_minute = if per_minute == 0 { 1 } else { per_minute };
        Self::new(burst, Duration::from_micros(60_000_000 / per_minute as u64))
    }

    /// Reads `burst/per-minute`, such as `20/60`; the rate may have a fraction.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        const WRONG: &str = "must be `burst/per-minute`, such as 20/60";
        let wrong = || ValueError::from(WRONG);
        let (burst, rate) = text.split_once('/').ok_or_else(wrong)?;
        let burst: u32 = burst.trim().parse().map_err(|_| wrong())?;
        let rate: f64 = rate.trim().parse().map_err(|_| wrong())?;
        if !(1..=1_000_000).contains(&burst) || !(0.001..=60_000_000.0).contains(&rate) {
            return Err(wrong());
        }
        Ok(Self::new(burst, Duration::from_secs_f64(60.0 / rate)))
    }

    /// How many at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// After what time there is one more.
    #[must_use]
    pub const fn interval(self) -> Duration {
        self.interval
    }

    /// How long it takes until a burst that was used up is there again.
    fn recovery(self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }
}

words! {
    /// What is limited.
    LimitName {
        /// Messages of a user.
        Messages = "messages",
        /// Calls that a user begins.
        Calls = "calls",
        /// Samples of a call's quality, by call and participant.
        Quality = "quality",
        /// Files that a user stores.
        Uploads = "uploads",
        /// Requests of a user, or of a network without one, that change something.
        Writes = "writes",
    }
}

words! {
    /// A set of limits.
    LimitProfile {
        /// Messages 10 a minute.
        Strict = "strict",
        /// Messages 60 a minute and 20 at once, so that a conversation flows.
        Chat = "chat",
        /// No limits at all, those on guessing passwords included: for benchmarks.
        Off = "off",
    }
}

/// The limits of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    limits: HashMap<LimitName, Limit>,
}

impl RateLimits {
    /// The limits of a profile.
    #[must_use]
    pub fn of(profile: LimitProfile) -> Self {
        let messages = match profile {
            LimitProfile::Off => {
                return Self {
                    limits: HashMap::new(),
                };
            }
            LimitProfile::Strict => Limit::per_minute(10, 10),
            LimitProfile::Chat => Limit::per_minute(20, 60),
        };
        let limits = HashMap::from([
            (LimitName::Messages, messages),
            (LimitName::Calls, Limit::new(1, Duration::from_secs(5))),
            (LimitName::Quality, Limit::new(1, Duration::from_secs(1))),
            (
                LimitName::Uploads,
                Limit::new(10, Duration::from_secs(3600 / 10)),
            ),
            (LimitName::Writes, Limit::per_minute(2000, 6000)),
        ]);
        Self { limits }
    }

    /// The limit with this name; `None` if there is none.
    #[must_use]
    pub fn get(&self, name: LimitName) -> Option<Limit> {
        self.limits.get(&name).copied()
    }

    /// The same with another limit of this name.
    #[must_use]
    pub fn with(mut self, name: LimitName, limit: Limit) -> Self {
        self.limits.insert(name, limit);
        self
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::of(LimitProfile::Chat)
    }
}

/// What is counted: the name of a limit and whom it is counted for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LimitKey {
    /// The limit's name.
    pub name: LimitName,
    /// Whom it is counted for: an id, or a network's address.
    pub subject: String,
}

impl LimitKey {
    /// The key of an actor: his user, else his network. `None` for the system and for a visitor
    /// whose address is not known.
    #[must_use]
    pub fn of(name: LimitName, actor: &Actor) -> Option<Self> {
        let subject = match actor {
            Actor::User(user) => format!("user {}", user.user),
            Actor::Anonymous(origin) => format!("network {:x?}", network_of(origin.address?)),
            Actor::System(_) => return None,
        };
        Some(Self { name, subject })
    }

    /// The same for one thing of many, each of which is counted by itself.
    #[must_use]
    pub fn about(mut self, thing: impl fmt::Display) -> Self {
        self.subject = format!("{} about {thing}", self.subject);
        self
    }
}

impl fmt::Debug for LimitKey {
    // A network's address is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({})", self.name)
    }
}

/// What a limiter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done, and is counted.
    Allowed,
    /// It may be done after this time, and is not counted.
    Wait(Duration),
}

/// Counts how often something is done.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Asks for one more now.
    async fn check(&self, key: &LimitKey, limit: Limit, now: Timestamp) -> Verdict;
}

/// A limiter in this process's memory, of a bounded size: beyond it, keys that have recovered are
/// forgotten, and if there are none, others too.
pub struct LocalLimiter {
    /// When each key will have recovered, in microseconds.
    recovered_at: Mutex<HashMap<LimitKey, i64>>,
    capacity: usize,
}

impl LocalLimiter {
    /// A limiter that remembers this many keys.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            recovered_at: Mutex::new(HashMap::new()),
            capacity: capacity.max(2),
        }
    }
}

impl Default for LocalLimiter {
    /// A limiter that remembers 100,000 keys, which are about 10 MB.
    fn default() -> Self {
        Self::new(100_000)
    }
}

#[async_trait]
impl RateLimiter for LocalLimiter {
    async fn check(&self, key: &LimitKey, limit: Limit, now: Timestamp) -> Verdict {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let now = now.micros();
        let latest = now.saturating_add(micros(limit.recovery()));
        let mut keys = lock(&self.recovered_at);
        // A clock that was set back, or a limit that was made smaller, locks nobody out.
        let recovered_at = keys.get(key).map_or(now, |at| (*at).clamp(now, latest));
        let next = recovered_at.saturating_add(micros(limit.interval));
        if next > latest {
            let wait = u64::try_from(next - latest).unwrap_or(0);
            return Verdict::Wait(Duration::from_micros(wait));
        }
        if keys.len() >= self.capacity && !keys.contains_key(key) {
            make_room(&mut keys, self.capacity, now);
        }
        keys.insert(key.clone(), next);
        Verdict::Allowed
    }
}

/// Forgets a quarter at least, so that the next ones find room without a walk through all.
fn make_room(keys: &mut HashMap<LimitKey, i64>, capacity: usize, now: i64) {
    keys.retain(|_, at| *at > now);
    let most = capacity - capacity.div_ceil(4);
    let mut surplus = keys.len().saturating_sub(most);
    keys.retain(|_, _| {
        let forget = surplus > 0;
        surplus = surplus.saturating_sub(1);
        !forget
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(subject: &str) -> LimitKey {
        LimitKey {
            name: LimitName::Writes,
            subject: subject.to_owned(),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(1_900_000_000_000_000 + millis * 1000)
    }

    /// The limiter waits for nothing.
    fn check(limiter: &LocalLimiter, subject: &str, limit: Limit, now: Timestamp) -> Verdict {
        let key = key(subject);
        let mut answer = std::pin::pin!(limiter.check(&key, limit, now));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match answer.as_mut().poll(&mut context) {
            std::task::Poll::Ready(verdict) => verdict,
            std::task::Poll::Pending => unreachable!("it is ready at once"),
        }
    }

    #[test]
    fn a_burst_and_then_one_for_each_interval() {
        let limiter = LocalLimiter::default();
        let limit = Limit::per_minute(3, 60);
        for _ in 0..3 {
            assert_eq!(check(&limiter, "1", limit, at(0)), Verdict::Allowed);
        }
        let wait = Duration::from_millis(1000);
        assert_eq!(check(&limiter, "1", limit, at(0)), Verdict::Wait(wait));
        let wait = Duration::from_millis(1);
        assert_eq!(check(&limiter, "1", limit, at(999)), Verdict::Wait(wait));
        assert_eq!(check(&limiter, "2", limit, at(999)), Verdict::Allowed);
        assert_eq!(check(&limiter, "1", limit, at(1000)), Verdict::Allowed);
        assert!(matches!(
            check(&limiter, "1", limit, at(1000)),
            Verdict::Wait(_)
        ));
        // After a rest the whole burst is there, and no more.
        for _ in 0..3 {
            assert_eq!(check(&limiter, "1", limit, at(60_000)), Verdict::Allowed);
        }
        assert!(matches!(
            check(&limiter, "1", limit, at(60_000)),
            Verdict::Wait(_)
        ));
    }

    #[test]
    fn who_waits_as_told_is_let_in() {
        let limiter = LocalLimiter::default();
        let limit = Limit::new(1, Duration::from_secs(5));
        assert_eq!(check(&limiter, "1", limit, at(0)), Verdict::Allowed);
        let Verdict::Wait(wait) = check(&limiter, "1", limit, at(1)) else {
            unreachable!("the burst is one");
        };
        assert_eq!(
            check(&limiter, "1", limit, at(1).plus(wait)),
            Verdict::Allowed
        );
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let limiter = LocalLimiter::default();
        let limit = Limit::per_minute(1, 60);
        assert_eq!(check(&limiter, "1", limit, at(3_600_000)), Verdict::Allowed);
        let Verdict::Wait(wait) = check(&limiter, "1", limit, at(0)) else {
            unreachable!("it was used");
        };
        assert!(wait <= Duration::from_secs(1));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = LocalLimiter::new(100);
        let limit = Limit::per_minute(1, 1);
        for subject in 0..10_000 {
            let verdict = check(&limiter, &subject.to_string(), limit, at(subject));
            assert_eq!(verdict, Verdict::Allowed);
            assert!(lock(&limiter.recovered_at).len() <= 100);
        }
    }

    #[test]
    fn limits_are_written_as_burst_and_rate() {
        assert_eq!(Limit::parse("20/60").unwrap(), Limit::per_minute(20, 60));
        assert_eq!(
            Limit::parse(" 10 / 0.5 ").unwrap(),
            Limit::new(10, Duration::from_secs(120))
        );
        for text in [
            "", "20", "0/60", "1/0", "1/-1", "a/b", "1/NaN", "1/inf", "-1/1",
        ] {
            assert!(Limit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn profiles() {
        let strict = RateLimits::of(LimitProfile::Strict);
        assert_eq!(
            strict.get(LimitName::Messages),
            Some(Limit::per_minute(10, 10))
        );
        let off = RateLimits::of(LimitProfile::Off);
        for name in LimitName::ALL {
            assert!(strict.get(*name).is_some(), "{name}");
            assert_eq!(off.get(*name), None, "{name}");
        }
        let own = off.with(LimitName::Calls, Limit::per_minute(1, 1));
        assert!(own.get(LimitName::Calls).is_some());
    }
}
