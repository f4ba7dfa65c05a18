//! The bus between servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemed_core::actor::Role;
use telemed_core::id::EventId;
use telemed_core::journal::{
    Audience, Frame, FrameKind, JournalStore, LoggedEvent, Resource, SubscriptionItem, Write,
};
use telemed_tests::build::World;
use tokio::time::Instant;

use super::place::{PATIENCE, Place, next, options, silent, world};

/// A write that tells this user something.
async fn telling(world: &World) -> (Write, EventId) {
    let user = telemed_core::id::UserId::from_row(1);
    let mut write = world.whole();
    let event = world.event(&[user], write.audit.subject);
    let id = event.id;
    write.events.push(event);
    (write, id)
}

fn event(item: &SubscriptionItem) -> &LoggedEvent {
    match item {
        SubscriptionItem::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    }
}

pub async fn an_event_reaches_the_bus_of_the_other_server(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let (here, there) = (world(&place, &one), world(&place, &other));
    let mut at_one = one.bus().subscribe().await;
    let mut at_other = other.bus().subscribe().await;

    let mut write = here.makes(Resource::User);
    let user = telemed_core::id::UserId::from_row(1);
    write.events = vec![
        here.event(&[user], write.audit.subject),
        here.event(&[], write.audit.subject),
    ];
    one_user(&here, &write).await;
    let feeds = [Audience::User(user)];
    let logged = other.events_after(&feeds, 0, 10).await.unwrap();
    assert_eq!(logged.len(), 1);
    for subscription in [&mut at_one, &mut at_other] {
        let heard = next(subscription).await;
        assert_eq!(event(&heard), &logged[0]);
        assert_eq!(event(&heard).event.subject.as_number(), Some(1));
        let heard = next(subscription).await;
        assert_eq!(event(&heard).event.id, write.events[1].id);
    }

    // What the other says comes next: nobody hears what he has said himself a second time.
    let (write, id) = telling(&there).await;
    other.record(&write).await.unwrap();
    for subscription in [&mut at_one, &mut at_other] {
        let heard = next(subscription).await;
        assert_eq!(event(&heard).event.id, id);
        assert!(event(&heard).seq > logged[0].seq);
    }
}

async fn one_user(world: &World, write: &Write) {
    let user = world.new_user(Role::Patient);
    world.storage.register_user(write, &user).await.unwrap();
}

pub async fn a_killed_listener_misses_nothing(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let here = world(&place, &one);
    let mut at_other = other.bus().subscribe().await;
    let mut beside = place.beside().await;
    let mut expected = BTreeSet::new();
    for round in 0..3 {
        for number in 0..20 {
            let (write, id) = telling(&here).await;
            one.record(&write).await.unwrap();
            expected.insert(id);
            if number == 5 {
                // The one that listens and the one that reads.
                beside.end("other").await;
            }
        }
        let mut heard = BTreeSet::new();
        let mut last = 0;
        while heard.len() < expected.len() {
            let item = next(&mut at_other).await;
            let event = event(&item);
            assert!(expected.contains(&event.event.id), "round {round}");
            assert!(event.seq > last, "out of order");
            last = event.seq;
            heard.insert(event.event.id);
        }
        expected.clear();
    }
    // It is called again, and does not only look from time to time.
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'other'
                     AND datname = current_database() AND query LIKE 'LISTEN%'";
    beside.until(listening, 1).await;
    passes(&one, &mut at_other).await;
}

/// Frames are only heard by those who listen.
async fn passes(
    from: &telemed_storage_postgres::PostgresStore,
    to: &mut telemed_core::journal::Subscription,
) {
    let frame = frame(1, 10);
    from.bus().pass(frame.clone());
    assert_eq!(next(to).await, SubscriptionItem::Frame(Arc::new(frame)));
}

pub async fn an_event_is_heard_though_nobody_is_notified(place: Place) {
    // As when a server dies between its commit and its call.
    let one = place.silent(&options("one")).await;
    let other = place.store("other").await;
    let here = world(&place, &one);
    let mut at_other = other.bus().subscribe().await;
    let (write, id) = telling(&here).await;
    one.record(&write).await.unwrap();
    assert_eq!(event(&next(&mut at_other).await).event.id, id);
}

fn frame(number: u128, length: usize) -> Frame {
    let data = [("text".to_owned(), Value::from("é".repeat(length / 2)))];
    Frame {
        id: EventId::new(uuid::Uuid::from_u128(number)),
        kind: FrameKind::Typing,
        audience: vec![Audience::User(telemed_core::id::UserId::from_row(3))],
        data: data.into_iter().collect(),
        signal: None,
    }
}

pub async fn frames_small_and_large_pass(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let mut at_one = one.bus().subscribe().await;
    let mut at_other = other.bus().subscribe().await;
    // The last one that travels in a call, the first one that does not, and all around.
    let mut sizes: Vec<usize> = vec![0, 100, 1_000, 20_000, 300_000];
    sizes.extend((6_900..7_300).step_by(20));
    for (number, size) in sizes.into_iter().enumerate() {
        let frame = frame(number as u128 + 1, size);
        one.bus().pass(frame.clone());
        let expected = SubscriptionItem::Frame(Arc::new(frame));
        assert_eq!(next(&mut at_one).await, expected, "{size}");
        assert_eq!(next(&mut at_other).await, expected, "{size}");
    }
    // In the order in which they passed, also many at once.
    for number in 1_000..1_200 {
        one.bus().pass(frame(number, 50));
    }
    for number in 1_000..1_200 {
        let expected = SubscriptionItem::Frame(Arc::new(frame(number, 50)));
        assert_eq!(next(&mut at_other).await, expected, "{number}");
    }
    // Who has said it does not hear it again.
    for number in 1_000..1_200 {
        let expected = SubscriptionItem::Frame(Arc::new(frame(number, 50)));
        assert_eq!(next(&mut at_one).await, expected, "{number}");
    }
    silent(&mut at_one).await;
}

