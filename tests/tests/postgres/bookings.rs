//! Bookings that go as one call.

use std::time::Duration;

use telemed_core::id::{SlotId, UserId};
use telemed_core::scheduling::{BookOutcome, SchedulingStore};
use telemed_core::store::{StoreErrorKind, StoreResult, Written};
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::build::{World, with_key};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lost::{hears_both, two_bookings};
use super::place::{Beside, PATIENCE, Place, options, world};

type Booked = JoinHandle<StoreResult<Written<BookOutcome>>>;

/// More calls than a store has under way at a time.
const MANY: usize = 8;

/// A store that waits for locks longer than a test does.
async fn patient_store(place: &Place) -> PostgresStore {
    let patient = PostgresOptions {
        lock_timeout: 4 * PATIENCE,
        statement_timeout: 4 * PATIENCE,
        ..options("one")
    };
    place.silent(&patient).await
}

/// Begins to book, with a key or without.
fn begin(store: &PostgresStore, world: &World, slot: SlotId, patient: UserId, key: bool) -> Booked {
    let mut command = world.booking(patient);
    if key {
        command.write = with_key(command.write, &format!("{slot} {patient}"), 1);
    }
    let store = store.clone();
    tokio::spawn(async move {
        let mut answers = store.book_many(slot, &[command]).await?;
        Ok(answers.remove(0))
    })
}

async fn ends(booked: Booked) -> StoreResult<Written<BookOutcome>> {
    let ended = timeout(PATIENCE, booked).await;
    ended.expect("it is held up").unwrap()
}

async fn is_booked(booked: Booked) -> bool {
    let answer = ends(booked).await.unwrap();
    matches!(answer, Written::Applied(BookOutcome::Booked(_)))
}

/// Slots at one time, each of a doctor of its own.
async fn slots(world: &World, count: usize, capacity: i64) -> Vec<SlotId> {
    let clinic = world.clinic().await;
    let mut slots = Vec::new();
    for _ in 0..count {
        let doctor = world.doctor(clinic).await;
        slots.push(world.slot(doctor, clinic, 60, capacity).await);
    }
    slots
}

async fn patients(world: &World, count: usize) -> Vec<UserId> {
    let mut patients = Vec::new();
    for _ in 0..count {
        patients.push(world.patient().await);
    }
    patients
}

/// Holds a row until COMMIT.
async fn hold(beside: &mut Beside, table: &str, id: i64) {
    let sql = format!("BEGIN; SELECT FROM {table} WHERE id = {id} FOR UPDATE");
    beside.run(&sql).await;
}

/// How many calls have booked something.
async fn calls(beside: &mut Beside) -> i64 {
    beside
        .number("SELECT count(DISTINCT xmin::TEXT) FROM appointments")
        .await
}

/// While a call for the slot is under way, the others gather.
async fn gather(
    (store, world, beside): (&PostgresStore, &World, &mut Beside),
    slot: SlotId,
    patients: &[UserId],
    key: bool,
) -> Vec<Booked> {
    hold(beside, "slots", slot.get()).await;
    let first = begin(store, world, slot, world.patient().await, false);
    beside.blocked("one").await;
    let others: Vec<Booked> = patients
        .iter()
        .map(|patient| begin(store, world, slot, *patient, key))
        .collect();
    // As long as it takes them to get into the line.
    tokio::time::sleep(Duration::from_millis(200)).await;
    beside.run("COMMIT").await;
    assert!(is_booked(first).await);
    others
}

pub async fn those_who_wait_for_a_slot_go_together(place: Place) {
    let store = patient_store(&place).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    let slot = slots(&world, 1, 20).await[0];
    let all = patients(&world, 12).await;
    for booked in gather((&store, &world, &mut beside), slot, &all, false).await {
        assert!(is_booked(booked).await);
    }
    assert_eq!(calls(&mut beside).await, 2);
}

pub async fn bookings_of_many_slots_go_together(place: Place) {
    let store = patient_store(&place).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    let slots = slots(&world, 64, 1).await;
    let patients = patients(&world, 64).await;
    // Nobody gets a lock, so that all who come are under way or wait.
    beside
        .run("BEGIN; LOCK TABLE patients IN ACCESS EXCLUSIVE MODE")
        .await;
    let pairs = slots.iter().zip(&patients);
    let booked: Vec<Booked> = pairs
        .map(|(slot, patient)| begin(&store, &world, *slot, *patient, false))
        .collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    beside.run("COMMIT").await;
    for booked in booked {
        assert!(is_booked(booked).await);
    }
    let calls = calls(&mut beside).await;
    assert!(calls <= 32, "{calls} calls for 64 bookings");
}

