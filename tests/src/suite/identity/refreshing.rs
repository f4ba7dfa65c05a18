//! Cases of refresh tokens.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::crypto::Fingerprint;
use telemed_core::id::SessionId;
use telemed_core::identity::{
    ConcludeLogin, ConcludeLoginOutcome, NewUser, RefreshCommand, RefreshOutcome,
};
use telemed_core::journal::{Resource, Subject};
use telemed_core::time::Timestamp;

use crate::build::{World, at};
use crate::suite::case_list;
use crate::suite::identity::guessing::{LIMITS, keys};
use crate::together;

case_list! { "identity":
    a_refresh_token_is_used_once,
    a_reused_refresh_token_ends_its_session,
    an_ended_session_is_not_refreshed,
}

/// A new user's session and its refresh token.
async fn session_with_token(world: &World) -> (SessionId, Fingerprint) {
    let (session, token) = world.refreshing_session();
    let new = NewUser {
        session: Some(session.clone()),
        ..world.new_user(Role::Patient)
    };
    world.register(&new).await;
    (session.id, token)
}

/// Exchanges a token for another, so that the session lasts until minute 5000; the write is told
/// from that of a reuse by its action.
async fn refresh(
    world: &World,
    now: Timestamp,
    presented: Fingerprint,
    next: Fingerprint,
) -> RefreshOutcome {
    let subject = Subject::number(Resource::User, 1);
    let mut write = world.write_at(now, subject);
    write.audit.action = "refreshed".to_owned();
    let mut reuse = world.write_at(now, subject);
    reuse.audit.action = "reused".to_owned();
    let command = RefreshCommand {
        presented,
        next,
        expires_at: at(5000),
        reuse,
    };
    world
        .storage
        .refresh_session(&write, &command)
        .await
        .unwrap()
}

/// The session of a token, and whether it has ended.
async fn session_of(world: &World, token: Fingerprint) -> Option<(SessionId, Option<Timestamp>)> {
    let found = world.storage.session_of_refresh_token(token).await.unwrap();
    found.map(|found| (found.session.id, found.session.ended_at))
}

async fn last_action(world: &World) -> String {
    world.dump().await.audit.pop().unwrap().row.action
}

async fn a_refresh_token_is_used_once(world: Arc<World>) {
    let (session, first) = session_with_token(&world).await;
    session_with_token(&world).await;
    let before = world.storage.session_with_user(session).await.unwrap();
    let mut expected = before.unwrap();
    expected.session.expires_at = at(5000);
    let (second, third) = (world.token(), world.token());
    assert_eq!(
        refresh(&world, at(9), first, second).await,
        RefreshOutcome::Refreshed(expected.clone())
    );
    assert_eq!(last_action(&world).await, "refreshed");
    let after = world.storage.session_with_user(session).await.unwrap();
    assert_eq!(after, Some(expected.clone()));
    // Both lead to the session, and the new one goes on, past the first end of the session.
    for token in [first, second] {
        assert_eq!(session_of(&world, token).await, Some((session, None)));
    }
    assert_eq!(
        refresh(&world, at(3000), second, third).await,
        RefreshOutcome::Refreshed(expected)
    );
    let unknown = world.token();
    let outcome = world
        .unchanged(refresh(&world, at(9), unknown, world.token()))
        .await;
    assert_eq!(outcome, RefreshOutcome::Unknown);
    assert_eq!(session_of(&world, unknown).await, None);

    // A login gives a token, too; of 64 exchanges of one token in parallel one succeeds.
    let user = world.patient().await;
    let (opened, token) = world.refreshing_session();
    let session = opened.id;
    let login = ConcludeLogin {
        keys: keys(1, None),
        limits: LIMITS,
        opened: Some((user, opened)),
        account: Some(user),
    };
    let write = world.changes(Resource::User, user.get());
    let outcome = world.storage.conclude_login(&write, &login).await.unwrap();
    assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
    let answers = together(64, |_| {
        let world = Arc::clone(&world);
        async move {
            let next = world.token();
            (next, refresh(&world, at(1), token, next).await)
        }
    })
    .await;
    let count = |wanted: fn(&RefreshOutcome) -> bool| {
        answers.iter().filter(|(_, answer)| wanted(answer)).count()
    };
    assert_eq!(count(|one| matches!(one, RefreshOutcome::Refreshed(_))), 1);
    // The next one to come ends the session; all others come too late.
    assert_eq!(count(|one| *one == RefreshOutcome::Reused), 1);
    assert_eq!(count(|one| *one == RefreshOutcome::Ended), 62);
    let audit = world.dump().await.audit;
    let of = |action: &str| audit.iter().filter(|row| row.row.action == action).count();
    assert_eq!((of("refreshed"), of("reused")), (3, 1));
    for (next, answer) in answers {
        let expected = matches!(answer, RefreshOutcome::Refreshed(_));
        let found = session_of(&world, next).await;
        assert_eq!(found, expected.then_some((session, Some(at(1)))));
    }
}

