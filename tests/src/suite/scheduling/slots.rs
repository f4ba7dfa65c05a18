//! Cases of slots: making, finding and taking back.

use std::sync::Arc;

use telemed_core::directory::ClinicDetails;
use telemed_core::id::{ClinicId, SlotId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, BookOutcome, Capacity, CreateSlotOutcome, NewSlot, RetireSlotOutcome, Slot,
    SlotFacts, SlotFilter,
};
use telemed_core::time::{LocalDay, TimeZone};

use crate::build::{World, applied, at, page, user_id, zone};
use crate::suite::case_list;
use crate::together;

case_list! { "scheduling":
    a_slot_is_refused_in_order,
    slots_of_a_doctor_do_not_overlap,
    parallel_slots_at_one_time_make_one,
    an_unknown_slot_is_none,
    only_slots_that_can_be_booked_are_listed,
    slots_are_found_by_doctor_clinic_and_time,
    a_slot_with_live_bookings_stays,
    a_retired_slot_is_gone,
}

async fn create(world: &World, slot: &NewSlot) -> CreateSlotOutcome {
    let write = world.write_at(at(-3), Subject::new_row(Resource::Slot));
    applied(world.storage.create_slot(&write, slot).await.unwrap())
}

async fn retire(world: &World, slot: SlotId) -> RetireSlotOutcome {
    let write = world.write_at(at(-2), Subject::number(Resource::Slot, slot.get()));
    applied(world.storage.retire_slot(&write, slot).await.unwrap())
}

/// A slot of a clinic in UTC between two minutes.
fn between(doctor: UserId, clinic: ClinicId, from: i64, to: i64) -> NewSlot {
    let facts = SlotFacts {
        doctor,
        clinic,
        starts_at: at(from),
        ends_at: at(to),
    };
    NewSlot {
        facts,
        time_zone: TimeZone::utc(),
        local_day: facts.starts_at.local_day(&TimeZone::utc()),
        capacity: Capacity::new(1).unwrap(),
    }
}

async fn a_slot_is_refused_in_order(world: Arc<World>) {
    let clinic = world.clinic().await;
    let other = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let existing = world.slot(doctor, clinic, 60, 1).await;
    let unknown = ClinicId::from_row(999);
    let cairo = |slot: NewSlot| NewSlot {
        time_zone: zone("Africa/Cairo"),
        ..slot
    };
    let patient = world.patient().await;
    let without_profile = world.user(telemed_core::actor::Role::Doctor).await.id;
    for (slot, expected) in [
        (
            cairo(between(user_id(999), unknown, 60, 90)),
            CreateSlotOutcome::DoctorNotFound,
        ),
        (
            cairo(between(patient, clinic, 60, 90)),
            CreateSlotOutcome::DoctorNotFound,
        ),
        (
            cairo(between(without_profile, clinic, 60, 90)),
            CreateSlotOutcome::DoctorNotFound,
        ),
        (
            cairo(between(doctor, unknown, 60, 90)),
            CreateSlotOutcome::ClinicNotFound,
        ),
        (
            cairo(between(doctor, other, 60, 90)),
            CreateSlotOutcome::ClinicMismatch,
        ),
        (
            cairo(between(doctor, clinic, 60, 90)),
            CreateSlotOutcome::ZoneChanged,
        ),
        (between(doctor, clinic, 60, 90), CreateSlotOutcome::Overlap),
    ] {
        assert_eq!(world.unchanged(create(&world, &slot)).await, expected);
    }
    let slot = NewSlot {
        capacity: Capacity::new(100).unwrap(),
        ..between(doctor, clinic, 23 * 60 + 50, 24 * 60 + 20)
    };
    let outcome = create(&world, &slot).await;
    let CreateSlotOutcome::Created(made) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(existing < made.id);
    let expected = Slot {
        id: made.id,
        facts: slot.facts,
        local_day: LocalDay::parse("2030-01-01").unwrap(),
        capacity: slot.capacity,
        booked_count: 0,
        is_published: false,
        is_active: true,
        created_at: at(-3),
        updated_at: at(-3),
    };
    assert_eq!(made, expected);
    assert_eq!(world.slot_now(made.id).await, expected);
}

