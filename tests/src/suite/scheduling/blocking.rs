//! Cases of blocked times.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::id::{BlockId, SlotId, UserId};
use telemed_core::journal::{JobKind, JobSelector, Resource, Subject, SubscriptionItem};
use telemed_core::page::PageRequest;
use telemed_core::scheduling::{
    AppointmentStatus, BlockDetails, BlockOutcome, BlockedTime, BookOutcome, SlotFilter,
};
use telemed_core::time::Timestamp;

use crate::build::{NOW, World, applied, at, sealed, user_id};
use crate::dump::open_jobs;
use crate::suite::case_list;
use crate::{invariants, together};

case_list! { "availability":
    a_block_over_live_bookings_is_refused_with_their_ids,
    a_block_cancels_what_it_is_given,
    a_blocked_slot_cannot_be_booked,
    parallel_bookings_and_blocks_leave_no_booking_in_a_block,
    an_unblocked_slot_can_be_booked,
    blocked_times_are_listed_by_start,
    live_bookings_of_a_span_are_found,
}

async fn unblock(world: &World, doctor: UserId, block: BlockId) -> bool {
    let write = world.changes(Resource::BlockedTime, block.get());
    let freed = world.storage.unblock_time(&write, doctor, block).await;
    applied(freed.unwrap())
}

async fn a_block_over_live_bookings_is_refused_with_their_ids(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, InProgress, Rejected};
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let mut booked = Vec::new();
    // The later slot is booked first: ids are in the order of booking, not of time.
    for start in [300, 60, 120, 180, 240] {
        let slot = world.slot(doctor, clinic, start, 1).await;
        booked.push(world.book(slot, world.patient().await).await);
    }
    let his = world.slot(colleague, clinic, 60, 1).await;
    world.book(his, world.patient().await).await;
    world.become_status(&booked[1], &[Confirmed]).await;
    world
        .become_status(&booked[2], &[Confirmed, InProgress])
        .await;
    world
        .become_status(&booked[3], &[Confirmed, Completed])
        .await;
    world.become_status(&booked[4], &[Rejected]).await;
    let cancel = |places: &[usize]| -> Vec<_> {
        let one = |place: &usize| world.cancel_for_block(&booked[*place]);
        places.iter().map(one).collect()
    };
    let ids = |places: &[usize]| places.iter().map(|at| booked[*at].id).collect::<Vec<_>>();
    for user in [world.user(Role::Doctor).await.id, user_id(9999)] {
        let details = world.block_details(user, 0, 600);
        let blocking = world.try_block(&details, &[]);
        assert_eq!(
            world.unchanged(blocking).await,
            BlockOutcome::DoctorNotFound
        );
    }
    for (from, until, given, expected) in [
        (0, 600, &[][..], &[0, 1, 2][..]),
        (0, 600, &[0], &[1, 2]),
        // One in progress cannot be given away.
        (0, 600, &[0, 1, 2, 3, 4], &[2]),
        // A moment is enough, at either end.
        (89, 91, &[], &[1]),
        (0, 61, &[0, 3], &[1]),
        (149, 301, &[2], &[0, 2]),
    ] {
        let details = world.block_details(doctor, from, until);
        let cancel = cancel(given);
        let outcome = world.unchanged(world.try_block(&details, &cancel)).await;
        assert_eq!(outcome, BlockOutcome::HasBookings(ids(expected)), "{from}");
    }
    // Between them there is room: those that only touch are no hindrance.
    for (from, until) in [(0, 60), (90, 120), (150, 300), (330, 600)] {
        world.block(doctor, from, until).await;
    }
}

