//! Connections that are lost.

use std::time::Duration;

use telemed_core::actor::Role;
use telemed_core::calls::{AdvanceCallOutcome, CallStore, StartCall, StartCallOutcome};
use telemed_core::id::SlotId;
use telemed_core::identity::{IdentityStore, RegisterOutcome, SetActiveOutcome};
use telemed_core::journal::{
    Event, EventBus, JournalStore, LocalBus, Resource, Subject, Subscription, SubscriptionItem,
};
use telemed_core::scheduling::{BookCommand, SchedulingStore};
use telemed_core::store::{StoreErrorKind, Written};
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::Fixture;
use telemed_tests::build::{
    NOW, World, about_call, accept, advancing, applied, at, following, with_key,
};
use tokio::time::Instant;

use super::place::{Beside, PATIENCE, Place, next, options, silent, world};
use super::proxy::Proxy;

pub async fn idle_connections_that_were_ended_are_not_noticed(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    // Several, all of which are ended.
    let users = telemed_tests::together(6, |_| {
        let (store, write, user) = (
            store.clone(),
            world.makes(Resource::User),
            world.new_user(Role::Patient),
        );
        async move { applied(store.register_user(&write, &user).await.unwrap()) }
    })
    .await;
    let RegisterOutcome::Registered(user) = &users[0] else {
        panic!("{users:?}");
    };
    beside.end("one").await;
    assert_eq!(
        store.user_by_id(user.id).await.unwrap().as_ref(),
        Some(user)
    );
    beside.end("one").await;
    // Without a key: it is certain that nothing was done.
    let write = world.changes(Resource::User, user.id.get());
    let changed = applied(store.set_user_active(&write, user.id, false).await.unwrap());
    assert!(matches!(changed, SetActiveOutcome::Changed(_)));
}

pub async fn a_transaction_that_was_ended_is_begun_anew(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let user = world.patient().await;
    let mut beside = place.beside().await;
    beside.run("BEGIN; LOCK TABLE sessions IN SHARE MODE").await;
    let change = {
        let (store, write) = (store.clone(), world.changes(Resource::User, 1));
        tokio::spawn(async move { store.set_user_active(&write, user, false).await })
    };
    // In the middle: the user is changed, and the sessions are not yet.
    let process = beside.blocked("one").await;
    beside
        .run(&format!("SELECT pg_terminate_backend({process})"))
        .await;
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
    beside.until(&gone, 0).await;
    beside.run("COMMIT").await;
    let changed = applied(change.await.unwrap().unwrap());
    assert!(
        matches!(changed, SetActiveOutcome::Changed(_)),
        "{changed:?}"
    );
    assert_eq!(beside.number("SELECT count(*) FROM audit_open").await, 2);
}

/// Makes every commit of a write wait for a lock that `beside` holds.
async fn hold_commits(beside: &mut Beside) {
    beside
        .run(
            "CREATE FUNCTION wait() RETURNS TRIGGER LANGUAGE plpgsql AS $$
                 BEGIN PERFORM pg_advisory_xact_lock(5); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON audit_open
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
             SELECT pg_advisory_lock(5)",
        )
        .await;
}

pub async fn a_commit_that_was_ended_is_unknown(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let user = world.patient().await;
    let mut beside = place.beside().await;
    hold_commits(&mut beside).await;
    for key in [None, Some("key")] {
        let write = world.changes(Resource::User, 1);
        let write = match key {
            Some(key) => with_key(write, key, 1),
            None => write,
        };
        let change = {
            let store = store.clone();
            tokio::spawn(async move { store.set_user_active(&write, user, false).await })
        };
        let process = beside.blocked("one").await;
        beside
            .run(&format!("SELECT pg_terminate_backend({process})"))
            .await;
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
        beside.until(&gone, 0).await;
        if key.is_none() {
            // COMMIT was sent: nobody knows, and so nobody does it again.
            let refused = change.await.unwrap().unwrap_err();
            assert_eq!(refused.kind, StoreErrorKind::Unavailable);
            assert!(store.user_by_id(user).await.unwrap().unwrap().is_active);
        } else {
            // With a key it can be done again.
            beside.run("SELECT pg_advisory_unlock(5)").await;
            let changed = applied(change.await.unwrap().unwrap());
            assert!(
                matches!(changed, SetActiveOutcome::Changed(_)),
                "{changed:?}"
            );
        }
    }
    beside.nothing_is_open("one").await;
}