async fn a_reused_refresh_token_ends_its_session(world: Arc<World>) {
    let (session, first) = session_with_token(&world).await;
    let (other, others) = session_with_token(&world).await;
    let (second, third) = (world.token(), world.token());
    for (presented, next) in [(first, second), (second, third)] {
        let outcome = refresh(&world, at(1), presented, next).await;
        assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));
    }
    // The oldest comes back: the whole family is of no use any more.
    let (lost, lost_too) = (world.token(), world.token());
    let outcome = refresh(&world, at(7), first, lost).await;
    assert_eq!(outcome, RefreshOutcome::Reused);
    assert_eq!(last_action(&world).await, "reused");
    let ended = Some((session, Some(at(7))));
    for token in [first, second, third] {
        assert_eq!(session_of(&world, token).await, ended);
        let again = refresh(&world, at(8), token, lost_too);
        assert_eq!(world.unchanged(again).await, RefreshOutcome::Ended);
    }
    for token in [lost, lost_too] {
        assert_eq!(session_of(&world, token).await, None);
    }
    // Other sessions go on.
    assert_eq!(session_of(&world, others).await, Some((other, None)));
    let outcome = refresh(&world, at(8), others, world.token()).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));
}

async fn an_ended_session_is_not_refreshed(world: Arc<World>) {
    let is_ended = |token, now| {
        let world = Arc::clone(&world);
        async move {
            let next = world.token();
            let refreshing = refresh(&world, now, token, next);
            assert_eq!(world.unchanged(refreshing).await, RefreshOutcome::Ended);
            assert_eq!(session_of(&world, next).await, None);
        }
    };
    // Logged out.
    let (session, token) = session_with_token(&world).await;
    let write = world.write(Subject::uuid(Resource::Session, session.get()));
    world.storage.end_session(&write, session).await.unwrap();
    is_ended(token, at(1)).await;
    // Expired: it ends by itself after a day.
    let (_, token) = session_with_token(&world).await;
    is_ended(token, at(24 * 60)).await;
    let just_before = Timestamp::from_micros(at(24 * 60).micros() - 1);
    let outcome = refresh(&world, just_before, token, world.token()).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));
    // Deactivated, and activated again: the sessions are gone.
    let (session, token) = session_with_token(&world).await;
    let found = world.storage.session_with_user(session).await.unwrap();
    let user = found.unwrap().user.id;
    world.set_active(user, false).await;
    is_ended(token, at(1)).await;
    world.set_active(user, true).await;
    is_ended(token, at(1)).await;
    // A used token of an ended session is no reuse.
    let (session, first) = session_with_token(&world).await;
    let second = world.token();
    refresh(&world, at(1), first, second).await;
    let write = world.write(Subject::uuid(Resource::Session, session.get()));
    world.storage.end_session(&write, session).await.unwrap();
    for token in [first, second] {
        is_ended(token, at(2)).await;
    }
}
