//! Cases of reading a doctor's slots.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::id::{SlotId, UserId};
use telemed_core::journal::Resource;
use telemed_core::scheduling::{AppointmentStatus, Publication};
use telemed_core::time::Timestamp;

use crate::build::{World, applied, at, hours, local_day, published, sealed, user_id, zone};
use crate::suite::case_list;

case_list! { "availability":
    a_slot_is_found_by_its_start,
    only_a_listed_doctor_has_days,
    the_slots_of_a_day_say_what_can_be_booked,
    a_slot_belongs_to_its_local_day,
    days_are_cut_at_two_thousand_slots,
}

async fn a_slot_is_found_by_its_start(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 2).await;
    let his = world.slot(colleague, clinic, 60, 1).await;
    world.slot(doctor, clinic, 90, 1).await;
    let find = |doctor, start| {
        let world = Arc::clone(&world);
        async move {
            let found = world.storage.slot_at(doctor, start).await.unwrap();
            if let Some(slot) = &found {
                assert_eq!(*slot, world.slot_now(slot.id).await);
            }
            found.map(|slot| slot.id)
        }
    };
    assert_eq!(find(doctor, at(60)).await, Some(slot));
    assert_eq!(find(colleague, at(60)).await, Some(his));
    assert_eq!(find(colleague, at(90)).await, None);
    assert_eq!(find(user_id(9999), at(60)).await, None);
    for off in [-1, 1] {
        let near = Timestamp::from_micros(at(60).micros() + off);
        assert_eq!(find(doctor, near).await, None);
    }
    let write = world.changes(Resource::Slot, slot.get());
    world.storage.retire_slot(&write, slot).await.unwrap();
    assert_eq!(find(doctor, at(60)).await, None);
    let next = world.slot(doctor, clinic, 60, 1).await;
    assert_eq!(find(doctor, at(60)).await, Some(next));
}

/// Whether a slot lies in a blocked time, its day is full, and its clinic is active.
type Says = (SlotId, bool, bool, bool);

/// What the days say of each slot, in their order.
async fn says(world: &World, doctor: UserId, from: &str, to: &str) -> Vec<Says> {
    let (from, to) = (local_day(from), local_day(to));
    let days = world.storage.days_of_listed_doctor(doctor, from, to).await;
    let mut rows = Vec::new();
    for day in days.unwrap().unwrap().slots {
        assert_eq!(day.slot, world.slot_now(day.slot.id).await);
        rows.push((
            day.slot.id,
            day.is_blocked,
            day.is_day_full,
            day.is_clinic_active,
        ));
    }
    rows
}

async fn only_a_listed_doctor_has_days(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let application = world.application("L-77", Some(clinic));
    let applicant = world.register(&application).await.id;
    let none = [
        world.user(Role::Doctor).await.id,
        world.patient().await,
        applicant,
        user_id(9999),
    ];
    let day = local_day("2030-01-01");
    let found = |user| {
        let world = Arc::clone(&world);
        async move {
            let days = world.storage.days_of_listed_doctor(user, day, day).await;
            days.unwrap().map(|days| days.slots.len())
        }
    };
    for user in none {
        assert_eq!(found(user).await, None);
    }
    assert_eq!(found(doctor).await, Some(1));
    world.set_active(doctor, false).await;
    assert_eq!(found(doctor).await, None);
    world.set_active(doctor, true).await;
    assert_eq!(found(doctor).await, Some(1));
    let write = world.changes(Resource::Doctor, applicant.get());
    let verify = world.storage.verify_doctor(&write, applicant);
    assert!(applied(verify.await.unwrap()).is_some());
    // A doctor without slots has days, too.
    assert_eq!(found(applicant).await, Some(0));
    // Nobody hides behind a clinic that is closed.
    world.change_clinic(clinic, |it| it.is_active = false).await;
    let days = says(&world, doctor, "2030-01-01", "2030-01-01").await;
    assert_eq!(days, [(slot, false, false, false)]);
}

async fn the_slots_of_a_day_say_what_can_be_booked(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor_with_limit(clinic, 2).await;
    let colleague = world.doctor(clinic).await;
    // Not in the order of their starts; the last is on the next day.
    let mut slots = Vec::new();
    for start in [120, 60, 300, 24 * 60] {
        slots.push(world.slot(doctor, clinic, start, 2).await);
    }
    world.slot(colleague, clinic, 60, 1).await;
    let gone = world.slot(doctor, clinic, 200, 1).await;
    let write = world.changes(Resource::Slot, gone.get());
    world.storage.retire_slot(&write, gone).await.unwrap();
    world.block(doctor, 149, 151).await;
    world.block(colleague, 0, 600).await;
    let (first_day, next_day) = ("2030-01-01", "2030-01-02");
    let both = || says(&world, doctor, first_day, next_day);
    let [second, first, third, next] = slots[..] else {
        panic!()
    };
    let free = [
        (first, false, false, true),
        (second, true, false, true),
        (third, false, false, true),
        (next, false, false, true),
    ];
    assert_eq!(both().await, free);
    let of_day = |from, to| says(&world, doctor, from, to);
    assert_eq!(of_day(first_day, first_day).await, free[..3]);
    assert_eq!(of_day(next_day, next_day).await, free[3..]);
    assert_eq!(of_day("2029-12-31", "2030-12-31").await, free);
    assert_eq!(of_day("2030-01-03", "2030-01-04").await, []);
    assert_eq!(of_day(next_day, first_day).await, []);
    // The limit counts what takes a seat, on its own day.
    let booked = world.book(first, world.patient().await).await;
    world.book(third, world.patient().await).await;
    let full = [
        (first, false, true, true),
        (second, true, true, true),
        (third, false, true, true),
        (next, false, false, true),
    ];
    assert_eq!(both().await, full);
    assert_eq!(of_day(first_day, first_day).await, full[..3]);
    let over = [AppointmentStatus::Confirmed, AppointmentStatus::NoShow];
    world.become_status(&booked, &over).await;
    assert_eq!(both().await, full);
    // What was taken back and had its patient counts on.
    let write = world.changes(Resource::Slot, first.get());
    world.storage.retire_slot(&write, first).await.unwrap();
    assert_eq!(both().await, full[1..]);
    world.book(next, world.patient().await).await;
    let (live, reason) = (world.dump().await.appointments, sealed("ill"));
    let write = world.changes(Resource::Appointment, live[1].id.get());
    let cancel = world.storage.cancel(&write, live[1].id, &reason);
    cancel.await.unwrap();
    assert_eq!(both().await, free[1..]);
}