/// Signals of one sender: a description of the session is long, its candidates are short.
pub async fn no_frame_overtakes_another_whatever_its_length(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let mut at_other = other.bus().subscribe().await;
    let kinds = [
        FrameKind::Signal,
        FrameKind::SignalsWanted,
        FrameKind::QualityRecorded,
        FrameKind::QualityChanged,
        FrameKind::PresenceChanged,
    ];
    let sizes = [96 * 1024, 200, 7_200, 0, 64 * 1024, 4_096, 7_000];
    let frames: Vec<Frame> = (0..60)
        .map(|number| Frame {
            kind: kinds[number % kinds.len()],
            ..frame(number as u128 + 1, sizes[number % sizes.len()])
        })
        .collect();
    // At once, so that many are told together; then with the sender in the middle of telling.
    for (number, frame) in frames.iter().enumerate() {
        if number > 30 {
            tokio::task::yield_now().await;
        }
        one.bus().pass(frame.clone());
    }
    for (number, frame) in frames.into_iter().enumerate() {
        let SubscriptionItem::Frame(heard) = next(&mut at_other).await else {
            panic!("no frame")
        };
        assert_eq!(heard.id, frame.id, "{number} was overtaken");
        assert_eq!(*heard, frame);
    }
    silent(&mut at_other).await;
}

pub async fn large_frames_are_tidied_up(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let mut at_other = other.bus().subscribe().await;
    let mut beside = place.beside().await;
    beside
        .run(
            "INSERT INTO bus_frames (id, frame, passed_at) VALUES
                 (gen_random_uuid(), 'old', clock_timestamp() - INTERVAL '61 seconds'),
                 (gen_random_uuid(), 'new', clock_timestamp() - INTERVAL '1 second')",
        )
        .await;
    one.bus().pass(frame(1, 20_000));
    next(&mut at_other).await;
    let old = "SELECT count(*) FROM bus_frames WHERE frame = 'old'";
    beside.until(old, 0).await;
    assert_eq!(beside.number("SELECT count(*) FROM bus_frames").await, 2);
}

/// Logs an event as another server would, in the transaction that is open.
const APPLY: &str = r#"SELECT apply_write('00000000-0000-0000-0000-00000000000a', '{
    "audit": [{"w": 1, "id": "00000000-0000-0000-0000-00000000000b", "at": 1,
               "actor_kind": "operator", "action": "test", "resource": "user", "subject": "1",
               "data": "{}"}],
    "events": [{"w": 1, "id": "00000000-0000-0000-0000-00000000000c", "kind": "user.updated",
                "audience": "user:1", "resource": "user", "subject": "1", "at": 1,
                "actor_kind": "operator", "data": "{}"}],
    "feeds": [{"w": 1, "event": 0, "audience": "user:1"}]
}', NULL)"#;

pub async fn nothing_is_overtaken(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let here = world(&place, &one);
    let mut at_other = other.bus().subscribe().await;
    let mut slow = place.beside().await;
    slow.run("BEGIN").await;
    slow.run(APPLY).await;
    // Committed later than the other began, and earlier than it ends.
    let (write, quick) = telling(&here).await;
    one.record(&write).await.unwrap();
    silent(&mut at_other).await;
    slow.run("COMMIT").await;
    let heard = next(&mut at_other).await;
    assert_eq!(event(&heard).event.id.get().as_u128(), 0xc);
    assert_eq!(event(&next(&mut at_other).await).event.id, quick);
}

pub async fn who_comes_back_too_late_is_told_so(place: Place) {
    let one = place.silent(&options("one")).await;
    let other = place.store("other").await;
    let here = world(&place, &one);
    let mut at_other = other.bus().subscribe().await;
    let mut beside = place.beside().await;
    // This one has a connection already.
    one.ready().await.unwrap();
    place.allow_connections(false).await;
    beside.end("other").await;
    let (write, _) = telling(&here).await;
    one.record(&write).await.unwrap();
    // Dropped as old before the other has seen it.
    let retention = telemed_core::journal::Retention {
        events_before: telemed_tests::build::at(1),
        keys_before: telemed_tests::build::NOW,
        dead_jobs_before: telemed_tests::build::NOW,
        login_failures_before: telemed_tests::build::NOW,
        sessions_before: telemed_tests::build::NOW,
    };
    assert_eq!(one.purge(&retention).await.unwrap(), 1);
    place.allow_connections(true).await;
    assert_eq!(next(&mut at_other).await, SubscriptionItem::Lagged);
    // And it goes on from there.
    let (write, id) = telling(&here).await;
    one.record(&write).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match next(&mut at_other).await {
            SubscriptionItem::Event(event) if event.event.id == id => return,
            other => assert_eq!(other, SubscriptionItem::Lagged),
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
