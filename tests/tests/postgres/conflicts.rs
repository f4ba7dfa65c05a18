//! Transactions that come between one another.

use std::sync::Arc;
use std::time::Duration;

use telemed_core::actor::Role;
use telemed_core::id::SessionId;
use telemed_core::identity::{
    ConcludeLogin, ConcludeLoginOutcome, GuessingLimits, IdentityStore, LoginKeys, NewSession,
    RegisterOutcome, SetActiveOutcome,
};
use telemed_core::journal::Resource;
use telemed_core::store::StoreErrorKind;
use telemed_storage_postgres::PostgresOptions;
use telemed_tests::build::{applied, at, fingerprint, with_key};
use telemed_tests::together;

use super::place::{Place, options, world};

pub async fn one_of_many_gets_the_address(place: Place) {
    let stores = Arc::new([
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ]);
    let world = Arc::new(world(&place, &stores[0]));
    for round in 0..10 {
        let same = Arc::new(world.new_user(Role::Patient));
        let outcomes = together(8, |caller| {
            let (stores, world, same) =
                (Arc::clone(&stores), Arc::clone(&world), Arc::clone(&same));
            async move {
                let user = telemed_core::identity::NewUser {
                    data_key: world.data_key(),
                    ..(*same).clone()
                };
                let write = world.makes(Resource::User);
                let write = with_key(write, &format!("{round} {caller}"), 1);
                applied(
                    stores[caller % 2]
                        .register_user(&write, &user)
                        .await
                        .unwrap(),
                )
            }
        })
        .await;
        let is_registered = |outcome: &&_| matches!(outcome, RegisterOutcome::Registered(_));
        assert_eq!(outcomes.iter().filter(is_registered).count(), 1);
        let is_taken = |outcome: &&_| matches!(outcome, RegisterOutcome::EmailTaken);
        assert_eq!(outcomes.iter().filter(is_taken).count(), 7, "{outcomes:?}");
    }
}

pub async fn a_deadlock_is_tried_again(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let user = world.patient().await;
    let mut beside = place.beside().await;
    // The store locks the user and then writes to the sessions.
    beside.run("BEGIN; LOCK TABLE sessions IN SHARE MODE").await;
    let change = {
        let (store, write) = (store.clone(), world.changes(Resource::User, 1));
        tokio::spawn(async move { store.set_user_active(&write, user, false).await })
    };
    beside.blocked("one").await;
    // Now each waits for the other, and the store is the one that gives way.
    beside
        .run("UPDATE users SET language = 'ar' WHERE id = 1")
        .await;
    beside.run("COMMIT").await;
    let changed = applied(change.await.unwrap().unwrap());
    let SetActiveOutcome::Changed(after) = changed else {
        panic!("{changed:?}");
    };
    // It was decided anew.
    assert_eq!(after.language.map(|it| it.as_str()), Some("ar"));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    beside.until(deadlocks, 1).await;
}

pub async fn who_waits_for_a_lock_too_long_is_told_to_come_back(place: Place) {
    let impatient = PostgresOptions {
        lock_timeout: Duration::from_millis(100),
        connections: 1,
        ..options("one")
    };
    let store = place.silent(&impatient).await;
    let world = world(&place, &store);
    let user = world.patient().await;
    let mut beside = place.beside().await;
    beside.run("BEGIN; LOCK TABLE sessions IN SHARE MODE").await;
    let write = world.changes(Resource::User, 1);
    let refused = store
        .set_user_active(&write, user, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    beside.nothing_is_open("one").await;
    beside.run("COMMIT").await;
    // Nothing was kept of it, and the only connection is as good as before.
    assert!(store.user_by_id(user).await.unwrap().unwrap().is_active);
    let write = world.changes(Resource::User, 1);
    let changed = applied(store.set_user_active(&write, user, false).await.unwrap());
    assert!(matches!(changed, SetActiveOutcome::Changed(_)));
}

/// Who signs in while his account is being deactivated does so before it, and is signed out, or
/// after it, and is refused.
pub async fn nobody_is_signed_in_while_he_is_deactivated(place: Place) {
    let stores = Arc::new([
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ]);
    let world = Arc::new(world(&place, &stores[0]));
    for _ in 0..20 {
        let user = world.patient().await;
        let outcomes = together(5, |caller| {
            let (stores, world) = (Arc::clone(&stores), Arc::clone(&world));
            async move {
                let write = world.changes(Resource::User, user.get());
                if caller == 0 {
                    stores[0]
                        .set_user_active(&write, user, false)
                        .await
                        .unwrap();
                    return None;
                }
                let id = SessionId::new(world.uuid());
                let session = NewSession {
                    id,
                    expires_at: at(60),
                    refresh: None,
                    network: None,
                };
                let login = ConcludeLogin {
                    keys: LoginKeys {
                        account: fingerprint(u8::try_from(caller).unwrap()),
                        network: None,
                        session: None,
                    },
                    limits: GuessingLimits::default(),
                    opened: Some((user, session)),
                    account: Some(user),
                };
                let store = &stores[caller % 2];
                match store.conclude_login(&write, &login).await.unwrap() {
                    ConcludeLoginOutcome::Opened(_) => Some(id),
                    other => {
                        assert_eq!(other, ConcludeLoginOutcome::Deactivated);
                        None
                    }
                }
            }
        })
        .await;
        for id in outcomes.into_iter().flatten() {
            let found = stores[0].session_with_user(id).await.unwrap().unwrap();
            assert!(
                found.session.ended_at.is_some(),
                "a session outlives its account"
            );
        }
    }
}
