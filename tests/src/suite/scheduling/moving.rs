//! Cases of moves.

use std::sync::Arc;

use telemed_core::actor::ActorReference;
use telemed_core::id::{AppointmentId, JobId, SlotId};
use telemed_core::journal::{JobKind, JobSelector, Resource, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, BookOutcome, RescheduleCommand, RescheduleOutcome, StoredAppointment,
};
use telemed_core::store::Written;

use crate::build::{NOW, World, applied, at, hours, minutes, published, sealed, with_key};
use crate::dump::open_jobs;
use crate::suite::case_list;
use crate::{invariants, together};

case_list! { "availability":
    a_move_is_refused_in_order,
    a_move_takes_the_new_seat_and_frees_the_old,
    a_move_keeps_its_reason,
    a_move_leaves_its_own_seat_aside,
    parallel_moves_never_oversell,
}

async fn send(
    world: &World,
    appointment: AppointmentId,
    command: &RescheduleCommand,
) -> RescheduleOutcome {
    applied(
        world
            .storage
            .reschedule(appointment, command)
            .await
            .unwrap(),
    )
}

async fn a_move_is_refused_in_order(world: Arc<World>) {
    use AppointmentStatus::{Confirmed, Pending};
    let clinic = world.clinic().await;
    let doctor = world.doctor_with_limit(clinic, 3).await;
    let colleague = world.doctor(clinic).await;
    let patients = world.patients(3).await;
    let day = 24 * 60;
    // The appointment is on the first day; on the second one the doctor's limit is reached.
    let own = world.slot(doctor, clinic, 60, 2).await;
    let full = world.slot(doctor, clinic, day + 60, 1).await;
    let double = world.slot(doctor, clinic, day + 120, 2).await;
    let third = world.slot(doctor, clinic, day + 180, 2).await;
    let free = world.slot(doctor, clinic, day + 240, 2).await;
    let away = world.slot(doctor, clinic, day + 300, 2).await;
    let his = world.slot(colleague, clinic, day + 180, 2).await;
    let appointment = world.book(own, patients[0]).await;
    world.book(full, patients[1]).await;
    let twin = world.book(double, patients[0]).await;
    world.book(double, patients[2]).await;
    world.book(his, patients[0]).await;
    world.block(doctor, day + 310, day + 315).await;
    let moving = |slot: SlotId| world.moving(NOW, &appointment, slot);
    let refused = |id: AppointmentId, command: RescheduleCommand, expected: RescheduleOutcome| {
        let world = Arc::clone(&world);
        async move {
            let outcome = world.unchanged(send(&world, id, &command)).await;
            assert_eq!(outcome, expected);
        }
    };
    let by_slot = RescheduleOutcome::Refused;
    let stale = |slot| RescheduleCommand {
        from: Confirmed,
        ..moving(slot)
    };
    let missing = SlotId::from_row(9999);
    let unknown = AppointmentId::from_row(9999);
    refused(unknown, stale(missing), RescheduleOutcome::NotFound).await;
    for slot in [missing, own, his] {
        let superseded = RescheduleOutcome::Superseded(Pending);
        refused(appointment.id, stale(slot), superseded).await;
    }
    // On its slot already, whatever that slot has become.
    let mut late = moving(own);
    late.write.at = at(2 * day);
    let unchanged = RescheduleOutcome::Unchanged(appointment.clone());
    refused(appointment.id, late, unchanged).await;
    let missing = moving(missing);
    refused(appointment.id, missing, by_slot(BookOutcome::SlotNotFound)).await;
    world.set_active(patients[0], false).await;
    world.set_active(doctor, false).await;
    refused(appointment.id, moving(his), RescheduleOutcome::OtherDoctor).await;
    // From here on as a booking, in the same order.
    let mut late = moving(double);
    late.write.at = at(day + 120);
    let inactive = by_slot(BookOutcome::PatientInactive);
    refused(appointment.id, late.clone(), inactive).await;
    world.set_active(patients[0], true).await;
    let inactive = by_slot(BookOutcome::SlotInactive);
    refused(appointment.id, late.clone(), inactive).await;
    world.set_active(doctor, true).await;
    let past = by_slot(BookOutcome::SlotPast);
    refused(appointment.id, late, past).await;
    for (slot, expected) in [
        (double, BookOutcome::AlreadyBooked),
        (third, BookOutcome::PatientOverlap),
        (full, BookOutcome::SlotFull),
        (away, BookOutcome::OnLeave),
        (free, BookOutcome::DailyLimit),
    ] {
        refused(appointment.id, moving(slot), by_slot(expected)).await;
    }
    let gone = world.slot(doctor, clinic, 500, 1).await;
    let write = world.changes(Resource::Slot, gone.get());
    world.storage.retire_slot(&write, gone).await.unwrap();
    let inactive = by_slot(BookOutcome::SlotInactive);
    refused(appointment.id, moving(gone), inactive).await;
    // When a seat of that day comes free, so does the way.
    let write = world.changes(Resource::Appointment, twin.id.get());
    let reason = crate::build::sealed("ill");
    let cancel = world.storage.cancel(&write, twin.id, &reason);
    cancel.await.unwrap();
    let outcome = world.try_move(&appointment, free).await;
    assert!(matches!(outcome, RescheduleOutcome::Rescheduled(_)));
}

