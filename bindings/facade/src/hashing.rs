//! Passwords are hashed with Argon2id (RFC 9106), in threads of their own.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::PasswordHash as PhcString;
use argon2::password_hash::{Error as PhcError, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use telemed_core::env::Entropy;
use telemed_core::identity::{HasherError, Password, PasswordHash, PasswordHasher};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many passwords may wait for each thread of their lane; at the default cost the last of them
/// waits about six seconds.
const WAITING_PER_THREAD: usize = 256;

/// What one hash costs. The default is the least that OWASP's Password Storage Cheat Sheet
/// recommends: 19 MiB, two passes, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgonCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, which are computed one after the other.
    pub lanes: u32,
}

impl ArgonCost {
    /// The least that may be chosen.
    pub const FLOOR: Self = Self {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
    };
}

impl Default for ArgonCost {
    fn default() -> Self {
        Self::FLOOR
    }
}

/// A cost that is below [`ArgonCost::FLOOR`] or that Argon2 does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password hash must cost at least 19456 KiB of memory and 2 passes")]
pub struct ArgonCostError;

/// Hashes passwords with Argon2id, each in a blocking thread. A bounded number waits, and one more
/// is told [`HasherError::Busy`]. A hash that is under way ends even if its caller has gone.
///
/// New passwords and those of logins have a lane each, so that a flood of registrations keeps
/// nobody from signing in: logins may use every core, new passwords half of them.
pub struct ArgonHasher {
    argon: Argon2<'static>,
    /// What an unknown account's password is compared with.
    nobody: PasswordHash,
    entropy: Arc<dyn Entropy>,
    hashing: Lane,
    verifying: Lane,
}

/// Who may wait for a thread, and who has one.
struct Lane {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Lane {
    fn new(threads: usize, waiting_per_thread: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(threads * (1 + waiting_per_thread))),
            turns: Arc::new(Semaphore::new(threads)),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| HasherError::Busy)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| HasherError::Failed)?;
        spawn_blocking(move || {
            let answer = work();
            drop((turn, place));
            answer
        })
        .await
        .map_err(|_| HasherError::Failed)?
    }
}

impl ArgonHasher {
    /// A hasher of this cost. Hashes of another cost are verified at the cost that they name.
    ///
    /// # Errors
    /// When the cost is too low, or no cost of Argon2.
    pub fn new(cost: ArgonCost, entropy: Arc<dyn Entropy>) -> Result<Self, ArgonCostError> {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::with_threads(cost, entropy, cores, WAITING_PER_THREAD)
    }

    /// A hasher of the default cost.
    #[must_use]
    pub fn recommended(entropy: Arc<dyn Entropy>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let params = Params::DEFAULT;
        Self::of(ArgonCost::FLOOR, params, entropy, cores, WAITING_PER_THREAD)
    }

    fn with_threads(
        cost: ArgonCost,
        entropy: Arc<dyn Entropy>,
        threads: usize,
        waiting: usize,
    ) -> Result<Self, ArgonCostError> {
        let floor = ArgonCost::FLOOR;
        if cost.memory_kib < floor.memory_kib || cost.passes < floor.passes {
            return Err(ArgonCostError);
        }
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|_| ArgonCostError)?;
        Ok(Self::of(cost, params, entropy, threads, waiting))
    }

    fn of(
        cost: ArgonCost,
        params: Params,
        entropy: Arc<dyn Entropy>,
        threads: usize,
        waiting: usize,
    ) -> Self {
        Self {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            nobody: nobody(cost),
            entropy,
            hashing: Lane::new((threads / 2).max(1), waiting),
            verifying: Lane::new(threads, waiting),
        }
    }
}

/// A hash at this cost whose output no password has.
fn nobody(cost: ArgonCost) -> PasswordHash {
    let ArgonCost {
        memory_kib,
        passes,
        lanes,
    } = cost;
    let salt = "A".repeat(22);
    let output = "A".repeat(43);
    PasswordHash::new(format!(
        "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}"
    ))
}

fn verify(
    argon: &Argon2<'_>,
    password: &Password,
    hash: &PasswordHash,
) -> Result<bool, HasherError> {
    let hash = PhcString::new(hash.as_str()).map_err(|_| HasherError::Failed)?;
    // Without an output nothing would be computed, and a broken row would look like a wrong
    // password.
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HasherError::Failed);
    }
    match argon.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(PhcError::PasswordInvalid) => Ok(false),
        Err(_) => Err(HasherError::Failed),
    }
}