async fn slots_of_a_doctor_do_not_overlap(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let other = world.doctor(clinic).await;
    let first = world.make_slot(&between(doctor, clinic, 60, 90)).await.id;
    for (from, to) in [
        (60, 90),
        (59, 61),
        (89, 120),
        (70, 80),
        (50, 100),
        (30, 61),
        (-150, 61),
    ] {
        let outcome = world
            .unchanged(create(&world, &between(doctor, clinic, from, to)))
            .await;
        assert_eq!(outcome, CreateSlotOutcome::Overlap, "{from} to {to}");
    }
    for (whose, from, to) in [(doctor, 30, 60), (doctor, 90, 330), (other, 60, 90)] {
        let outcome = create(&world, &between(whose, clinic, from, to)).await;
        assert!(
            matches!(outcome, CreateSlotOutcome::Created(_)),
            "{from} to {to}"
        );
    }
    // At the very end of the longest slot.
    let late = between(doctor, clinic, 325, 330);
    assert_eq!(
        world.unchanged(create(&world, &late)).await,
        CreateSlotOutcome::Overlap
    );
    // What was taken back is no hindrance, at the same time and beside it.
    assert!(matches!(
        retire(&world, first).await,
        RetireSlotOutcome::Retired(_)
    ));
    let again = between(doctor, clinic, 60, 90);
    assert!(matches!(
        create(&world, &again).await,
        CreateSlotOutcome::Created(_)
    ));
    assert_eq!(
        world.unchanged(create(&world, &again)).await,
        CreateSlotOutcome::Overlap
    );
    // The clinic does not matter: a doctor who moved is still one person.
    let elsewhere = world.clinic().await;
    world
        .change_doctor(doctor, |it| it.clinic = elsewhere)
        .await;
    let there = between(doctor, elsewhere, 75, 105);
    assert_eq!(
        world.unchanged(create(&world, &there)).await,
        CreateSlotOutcome::Overlap
    );
}

async fn parallel_slots_at_one_time_make_one(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    // All of them share the minute before 60, and no two begin alike in the second half.
    let answers = together(64, |caller| {
        let world = Arc::clone(&world);
        async move {
            let shift = i64::try_from(caller.saturating_sub(32)).unwrap();
            create(&world, &between(doctor, clinic, shift, 60 + shift)).await
        }
    })
    .await;
    let made: Vec<_> = answers
        .iter()
        .filter_map(|one| match one {
            CreateSlotOutcome::Created(slot) => Some(slot.id),
            _ => None,
        })
        .collect();
    let overlaps = answers
        .iter()
        .filter(|one| **one == CreateSlotOutcome::Overlap)
        .count();
    assert_eq!((made.len(), overlaps), (1, 63));
    assert_eq!(world.dump().await.slots.len(), 1);
    // Doctors do not hinder each other.
    let mut doctors = Vec::new();
    for _ in 0..16 {
        doctors.push(world.doctor(clinic).await);
    }
    let answers = together(16, |caller| {
        let (world, doctor) = (Arc::clone(&world), doctors[caller]);
        async move { create(&world, &between(doctor, clinic, 0, 60)).await }
    })
    .await;
    assert!(
        answers
            .iter()
            .all(|one| matches!(one, CreateSlotOutcome::Created(_)))
    );
}

async fn an_unknown_slot_is_none(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    for number in [0, -1, slot.get() + 1, i64::MAX] {
        assert_eq!(
            world
                .storage
                .slot_by_id(SlotId::from_row(number))
                .await
                .unwrap(),
            None
        );
    }
    retire(&world, slot).await;
    assert!(!world.slot_now(slot).await.is_active);
}

async fn open_slots(
    world: &World,
    filter: SlotFilter,
    now: i64,
    skip: i64,
    limit: i64,
) -> (Vec<SlotId>, u64) {
    let found = world
        .storage
        .open_slot_page(&filter, at(now), page(skip, limit))
        .await
        .unwrap();
    for slot in &found.items {
        assert_eq!(world.slot_now(slot.id).await, *slot);
    }
    (
        found.items.iter().map(|slot| slot.id).collect(),
        found.total,
    )
}