async fn a_block_cancels_what_it_is_given(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 3).await;
    let later = world.slot(doctor, clinic, 300, 1).await;
    let patients = world.patients(4).await;
    let mut booked = Vec::new();
    for patient in &patients[..3] {
        booked.push(world.book(slot, *patient).await);
    }
    let elsewhere = world.book(later, patients[3]).await;
    // One was cancelled in the meantime, one lies elsewhere.
    let write = world.write_at(
        at(1),
        Subject::number(Resource::Appointment, booked[2].id.get()),
    );
    let reason = sealed("ill");
    let cancel = world.storage.cancel(&write, booked[2].id, &reason);
    cancel.await.unwrap();
    let before = world.storage.appointment_by_id(booked[2].id).await.unwrap();

    let mut cancel: Vec<_> = [&booked[1], &elsewhere, &booked[0], &booked[2]]
        .map(|one| world.cancel_for_block(one))
        .into();
    for one in &mut cancel {
        let subject = one.write.audit.subject;
        one.write.at = at(2);
        one.write.audit.at = at(2);
        one.write.events.push(world.event(&patients, subject));
        let job = world.job(JobKind::AppointmentNotice, subject, at(3));
        one.write.jobs.push(job);
        one.write.drop_jobs.push(JobSelector {
            kind: JobKind::AppointmentReminder,
            subject,
        });
    }
    let mut write = world.write_at(at(2), Subject::new_row(Resource::BlockedTime));
    let subject = write.audit.subject;
    write.events.push(world.event(&[doctor], subject));
    // A reminder of each of them is there, to be dropped or not.
    let mut whole = world.whole();
    for one in booked.iter().chain([&elsewhere]) {
        let subject = Subject::number(Resource::Appointment, one.id.get());
        let reminder = world.job(JobKind::AppointmentReminder, subject, at(9));
        whole.jobs.push(reminder);
    }
    world.storage.record(&whole).await.unwrap();

    let details = world.block_details(doctor, 60, 90);
    let mut subscription = world.bus().subscribe().await;
    let outcome = world.storage.block_time(&write, &details, &cancel).await;
    let outcome = applied(outcome.unwrap());
    let BlockOutcome::Blocked { block, cancelled } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(cancelled, 2);
    let expected = BlockedTime {
        id: block.id,
        details,
        created_at: at(2),
    };
    assert_eq!(block, expected);
    let stored = world.storage.block_by_id(block.id).await.unwrap();
    assert_eq!(stored, Some(expected));
    for one in &booked[..2] {
        let now = world.storage.appointment_by_id(one.id).await.unwrap();
        let now = now.unwrap();
        assert_eq!(now.status, AppointmentStatus::Cancelled);
        assert_eq!(now.status_reason, Some(sealed("away")));
        assert_eq!((now.cancelled_at, now.updated_at), (Some(at(2)), at(2)));
    }
    let now = world.storage.appointment_by_id(booked[2].id).await.unwrap();
    assert_eq!(now, before, "it was cancelled before");
    let now = world.storage.appointment_by_id(elsewhere.id).await.unwrap();
    assert_eq!(now, Some(elsewhere.clone()));
    assert_eq!(world.slot_now(slot).await.booked_count, 0);
    // What is left behind: the cancellations in the order they were given, then the block.
    let appointment = |one: &telemed_core::scheduling::StoredAppointment| {
        Subject::number(Resource::Appointment, one.id.get())
    };
    let about = [
        appointment(&booked[1]),
        appointment(&booked[0]),
        Subject::number(Resource::BlockedTime, block.id.get()),
    ];
    let dump = world.dump().await;
    let audit: Vec<_> = dump.audit.iter().map(|row| row.row.subject).collect();
    assert_eq!(audit[audit.len() - 3..], about);
    let events: Vec<_> = dump.events.iter().map(|event| event.subject).collect();
    assert_eq!(events, about);
    let mut heard = Vec::new();
    while heard.len() < about.len() {
        match subscription.next().await {
            Some(SubscriptionItem::Event(event)) => heard.push(event.event.subject),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, about);
    let mut jobs: Vec<_> = open_jobs(&*world.storage)
        .await
        .into_iter()
        .map(|one| (one.job.subject.as_number(), one.job.kind.to_string()))
        .collect();
    jobs.sort();
    let notice = |id: telemed_core::id::AppointmentId| {
        (Some(id.get()), JobKind::AppointmentNotice.to_string())
    };
    let reminder = |id: telemed_core::id::AppointmentId| {
        (Some(id.get()), JobKind::AppointmentReminder.to_string())
    };
    let mut expected = [
        notice(booked[0].id),
        notice(booked[1].id),
        reminder(booked[2].id),
        reminder(elsewhere.id),
    ];
    expected.sort();
    assert_eq!(jobs, expected);
}

