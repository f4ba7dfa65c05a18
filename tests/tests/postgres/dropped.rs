//! Callers that are gone before they are answered: dropped at every point at which they wait.

use telemed_core::calls::{AdvanceCallOutcome, CallSide, CallStore, StartCallOutcome};
use telemed_core::directory::DirectoryStore;
use telemed_core::id::{ClinicId, SlotId};
use telemed_core::identity::IdentityStore;
use telemed_core::journal::{JournalStore, Resource};
use telemed_core::scheduling::{BookOutcome, SchedulingStore};
use telemed_core::store::Written;
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::build::{
    World, about_call, advancing, applied, at, following, hangup, with_key,
};

use super::place::{Beside, Place, options, polled, world};

/// More often nothing here waits.
const MOST: usize = 100;

/// A store whose only connection shows at once when it is lost or left in the middle.
async fn store(place: &Place) -> (PostgresStore, World, Beside) {
    let single = PostgresOptions {
        connections: 1,
        ..options("one")
    };
    let store = place.silent(&single).await;
    let world = world(place, &store);
    (store, world, place.beside().await)
}

pub async fn a_dropped_read_leaves_nothing_open(place: Place) {
    let (store, world, mut beside) = store(&place).await;
    let user = world.patient().await;
    for times in 0..MOST {
        let answer = polled(store.user_by_id(user), times).await;
        store.ready().await.unwrap();
        beside.nothing_is_open("one").await;
        if let Some(answer) = answer {
            assert_eq!(answer.unwrap().unwrap().id, user);
            if times > 1 {
                return;
            }
        }
    }
    panic!("it is never answered");
}

pub async fn a_dropped_write_is_whole_or_not_there(place: Place) {
    let (store, world, mut beside) = store(&place).await;
    let details = world.clinic_details("UTC");
    for times in 0..MOST {
        let write = with_key(world.makes(Resource::Clinic), &format!("key {times}"), 1);
        let answer = polled(store.create_clinic(&write, &details), times).await;
        // Who comes next gets the connection when the one before has done with it.
        store.ready().await.unwrap();
        beside.nothing_is_open("one").await;
        let effects = format!("SELECT count(*) FROM idempotency_keys WHERE key = 'key {times}'");
        let effects = beside.number(&effects).await;
        let clinics = beside.number("SELECT count(*) FROM clinics").await;
        let audited = beside.number("SELECT count(*) FROM audit_open").await;
        assert_eq!(clinics, audited, "after {times} polls");
        // It can be sent again, and takes effect once.
        let again = store.create_clinic(&write, &details).await.unwrap();
        let is_known = matches!(again, Written::Replayed(_));
        assert_eq!(is_known, effects == 1, "after {times} polls");
        let clinics = beside.number("SELECT count(*) FROM clinics").await;
        assert_eq!(clinics, i64::try_from(times).unwrap() + 1);
        if answer.is_some() && times > 1 {
            let newest = ClinicId::from_row(clinics);
            assert!(store.clinic_by_id(newest).await.unwrap().is_some());
            return;
        }
    }
    panic!("it is never answered");
}

pub async fn a_dropped_booking_is_whole_or_not_there(place: Place) {
    let (store, world, mut beside) = store(&place).await;
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let mut seats = 0;
    for times in 0..MOST {
        let start = 60 * (i64::try_from(times).unwrap() + 1);
        let slot: SlotId = world.slot(doctor, clinic, start, 1).await;
        let patient = world.patient().await;
        let mut command = world.booking(patient);
        command.write = with_key(command.write, &format!("key {times}"), 1);
        let commands = [command];
        let answer = polled(store.book_many(slot, &commands), times).await;
        beside.nothing_is_open("one").await;
        let again = store.book_many(slot, &commands).await.unwrap();
        match &again[0] {
            Written::Applied(outcome) => {
                assert!(matches!(outcome, BookOutcome::Booked(_)), "{outcome:?}");
            }
            Written::Replayed(_) => {}
            Written::KeyMismatch => panic!("it is the same request"),
        }
        seats += 1;
        let booked = beside.number("SELECT count(*) FROM appointments").await;
        assert_eq!(booked, seats, "after {times} polls");
        let taken = store.slot_by_id(slot).await.unwrap().unwrap();
        assert_eq!(taken.booked_count, 1);
        // One that is answered at once now and then was not dropped: the next ones are.
        if answer.is_some() && times > 1 {
            return;
        }
    }
    panic!("it is never answered");
}

pub async fn a_dropped_call_is_whole_or_not_there(place: Place) {
    let (store, world, mut beside) = store(&place).await;
    let [caller, callee] = world.patients(2).await[..] else {
        panic!()
    };
    let audited = "SELECT count(*) FROM audit_open WHERE resource = 'call'";
    let mut before = beside.number(audited).await;
    let (mut is_begun, mut is_over) = (false, false);
    for times in 0..MOST {
        let new = world.call_under(caller, callee, &format!("call {times}"));
        let start = world.starting(at(1), &new);
        let answer = polled(store.start_call(&start), times).await;
        store.ready().await.unwrap();
        beside.nothing_is_open("one").await;
        is_begun |= answer.is_some() && times > 1;
        // What it came to, or the whole of it now.
        let effects = beside.number(audited).await - before;
        let call = match applied(store.start_call(&start).await.unwrap()) {
            StartCallOutcome::Repeated(call) => {
                assert_eq!(effects, 1, "after {times} polls");
                call
            }
            StartCallOutcome::Started(call) => {
                assert_eq!(effects, 0, "after {times} polls");
                call
            }
            other => panic!("{other:?}"),
        };
        let parties = "SELECT count(*) FROM call_parties";
        let calls = i64::try_from(times).unwrap() + 1;
        assert_eq!(beside.number(parties).await, 2 * calls);

        let change = advancing(&call, following(&call, &hangup(CallSide::Caller), at(2)));
        let write = world.write_at(at(2), about_call(call.id));
        let answer = polled(store.advance_call(&write, &change), times).await;
        store.ready().await.unwrap();
        beside.nothing_is_open("one").await;
        is_over |= answer.is_some() && times > 1;
        let effects = beside.number(audited).await - before - 1;
        match applied(store.advance_call(&write, &change).await.unwrap()) {
            AdvanceCallOutcome::Superseded => assert_eq!(effects, 1, "after {times} polls"),
            AdvanceCallOutcome::Advanced(_) => assert_eq!(effects, 0, "after {times} polls"),
            AdvanceCallOutcome::NotFound => panic!("it was begun"),
        }
        assert_eq!(store.live_calls_of(callee).await.unwrap(), vec![]);
        before += 2;
        assert_eq!(beside.number(audited).await, before);
        if is_begun && is_over {
            return;
        }
    }
    panic!("it is never answered");
}