async fn a_slot_belongs_to_its_local_day(world: Arc<World>) {
    let cairo = world.clinic_details("Africa/Cairo");
    let cairo = world.make_clinic(&cairo).await.id;
    let doctor = world.doctor_with_limit(cairo, 1).await;
    let (old_year, first_day, next_day) = ("2029-12-31", "2030-01-01", "2030-01-02");
    let mut at_cairo = Vec::new();
    // By the clocks of Cairo: 23:30, midnight, 23:30 and midnight again.
    for start in [-150, -120, 1290, 1320] {
        let mut slot = world.new_slot(doctor, cairo, start, 1);
        slot.time_zone = zone("Africa/Cairo");
        slot.local_day = slot.facts.starts_at.local_day(&slot.time_zone);
        at_cairo.push(world.make_slot(&slot).await.id);
    }
    let of_day = |day| {
        let world = Arc::clone(&world);
        async move {
            let days = says(&world, doctor, day, day).await;
            let row = |(slot, _, is_full, _): Says| (slot, is_full);
            days.into_iter().map(row).collect::<Vec<_>>()
        }
    };
    let in_zone = || {
        let (world, day) = (Arc::clone(&world), local_day(first_day));
        async move {
            let days = world.storage.days_of_listed_doctor(doctor, day, day).await;
            days.unwrap().unwrap().time_zone
        }
    };
    let free = |slots: &[SlotId]| slots.iter().map(|slot| (*slot, false)).collect::<Vec<_>>();
    assert_eq!(of_day(old_year).await, free(&at_cairo[..1]));
    assert_eq!(of_day(first_day).await, free(&at_cairo[1..3]));
    assert_eq!(of_day(next_day).await, free(&at_cairo[3..]));
    assert_eq!(in_zone().await, zone("Africa/Cairo"));
    // The doctor goes to another clinic; what is left at the old one keeps its days.
    let utc = world.clinic().await;
    world.change_doctor(doctor, |it| it.clinic = utc).await;
    let late = world.slot(doctor, utc, 1400, 1).await;
    assert_eq!(in_zone().await, zone("UTC"));
    let today = [at_cairo[1], at_cairo[2], late];
    assert_eq!(of_day(first_day).await, free(&today));
    let days = says(&world, doctor, old_year, next_day).await;
    let order: Vec<_> = days.iter().map(|(slot, ..)| *slot).collect();
    assert_eq!(order, [&at_cairo[..3], &[late], &at_cairo[3..]].concat());
    // The limit counts over both.
    world.book(late, world.patient().await).await;
    assert_eq!(of_day(first_day).await, today.map(|slot| (slot, true)));
    assert_eq!(of_day(next_day).await, free(&at_cairo[3..]));
    // A new zone of the old clinic moves its days, and with them whose limit is reached.
    world
        .change_clinic(cairo, |it| it.time_zone = zone("UTC"))
        .await;
    assert_eq!(of_day(old_year).await, free(&at_cairo[..2]));
    let today = [at_cairo[2], at_cairo[3], late];
    assert_eq!(of_day(first_day).await, today.map(|slot| (slot, true)));
    assert_eq!(of_day(next_day).await, []);
}

async fn days_are_cut_at_two_thousand_slots(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let starts: Vec<i64> = (0..2005).map(|place| 5000 + place).collect();
    let minute = |start: &i64| {
        let mut slot = world.new_slot(doctor, clinic, *start, 1);
        slot.facts.ends_at = at(start + 1);
        (slot.facts, slot.local_day)
    };
    let publication = Publication {
        // The last are made first.
        slots: starts.iter().rev().map(minute).collect(),
        until: at(9000),
        ..world.publication(doctor, clinic, 1, &[])
    };
    let outcome = world
        .try_set_hours(doctor, None, &hours(1, false), &publication)
        .await;
    assert_eq!(published(&outcome), (2005, 0));
    let (from, to) = (local_day("2030-01-01"), local_day("2030-01-31"));
    let days = world.storage.days_of_listed_doctor(doctor, from, to).await;
    let slots = days.unwrap().unwrap().slots;
    assert_eq!(slots.len(), 2000);
    assert_eq!(slots[0].slot.facts.starts_at, at(5000));
    assert_eq!(slots[1999].slot.facts.starts_at, at(6999));
}