async fn a_blocked_slot_cannot_be_booked(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let patient = world.patient().await;
    let mut slots = Vec::new();
    for start in [60, 90, 120, 150] {
        slots.push(world.slot(doctor, clinic, start, 2).await);
    }
    let his = world.slot(colleague, clinic, 100, 1).await;
    let before: Vec<_> = world.dump().await.slots;
    world.block(doctor, 100, 121).await;
    // The slots stay as they are; they are not listed and cannot be booked.
    assert_eq!(world.dump().await.slots, before);
    let open = world
        .storage
        .open_slot_page(&SlotFilter::default(), NOW, PageRequest::default())
        .await
        .unwrap();
    let ids: Vec<SlotId> = open.items.iter().map(|slot| slot.id).collect();
    assert_eq!((ids, open.total), (vec![slots[0], his, slots[3]], 3));
    for slot in &slots[1..3] {
        let booking = world.outcome(*slot, patient);
        assert_eq!(world.unchanged(booking).await, BookOutcome::OnLeave);
    }
    for slot in [slots[0], slots[3]] {
        world.book(slot, patient).await;
    }
    // Times may be blocked twice.
    world.block(doctor, 90, 150).await;
    let booking = world.outcome(slots[2], patient);
    assert_eq!(world.unchanged(booking).await, BookOutcome::OnLeave);
    let visitor = world.patient().await;
    world.book(his, visitor).await;
}

async fn parallel_bookings_and_blocks_leave_no_booking_in_a_block(world: Arc<World>) {
    let clinic = world.clinic().await;
    let patients = world.patients(32).await;
    for round in 0..6 {
        let doctor = world.doctor(clinic).await;
        let start = 24 * 60 * round + 60;
        let slot = world.slot(doctor, clinic, start, 100).await;
        // Half of them book, half of them block: some with leave to cancel what they have seen.
        let answers = together(64, |caller| {
            let world = Arc::clone(&world);
            let patient = patients[caller / 2];
            async move {
                if caller % 2 == 0 {
                    let outcome = world.outcome(slot, patient).await;
                    let is_away = outcome == BookOutcome::OnLeave;
                    assert!(is_away || matches!(outcome, BookOutcome::Booked(_)));
                    return 0;
                }
                let details = world.block_details(doctor, start + 10, start + 20);
                let (from, until) = (details.starts_at, details.ends_at);
                let cancel = if caller % 4 == 1 {
                    let live = world.storage.live_bookings(doctor, from, until).await;
                    let live = live.unwrap();
                    live.iter().map(|one| world.cancel_for_block(one)).collect()
                } else {
                    vec![]
                };
                match world.try_block(&details, &cancel).await {
                    BlockOutcome::Blocked { cancelled, .. } => cancelled,
                    BlockOutcome::HasBookings(ids) => {
                        assert!(!ids.is_empty());
                        0
                    }
                    other => panic!("{other:?}"),
                }
            }
        })
        .await;
        let dump = world.dump().await;
        invariants::check(&dump);
        let cancelled = dump
            .appointments
            .iter()
            .filter(|one| one.slot == slot && one.status == AppointmentStatus::Cancelled);
        let counted: u32 = answers.iter().sum();
        assert_eq!(cancelled.count(), counted as usize);
        let is_blocked = dump.blocks.iter().any(|one| one.details.doctor == doctor);
        let taken = world.slot_now(slot).await.booked_count;
        assert!(taken == 0 || !is_blocked, "{taken} seats in a blocked time");
    }
}

async fn an_unblocked_slot_can_be_booked(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let patient = world.patient().await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let one = world.block(doctor, 60, 90).await;
    let two = world.block(doctor, 0, 600).await;
    // Not another doctor's, and not one that is not there.
    let missing = BlockId::from_row(two.id.get() + 1);
    for (doctor, block) in [(colleague, one.id), (doctor, missing)] {
        assert!(!world.unchanged(unblock(&world, doctor, block)).await);
    }
    assert!(unblock(&world, doctor, one.id).await);
    assert_eq!(world.storage.block_by_id(one.id).await.unwrap(), None);
    assert!(!world.unchanged(unblock(&world, doctor, one.id)).await);
    // The other one covers it still.
    assert_eq!(world.outcome(slot, patient).await, BookOutcome::OnLeave);
    assert!(unblock(&world, doctor, two.id).await);
    world.book(slot, patient).await;
    // A number is not given twice.
    let three = world.block(doctor, 100, 110).await;
    assert!(three.id > two.id);
    // Of many who free it one does.
    let answers = together(16, |_| {
        let world = Arc::clone(&world);
        async move { unblock(&world, doctor, three.id).await }
    })
    .await;
    assert_eq!(answers.iter().filter(|freed| **freed).count(), 1);
}

