//! Cases of weekly hours and of the slots that are published from them.

use std::sync::Arc;

use telemed_core::directory::ClinicDetails;
use telemed_core::id::{ClinicId, SlotId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, DaySlot, Publication, PublishOutcome, Schedule, Slot,
};

use crate::build::{World, at, hours, local_day, published, sealed, user_id, zone};
use crate::suite::case_list;
use crate::together;

case_list! { "availability":
    a_doctor_without_hours_has_none,
    hours_are_set_at_their_version,
    publishing_is_idempotent,
    publishing_retires_unbooked_slots_that_fall_out,
    publishing_never_touches_booked_slots,
    publishing_leaves_single_slots_alone,
    publishing_goes_around_what_is_there,
}

/// A clinic in UTC with a listed doctor.
async fn practice(world: &World) -> (ClinicId, UserId) {
    let clinic = world.clinic().await;
    (clinic, world.doctor(clinic).await)
}

/// Publishes from hours that have this version, at minute 3.
async fn publish(
    world: &World,
    doctor: UserId,
    version: i64,
    publication: &Publication,
) -> PublishOutcome {
    let write = world.write_at(at(3), Subject::number(Resource::Schedule, doctor.get()));
    world
        .storage
        .publish_slots(&write, doctor, version, publication)
        .await
        .unwrap()
}

/// The starts of a doctor's active slots, in minutes.
async fn starts(world: &World, doctor: UserId) -> Vec<i64> {
    let (first, last) = (local_day("0001-01-01"), local_day("9998-12-31"));
    let days = world.storage.days_of_listed_doctor(doctor, first, last);
    let slots = days.await.unwrap().unwrap().slots;
    let minute = |day: &DaySlot| {
        let start = day.slot.facts.starts_at;
        (start.micros() - at(0).micros()) / 60_000_000
    };
    slots.iter().map(minute).collect()
}

async fn a_doctor_without_hours_has_none(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let patient = world.patient().await;
    for user in [doctor, patient, user_id(9999)] {
        assert_eq!(world.storage.schedule_of_doctor(user).await.unwrap(), None);
        // There is nothing to publish from.
        let publication = world.publication(user, clinic, 1, &[60]);
        for version in [0, 1] {
            let publishing = publish(&world, user, version, &publication);
            assert_eq!(world.unchanged(publishing).await, PublishOutcome::NotFound);
        }
    }
    assert!(starts(&world, doctor).await.is_empty());
}