async fn a_move_takes_the_new_seat_and_frees_the_old(world: Arc<World>) {
    use AppointmentStatus::{Confirmed, Pending};
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let patient = world.patient().await;
    let old = world.slot(doctor, clinic, 60, 1).await;
    let new = world.slot(doctor, clinic, 50 * 60, 2).await;
    let booked = world.book(old, patient).await;
    let other = world.slot(doctor, clinic, 300, 1).await;
    let untouched = world.book(other, world.patient().await).await;

    let subject = Subject::number(Resource::Appointment, booked.id.get());
    let mut whole = world.whole();
    whole
        .jobs
        .push(world.job(JobKind::AppointmentReminder, subject, at(9)));
    world.storage.record(&whole).await.unwrap();
    let mut command = RescheduleCommand {
        reminders: [60, 24 * 60, 100 * 60]
            .map(|span| (JobId::new(world.uuid()), minutes(span)))
            .into(),
        ..world.moving(at(7), &booked, new)
    };
    command.write.actor = ActorReference::User(patient);
    command.write.audit.actor = command.write.actor;
    command.write.events.push(world.event(&[patient], subject));
    command.write.drop_jobs.push(JobSelector {
        kind: JobKind::AppointmentReminder,
        subject,
    });
    let to = world.slot_now(new).await;
    let expected = StoredAppointment {
        slot: new,
        facts: to.facts,
        local_day: to.local_day,
        updated_at: at(7),
        ..booked.clone()
    };
    let outcome = send(&world, booked.id, &command).await;
    assert_eq!(outcome, RescheduleOutcome::Rescheduled(expected.clone()));
    let stored = world.storage.appointment_by_id(booked.id).await.unwrap();
    assert_eq!(stored, Some(expected.clone()));
    for (slot, count) in [(old, 0), (new, 1)] {
        let slot = world.slot_now(slot).await;
        assert_eq!((slot.booked_count, slot.updated_at), (count, at(7)));
    }
    let stored = world.storage.appointment_by_id(untouched.id).await.unwrap();
    assert_eq!(stored, Some(untouched));
    // What is left behind is what the command says for the new slot.
    let write = command.write_for(&booked, &to.facts, false);
    assert_eq!(write.jobs.len(), 2, "one of three would be too late");
    let dump = world.dump().await;
    invariants::check(&dump);
    assert_eq!(dump.audit.last().unwrap().row, write.audit);
    assert_eq!(dump.events.last(), write.events.first());
    let jobs = open_jobs(&*world.storage).await;
    let mut jobs: Vec<_> = jobs.into_iter().map(|one| one.job).collect();
    jobs.sort_by_key(|job| job.id);
    assert_eq!(jobs, write.jobs);

    // The old seat is sold again; the new one is given back when it is cancelled.
    world.book(old, world.patient().await).await;
    // What the doctor has confirmed needs his word again, unless the one who moves it is he.
    world.become_status(&expected, &[Confirmed]).await;
    let confirmed = StoredAppointment {
        status: Confirmed,
        ..expected
    };
    let mut now = confirmed;
    let mut target = 400;
    let mut step = |now: StoredAppointment, confirm_again| {
        let world = Arc::clone(&world);
        target += 30;
        async move {
            let slot = world.slot(doctor, clinic, target, 1).await;
            let mut command = RescheduleCommand {
                confirm_again,
                ..world.moving(NOW, &now, slot)
            };
            let before = now.status.as_str();
            command
                .write
                .audit
                .data
                .insert("status".into(), before.into());
            let RescheduleOutcome::Rescheduled(moved) = send(&world, now.id, &command).await else {
                panic!("the move is possible");
            };
            // What is told is the state after the move, which only the store knows.
            let dump = world.dump().await;
            let told = &dump.audit.last().unwrap().row.data["status"];
            assert_eq!(told, moved.status.as_str());
            moved
        }
    };
    now = step(now, false).await;
    assert_eq!(now.status, Confirmed);
    now = step(now, true).await;
    assert_eq!(now.status, Pending);
    now = step(now, true).await;
    assert_eq!(now.status, Pending);
    // With hours that confirm by themselves, it stays confirmed; what waits goes on waiting.
    let publication = world.publication(doctor, clinic, 1, &[]);
    let outcome = world
        .try_set_hours(doctor, None, &hours(1, true), &publication)
        .await;
    assert_eq!(published(&outcome), (0, 0));
    now = step(now, true).await;
    assert_eq!(now.status, Pending);
    world.become_status(&now, &[Confirmed]).await;
    now.status = Confirmed;
    now = step(now, true).await;
    assert_eq!(now.status, Confirmed);
    invariants::check(&world.dump().await);

    // A key comes before every refusal, and names the appointment.
    let slot = world.slot(doctor, clinic, 1000, 1).await;
    let keyed = |request: u8, slot| {
        let mut command = world.moving(NOW, &now, slot);
        command.write = with_key(command.write, "key", request);
        command
    };
    let outcome = send(&world, now.id, &keyed(1, slot)).await;
    assert!(matches!(outcome, RescheduleOutcome::Rescheduled(_)));
    for (id, slot) in [
        (now.id, slot),
        (now.id, SlotId::from_row(9999)),
        (AppointmentId::from_row(9999), slot),
    ] {
        let command = keyed(1, slot);
        let again = world.storage.reschedule(id, &command);
        let answer = world.unchanged(again).await.unwrap();
        assert_eq!(answer, Written::Replayed(subject));
        let command = keyed(2, slot);
        let other = world.storage.reschedule(id, &command);
        let answer = world.unchanged(other).await.unwrap();
        assert_eq!(answer, Written::KeyMismatch);
    }
}