async fn only_slots_that_can_be_booked_are_listed(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let patients = world.patients(2).await;
    let begun = world.slot(doctor, clinic, 0, 1).await;
    let open = world.slot(doctor, clinic, 60, 2).await;
    let full = world.slot(doctor, clinic, 120, 1).await;
    let retired = world.slot(doctor, clinic, 180, 1).await;
    retire(&world, retired).await;
    world.book(open, patients[0]).await;
    let booked = world.book(full, patients[0]).await;
    let inactive_doctor = world.doctor(clinic).await;
    let of_inactive = world.slot(inactive_doctor, clinic, 60, 1).await;
    world.set_active(inactive_doctor, false).await;
    let closed = world.make_clinic(&world.clinic_details("UTC")).await;
    let at_closed = world.doctor(closed.id).await;
    let of_closed = world.slot(at_closed, closed.id, 60, 1).await;
    let close = |version, is_active| {
        let details = ClinicDetails {
            is_active,
            ..closed.details.clone()
        };
        let world = Arc::clone(&world);
        async move {
            let write = world.changes(Resource::Clinic, closed.id.get());
            world
                .storage
                .update_clinic(&write, closed.id, version, &details)
                .await
                .unwrap();
        }
    };
    close(1, false).await;
    let all = SlotFilter::default();
    assert_eq!(open_slots(&world, all, 0, 0, 100).await, (vec![open], 1));
    // A slot can be booked until the moment it begins.
    assert_eq!(
        open_slots(&world, all, -1, 0, 100).await,
        (vec![begun, open], 2)
    );
    assert_eq!(open_slots(&world, all, 59, 0, 100).await, (vec![open], 1));
    assert_eq!(open_slots(&world, all, 60, 0, 100).await, (vec![], 0));
    // Each comes back with what it lacked.
    world.set_active(inactive_doctor, true).await;
    close(2, true).await;
    let write = world.changes(Resource::Appointment, booked.id.get());
    let reason = crate::build::sealed("ill");
    world
        .storage
        .cancel(&write, booked.id, &reason)
        .await
        .unwrap();
    let expected = vec![open, of_inactive, of_closed, full];
    assert_eq!(open_slots(&world, all, 0, 0, 100).await, (expected, 4));
}

async fn slots_are_found_by_doctor_clinic_and_time(world: Arc<World>) {
    let clinics = [world.clinic().await, world.clinic().await];
    let doctors = [
        world.doctor(clinics[0]).await,
        world.doctor(clinics[1]).await,
    ];
    let mut slots = Vec::new();
    for (which, start) in [(0, 300), (1, 100), (0, 100), (0, 200), (1, 200)] {
        slots.push(world.slot(doctors[which], clinics[which], start, 1).await);
    }
    let ids = |places: &[usize]| places.iter().map(|at| slots[*at]).collect::<Vec<_>>();
    let all = SlotFilter::default();
    for (filter, expected) in [
        (all, ids(&[1, 2, 3, 4, 0])),
        (
            SlotFilter {
                doctor: Some(doctors[0]),
                ..all
            },
            ids(&[2, 3, 0]),
        ),
        (
            SlotFilter {
                clinic: Some(clinics[1]),
                ..all
            },
            ids(&[1, 4]),
        ),
        (
            SlotFilter {
                doctor: Some(doctors[0]),
                clinic: Some(clinics[1]),
                ..all
            },
            ids(&[]),
        ),
        (
            SlotFilter {
                from: Some(at(200)),
                ..all
            },
            ids(&[3, 4, 0]),
        ),
        (
            SlotFilter {
                to: Some(at(200)),
                ..all
            },
            ids(&[1, 2, 3, 4]),
        ),
        (
            SlotFilter {
                from: Some(at(101)),
                to: Some(at(299)),
                ..all
            },
            ids(&[3, 4]),
        ),
        (
            SlotFilter {
                from: Some(at(100)),
                to: Some(at(100)),
                ..all
            },
            ids(&[1, 2]),
        ),
        (
            SlotFilter {
                from: Some(at(300)),
                to: Some(at(100)),
                ..all
            },
            ids(&[]),
        ),
        (
            SlotFilter {
                from: Some(at(200)),
                doctor: Some(doctors[1]),
                ..all
            },
            ids(&[4]),
        ),
        (
            SlotFilter {
                to: Some(at(200)),
                clinic: Some(clinics[0]),
                ..all
            },
            ids(&[2, 3]),
        ),
        (
            SlotFilter {
                doctor: Some(user_id(999)),
                ..all
            },
            ids(&[]),
        ),
    ] {
        let total = expected.len() as u64;
        assert_eq!(
            open_slots(&world, filter, 0, 0, 100).await,
            (expected, total),
            "{filter:?}"
        );
    }
    assert_eq!(open_slots(&world, all, 0, 1, 2).await, (ids(&[2, 3]), 5));
    assert_eq!(open_slots(&world, all, 0, 4, 100).await, (ids(&[0]), 5));
    assert_eq!(open_slots(&world, all, 0, 5, 100).await, (ids(&[]), 5));
    // What has begun is not there, whatever was asked for.
    let from = SlotFilter {
        from: Some(at(100)),
        ..all
    };
    assert_eq!(
        open_slots(&world, from, 150, 0, 100).await,
        (ids(&[3, 4, 0]), 3)
    );
}