async fn blocked_times_are_listed_by_start(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let mut blocks = Vec::new();
    for (from, until) in [(300, 330), (60, 90), (60, 600), (90, 120)] {
        blocks.push(world.block(doctor, from, until).await);
    }
    let his = world.block(colleague, 60, 90).await;
    let silent = BlockDetails {
        reason: None,
        ..world.block_details(colleague, 700, 710)
    };
    let outcome = world.try_block(&silent, &[]).await;
    let BlockOutcome::Blocked { block, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(block.details, silent);
    for block in blocks.iter().chain([&his, &block]) {
        let stored = world.storage.block_by_id(block.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(block));
    }
    let unknown = BlockId::from_row(9999);
    assert_eq!(world.storage.block_by_id(unknown).await.unwrap(), None);
    let of = |places: &[usize]| -> Vec<_> {
        places.iter().map(|place| blocks[*place].clone()).collect()
    };
    let read = |from, until| world.storage.blocks_of_doctor(doctor, from, until);
    for (from, until, expected) in [
        (0, 1000, of(&[1, 2, 3, 0])),
        (90, 1000, of(&[2, 3, 0])),
        (89, 90, of(&[1, 2])),
        (0, 60, of(&[])),
        (0, 61, of(&[1, 2])),
        (330, 331, of(&[2])),
        (600, 1000, of(&[])),
    ] {
        assert_eq!(read(at(from), at(until)).await.unwrap(), expected, "{from}");
    }
    let end_of_time = Timestamp::from_micros(i64::MAX);
    assert_eq!(read(at(300), end_of_time).await.unwrap(), of(&[2, 0]));
    let nobody = world
        .storage
        .blocks_of_doctor(user_id(9999), at(0), end_of_time);
    assert_eq!(nobody.await.unwrap(), []);
    // At most five hundred, the first of them.
    for place in 0..505 {
        world.block(colleague, 5000 - place, 5001).await;
    }
    let many = world
        .storage
        .blocks_of_doctor(colleague, at(4000), at(6000));
    let many = many.await.unwrap();
    assert_eq!(many.len(), 500);
    assert_eq!(many[0].details.starts_at, at(4496));
    assert_eq!(many[499].details.starts_at, at(4995));
}

async fn live_bookings_of_a_span_are_found(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, InProgress, NoShow, Rejected};
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let mut booked = Vec::new();
    for start in [300, 60, 90, 120, 150, 180, 210] {
        let slot = world.slot(doctor, clinic, start, 1).await;
        booked.push(world.book(slot, world.patient().await).await);
    }
    let his = world.slot(colleague, clinic, 60, 1).await;
    world.book(his, world.patient().await).await;
    for (place, path) in [
        (1, &[Confirmed][..]),
        (2, &[Confirmed, InProgress]),
        (3, &[Confirmed, Completed]),
        (4, &[Confirmed, NoShow]),
        (5, &[Rejected]),
    ] {
        world.become_status(&booked[place], path).await;
    }
    let write = world.changes(Resource::Appointment, booked[6].id.get());
    let reason = sealed("ill");
    let cancel = world.storage.cancel(&write, booked[6].id, &reason);
    cancel.await.unwrap();
    for (from, until, places) in [
        (0, 600, &[0, 1, 2][..]),
        (90, 300, &[2]),
        (89, 301, &[0, 1, 2]),
        (0, 60, &[]),
        (0, 61, &[1]),
        (119, 300, &[2]),
        (120, 300, &[]),
    ] {
        let found = world.storage.live_bookings(doctor, at(from), at(until));
        let found = found.await.unwrap();
        let ids: Vec<_> = found.iter().map(|one| one.id).collect();
        let expected: Vec<_> = places.iter().map(|place| booked[*place].id).collect();
        assert_eq!(ids, expected, "{from}");
        for one in found {
            let stored = world.storage.appointment_by_id(one.id).await.unwrap();
            assert_eq!(stored, Some(one));
        }
    }
}
