//! Cases of logins and of the limit on guessing.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::identity::{
    ConcludeLoginOutcome, GuessingLimits, LoginKeys, LoginStanding, NewUser, StoredUser,
};
use telemed_core::time::Timestamp;

use crate::build::{World, at, fingerprint, minutes, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "identity":
    failures_limit_an_account,
    a_login_opens_a_session,
    failures_leave_the_window,
    failures_elsewhere_do_not_lock_the_owner_out,
    failures_of_others_do_not_lock_a_session_out,
    failures_limit_a_network,
    parallel_failures_are_all_counted,
}

/// Three failures of an account and five of a network in a quarter of an hour.
pub(super) const LIMITS: GuessingLimits = GuessingLimits {
    window: minutes(15),
    per_account: 3,
    per_network: 5,
};

pub(super) fn keys(account: u8, network: Option<u8>) -> LoginKeys {
    LoginKeys {
        account: fingerprint(account),
        network: network.map(fingerprint),
        session: None,
    }
}

async fn failures_limit_an_account(world: Arc<World>) {
    let user = Some(world.patient().await);
    let own = keys(1, Some(9));
    let standing = |now| world.standing(now, own, LIMITS, user);
    for minute in 0..3 {
        assert_eq!(standing(at(minute)).await, LoginStanding::Open);
        let outcome = world.conclude(at(minute), own, LIMITS, user, false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    assert_eq!(standing(at(3)).await, LoginStanding::Limited(at(15)));
    for opened in [false, true] {
        let outcome = world
            .unchanged(world.conclude(at(3), own, LIMITS, user, opened))
            .await;
        assert_eq!(outcome, ConcludeLoginOutcome::Limited(at(15)));
    }
    // What is no account is limited alike, and on its own.
    for minute in 0..3 {
        let outcome = world
            .conclude(at(minute), keys(2, None), LIMITS, None, false)
            .await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    let outcome = world
        .unchanged(world.conclude(at(3), keys(2, None), LIMITS, None, false))
        .await;
    assert_eq!(outcome, ConcludeLoginOutcome::Limited(at(15)));
    assert_eq!(
        world.standing(at(3), keys(3, None), LIMITS, None).await,
        LoginStanding::Open
    );
    // A failure leaves its audit row like any change.
    assert_eq!(
        world
            .dump()
            .await
            .audit
            .iter()
            .filter(|row| row.row.at >= at(1))
            .count(),
        4
    );
}

async fn a_login_opens_a_session(world: Arc<World>) {
    let before = world.user(Role::Doctor).await;
    let user = Some(before.id);
    let outcome = world
        .conclude(at(7), keys(1, Some(1)), LIMITS, user, true)
        .await;
    let ConcludeLoginOutcome::Opened(after) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        after,
        StoredUser {
            last_login: Some(at(7)),
            ..before
        }
    );
    let dump = world.dump().await;
    let [opened] = &dump.sessions[..] else {
        panic!("{:?}", dump.sessions)
    };
    assert_eq!(opened.user, after);
    assert_eq!(opened.session.user, after.id);
    assert_eq!(opened.session.created_at, at(7));
    assert_eq!(opened.session.expires_at, at(607));
    assert_eq!(opened.session.ended_at, None);
    assert_eq!(dump.audit.last().unwrap().row.at, at(7));
    // Whose account is not there, or not active, opens nothing.
    let unknown = Some(user_id(after.id.get() + 1));
    let outcome = world
        .unchanged(world.conclude(at(8), keys(2, None), LIMITS, unknown, true))
        .await;
    assert_eq!(outcome, ConcludeLoginOutcome::Deactivated);
    world.set_active(after.id, false).await;
    let outcome = world
        .unchanged(world.conclude(at(8), keys(1, None), LIMITS, user, true))
        .await;
    assert_eq!(outcome, ConcludeLoginOutcome::Deactivated);
}

async fn failures_leave_the_window(world: Arc<World>) {
    let user = Some(world.patient().await);
    let own = keys(1, None);
    let standing = |now| world.standing(now, own, LIMITS, user);
    for minute in [2, 0, 1] {
        // A clock may go back; what counts is the time of the failure.
        world.conclude(at(minute), own, LIMITS, user, false).await;
    }
    let last = Timestamp::from_micros(at(15).micros() - 1);
    assert_eq!(standing(last).await, LoginStanding::Limited(at(15)));
    assert_eq!(standing(at(15)).await, LoginStanding::Open);
    let outcome = world.conclude(at(15), own, LIMITS, user, false).await;
    assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    // The failures of minutes 1, 2 and 15 fill the window until the first of them leaves it.
    assert_eq!(standing(at(15)).await, LoginStanding::Limited(at(16)));
    let outcome = world.conclude(at(16), own, LIMITS, user, true).await;
    assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    // A wider window sees more.
    let wide = GuessingLimits {
        window: minutes(60),
        per_account: 4,
        ..LIMITS
    };
    assert_eq!(
        world.standing(at(16), own, wide, user).await,
        LoginStanding::Limited(at(60))
    );
}

async fn failures_elsewhere_do_not_lock_the_owner_out(world: Arc<World>) {
    const HOME: Option<u8> = Some(1);
    const WORK: Option<u8> = Some(2);
    // The limit on networks is out of the way.
    let limits = GuessingLimits {
        per_network: 1000,
        ..LIMITS
    };
    let user = Some(world.patient().await);
    let other = Some(world.patient().await);
    let conclude = |minute, network, opened| {
        world.conclude(at(minute), keys(7, network), limits, user, opened)
    };
    for network in [HOME, WORK] {
        let outcome = conclude(0, network, true).await;
        assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    }
    // Guesses from three places: together they reach the limit of all unknown places.
    for network in [Some(3), Some(4), None] {
        assert_eq!(
            conclude(1, network, false).await,
            ConcludeLoginOutcome::Refused
        );
    }
    for network in [Some(3), Some(5), None] {
        assert_eq!(
            conclude(2, network, true).await,
            ConcludeLoginOutcome::Limited(at(16))
        );
    }
    // The owner at home is let in; his own failures there are counted there.
    assert!(matches!(
        conclude(2, HOME, true).await,
        ConcludeLoginOutcome::Opened(_)
    ));
    for _ in 0..3 {
        assert_eq!(
            conclude(3, HOME, false).await,
            ConcludeLoginOutcome::Refused
        );
    }
    assert_eq!(
        conclude(4, HOME, true).await,
        ConcludeLoginOutcome::Limited(at(18))
    );
    assert!(matches!(
        conclude(4, WORK, true).await,
        ConcludeLoginOutcome::Opened(_)
    ));
    // Another account does not know the owner's network.
    for minute in 5..8 {
        let keys = keys(8, HOME);
        let outcome = world.conclude(at(minute), keys, limits, other, false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    let elsewhere = world
        .conclude(at(8), keys(8, Some(6)), limits, other, true)
        .await;
    assert_eq!(elsewhere, ConcludeLoginOutcome::Limited(at(20)));
    // Failures at home are counted nowhere else, and what failed in a place before it was known
    // stays with the unknown ones.
    let fourth = Some(world.patient().await);
    let conclude = |minute, network, opened| {
        world.conclude(at(minute), keys(6, network), limits, fourth, opened)
    };
    for _ in 0..2 {
        let outcome = conclude(1, HOME, false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    let outcome = conclude(2, HOME, true).await;
    assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    for _ in 0..3 {
        let outcome = conclude(3, HOME, false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    let standing = |network| world.standing(at(4), keys(6, network), limits, fourth);
    assert_eq!(standing(HOME).await, LoginStanding::Limited(at(18)));
    assert_eq!(standing(WORK).await, LoginStanding::Open);
    assert_eq!(
        conclude(4, WORK, false).await,
        ConcludeLoginOutcome::Refused
    );
    assert_eq!(standing(WORK).await, LoginStanding::Limited(at(16)));
    // A network is known by the session of a registration, too.
    let session = Some(world.new_session(HOME));
    let new = NewUser {
        session,
        ..world.new_user(Role::Patient)
    };
    let third = Some(world.register(&new).await.id);
    for _ in 0..3 {
        world
            .conclude(at(1), keys(9, None), limits, third, false)
            .await;
    }
    let outcome = world
        .conclude(at(2), keys(9, HOME), limits, third, true)
        .await;
    assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
}

async fn failures_of_others_do_not_lock_a_session_out(world: Arc<World>) {
    const HOME: Option<u8> = Some(1);
    // The limit on networks is out of the way.
    let limits = GuessingLimits {
        per_network: 1000,
        ..LIMITS
    };
    let user = Some(world.patient().await);
    let with = |session: u8, network| LoginKeys {
        session: Some(fingerprint(session)),
        ..keys(7, network)
    };
    let conclude = |minute, keys, opened| world.conclude(at(minute), keys, limits, user, opened);
    conclude(0, keys(7, HOME), true).await;
    // Somebody at home, and somebody elsewhere, guess until they are stopped.
    for place in [HOME, Some(2)] {
        for _ in 0..3 {
            let outcome = conclude(1, keys(7, place), false).await;
            assert_eq!(outcome, ConcludeLoginOutcome::Refused);
        }
        let outcome = conclude(1, keys(7, place), true).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Limited(at(16)));
    }
    // Who comes with a session of his own is let in, wherever he is.
    for network in [HOME, Some(2), None] {
        let outcome = conclude(2, with(50, network), true).await;
        assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    }
    // His own failures with it are counted for it, from all places together.
    for network in [HOME, Some(3), None] {
        let outcome = conclude(3, with(50, network), false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    let standing = |keys| world.standing(at(4), keys, limits, user);
    assert_eq!(
        standing(with(50, HOME)).await,
        LoginStanding::Limited(at(18))
    );
    let outcome = world.unchanged(conclude(4, with(50, None), true)).await;
    assert_eq!(outcome, ConcludeLoginOutcome::Limited(at(18)));
    // Another session of his has its own count, and so has a network that was quiet.
    assert_eq!(standing(with(51, HOME)).await, LoginStanding::Open);
    conclude(5, with(51, Some(9)), true).await;
    assert_eq!(standing(keys(7, Some(9))).await, LoginStanding::Open);
    // Where there is no account, a session helps nobody.
    for _ in 0..3 {
        let keys = keys(8, None);
        world.conclude(at(1), keys, limits, None, false).await;
    }
    let keys = LoginKeys {
        session: Some(fingerprint(60)),
        ..keys(8, Some(4))
    };
    assert_eq!(
        world.standing(at(2), keys, limits, None).await,
        LoginStanding::Limited(at(16))
    );
}

async fn failures_limit_a_network(world: Arc<World>) {
    let user = Some(world.patient().await);
    // The user knows the network, which is of no help against this limit.
    let outcome = world
        .conclude(at(0), keys(1, Some(9)), LIMITS, user, true)
        .await;
    assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    for account in 10..15 {
        let minute = i64::from(account);
        let outcome = world
            .conclude(at(minute), keys(account, Some(9)), LIMITS, None, false)
            .await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    for account in [1, 30] {
        assert_eq!(
            world
                .standing(at(15), keys(account, Some(9)), LIMITS, user)
                .await,
            LoginStanding::Limited(at(25))
        );
        for network in [Some(8), None] {
            assert_eq!(
                world
                    .standing(at(15), keys(account, network), LIMITS, user)
                    .await,
                LoginStanding::Open
            );
        }
    }
    let conclude = world.conclude(at(15), keys(1, Some(9)), LIMITS, user, true);
    assert_eq!(
        world.unchanged(conclude).await,
        ConcludeLoginOutcome::Limited(at(25))
    );
    // Of the two limits the later one counts.
    for minute in [20, 20] {
        world
            .conclude(at(minute), keys(14, None), LIMITS, None, false)
            .await;
    }
    assert_eq!(
        world
            .standing(at(21), keys(14, Some(9)), LIMITS, None)
            .await,
        LoginStanding::Limited(at(29))
    );
    // Failures from nowhere are no network's.
    for account in 40..50 {
        world
            .conclude(at(15), keys(account, None), LIMITS, None, false)
            .await;
    }
    assert_eq!(
        world.standing(at(15), keys(50, None), LIMITS, None).await,
        LoginStanding::Open
    );
}

async fn parallel_failures_are_all_counted(world: Arc<World>) {
    let user = Some(world.patient().await);
    let limits = GuessingLimits {
        per_account: 10,
        per_network: 1000,
        ..LIMITS
    };
    let answers = together(64, |caller| {
        let world = Arc::clone(&world);
        async move {
            let network = u8::try_from(caller % 3).unwrap();
            world
                .conclude(at(1), keys(1, Some(network)), limits, user, false)
                .await
        }
    })
    .await;
    let count = |wanted| answers.iter().filter(|one| **one == wanted).count();
    assert_eq!(count(ConcludeLoginOutcome::Refused), 10);
    assert_eq!(count(ConcludeLoginOutcome::Limited(at(16))), 54);
    let eleven = GuessingLimits {
        per_account: 11,
        ..limits
    };
    assert_eq!(
        world.standing(at(1), keys(1, None), eleven, user).await,
        LoginStanding::Open
    );
}