async fn hours_are_set_at_their_version(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let colleague = world.doctor(clinic).await;
    let publication = world.publication(doctor, clinic, 2, &[60, 90]);
    let first = hours(2, true);
    for user in [world.patient().await, user_id(9999)] {
        let setting = world.try_set_hours(user, None, &first, &publication);
        assert_eq!(world.unchanged(setting).await, PublishOutcome::NotFound);
    }
    let setting = world.try_set_hours(doctor, Some(1), &first, &publication);
    assert_eq!(world.unchanged(setting).await, PublishOutcome::Superseded);

    let write = world.write_at(at(4), Subject::number(Resource::Schedule, doctor.get()));
    let outcome = world
        .storage
        .set_schedule(&write, doctor, None, &first, &publication)
        .await;
    let schedule = Schedule {
        doctor,
        hours: first.clone(),
        version: 1,
        updated_at: at(4),
    };
    let expected = PublishOutcome::Published {
        schedule: schedule.clone(),
        made: 2,
        retired: 0,
    };
    assert_eq!(crate::build::applied(outcome.unwrap()), expected);
    let stored = world.storage.schedule_of_doctor(doctor).await.unwrap();
    assert_eq!(stored, Some(schedule));
    assert_eq!(
        world.storage.schedule_of_doctor(colleague).await.unwrap(),
        None
    );
    let slot = world.storage.slot_at(doctor, at(60)).await.unwrap();
    let slot = slot.unwrap();
    let (facts, local_day) = publication.slots[0];
    let expected = Slot {
        id: slot.id,
        facts,
        local_day,
        capacity: publication.capacity,
        booked_count: 0,
        is_published: true,
        is_active: true,
        created_at: at(4),
        updated_at: at(4),
    };
    assert_eq!(slot, expected);
    assert_eq!(world.slot_now(slot.id).await, expected);

    // From now on it has to be the version of now.
    let second = hours(1, false);
    for expected in [None, Some(0), Some(2)] {
        let setting = world.try_set_hours(doctor, expected, &second, &publication);
        assert_eq!(world.unchanged(setting).await, PublishOutcome::Superseded);
    }
    for version in [0, 2] {
        let publishing = publish(&world, doctor, version, &publication);
        assert_eq!(
            world.unchanged(publishing).await,
            PublishOutcome::Superseded
        );
    }
    let outcome = world
        .try_set_hours(doctor, Some(1), &second, &publication)
        .await;
    let PublishOutcome::Published { schedule, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((schedule.version, &schedule.hours), (2, &second));
    // Publishing leaves the hours as they are.
    let outcome = publish(&world, doctor, 2, &publication).await;
    assert_eq!(published(&outcome), (0, 0));
    let stored = world.storage.schedule_of_doctor(doctor).await.unwrap();
    assert_eq!(stored, Some(schedule));

    // A zone that is not the clinic's, and a clinic that is not the doctor's.
    let mut elsewhere = publication.clone();
    elsewhere.time_zone = zone("Africa/Cairo");
    let other = world.clinic().await;
    let mut moved = publication.clone();
    moved.slots[1].0.clinic = other;
    for stale in [&elsewhere, &moved] {
        let setting = world.try_set_hours(doctor, Some(2), &second, stale);
        assert_eq!(world.unchanged(setting).await, PublishOutcome::Superseded);
        let publishing = publish(&world, doctor, 2, stale);
        assert_eq!(
            world.unchanged(publishing).await,
            PublishOutcome::Superseded
        );
    }
    let clinic_now = world.storage.clinic_by_id(clinic).await.unwrap().unwrap();
    let details = ClinicDetails {
        time_zone: zone("Africa/Cairo"),
        ..clinic_now.details
    };
    let write = world.changes(Resource::Clinic, clinic.get());
    let update = world.storage.update_clinic(&write, clinic, 1, &details);
    update.await.unwrap();
    let publishing = publish(&world, doctor, 2, &publication);
    assert_eq!(
        world.unchanged(publishing).await,
        PublishOutcome::Superseded
    );
    // Of changes in parallel one comes first.
    let answers = together(64, |caller| {
        let (world, publication) = (Arc::clone(&world), elsewhere.clone());
        async move {
            let seats = 1 + i64::try_from(caller).unwrap();
            world
                .try_set_hours(doctor, Some(2), &hours(seats, false), &publication)
                .await
        }
    })
    .await;
    let lost = |one: &&PublishOutcome| **one == PublishOutcome::Superseded;
    assert_eq!(answers.iter().filter(lost).count(), 63);
    let stored = world.storage.schedule_of_doctor(doctor).await.unwrap();
    assert_eq!(stored.unwrap().version, 3);
}

async fn publishing_is_idempotent(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let all = [60, 90, 300, 570];
    assert_eq!(world.set_hours(doctor, clinic, &all).await, (4, 0));
    let slots = world.dump().await.slots;
    assert_eq!(world.set_hours(doctor, clinic, &all).await, (0, 0));
    let publication = world.publication(doctor, clinic, 1, &all);
    for _ in 0..2 {
        let outcome = publish(&world, doctor, 2, &publication).await;
        assert_eq!(published(&outcome), (0, 0));
    }
    assert_eq!(world.dump().await.slots, slots);
    // In parallel, too: what is missing is made once.
    let more = world.publication(doctor, clinic, 1, &[60, 90, 120, 300, 570]);
    let answers = together(64, |_| {
        let (world, more) = (Arc::clone(&world), more.clone());
        async move { published(&publish(&world, doctor, 2, &more).await) }
    })
    .await;
    let made: u32 = answers.iter().map(|(made, _)| made).sum();
    assert_eq!(made, 1);
    assert!(answers.iter().all(|(_, retired)| *retired == 0));
    assert_eq!(starts(&world, doctor).await, [60, 90, 120, 300, 570]);
    // A publication that repeats itself makes each slot once.
    let twice = world.publication(doctor, clinic, 1, &[60, 400, 400, 415]);
    let outcome = publish(&world, doctor, 2, &twice).await;
    assert_eq!(published(&outcome), (1, 4));
    assert_eq!(starts(&world, doctor).await, [60, 400]);
}

async fn publishing_retires_unbooked_slots_that_fall_out(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let colleague = world.doctor(clinic).await;
    world.set_hours(colleague, clinic, &[60, 90]).await;
    // The last one begins when the span of the later publications ends.
    assert_eq!(
        world
            .set_hours(doctor, clinic, &[0, 60, 90, 120, 570, 600])
            .await,
        (6, 0)
    );
    let fallen = world.storage.slot_at(doctor, at(90)).await.unwrap();
    let fallen = fallen.unwrap().id;
    let publication = world.publication(doctor, clinic, 1, &[60, 120, 150]);
    let outcome = publish(&world, doctor, 1, &publication).await;
    // Both ends of the span: what begins with it falls out, what begins at its end does not.
    assert_eq!(published(&outcome), (1, 3));
    assert_eq!(starts(&world, doctor).await, [60, 120, 150, 600]);
    let gone = world.slot_now(fallen).await;
    assert!(!gone.is_active && gone.is_published);
    assert_eq!(gone.updated_at, at(3));
    assert_eq!(starts(&world, colleague).await, [60, 90]);
    // Another length or capacity is another slot.
    let mut longer = publication.clone();
    longer.slots.truncate(1);
    longer.slots[0].0.ends_at = at(110);
    assert_eq!(
        published(&publish(&world, doctor, 1, &longer).await),
        (1, 3)
    );
    let wider = world.publication(doctor, clinic, 2, &[60]);
    assert_eq!(published(&publish(&world, doctor, 1, &wider).await), (1, 1));
    let slot = world
        .storage
        .slot_at(doctor, at(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (slot.capacity, slot.facts.ends_at),
        (wider.capacity, at(90))
    );
    // A seat that was given back is none that is booked.
    let booked = world.book(slot.id, world.patient().await).await;
    let write = world.changes(Resource::Appointment, booked.id.get());
    let reason = sealed("ill");
    let cancel = world.storage.cancel(&write, booked.id, &reason);
    cancel.await.unwrap();
    // When the doctor moves, the slots at the old clinic fall out.
    let other = world.clinic().await;
    world.change_doctor(doctor, |it| it.clinic = other).await;
    let stale = publish(&world, doctor, 1, &wider);
    assert_eq!(world.unchanged(stale).await, PublishOutcome::Superseded);
    let there = world.publication(doctor, other, 2, &[60]);
    assert_eq!(published(&publish(&world, doctor, 1, &there).await), (1, 1));
    let slot = world
        .storage
        .slot_at(doctor, at(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(slot.facts.clinic, other);
    // Without slots, all fall out.
    let nothing = world.publication(doctor, other, 2, &[]);
    assert_eq!(
        published(&publish(&world, doctor, 1, &nothing).await),
        (0, 1)
    );
}

async fn publishing_never_touches_booked_slots(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let all = [60, 90, 120, 150, 180];
    world.set_hours(doctor, clinic, &all).await;
    let mut booked = Vec::new();
    for start in &all[..4] {
        let slot = world.storage.slot_at(doctor, at(*start)).await.unwrap();
        let patient = world.patient().await;
        booked.push(world.book(slot.unwrap().id, patient).await);
    }
    use AppointmentStatus::{Completed, Confirmed, NoShow, Rejected};
    world
        .become_status(&booked[1], &[Confirmed, Completed])
        .await;
    world.become_status(&booked[2], &[Confirmed, NoShow]).await;
    world.become_status(&booked[3], &[Rejected]).await;
    let slots = |ids: Vec<SlotId>| {
        let world = Arc::clone(&world);
        async move {
            let mut slots = Vec::new();
            for id in ids {
                slots.push(world.slot_now(id).await);
            }
            slots
        }
    };
    let taken: Vec<SlotId> = booked[..3].iter().map(|one| one.slot).collect();
    let before = slots(taken.clone()).await;
    // Other times and another capacity: what is booked stays, and is gone around.
    let publication = world.publication(doctor, clinic, 3, &[45, 75, 105, 150]);
    let outcome = publish(&world, doctor, 1, &publication).await;
    assert_eq!(published(&outcome), (1, 2));
    assert_eq!(slots(taken).await, before);
    assert_eq!(starts(&world, doctor).await, [60, 90, 120, 150]);
    // Bookings and publications in parallel: nobody is booked on a slot that is not there.
    for round in 0..4 {
        let doctor = world.doctor(clinic).await;
        let start = 24 * 60 * (round + 2);
        let slot = world.new_slot(doctor, clinic, start, 1);
        let publication = Publication {
            until: at(start + 600),
            slots: vec![(slot.facts, slot.local_day)],
            ..world.publication(doctor, clinic, 1, &[])
        };
        let outcome = world
            .try_set_hours(doctor, None, &hours(1, false), &publication)
            .await;
        assert_eq!(published(&outcome), (1, 0));
        let slot = world.storage.slot_at(doctor, at(start)).await.unwrap();
        let slot = slot.unwrap().id;
        let patients = world.patients(32).await;
        let nothing = Publication {
            slots: vec![],
            ..publication
        };
        together(64, |caller| {
            let (world, nothing) = (Arc::clone(&world), nothing.clone());
            let patient = patients[caller / 2];
            async move {
                if caller % 2 == 0 {
                    world.outcome(slot, patient).await;
                } else {
                    publish(&world, doctor, 1, &nothing).await;
                }
            }
        })
        .await;
        let slot = world.slot_now(slot).await;
        assert_eq!(slot.is_active, slot.booked_count == 1);
        crate::invariants::check(&world.dump().await);
    }
}

async fn publishing_leaves_single_slots_alone(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let single = world.slot(doctor, clinic, 75, 1).await;
    let before = world.slot_now(single).await;
    assert_eq!(
        world.set_hours(doctor, clinic, &[60, 90, 120]).await,
        (1, 0)
    );
    assert_eq!(world.set_hours(doctor, clinic, &[]).await, (0, 1));
    assert_eq!(world.slot_now(single).await, before);
    // Not even when it stands in the hours by chance.
    assert_eq!(world.set_hours(doctor, clinic, &[75]).await, (0, 0));
    assert_eq!(world.set_hours(doctor, clinic, &[]).await, (0, 0));
    assert_eq!(world.slot_now(single).await, before);
}

async fn publishing_goes_around_what_is_there(world: Arc<World>) {
    let (clinic, doctor) = practice(&world).await;
    let colleague = world.doctor(clinic).await;
    world.slot(doctor, clinic, 105, 1).await;
    world.slot(colleague, clinic, 60, 1).await;
    world.block(doctor, 200, 215).await;
    world.block(colleague, 0, 600).await;
    // Those that only touch are made; those that share a moment are not.
    let all = [45, 75, 90, 120, 135, 165, 170, 190, 200, 215, 245];
    world.set_hours(doctor, clinic, &all).await;
    assert_eq!(
        starts(&world, doctor).await,
        [45, 75, 105, 135, 165, 215, 245]
    );
    // A slot that was taken back is no hindrance, and comes back as another one.
    let slot = world
        .storage
        .slot_at(doctor, at(75))
        .await
        .unwrap()
        .unwrap();
    let write = world.changes(Resource::Slot, slot.id.get());
    world.storage.retire_slot(&write, slot.id).await.unwrap();
    assert_eq!(world.set_hours(doctor, clinic, &all).await, (1, 0));
    let again = world
        .storage
        .slot_at(doctor, at(75))
        .await
        .unwrap()
        .unwrap();
    assert!(again.id > slot.id);
    // What was there before the time was blocked stays.
    world.block(doctor, 245, 260).await;
    assert_eq!(world.set_hours(doctor, clinic, &all).await, (0, 0));
    assert!(starts(&world, doctor).await.contains(&245));
}
