//! The limit on guessing passwords.
//!
//! At most so many failures in a window for an account, and for a network. Failures that come
//! with a live session of the account, and those from a network from which it has signed in
//! before, are counted apart: somebody who guesses elsewhere does not lock the owner out. Failures leave the window with time; nothing
//! locks an account for good.

use std::net::IpAddr;
use std::time::Duration;

use crate::crypto::Fingerprint;
use crate::time::Timestamp;

/// How many failures are let pass in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessingLimits {
    /// The window.
    pub window: Duration,
    /// Failures for an account.
    pub per_account: u32,
    /// Failures for a network: an IPv4 address or an IPv6 prefix of 64 bits.
    pub per_network: u32,
}

impl Default for GuessingLimits {
    /// 10 failures for an account and 100 for a network, in 15 minutes.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(15 * 60),
            per_account: 10,
            per_network: 100,
        }
    }
}

/// Under what the failures of a login are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginKeys {
    /// The keyed fingerprint of what was typed as the account, whether it exists or not.
    pub account: Fingerprint,
    /// The keyed fingerprint of the network.
    pub network: Option<Fingerprint>,
    /// The keyed fingerprint of a live session of that account that the request came with: its
    /// owner is told by it from everybody else.
    pub session: Option<Fingerprint>,
}

/// Where a login stands before the password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginStanding {
    /// It may be tried.
    Open,
    /// Too many failures; it may be tried at this time.
    Limited(Timestamp),
}

impl LoginStanding {
    /// Decides from the failures in the window, oldest first: those of the account (from this
    /// known network, or from all unknown ones) and those of the network.
    #[must_use]
    pub fn decide(limits: &GuessingLimits, account: &[Timestamp], network: &[Timestamp]) -> Self {
        let free_at = |failures: &[Timestamp], most: u32| {
            let most = most as usize;
            // The newest `most` failures fill the window; the oldest of them leaves it first.
            (failures.len() >= most && most > 0)
                .then(|| failures[failures.len() - most].plus(limits.window))
        };
        match (
            free_at(account, limits.per_account),
            free_at(network, limits.per_network),
        ) {
            (None, None) => Self::Open,
            (one, two) => Self::Limited(one.max(two).unwrap_or(Timestamp::from_micros(0))),
        }
    }
}

/// The part of an address that one customer of a network holds: an IPv4 address, or the first
/// 64 bits of an IPv6 address.
pub(crate) fn network_of(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn the_tenth_failure_closes_and_time_opens_again() {
        let limits = GuessingLimits::default();
        let failures: Vec<_> = (0..10).map(at).collect();
        assert_eq!(
            LoginStanding::decide(&limits, &failures[..9], &[]),
            LoginStanding::Open
        );
        assert_eq!(
            LoginStanding::decide(&limits, &failures, &[]),
            LoginStanding::Limited(at(900))
        );
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        let of = |text: &str| text.parse().map(network_of).ok();
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    }
}
