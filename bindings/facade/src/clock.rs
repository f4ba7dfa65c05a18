//! The clock of the machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telemed_core::env::Clock;
use telemed_core::time::Timestamp;

/// The clock of the machine, as its operator keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock that is injected everywhere else"
    )]
    fn now(&self) -> Timestamp {
        let epoch = Timestamp::from_micros(0);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => epoch.plus(since),
            Err(before) => epoch.minus(before.duration() + Duration::from_micros(1)),
        }
    }
}