pub async fn one_that_the_database_refuses_fails_alone(place: Place) {
    let store = patient_store(&place).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    for key in [false, true] {
        let slot = slots(&world, 1, 20).await[0];
        let patients = patients(&world, 13).await;
        beside
            .run(&format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
                     BEGIN RAISE division_by_zero; END $$;
                 CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON appointments FOR EACH ROW
                     WHEN (NEW.patient_id = {}) EXECUTE FUNCTION refuse()",
                patients[5]
            ))
            .await;
        let all = gather((&store, &world, &mut beside), slot, &patients, key).await;
        for (booked, patient) in all.into_iter().zip(&patients) {
            if *patient == patients[5] {
                let refused = ends(booked).await.unwrap_err();
                assert_eq!(refused.kind, StoreErrorKind::Internal);
            } else {
                assert!(is_booked(booked).await);
            }
        }
        let taken = store.slot_by_id(slot).await.unwrap().unwrap();
        assert_eq!(taken.booked_count, 13);
    }
}

pub async fn one_who_is_held_up_holds_up_nobody(place: Place) {
    let store = patient_store(&place).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    let slot = slots(&world, 1, 20).await[0];
    let patients = patients(&world, 12).await;
    // In the call of the others, and its patient is locked.
    let mut elsewhere = place.beside().await;
    hold(&mut elsewhere, "patients", patients[5].get()).await;
    let mut all = gather((&store, &world, &mut beside), slot, &patients, false).await;
    let held_up = all.remove(5);
    for booked in all {
        assert!(is_booked(booked).await);
    }
    assert!(!held_up.is_finished());
    elsewhere.run("COMMIT").await;
    assert!(is_booked(held_up).await);
}

pub async fn calls_that_are_held_up_do_not_count(place: Place) {
    let store = patient_store(&place).await;
    let world = world(&place, &store);
    let mut beside = place.beside().await;
    let slots = slots(&world, MANY + 1, 1).await;
    let patients = patients(&world, MANY + 1).await;
    beside
        .run(&format!(
            "BEGIN; SELECT FROM patients WHERE id < {} FOR UPDATE",
            patients[MANY]
        ))
        .await;
    let mut held_up = Vec::new();
    for number in 0..MANY {
        held_up.push(begin(
            &store,
            &world,
            slots[number],
            patients[number],
            false,
        ));
    }
    let other = begin(&store, &world, slots[MANY], patients[MANY], false);
    assert!(is_booked(other).await);
    assert!(held_up.iter().all(|booked| !booked.is_finished()));
    beside.run("COMMIT").await;
    for booked in held_up {
        assert!(is_booked(booked).await);
    }
}

pub async fn servers_sell_a_slot_once_and_refuse_the_others(place: Place) {
    let stores = [
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ];
    let world = world(&place, &stores[0]);
    for round in 0..10 {
        let slot = slots(&world, 1, 3).await[0];
        let patients = patients(&world, 16).await;
        let all: Vec<Booked> = (0..)
            .zip(&patients)
            .map(|(number, patient)| {
                begin(&stores[number % 2], &world, slot, *patient, round % 2 == 0)
            })
            .collect();
        let (mut booked, mut refused) = (0, 0);
        for one in all {
            match ends(one).await.unwrap() {
                Written::Applied(BookOutcome::Booked(_)) => booked += 1,
                Written::Applied(BookOutcome::SlotFull) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((booked, refused), (3, 13));
    }
}

pub async fn what_is_booked_together_is_announced(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let (slot, commands) = two_bookings(&world).await;
    let mut subscription = store.bus().subscribe().await;
    let answers = store.book_many(slot, &commands).await.unwrap();
    let is_booked = |answer: &_| matches!(answer, Written::Applied(BookOutcome::Booked(_)));
    assert!(answers.iter().all(is_booked));
    hears_both(&mut subscription, &commands).await;
}
