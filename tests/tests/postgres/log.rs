//! The log of events and its cursors, and the audit trail.

use std::sync::Arc;

use telemed_core::id::UserId;
use telemed_core::journal::{
    Audience, AuditHead, AuditStore, Event, JournalStore, LoggedEvent, SubscriptionItem, Write,
};
use telemed_core::store::StoreErrorKind;
use telemed_tests::build::World;
use telemed_tests::together;

use super::place::{Place, SILENCE, next, options, world};

const USER: UserId = UserId::from_row(1);

/// A write that tells the user something.
fn telling(world: &World) -> Write {
    let mut write = world.whole();
    write.events.push(world.event(&[USER], write.audit.subject));
    write
}

async fn log(store: &impl JournalStore, after: u64) -> Vec<LoggedEvent> {
    let feeds = [Audience::User(USER)];
    store.events_after(&feeds, after, 1000).await.unwrap()
}

pub async fn a_reader_waits_for_what_runs_below(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let mut slow = place.beside().await;
    slow.run("BEGIN").await;
    slow.run("SELECT pg_current_xact_id()").await;
    let write = telling(&world);
    store.record(&write).await.unwrap();
    let reader = {
        let store = store.clone();
        tokio::spawn(async move { log(&store, 0).await })
    };
    tokio::time::sleep(SILENCE).await;
    assert!(!reader.is_finished(), "it has read above one that runs");
    // It logs below what was there already.
    slow.run(
        "INSERT INTO events SELECT (pg_current_xact_id()::TEXT::BIGINT << 14) + base, id, kind,
                audience, resource, subject, at, actor_kind, actor_id, data, node
         FROM events CROSS JOIN event_log;
         INSERT INTO event_feeds SELECT audience, min(seq) FROM events GROUP BY audience;
         COMMIT",
    )
    .await;
    let read = reader.await.unwrap();
    assert_eq!(read.len(), 2);
    assert!(read[0].seq < read[1].seq);
    // Of the one that was committed before the question, nothing is missing.
    assert_eq!(read[1].event.id, write.events[0].id);
}

pub async fn a_reader_does_not_wait_for_ever(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    store.record(&telling(&world)).await.unwrap();
    let before = log(&store, 0).await;
    let mut endless = place.beside().await;
    endless.run("BEGIN").await;
    endless.run("SELECT pg_current_xact_id()").await;
    store.record(&telling(&world)).await.unwrap();
    assert_eq!(log(&store, 0).await, before);
    // It comes as soon as that is over.
    endless.run("ROLLBACK").await;
    let later = log(&store, before[0].seq).await;
    assert_eq!(later.len(), 1);
}

pub async fn another_database_holds_nothing_up(place: Place) {
    let (one, other) = (place.store("one").await, place.store("other").await);
    let world = world(&place, &one);
    let mut at_other = other.bus().subscribe().await;
    let elsewhere = Place::new(&place.server).await;
    let mut endless = elsewhere.beside().await;
    endless.run("BEGIN").await;
    endless.run("SELECT pg_current_xact_id()").await;
    let write = telling(&world);
    one.record(&write).await.unwrap();
    let read = log(&other, 0).await;
    assert_eq!(read.len(), 1);
    match next(&mut at_other).await {
        SubscriptionItem::Event(heard) => assert_eq!(heard.event.id, write.events[0].id),
        other => panic!("{other:?}"),
    }
    endless.run("ROLLBACK").await;
}

pub async fn a_restored_database_goes_on_above_its_cursors(place: Place) {
    let store = place.silent(&options("one")).await;
    let one = world(&place, &store);
    for _ in 0..3 {
        store.record(&telling(&one)).await.unwrap();
    }
    drop(store);
    // As it comes from a cluster that has counted many more transactions.
    let mut beside = place.beside().await;
    beside
        .run(
            "UPDATE events SET seq = seq + (1::BIGINT << 50);
             UPDATE event_feeds SET seq = seq + (1::BIGINT << 50);
             UPDATE audit_open SET seq = seq + (1::BIGINT << 50)",
        )
        .await;
    let stores = [
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ];
    let known = log(&stores[0], 0).await;
    assert_eq!(known.len(), 3);
    let last = known[2].seq;
    for store in &stores {
        store.record(&telling(&one)).await.unwrap();
    }
    let all = log(&stores[0], 0).await;
    assert_eq!(all[..3], known);
    assert_eq!(all.len(), 5);
    assert_eq!(log(&stores[1], last).await, all[3..]);
    // The base was lifted once: the next transaction is near.
    assert!(all[4].seq - last < 1 << 30, "{} {last}", all[4].seq);
    let head = stores[0].seal_audit(100).await.unwrap();
    assert_eq!(head.count, 5);
}

pub async fn too_many_events_are_refused_before_anything_is_written(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let mut write = telling(&world);
    let of = |number: u128| Event {
        id: uuid::Uuid::from_u128(number).into(),
        ..write.events[0].clone()
    };
    let most: Vec<Event> = (0..16_384).map(of).collect();
    let one_more: Vec<Event> = (0..16_385).map(of).collect();
    write.events = one_more;
    let refused = store.record(&write).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Internal);
    assert_eq!(store.unsealed_audit_rows().await.unwrap(), 0);
    write.events = most;
    store.record(&write).await.unwrap();
    store.record(&telling(&world)).await.unwrap();
    let feeds = [Audience::User(USER)];
    let read = store.events_after(&feeds, 0, 20_000).await.unwrap();
    assert_eq!(read.len(), 16_385);
    assert!(read.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

pub async fn sealers_side_by_side_make_one_chain(place: Place) {
    let stores = Arc::new([
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ]);
    let world = Arc::new(world(&place, &stores[0]));
    together(16, |caller| {
        let (stores, world) = (Arc::clone(&stores), Arc::clone(&world));
        async move {
            for _ in 0..10 {
                let store = &stores[caller % 2];
                if caller < 8 {
                    store.record(&telling(&world)).await.unwrap();
                } else {
                    store.seal_audit(3).await.unwrap();
                }
            }
        }
    })
    .await;
    while stores[0].unsealed_audit_rows().await.unwrap() > 0 {
        stores[0].seal_audit(1000).await.unwrap();
    }
    let rows = stores[1].sealed_audit_rows(0, 1000).await.unwrap();
    assert_eq!(rows.len(), 80);
    let mut head = AuditHead::EMPTY;
    for row in &rows {
        head = head.after(&row.row);
        assert_eq!(row.head, head);
    }
    assert_eq!(stores[1].audit_head().await.unwrap(), head);
}
