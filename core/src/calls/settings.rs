//! What a host decides about calls.

use std::time::Duration;

/// How long things may take, and in how many calls one can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// How long a call rings.
    pub ring_for: Duration,
    /// How long two devices may take to find to each other.
    pub connect_within: Duration,
    /// How long a party is waited for whose device has gone.
    pub grace: Duration,
    /// How long a call may last.
    pub maximum: Duration,
    /// How long after the answer a call counts as connected, whatever the parties say.
    pub assume_connected_after: Duration,
    /// In how many live calls a user can be.
    pub most_live: u32,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            ring_for: Duration::from_secs(60),
            connect_within: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            maximum: Duration::from_secs(3600),
            assume_connected_after: Duration::from_secs(5),
            most_live: 1,
        }
    }
}
