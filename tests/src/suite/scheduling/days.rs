//! Cases of reading a doctor's slots.

use std::sync::Arc;

use telemed_core::journal::Resource;
use telemed_core::scheduling::{AppointmentStatus, Publication};
use telemed_core::time::Timestamp;

use crate::build::{World, at, hours, published, sealed, user_id};
use crate::suite::case_list;

case_list! { "availability":
    a_slot_is_found_by_its_start,
    the_slots_of_a_day_say_what_can_be_booked,
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
    let read = |from, until| {
        let world = Arc::clone(&world);
        async move {
            let days = world.storage.day_slots(doctor, at(from), at(until)).await;
            let mut rows = Vec::new();
            for day in days.unwrap() {
                assert_eq!(day.slot, world.slot_now(day.slot.id).await);
                rows.push((day.slot.id, day.is_blocked, day.is_day_full));
            }
            rows
        }
    };
    let [second, first, third, next] = slots[..] else {
        panic!()
    };
    let free = [
        (first, false, false),
        (second, true, false),
        (third, false, false),
        (next, false, false),
    ];
    assert_eq!(read(0, 3000).await, free);
    // The beginning of the span is in it, its end is not.
    assert_eq!(read(60, 300).await, free[..2]);
    assert_eq!(read(61, 301).await, free[1..3]);
    assert_eq!(read(300, 300).await, []);
    // The limit counts what takes a seat, on its own day.
    let booked = world.book(first, world.patient().await).await;
    world.book(third, world.patient().await).await;
    let full = [
        (first, false, true),
        (second, true, true),
        (third, false, true),
        (next, false, false),
    ];
    assert_eq!(read(0, 3000).await, full);
    let over = [AppointmentStatus::Confirmed, AppointmentStatus::NoShow];
    world.become_status(&booked, &over).await;
    assert_eq!(read(0, 3000).await, full);
    world.book(next, world.patient().await).await;
    let (live, reason) = (world.dump().await.appointments, sealed("ill"));
    let write = world.changes(Resource::Appointment, live[1].id.get());
    let cancel = world.storage.cancel(&write, live[1].id, &reason);
    cancel.await.unwrap();
    assert_eq!(read(0, 3000).await, free);
    // At most two thousand.
    let starts: Vec<i64> = (0..2005).map(|place| 5000 + place).collect();
    let minute = |start: &i64| {
        let mut slot = world.new_slot(doctor, clinic, *start, 1);
        slot.facts.ends_at = at(start + 1);
        (slot.facts, slot.local_day)
    };
    let publication = Publication {
        slots: starts.iter().map(minute).collect(),
        until: at(9000),
        ..world.publication(doctor, clinic, 1, &[])
    };
    let outcome = world
        .try_set_hours(doctor, None, &hours(1, false), &publication)
        .await;
    assert_eq!(published(&outcome), (2005, 0));
    let rows = world.storage.day_slots(doctor, at(4000), at(9000)).await;
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 2000);
    assert_eq!(rows[1999].slot.facts.starts_at, at(6999));
}
