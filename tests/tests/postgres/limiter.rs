//! The limiter that servers share.

use std::time::Duration;

use telemed_core::limits::{Limit, LimitKey, LimitName, LocalLimiter, RateLimiter, Verdict};
use telemed_core::time::Timestamp;
use telemed_tests::together;

use super::place::{Place, options};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_900_000_000_000_000 + millis * 1000)
}

fn key(subject: &str) -> LimitKey {
    LimitKey {
        name: LimitName::Writes,
        subject: subject.to_owned(),
    }
}

async fn check(limiter: &dyn RateLimiter, subject: &str, limit: Limit, now: Timestamp) -> Verdict {
    limiter.check(&key(subject), limit, now).await
}

pub async fn a_burst_and_then_one_for_each_interval(place: Place) {
    let limiter = place.silent(&options("one")).await.limiter();
    let limit = Limit::per_minute(3, 60);
    for _ in 0..3 {
        assert_eq!(check(&limiter, "1", limit, at(0)).await, Verdict::Allowed);
    }
    let wait = Verdict::Wait(Duration::from_millis(1000));
    assert_eq!(check(&limiter, "1", limit, at(0)).await, wait);
    let wait = Verdict::Wait(Duration::from_millis(1));
    assert_eq!(check(&limiter, "1", limit, at(999)).await, wait);
    assert_eq!(check(&limiter, "2", limit, at(999)).await, Verdict::Allowed);
    assert_eq!(
        check(&limiter, "1", limit, at(1000)).await,
        Verdict::Allowed
    );
    let late = check(&limiter, "1", limit, at(1000)).await;
    assert!(matches!(late, Verdict::Wait(_)));
    // After a rest the whole burst is there, and no more.
    for _ in 0..3 {
        assert_eq!(
            check(&limiter, "1", limit, at(60_000)).await,
            Verdict::Allowed
        );
    }
    let more = check(&limiter, "1", limit, at(60_000)).await;
    assert!(matches!(more, Verdict::Wait(_)));
}

pub async fn who_waits_as_told_is_let_in(place: Place) {
    let limiter = place.silent(&options("one")).await.limiter();
    let limit = Limit::new(1, Duration::from_secs(5));
    assert_eq!(check(&limiter, "1", limit, at(0)).await, Verdict::Allowed);
    let Verdict::Wait(wait) = check(&limiter, "1", limit, at(1)).await else {
        panic!("the burst is one");
    };
    let early = at(1).plus(wait).minus(Duration::from_micros(1));
    let waits = check(&limiter, "1", limit, early).await;
    assert_eq!(waits, Verdict::Wait(Duration::from_micros(1)));
    let then = check(&limiter, "1", limit, at(1).plus(wait)).await;
    assert_eq!(then, Verdict::Allowed);
}

pub async fn a_clock_that_was_set_back_locks_nobody_out(place: Place) {
    let limiter = place.silent(&options("one")).await.limiter();
    let limit = Limit::per_minute(1, 60);
    assert_eq!(
        check(&limiter, "1", limit, at(3_600_000)).await,
        Verdict::Allowed
    );
    let Verdict::Wait(wait) = check(&limiter, "1", limit, at(0)).await else {
        panic!("it was used");
    };
    assert!(wait <= Duration::from_secs(1));
}

/// The local limiter is the specification.
pub async fn it_says_what_the_local_one_says(place: Place) {
    let (shared, local) = (
        place.silent(&options("one")).await.limiter(),
        LocalLimiter::default(),
    );
    let longest = Limit::new(u32::MAX, Duration::MAX);
    let limits = [
        Limit::new(1, Duration::from_secs(5)),
        Limit::per_minute(3, 60),
        Limit::per_minute(10, 600),
        Limit::new(1, Duration::from_micros(1)),
        longest,
    ];
    // Numbers that look like chance and are the same every time.
    let mut state = 42_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut now = 0_i64;
    let (mut allowed, mut waits) = (0, 0);
    for _ in 0..600 {
        // Mostly onwards, sometimes back.
        let step = i64::try_from(random(1_000)).unwrap();
        now = if random(20) == 0 {
            now - 20 * step
        } else {
            now + step
        };
        let subject = random(3).to_string();
        let limit = limits[usize::try_from(random(4)).unwrap()];
        let said = check(&shared, &subject, limit, at(now)).await;
        assert_eq!(said, check(&local, &subject, limit, at(now)).await);
        match said {
            Verdict::Allowed => allowed += 1,
            Verdict::Wait(_) => waits += 1,
        }
    }
    assert!(allowed > 50 && waits > 50, "{allowed} {waits}");
    for _ in 0..2 {
        assert_eq!(
            check(&shared, "long", longest, at(now)).await,
            Verdict::Allowed
        );
    }
}

pub async fn two_limiters_share_the_count(place: Place) {
    let one = place.silent(&options("one")).await;
    let other = place.silent(&options("other")).await;
    let limiters = std::sync::Arc::new([one.limiter(), other.limiter()]);
    let limit = Limit::per_minute(10, 60);
    let verdicts = together(40, |caller| {
        let limiters = std::sync::Arc::clone(&limiters);
        async move { check(&limiters[caller % 2], "1", limit, at(0)).await }
    })
    .await;
    let allowed = verdicts.iter().filter(|one| **one == Verdict::Allowed);
    assert_eq!(allowed.count(), 10);
}

pub async fn what_has_recovered_is_dropped(place: Place) {
    let limiter = place.silent(&options("one")).await.limiter();
    let mut beside = place.beside().await;
    beside
        .run(
            "INSERT INTO rate_limits (name, subject, recovered_at, is_allowed)
             SELECT 'writes', 'old ' || n, 1900000000000000 + n, true
             FROM generate_series(-2500, 10) AS n",
        )
        .await;
    let limit = Limit::per_minute(1, 1);
    assert_eq!(check(&limiter, "1", limit, at(0)).await, Verdict::Allowed);
    // Those that have not recovered stay.
    beside.until("SELECT count(*) FROM rate_limits", 11).await;
    // Not again at each question.
    beside
        .run("UPDATE rate_limits SET recovered_at = 0 WHERE subject LIKE 'old%'")
        .await;
    assert_eq!(
        check(&limiter, "2", limit, at(59_000)).await,
        Verdict::Allowed
    );
    assert_eq!(beside.number("SELECT count(*) FROM rate_limits").await, 12);
    assert_eq!(
        check(&limiter, "3", limit, at(60_000)).await,
        Verdict::Allowed
    );
    beside.until("SELECT count(*) FROM rate_limits", 2).await;
}
