#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use telemed_facade::core::directory::DoctorFilter;
use telemed_facade::core::env::{ManualClock, SeededEntropy};
use telemed_facade::core::identity::Pbkdf2Hasher;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn open(clock: &Arc<ManualClock>) -> Telemed {
    let mut config = Config::new("memory:");
    config.background = false;
    config.clock = clock.clone();
    config.hasher = Some(Arc::new(Pbkdf2Hasher::new(
        1,
        Arc::new(SeededEntropy::new(1)),
    )));
    Telemed::open(config).await.unwrap()
}

fn clock() -> Arc<ManualClock> {
    let start = Timestamp::parse("2030-01-31T21:59:00Z", &TimeZone::utc()).unwrap();
    Arc::new(ManualClock::at(start))
}

/// How many users, clinics, doctors and free slots there are.
async fn counts(telemed: &Telemed) -> [u64; 4] {
    let (engine, operator) = (telemed.engine(), Actor::operator());
    let (identity, directory, scheduling) =
        (engine.identity(), engine.directory(), engine.scheduling());
    let page = PageRequest::default();
    let users = identity.users(&operator, None, page).await.unwrap();
    let clinics = directory.clinics(&operator, None, page).await.unwrap();
    let doctors = directory.doctors(&operator, DoctorFilter::default(), page);
    let slots = scheduling.open_slots(&operator, SlotFilter::default(), page);
    [
        users.total,
        clinics.total,
        doctors.await.unwrap().total,
        slots.await.unwrap().total,
    ]
}

#[tokio::test]
async fn an_empty_database_becomes_a_clinic_that_can_be_booked() {
    let telemed = open(&clock()).await;
    prepare(&telemed).await.unwrap();
    assert_eq!(counts(&telemed).await, [6, 1, 3, 3 * 6 * 60]);
    let engine = telemed.engine();
    let log_in = LogIn {
        identifier: LoginIdentifier::parse("+20-100-000-0001"),
        password: Password::typed("demo-patient-1"),
        refresh: false,
    };
    let identity = engine.identity();
    let signed = identity.log_in(&Actor::anonymous(), log_in).await.unwrap();
    let patient = identity
        .authenticate(&signed.token, Origin::default())
        .await
        .unwrap();
    let page = PageRequest::default();
    let slots = engine.scheduling();
    let free = slots
        .open_slots(&patient, SlotFilter::default(), page)
        .await
        .unwrap();
    // It is 23:59 in Cairo: tomorrow is near.
    assert_eq!(
        free.items[0].facts.starts_at.to_string(),
        "2030-02-01T07:00:00Z"
    );
    let book = Book::new(signed.user.id, free.items[0].id);
    slots.book(&patient, book).await.unwrap();
}

#[tokio::test]
async fn a_later_start_publishes_what_has_come_nearer_and_makes_nothing_twice() {
    let clock = clock();
    let telemed = open(&clock).await;
    prepare(&telemed).await.unwrap();
    prepare(&telemed).await.unwrap();
    assert_eq!(counts(&telemed).await, [6, 1, 3, 1080]);
    clock.advance(2 * DAY);
    // 23:59 on the second day: both days' slots have passed.
    assert_eq!(counts(&telemed).await, [6, 1, 3, 1080 - 36]);
    prepare(&telemed).await.unwrap();
    assert_eq!(counts(&telemed).await, [6, 1, 3, 1080]);
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_finished_by_the_next() {
    let telemed = open(&clock()).await;
    let engine = telemed.engine();
    telemed.claim_host_value(MARK, VERSION).await.unwrap();
    administrator(engine).await.unwrap();
    account(engine, Role::Doctor, &DOCTORS[0].account)
        .await
        .unwrap();
    clinic(engine).await.unwrap();
    assert_eq!(counts(&telemed).await, [2, 1, 0, 0]);
    prepare(&telemed).await.unwrap();
    assert_eq!(counts(&telemed).await, [6, 1, 3, 1080]);
}

#[tokio::test]
async fn somebody_elses_database_is_left_alone() {
    for by_clinic in [false, true] {
        let telemed = open(&clock()).await;
        let engine = telemed.engine();
        if by_clinic {
            clinic(engine).await.unwrap();
        } else {
            administrator(engine).await.unwrap();
        }
        let before = counts(&telemed).await;
        assert!(matches!(prepare(&telemed).await, Err(Failure::Failed(_))));
        assert_eq!(counts(&telemed).await, before);
        assert_eq!(telemed.host_value(MARK).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_was_changed_since_does_not_stop_the_start() {
    let telemed = open(&clock()).await;
    prepare(&telemed).await.unwrap();
    let (identity, operator) = (telemed.engine().identity(), Actor::operator());
    let email = Email::new(DOCTORS[1].account.0).unwrap();
    let doctor = find(telemed.engine(), Role::Doctor, &email)
        .await
        .unwrap()
        .unwrap();
    identity.deactivate(&operator, doctor).await.unwrap();
    prepare(&telemed).await.unwrap();
}
