//! What stays when the disk is full, when a caller is gone, and when the store is opened again.

use telemed_core::journal::{AuditHead, AuditStore, EventBus, JournalStore, SubscriptionItem};
use telemed_core::store::StoreErrorKind;

use super::*;
use crate::OpenError;

/// Follows the chain from its beginning and returns its end.
async fn followed(store: &SqliteStore) -> AuditHead {
    let mut head = AuditHead::EMPTY;
    for sealed in store.sealed_audit_rows(0, u32::MAX).await.unwrap() {
        head = head.after(&sealed.row);
        assert_eq!(sealed.head, head);
    }
    head
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path, &quick());
    let practice = practice(&store).await;
    let slot = slot(&store, &practice, 0, 3).await;
    let patient = user(&store, "patient", Role::Patient).await;
    let booking = booking(keyed(Subject::new_row(Resource::Appointment), "k"), patient);
    let Written::Applied(BookOutcome::Booked(booked)) =
        book(&store, slot, booking.clone()).await.unwrap()
    else {
        panic!("not booked")
    };
    let head = store.audit_head().await.unwrap();
    drop(store);

    let store = open(&path, &quick());
    assert_eq!(
        store.appointment_by_id(booked.id).await.unwrap().as_ref(),
        Some(&booked)
    );
    assert_eq!(
        store.slot_by_id(slot).await.unwrap().unwrap().booked_count,
        1
    );
    assert_eq!(store.audit_head().await.unwrap(), head);
    assert_eq!(followed(&store).await, head);
    let replayed = book(&store, slot, booking).await.unwrap();
    let subject = Subject::number(Resource::Appointment, booked.id.get());
    assert_eq!(replayed, Written::Replayed(subject));
}

#[tokio::test]
async fn a_full_disk_refuses_bookings_and_loses_none_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path, &quick());
    let practice = practice(&store).await;
    let mut slots = Vec::new();
    for at in 0..40 {
        slots.push(slot(&store, &practice, at, 100).await);
    }
    let mut patients = Vec::new();
    for at in 0..20 {
        patients.push(user(&store, &format!("patient{at}"), Role::Patient).await);
    }
    drop(store);
    let pages: u32 = rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let limited = SqliteOptions {
        max_pages: Some(pages + 20),
        ..quick()
    };
    let store = Arc::new(open(&path, &limited));

    let callers: Vec<_> = patients
        .iter()
        .map(|patient| {
            let (store, slots, patient) = (Arc::clone(&store), slots.clone(), *patient);
            tokio::spawn(async move {
                let mut booked = Vec::new();
                let mut full = 0;
                for slot in slots {
                    let write = write(Subject::new_row(Resource::Appointment));
                    match book(&store, slot, booking(write, patient)).await {
                        Ok(Written::Applied(BookOutcome::Booked(one))) => booked.push(one.id),
                        Ok(Written::Applied(BookOutcome::DailyLimit)) => {}
                        Ok(other) => panic!("{other:?}"),
                        Err(error) => {
                            assert_eq!(error.kind, StoreErrorKind::StorageFull, "{error}");
                            full += 1;
                        }
                    }
                }
                (booked, full)
            })
        })
        .collect();
    let (mut booked, mut full) = (Vec::new(), 0);
    for caller in callers {
        let (ids, refused) = caller.await.unwrap();
        booked.extend(ids);
        full += refused;
    }
    assert!(full > 0 && !booked.is_empty(), "{full} {}", booked.len());
    for id in &booked {
        assert!(store.appointment_by_id(*id).await.unwrap().is_some());
    }
    let mut seats = 0;
    for slot in &slots {
        seats += usize::from(store.slot_by_id(*slot).await.unwrap().unwrap().booked_count);
    }
    assert_eq!(seats, booked.len());
    assert_eq!(followed(&store).await, store.audit_head().await.unwrap());
    drop(store);

    // There is space again.
    let store = open(&path, &quick());
    let late = user(&store, "late", Role::Patient).await;
    let write = write(Subject::new_row(Resource::Appointment));
    let answer = book(&store, slots[39], booking(write, late)).await.unwrap();
    assert!(matches!(answer, Written::Applied(_)));
    let integrity: String = rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
}

#[tokio::test]
async fn events_reach_the_bus_and_the_log_and_refusals_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Arc::new(LocalBus::default());
    let store = SqliteStore::open(folder.path().join("a.db"), &quick(), bus.clone()).unwrap();
    let mut listener = bus.subscribe().await;
    let made = write(Subject::new_row(Resource::User));
    let same = new_user("amal", Role::Patient);
    store.register_user(&made, &same).await.unwrap();
    let refused = store
        .register_user(&write(Subject::new_row(Resource::User)), &same)
        .await
        .unwrap();
    assert_eq!(refused, Written::Applied(RegisterOutcome::EmailTaken));
    store
        .record(&write(Subject::number(Resource::Patient, 1)))
        .await
        .unwrap();

    let logged = store
        .events_after(&[Audience::User(UserId::from_row(1))], 0, 10)
        .await
        .unwrap();
    assert_eq!(logged.len(), 2);
    assert_eq!(logged[0].event.subject, Subject::number(Resource::User, 1));
    for logged in logged {
        let heard = listener.next().await;
        assert_eq!(heard, Some(SubscriptionItem::Event(Arc::new(logged))));
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let refused = SqliteStore::open(&path, &quick(), Arc::new(LocalBus::default()));
    match refused.err() {
        Some(OpenError::Store(error)) => assert_eq!(error.kind, StoreErrorKind::Corrupt),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_database_of_another_program_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs
        .execute_batch("CREATE TABLE theirs (n INTEGER)")
        .unwrap();
    drop(theirs);
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path, &quick(), Arc::new(LocalBus::default()));
    assert!(matches!(refused.err(), Some(OpenError::Foreign)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