async fn a_slot_with_live_bookings_stays(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, NoShow, Rejected};
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 5).await;
    let mut booked = Vec::new();
    for patient in world.patients(4).await {
        booked.push(world.book(slot, patient).await);
    }
    world.become_status(&booked[1], &[Confirmed]).await;
    world.become_status(&booked[2], &[Rejected]).await;
    world
        .become_status(&booked[3], &[Confirmed, Completed])
        .await;
    assert_eq!(
        world.unchanged(retire(&world, slot)).await,
        RetireSlotOutcome::HasBookings(2)
    );
    let write = world.changes(Resource::Appointment, booked[0].id.get());
    let reason = crate::build::sealed("ill");
    world
        .storage
        .cancel(&write, booked[0].id, &reason)
        .await
        .unwrap();
    assert_eq!(
        world.unchanged(retire(&world, slot)).await,
        RetireSlotOutcome::HasBookings(1)
    );
    let confirmed = world
        .storage
        .appointment_by_id(booked[1].id)
        .await
        .unwrap()
        .unwrap();
    world.become_status(&confirmed, &[NoShow]).await;
    // What is over does not hold it.
    let before = world.slot_now(slot).await;
    assert_eq!(before.booked_count, 2);
    let retired = Slot {
        is_active: false,
        updated_at: at(-2),
        ..before
    };
    assert_eq!(
        retire(&world, slot).await,
        RetireSlotOutcome::Retired(retired.clone())
    );
    assert_eq!(world.slot_now(slot).await, retired);
    // Whoever books and whoever takes back: one of the two is first.
    for round in 0..8 {
        let slot = world.slot(doctor, clinic, 120 + 30 * round, 1).await;
        let patient = world.patient().await;
        let answers = together(2, |caller| {
            let world = Arc::clone(&world);
            async move {
                if caller == 0 {
                    matches!(world.outcome(slot, patient).await, BookOutcome::Booked(_))
                } else {
                    matches!(retire(&world, slot).await, RetireSlotOutcome::Retired(_))
                }
            }
        })
        .await;
        assert_eq!(answers.iter().filter(|done| **done).count(), 1);
    }
}

async fn a_retired_slot_is_gone(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    assert!(matches!(
        retire(&world, slot).await,
        RetireSlotOutcome::Retired(_)
    ));
    let listed = open_slots(&world, SlotFilter::default(), 0, 0, 100).await;
    assert_eq!(listed, (vec![], 0));
    let patient = world.patient().await;
    let outcome = world.unchanged(world.outcome(slot, patient)).await;
    assert_eq!(outcome, BookOutcome::SlotInactive);
    for number in [slot.get(), slot.get() + 1, 0] {
        let slot = SlotId::from_row(number);
        assert_eq!(
            world.unchanged(retire(&world, slot)).await,
            RetireSlotOutcome::NotFound
        );
    }
}
