//! Cases of bookings that are confirmed at once, and of those that are repeated.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::id::{SlotId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{AppointmentStatus, BookOutcome};
use telemed_core::store::Written;

use crate::build::{World, applied, at, hours, published, sealed, user_id, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "scheduling":
    a_booking_is_confirmed_by_hours_that_say_so,
    a_booking_replays_its_key,
}

async fn a_booking_is_confirmed_by_hours_that_say_so(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let patient = world.patient().await;
    let publication = world.publication(doctor, clinic, 2, &[60]);
    let confirms = hours(2, true);
    let outcome = world
        .try_set_hours(doctor, None, &confirms, &publication)
        .await;
    assert_eq!(published(&outcome), (1, 0));
    let slot = world
        .storage
        .slot_at(doctor, at(60))
        .await
        .unwrap()
        .unwrap();
    let first = world.book(slot.id, patient).await;
    assert_eq!(first.status, AppointmentStatus::Confirmed);
    assert_eq!(world.slot_now(slot.id).await.booked_count, 1);
    let stored = world.storage.appointment_by_id(first.id).await.unwrap();
    assert_eq!(stored, Some(first));
    // So is one on a slot that was made by itself; not with another doctor.
    let single = world.slot(doctor, clinic, 700, 1).await;
    let confirmed = world.book(single, patient).await;
    assert_eq!(confirmed.status, AppointmentStatus::Confirmed);
    let his = world.slot(colleague, clinic, 800, 1).await;
    let pending = world.book(his, patient).await;
    assert_eq!(pending.status, AppointmentStatus::Pending);
    // The hours of the moment count.
    let outcome = world
        .try_set_hours(doctor, Some(1), &hours(2, false), &publication)
        .await;
    assert_eq!(published(&outcome), (0, 0));
    let visitor = world.patient().await;
    let pending = world.book(slot.id, visitor).await;
    assert_eq!(pending.status, AppointmentStatus::Pending);
    let first = world.storage.appointment_by_id(confirmed.id).await.unwrap();
    assert_eq!(first.unwrap().status, AppointmentStatus::Confirmed);
}

async fn a_booking_replays_its_key(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let patients = world.patients(3).await;
    let slot = world.slot(doctor, clinic, 60, 2).await;
    let keyed = |key: &str, request: u8, patient: UserId| {
        let mut command = world.booking(patient);
        command.write = with_key(command.write, key, request);
        command
    };
    // A refusal leaves no key: the same key and request book later.
    let full = world.slot(doctor, clinic, 120, 1).await;
    let holder = world.book(full, patients[2]).await;
    let again = keyed("refused", 1, patients[0]);
    let outcome = world.unchanged(world.try_book(full, &again)).await;
    assert_eq!(outcome, Written::Applied(BookOutcome::SlotFull));
    let write = world.changes(Resource::Appointment, holder.id.get());
    world
        .storage
        .cancel(&write, holder.id, &sealed("ill"))
        .await
        .unwrap();
    let outcome = applied(world.try_book(full, &again).await);
    assert!(matches!(outcome, BookOutcome::Booked(_)));

    let first = applied(world.try_book(slot, &keyed("key", 1, patients[0])).await);
    let BookOutcome::Booked(first) = first else {
        panic!("{first:?}")
    };
    let replayed = Written::Replayed(Subject::number(Resource::Appointment, first.id.get()));
    // Before every refusal: unknown slot, unknown patient, slot past, booked already.
    let mut late = keyed("key", 1, patients[0]);
    late.write.at = at(100);
    for (slot, command) in [
        (slot, keyed("key", 1, patients[0])),
        (SlotId::from_row(9999), keyed("key", 1, patients[0])),
        (slot, keyed("key", 1, user_id(9999))),
        (slot, late),
    ] {
        assert_eq!(
            world.unchanged(world.try_book(slot, &command)).await,
            replayed
        );
    }
    for slot in [slot, SlotId::from_row(9999)] {
        let answer = world
            .unchanged(world.try_book(slot, &keyed("key", 2, patients[1])))
            .await;
        assert_eq!(answer, Written::KeyMismatch);
    }
    // Twice in one call, and often in parallel: once.
    let commands = [keyed("twin", 3, patients[1]), keyed("twin", 3, patients[1])];
    let answers = world.storage.book_many(slot, &commands).await.unwrap();
    let [
        Written::Applied(BookOutcome::Booked(one)),
        Written::Replayed(two),
    ] = &answers[..]
    else {
        panic!("{answers:?}")
    };
    assert_eq!(two.as_number(), Some(one.id.get()));
    let wide = world.slot(doctor, clinic, 180, 50).await;
    let patient = world.user(Role::Patient).await.id;
    let answers = together(16, |_| {
        let (world, command) = (Arc::clone(&world), keyed("parallel", 4, patient));
        async move { world.try_book(wide, &command).await }
    })
    .await;
    let applied = answers
        .iter()
        .filter(|one| matches!(one, Written::Applied(_)))
        .count();
    let replays = answers
        .iter()
        .filter(|one| matches!(one, Written::Replayed(_)))
        .count();
    assert_eq!((applied, replays), (1, 15));
    assert_eq!(world.slot_now(wide).await.booked_count, 1);
}
