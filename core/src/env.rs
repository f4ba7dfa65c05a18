//! What the engine is given from outside: the clock and randomness. Core has neither of its own.

use std::sync::Mutex;
use std::time::Duration;

use uuid::Uuid;

use crate::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Fills bytes from a cryptographically secure source.
pub trait Entropy: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// A clock that stands still until it is moved: for tests and simulations.
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows this instant.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        let mut now = lock(&self.0);
        *now = now.plus(span);
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, to: Timestamp) {
        *lock(&self.0) = to;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

/// Bytes that follow from a seed: for tests that must repeat. Never for keys.
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// A source that gives the same bytes for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = lock(&self.0);
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64: every state gives another output, so ids never repeat.
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Makes version 7 UUIDs (RFC 9562, method 1 of section 6.2): they rise within one process even
/// inside a millisecond and when the clock goes back.
pub(crate) struct UuidSource {
    last: Mutex<(u64, u16)>,
}

impl UuidSource {
    pub(crate) fn new() -> Self {
        Self {
            last: Mutex::new((0, 0)),
        }
    }

    pub(crate) fn next(&self, now: Timestamp, entropy: &dyn Entropy) -> Uuid {
        let mut random = [0u8; 10];
        entropy.fill(&mut random);
        let millis = u64::try_from(now.micros().div_euclid(1000)).unwrap_or(0);
        let (millis, counter) = {
            let mut last = lock(&self.last);
            if millis > last.0 {
                // Half of the counter's range stays free for the rest of this millisecond.
                *last = (millis, u16::from_be_bytes([random[0], random[1]]) & 0x07FF);
            } else if last.1 < 0x0FFF {
                last.1 += 1;
            } else {
                *last = (last.0 + 1, 0);
            }
            *last
        };
        random[0] = counter.to_be_bytes()[0];
        random[1] = counter.to_be_bytes()[1];
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Takes a lock whose holder may have panicked: the data behind ours is valid at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_while_the_clock_stands_or_goes_back() {
        let entropy = SeededEntropy::new(1);
        let source = UuidSource::new();
        let mut last = Uuid::nil();
        for step in 0..10_000i64 {
            let now = Timestamp::from_micros(1_900_000_000_000_000 - step * 10);
            let next = source.next(now, &entropy);
            assert!(next > last);
            assert_eq!(next.get_version_num(), 7);
            last = next;
        }
    }
}