#[async_trait]
impl PasswordHasher for ArgonHasher {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let (argon, password) = (self.argon.clone(), password.clone());
        let work = move || {
            argon
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| PasswordHash::new(hash.to_string()))
                .map_err(|_| HasherError::Failed)
        };
        self.hashing.run(work).await
    }

    async fn verify(
        &self,
        password: &Password,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HasherError> {
        let is_known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        let (argon, password) = (self.argon.clone(), password.clone());
        self.verifying
            .run(move || Ok(verify(&argon, &password, &hash)? && is_known))
            .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::time::Duration;

    use telemed_core::env::{Clock, SeededEntropy};

    use super::*;
    use crate::SystemClock;

    fn hasher(threads: usize, waiting: usize) -> ArgonHasher {
        let entropy = Arc::new(SeededEntropy::new(1));
        ArgonHasher::with_threads(ArgonCost::default(), entropy, threads, waiting).unwrap()
    }

    fn typed(text: &str) -> Password {
        Password::typed(text)
    }

    #[tokio::test]
    async fn a_password_is_its_own_and_no_other() {
        let hasher = ArgonHasher::recommended(Arc::new(SeededEntropy::new(1)));
        let hash = hasher.hash(&typed("عيادة 🩺 one")).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = |text: &'static str| {
            let (hasher, hash) = (&hasher, &hash);
            async move { hasher.verify(&typed(text), Some(hash)).await }
        };
        assert_eq!(verify("عيادة 🩺 one").await, Ok(true));
        assert_eq!(verify("عيادة 🩺 two").await, Ok(false));
        assert_ne!(hash, hasher.hash(&typed("عيادة 🩺 one")).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_verified_at_its_own() {
        let params = Params::new(32, 1, 1, None).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = weak.hash_password_with_salt(b"old", &[7; 16]).unwrap();
        let hash = PasswordHash::new(hash.to_string());
        let hasher = hasher(1, 1);
        assert_eq!(hasher.verify(&typed("old"), Some(&hash)).await, Ok(true));
        assert_eq!(hasher.verify(&typed("new"), Some(&hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn an_unknown_account_costs_what_a_wrong_password_costs() {
        let hasher = hasher(1, 1);
        let known = hasher.hash(&typed("right password")).await.unwrap();
        let wrong = PhcString::new(known.as_str()).unwrap();
        let nobody = PhcString::new(hasher.nobody.as_str()).unwrap();
        assert_eq!(
            (wrong.algorithm, wrong.version, &wrong.params),
            (nobody.algorithm, nobody.version, &nobody.params)
        );
        let mut quickest = [Duration::MAX; 2];
        for _ in 0..5 {
            for (hash, quickest) in [Some(&known), None].into_iter().zip(&mut quickest) {
                let start = SystemClock.now();
                assert_eq!(hasher.verify(&typed("a guess"), hash).await, Ok(false));
                *quickest = SystemClock.now().since(start).min(*quickest);
            }
        }
        let [wrong, unknown] = quickest;
        assert!(
            unknown * 3 > wrong && wrong * 3 > unknown,
            "wrong {wrong:?}, unknown {unknown:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_finds_no_place_is_told_so() {
        let hasher = Arc::new(hasher(1, 1));
        let tries: Vec<_> = (0..6)
            .map(|_| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.verify(&typed("x"), None).await })
            })
            .collect();
        let mut busy = 0;
        for one in tries {
            match one.await.unwrap() {
                Err(HasherError::Busy) => busy += 1,
                other => assert_eq!(other, Ok(false)),
            }
        }
        assert!(busy >= 1, "{busy}");
        assert_eq!(hasher.verify(&typed("x"), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_flood_of_new_passwords_keeps_nobody_from_signing_in() {
        let hasher = Arc::new(hasher(1, 1));
        let flood: Vec<_> = (0..6)
            .map(|_| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.hash(&typed("x")).await })
            })
            .collect();
        // Every one of them has asked for its place.
        tokio::task::yield_now().await;
        assert_eq!(hasher.hash(&typed("x")).await, Err(HasherError::Busy));
        assert_eq!(hasher.verify(&typed("x"), None).await, Ok(false));
        let mut busy = 0;
        for one in flood {
            busy += usize::from(one.await.unwrap() == Err(HasherError::Busy));
        }
        assert_eq!(busy, 4);
    }

    #[tokio::test]
    async fn what_is_no_hash_is_a_failure_and_not_a_wrong_password() {
        let hasher = hasher(1, 1);
        for text in [
            "",
            "plain",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let hash = PasswordHash::new(text.into());
            assert_eq!(
                hasher.verify(&typed("x"), Some(&hash)).await,
                Err(HasherError::Failed),
                "{text}"
            );
        }
    }

    #[test]
    fn a_cost_below_the_floor_is_refused() {
        for cost in [
            ArgonCost {
                memory_kib: 19_455,
                ..ArgonCost::FLOOR
            },
            ArgonCost {
                passes: 1,
                ..ArgonCost::FLOOR
            },
            ArgonCost {
                lanes: 0,
                ..ArgonCost::FLOOR
            },
        ] {
            let entropy = Arc::new(SeededEntropy::new(1));
            assert!(ArgonHasher::new(cost, entropy).is_err(), "{cost:?}");
        }
    }
}