/// A store behind a wire, and a bus that nobody else uses.
async fn behind(place: &Place, proxy: &Proxy) -> (PostgresStore, World, std::sync::Arc<LocalBus>) {
    let bus = std::sync::Arc::new(LocalBus::default());
    let url = proxy.url(&place.database.url());
    let store = PostgresStore::open_with_bus(&url, &options("one"), bus.clone())
        .await
        .unwrap();
    let database = std::sync::Arc::clone(&place.database);
    let fixture = Fixture::new(std::sync::Arc::new(store.clone()), bus.clone(), database);
    (store, World::new(fixture), bus)
}

pub async fn a_commit_whose_answer_was_lost_is_announced(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let user = world.patient().await;
    let mut subscription = bus.subscribe().await;
    let mut write = world.changes(Resource::User, user.get());
    let subject = Subject::number(Resource::User, user.get());
    write.events = vec![world.event(&[user], subject), world.event(&[], subject)];
    proxy.lose_the_next_answer_to("COMMIT");
    // Without a key nobody may do it again.
    let refused = store
        .set_user_active(&write, user, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    for event in &write.events {
        match next(&mut subscription).await {
            SubscriptionItem::Event(heard) => assert_eq!(heard.event, *event),
            other => panic!("{other:?}"),
        }
    }
    assert!(!store.user_by_id(user).await.unwrap().unwrap().is_active);
    silent(&mut subscription).await;
}

pub async fn a_repetition_finds_the_key_of_a_lost_answer(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let mut subscription = bus.subscribe().await;
    let mut write = with_key(world.makes(Resource::User), "key", 1);
    write.events = vec![world.event(&[], write.audit.subject)];
    proxy.lose_the_next_answer_to("COMMIT");
    let user = world.new_user(Role::Patient);
    let written = store.register_user(&write, &user).await.unwrap();
    // It was committed the first time, and not done again.
    let Written::Replayed(subject) = written else {
        panic!("{written:?}");
    };
    assert_eq!(subject, Subject::number(Resource::User, 1));
    let SubscriptionItem::Event(heard) = next(&mut subscription).await else {
        panic!("no event");
    };
    assert_eq!(heard.event.id, write.events[0].id);
    assert_eq!(heard.event.subject, subject);
    let mut beside = place.beside().await;
    assert_eq!(beside.number("SELECT count(*) FROM users").await, 1);
}

/// A call to be begun that tells its parties.
async fn telling_call(world: &World, client: Option<&str>) -> StartCall {
    let [caller, callee] = world.patients(2).await[..] else {
        panic!()
    };
    let new = match client {
        Some(client) => world.call_under(caller, callee, client),
        None => world.new_call(caller, callee),
    };
    let mut start = world.starting(NOW, &new);
    let event = world.event(&[caller, callee], about_call(new.id));
    start.write.events.push(event);
    start
}

/// The only event that is heard.
async fn only(subscription: &mut Subscription, expected: &Event) {
    match next(subscription).await {
        SubscriptionItem::Event(heard) => assert_eq!(heard.event, *expected),
        other => panic!("{other:?}"),
    }
    silent(subscription).await;
}

pub async fn a_call_whose_answer_was_lost_is_announced(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let start = telling_call(&world, None).await;
    let mut subscription = bus.subscribe().await;
    proxy.lose_the_next_answer_to("start_call");
    // With neither a key nor a client's id nobody may do it again.
    let refused = store.start_call(&start).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    only(&mut subscription, &start.write.events[0]).await;
    let begun = store.call_by_id(start.call.id).await.unwrap();
    assert_eq!(begun.unwrap().version, 1);
}

pub async fn a_repetition_finds_the_call_of_a_lost_answer(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    for by_key in [false, true] {
        let mut start = telling_call(&world, (!by_key).then_some("mine")).await;
        if by_key {
            for write in [&mut start.write, &mut start.write_busy] {
                *write = with_key(write.clone(), "key", 1);
            }
        }
        let mut subscription = bus.subscribe().await;
        proxy.lose_the_next_answer_to("start_call");
        let written = store.start_call(&start).await.unwrap();
        let begun = store.call_by_id(start.call.id).await.unwrap().unwrap();
        if by_key {
            assert_eq!(written, Written::Replayed(about_call(begun.id)));
        } else {
            assert_eq!(applied(written), StartCallOutcome::Repeated(begun));
        }
        only(&mut subscription, &start.write.events[0]).await;
    }
    let mut beside = place.beside().await;
    assert_eq!(beside.number("SELECT count(*) FROM calls").await, 2);
}

pub async fn a_change_of_a_call_whose_answer_was_lost_is_made_once(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let start = telling_call(&world, None).await;
    let call = world.start(&start).await;
    let StartCallOutcome::Started(call) = call else {
        panic!("{call:?}")
    };
    let mut subscription = bus.subscribe().await;
    let change = advancing(&call, following(&call, &accept("phone"), at(1)));
    let mut write = world.write_at(at(1), about_call(call.id));
    write.events = vec![world.event(&call.users(), about_call(call.id))];
    proxy.lose_the_next_answer_to("advance_call");
    // The second time the call is no longer as it was seen; whoever looks again finds it changed.
    let outcome = applied(store.advance_call(&write, &change).await.unwrap());
    assert_eq!(outcome, AdvanceCallOutcome::Superseded);
    let now = store.call_by_id(call.id).await.unwrap().unwrap();
    assert_eq!((now.version, now.progress), (2, change.progress));
    only(&mut subscription, &write.events[0]).await;
}

/// Two bookings of one slot, each with an event; both go in one call.
pub async fn two_bookings(world: &World) -> (SlotId, [BookCommand; 2]) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 2).await;
    let patients = [world.patient().await, world.patient().await];
    let commands = patients.map(|patient| {
        let mut command = world.booking(patient);
        let event = world.event(&[patient], command.write.audit.subject);
        command.write.events = vec![event];
        command
    });
    (slot, commands)
}