async fn a_move_keeps_its_reason(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let mut now = world.book(slot, world.patient().await).await;
    assert_eq!(now.reschedule_reason, None);
    for (start, reason) in [(100, Some("ill")), (200, Some("busy")), (300, None)] {
        let slot = world.slot(doctor, clinic, start, 1).await;
        let command = RescheduleCommand {
            reason: reason.map(sealed),
            ..world.moving(at(5), &now, slot)
        };
        let outcome = send(&world, now.id, &command).await;
        let RescheduleOutcome::Rescheduled(moved) = outcome else {
            panic!("the move is possible")
        };
        assert_eq!(moved.reschedule_reason, reason.map(sealed));
        let stored = world.storage.appointment_by_id(now.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(&moved));
        now = moved;
    }
    // The reason of a cancellation is another one.
    let slot = world.slot(doctor, clinic, 400, 1).await;
    let command = RescheduleCommand {
        reason: Some(sealed("away")),
        ..world.moving(at(6), &now, slot)
    };
    send(&world, now.id, &command).await;
    let write = world.changes(Resource::Appointment, now.id.get());
    let reason = sealed("ill");
    let cancel = world.storage.cancel(&write, now.id, &reason);
    cancel.await.unwrap();
    let stored = world.storage.appointment_by_id(now.id).await.unwrap();
    let stored = stored.unwrap();
    assert_eq!(stored.status_reason, Some(reason));
    assert_eq!(stored.reschedule_reason, Some(sealed("away")));
}