/// Hears the events of both bookings, once each and nothing else.
pub async fn hears_both(subscription: &mut Subscription, commands: &[BookCommand; 2]) {
    for (number, command) in (1..).zip(commands) {
        let SubscriptionItem::Event(heard) = next(subscription).await else {
            panic!("no event");
        };
        assert_eq!(heard.event.id, command.write.events[0].id);
        let subject = Subject::number(Resource::Appointment, number);
        assert_eq!(heard.event.subject, subject);
    }
    silent(subscription).await;
}

pub async fn bookings_whose_answer_was_lost_are_announced(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let (slot, commands) = two_bookings(&world).await;
    let mut subscription = bus.subscribe().await;
    proxy.lose_the_next_answer_to("book_many");
    // Without a key nobody may do it again.
    let refused = store.book_many(slot, &commands).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    assert!(proxy.has_lost_it());
    hears_both(&mut subscription, &commands).await;
    let slot = store.slot_by_id(slot).await.unwrap().unwrap();
    assert_eq!(slot.booked_count, 2);
}

pub async fn a_repetition_finds_the_keys_of_lost_bookings(place: Place) {
    let proxy = Proxy::to(&place.database.url()).await;
    let (store, world, bus) = behind(&place, &proxy).await;
    let (slot, mut commands) = two_bookings(&world).await;
    for (command, key) in commands.iter_mut().zip(["one", "other"]) {
        command.write = with_key(command.write.clone(), key, 1);
    }
    let mut subscription = bus.subscribe().await;
    proxy.lose_the_next_answer_to("book_many");
    let answers = store.book_many(slot, &commands).await.unwrap();
    assert!(proxy.has_lost_it());
    let subjects = [1, 2].map(|number| Subject::number(Resource::Appointment, number));
    assert_eq!(answers, subjects.map(Written::Replayed));
    hears_both(&mut subscription, &commands).await;
    let mut beside = place.beside().await;
    let booked = beside.number("SELECT count(*) FROM appointments").await;
    assert_eq!(booked, 2);
}

pub async fn a_server_that_is_away_is_unavailable(place: Place) {
    let patient = PostgresOptions {
        acquire_timeout: Duration::from_millis(300),
        ..options("one")
    };
    let store = place.open(&patient).await;
    let world = world(&place, &store);
    let user = world.patient().await;
    let mut beside = place.beside().await;
    place.allow_connections(false).await;
    beside.end("one").await;
    let refused = store.user_by_id(user).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    let write = world.changes(Resource::User, user.get());
    let refused = store
        .set_user_active(&write, user, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    let refused = store.ready().await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unavailable);
    // The error names no address and no password.
    assert!(!refused.context.contains("localhost"), "{refused}");
    place.allow_connections(true).await;
    let back = Instant::now();
    store.ready().await.unwrap();
    assert!(back.elapsed() < PATIENCE);
    assert!(store.user_by_id(user).await.unwrap().unwrap().is_active);
}