async fn a_move_leaves_its_own_seat_aside(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor_with_limit(clinic, 1).await;
    let patient = world.patient().await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let booked = world.book(slot, patient).await;
    let next = world.slot(doctor, clinic, 90, 1).await;
    // On the same day it does not count twice for the limit.
    let visitor = world.patient().await;
    assert_eq!(world.outcome(next, visitor).await, BookOutcome::DailyLimit);
    let outcome = world.try_move(&booked, next).await;
    let RescheduleOutcome::Rescheduled(moved) = outcome else {
        panic!("{outcome:?}")
    };
    // Back again: its old seat is free, and its old self no booking of the patient.
    let outcome = world.try_move(&moved, slot).await;
    let RescheduleOutcome::Rescheduled(moved) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(world.outcome(next, visitor).await, BookOutcome::DailyLimit);
    let away = world.slot(doctor, clinic, 24 * 60 + 60, 1).await;
    let outcome = world.try_move(&moved, away).await;
    let RescheduleOutcome::Rescheduled(moved) = outcome else {
        panic!("{outcome:?}")
    };
    // Its day is its own now; the first one is free for somebody else.
    world.book(slot, visitor).await;
    let back = world.try_move(&moved, slot).await;
    let full = RescheduleOutcome::Refused(BookOutcome::SlotFull);
    assert_eq!(back, full);
    // An appointment of the patient's elsewhere is no part of what is left aside.
    let colleague = world.doctor(clinic).await;
    let his = world.slot(colleague, clinic, 48 * 60, 1).await;
    world.book(his, patient).await;
    let at_once = world.slot(doctor, clinic, 48 * 60 + 15, 1).await;
    let outcome = world.unchanged(world.try_move(&moved, at_once)).await;
    let overlap = RescheduleOutcome::Refused(BookOutcome::PatientOverlap);
    assert_eq!(outcome, overlap);
}

async fn parallel_moves_never_oversell(world: Arc<World>) {
    let clinic = world.clinic().await;
    let patients = world.patients(64).await;
    for seats in [1, 5] {
        let doctor = world.doctor(clinic).await;
        let number = i64::try_from(world.number()).unwrap();
        let day = number * 24 * 60;
        let crowd = world.slot(doctor, clinic, day, 100).await;
        let target = world.slot(doctor, clinic, day + 60, seats).await;
        let mut booked = Vec::new();
        for patient in &patients {
            booked.push(world.book(crowd, *patient).await);
        }
        // 64 appointments for so many seats.
        let answers = together(64, |caller| {
            let (world, booked) = (Arc::clone(&world), booked[caller].clone());
            async move { world.try_move(&booked, target).await }
        })
        .await;
        let seats = u16::try_from(seats).unwrap();
        let moved = |one: &&RescheduleOutcome| matches!(one, RescheduleOutcome::Rescheduled(_));
        let full = RescheduleOutcome::Refused(BookOutcome::SlotFull);
        for answer in answers.iter().filter(|one| !moved(one)) {
            assert_eq!(*answer, full);
        }
        assert_eq!(answers.iter().filter(moved).count(), usize::from(seats));
        assert_eq!(world.slot_now(target).await.booked_count, seats);
        assert_eq!(world.slot_now(crowd).await.booked_count, 64 - seats);
    }
    // One appointment and 64 ways to go: it has one seat in the end, whoever comes last.
    let doctor = world.doctor(clinic).await;
    let mut slots = Vec::new();
    for place in 0..16 {
        slots.push(world.slot(doctor, clinic, 60 + 30 * place, 1).await);
    }
    let booked = world.book(slots[0], world.patient().await).await;
    together(64, |caller| {
        let (world, booked, slot) = (Arc::clone(&world), booked.clone(), slots[caller % 16]);
        async move {
            let outcome = world.try_move(&booked, slot).await;
            let is_expected = matches!(
                outcome,
                RescheduleOutcome::Rescheduled(_) | RescheduleOutcome::Unchanged(_)
            );
            assert!(is_expected, "{outcome:?}");
        }
    })
    .await;
    let mut taken = 0;
    for slot in &slots {
        taken += world.slot_now(*slot).await.booked_count;
    }
    assert_eq!(taken, 1);
    // Moves and bookings of the same seats, at the limit of a day.
    let doctor = world.doctor_with_limit(clinic, 10).await;
    let (one, two) = (
        world.slot(doctor, clinic, 600, 20).await,
        world.slot(doctor, clinic, 24 * 60 + 600, 20).await,
    );
    let mut movers = Vec::new();
    for patient in &patients[..10] {
        movers.push(world.book(one, *patient).await);
    }
    together(64, |caller| {
        let (world, patient) = (Arc::clone(&world), patients[caller]);
        let mover = movers.get(caller).cloned();
        async move {
            match mover {
                Some(mover) => drop(world.try_move(&mover, two).await),
                None => drop(world.outcome(two, patient).await),
            }
        }
    })
    .await;
    assert_eq!(world.slot_now(two).await.booked_count, 10);
    invariants::check(&world.dump().await);
}
