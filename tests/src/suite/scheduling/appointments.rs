//! Cases of appointments after they were booked.

use std::sync::Arc;

use telemed_core::id::{AppointmentId, SlotId};
use telemed_core::journal::{JobEnd, JobKind, JobSelector, Resource, Retention, Subject};
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentStatus, BookOutcome, CancelOutcome, ChangeStatus,
    ChangeStatusOutcome, StoredAppointment,
};

use crate::build::{World, applied, at, page, sealed, user_id};
use crate::dump::open_jobs;
use crate::suite::case_list;
use crate::suite::journal::nothing;
use crate::together;

case_list! { "scheduling":
    a_cancel_frees_one_seat,
    a_cancelled_seat_is_sold_again,
    a_cancel_drops_the_jobs,
    a_status_changes_from_the_expected_one,
    a_rejection_frees_the_seat,
    an_unknown_appointment_is_none,
    appointments_are_listed_newest_first,
    a_care_relation_follows_from_an_appointment,
}

/// A slot of a listed doctor with so many seats.
async fn slot_with(world: &World, start: i64, seats: i64) -> SlotId {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    world.slot(doctor, clinic, start, seats).await
}

async fn cancel(world: &World, appointment: AppointmentId) -> CancelOutcome {
    let write = world.write_at(
        at(5),
        Subject::number(Resource::Appointment, appointment.get()),
    );
    applied(
        world
            .storage
            .cancel(&write, appointment, &sealed("ill"))
            .await
            .unwrap(),
    )
}

async fn change(
    world: &World,
    appointment: AppointmentId,
    from: AppointmentStatus,
    to: AppointmentStatus,
    reason: Option<&str>,
) -> ChangeStatusOutcome {
    let write = world.write_at(
        at(6),
        Subject::number(Resource::Appointment, appointment.get()),
    );
    let change = ChangeStatus {
        from,
        to,
        reason: reason.map(sealed),
    };
    applied(
        world
            .storage
            .change_status(&write, appointment, &change)
            .await
            .unwrap(),
    )
}

async fn a_cancel_frees_one_seat(world: Arc<World>) {
    use AppointmentStatus::{Cancelled, Completed, Confirmed, NoShow, Rejected};
    let slot = slot_with(&world, 60, 5).await;
    let mut booked = Vec::new();
    for patient in world.patients(5).await {
        booked.push(world.book(slot, patient).await);
    }
    world.become_status(&booked[1], &[Confirmed]).await;
    for (place, appointment) in booked[..2].iter().enumerate() {
        let id = appointment.id;
        let before = world.storage.appointment_by_id(id).await.unwrap().unwrap();
        let answers = together(16, |_| {
            let world = Arc::clone(&world);
            async move { cancel(&world, id).await }
        })
        .await;
        let expected = StoredAppointment {
            status: Cancelled,
            status_reason: Some(sealed("ill")),
            cancelled_at: Some(at(5)),
            updated_at: at(5),
            ..before
        };
        let illegal = CancelOutcome::Illegal(Cancelled);
        assert_eq!(answers.iter().filter(|one| **one == illegal).count(), 15);
        assert!(answers.contains(&CancelOutcome::Cancelled(expected.clone())));
        assert_eq!(
            world.storage.appointment_by_id(id).await.unwrap(),
            Some(expected)
        );
        let after = world.slot_now(slot).await;
        assert_eq!(usize::from(after.booked_count), 4 - place);
        assert_eq!(after.updated_at, at(5));
    }
    // What is final, or over, is not called off.
    world.become_status(&booked[2], &[Rejected]).await;
    world
        .become_status(&booked[3], &[Confirmed, Completed])
        .await;
    world.become_status(&booked[4], &[Confirmed, NoShow]).await;
    for (appointment, status) in [(2, Rejected), (3, Completed), (4, NoShow)] {
        let outcome = world
            .unchanged(cancel(&world, booked[appointment].id))
            .await;
        assert_eq!(outcome, CancelOutcome::Illegal(status));
    }
    let started = world.book(slot, world.patient().await).await;
    world
        .become_status(&started, &[Confirmed, AppointmentStatus::InProgress])
        .await;
    let outcome = world.unchanged(cancel(&world, started.id)).await;
    assert_eq!(
        outcome,
        CancelOutcome::Illegal(AppointmentStatus::InProgress)
    );
    let unknown = AppointmentId::from_row(9999);
    assert_eq!(
        world.unchanged(cancel(&world, unknown)).await,
        CancelOutcome::NotFound
    );
    assert_eq!(world.slot_now(slot).await.booked_count, 3);
}

async fn a_cancelled_seat_is_sold_again(world: Arc<World>) {
    let slot = slot_with(&world, 60, 1).await;
    let patient = world.patient().await;
    let other = world.patient().await;
    let mut last: Option<StoredAppointment> = None;
    for buyer in [patient, patient, other, patient] {
        let appointment = world.book(slot, buyer).await;
        assert_eq!(appointment.status, AppointmentStatus::Pending);
        assert!(
            last.is_none_or(|last| last.id < appointment.id),
            "another appointment"
        );
        assert_eq!(world.slot_now(slot).await.booked_count, 1);
        let rival = if buyer == patient { other } else { patient };
        assert_eq!(world.outcome(slot, rival).await, BookOutcome::SlotFull);
        assert!(matches!(
            cancel(&world, appointment.id).await,
            CancelOutcome::Cancelled(_)
        ));
        assert_eq!(world.slot_now(slot).await.booked_count, 0);
        last = Some(appointment);
    }
    assert_eq!(world.dump().await.appointments.len(), 4);
    // Cancels and bookings in parallel: the seat is never taken twice.
    let first = world.book(slot, patient).await;
    let patients = world.patients(16).await;
    together(17, |caller| {
        let (world, id) = (Arc::clone(&world), first.id);
        let buyer = patients.get(caller).copied();
        async move {
            match buyer {
                Some(buyer) => drop(world.outcome(slot, buyer).await),
                None => drop(cancel(&world, id).await),
            }
        }
    })
    .await;
    let live = world
        .dump()
        .await
        .appointments
        .iter()
        .filter(|one| one.status.is_live())
        .count();
    assert_eq!(usize::from(world.slot_now(slot).await.booked_count), live);
    assert!(live <= 1);
}

async fn a_cancel_drops_the_jobs(world: Arc<World>) {
    let slot = slot_with(&world, 60, 3).await;
    let mut booked = Vec::new();
    for patient in world.patients(3).await {
        let mut command = world.booking(patient);
        let subject = command.write.audit.subject;
        for (kind, due) in [
            (JobKind::AppointmentReminder, 10),
            (JobKind::AppointmentReminder, 20),
            (JobKind::AppointmentNotice, 30),
        ] {
            let job = world.job(kind, subject, at(due));
            command.write.jobs.push(job);
        }
        let outcome = applied(world.try_book(slot, &command).await);
        let BookOutcome::Booked(appointment) = outcome else {
            panic!("{outcome:?}")
        };
        booked.push(appointment);
    }
    let subject = |place: usize| Subject::number(Resource::Appointment, booked[place].id.get());
    let dropping = |place: usize| {
        let mut write = world.write_at(at(5), subject(place));
        let (kind, subject) = (JobKind::AppointmentReminder, subject(place));
        write.drop_jobs.push(JobSelector { kind, subject });
        // It is dropped before this one is added, not with it.
        write.jobs.push(world.job(kind, subject, at(40)));
        write
    };
    // One of the first's reminders is being run: it goes, too. One of the second's was given up:
    // it is not open and stays.
    let claimed = world.storage.claim_jobs(at(10), at(11), 2).await.unwrap();
    assert_eq!(claimed[0].job.subject, subject(0));
    assert_eq!(claimed[1].job.subject, subject(1));
    let given_up = world
        .storage
        .finish_job(claimed[1].job.id, at(11), JobEnd::Dead);
    assert!(given_up.await.unwrap());
    let outcome = world
        .storage
        .cancel(&dropping(0), booked[0].id, &sealed("ill"))
        .await
        .unwrap();
    assert!(matches!(applied(outcome), CancelOutcome::Cancelled(_)));
    // A refusal drops nothing.
    let (write, reason) = (dropping(0), sealed("ill"));
    let again = world.storage.cancel(&write, booked[0].id, &reason);
    assert!(matches!(
        applied(world.unchanged(again).await.unwrap()),
        CancelOutcome::Illegal(_)
    ));
    // Other changes of status drop what they select as well.
    let reject = ChangeStatus {
        from: AppointmentStatus::Pending,
        to: AppointmentStatus::Rejected,
        reason: None,
    };
    world
        .storage
        .change_status(&dropping(1), booked[1].id, &reject)
        .await
        .unwrap();

    let dead = Retention {
        dead_jobs_before: at(11),
        ..nothing()
    };
    assert_eq!(world.storage.purge(&dead).await.unwrap(), 1);
    let mut left: Vec<_> = open_jobs(&*world.storage)
        .await
        .into_iter()
        .map(|one| (one.job.subject.as_number(), one.job.kind, one.job.due_at))
        .collect();
    left.sort_unstable();
    let number = |place: usize| Some(booked[place].id.get());
    let (notice, reminder) = (JobKind::AppointmentNotice, JobKind::AppointmentReminder);
    let expected = [
        (number(0), notice, at(30)),
        (number(0), reminder, at(40)),
        (number(1), notice, at(30)),
        (number(1), reminder, at(40)),
        (number(2), notice, at(30)),
        (number(2), reminder, at(10)),
        (number(2), reminder, at(20)),
    ];
    assert_eq!(left, expected);
}

async fn a_status_changes_from_the_expected_one(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, InProgress, NoShow, Pending, Rejected};
    let slot = slot_with(&world, 60, 5).await;
    let booked = world.book(slot, world.patient().await).await;
    let unknown = AppointmentId::from_row(9999);
    let outcome = world
        .unchanged(change(&world, unknown, Pending, Confirmed, None))
        .await;
    assert_eq!(outcome, ChangeStatusOutcome::NotFound);
    for from in [Confirmed, Completed, InProgress, Rejected] {
        let outcome = world
            .unchanged(change(&world, booked.id, from, NoShow, None))
            .await;
        assert_eq!(outcome, ChangeStatusOutcome::Superseded(Pending));
    }
    let before = world.slot_now(slot).await;
    let mut expected = booked.clone();
    for to in [Confirmed, InProgress, Completed, NoShow, Completed] {
        let from = expected.status;
        expected = StoredAppointment {
            status: to,
            updated_at: at(6),
            ..expected
        };
        let outcome = change(&world, booked.id, from, to, None).await;
        assert_eq!(outcome, ChangeStatusOutcome::Changed(expected.clone()));
        let stored = world.storage.appointment_by_id(booked.id).await.unwrap();
        assert_eq!(stored, Some(expected.clone()));
        assert_eq!(
            world.slot_now(slot).await.booked_count,
            before.booked_count,
            "{to}"
        );
    }
    // Of words spoken at once the first counts.
    let second = world.book(slot, world.patient().await).await.id;
    let answers = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let to = if caller % 2 == 0 { Confirmed } else { Rejected };
            change(&world, second, Pending, to, None).await
        }
    })
    .await;
    let status = world
        .storage
        .appointment_by_id(second)
        .await
        .unwrap()
        .unwrap()
        .status;
    let late = ChangeStatusOutcome::Superseded(status);
    assert_eq!(answers.iter().filter(|one| **one == late).count(), 15);
}

async fn a_rejection_frees_the_seat(world: Arc<World>) {
    use AppointmentStatus::{Pending, Rejected};
    let slot = slot_with(&world, 60, 1).await;
    let booked = world.book(slot, world.patient().await).await;
    let expected = StoredAppointment {
        status: Rejected,
        status_reason: Some(sealed("away")),
        updated_at: at(6),
        ..booked.clone()
    };
    let outcome = change(&world, booked.id, Pending, Rejected, Some("away")).await;
    assert_eq!(outcome, ChangeStatusOutcome::Changed(expected.clone()));
    let stored = world.storage.appointment_by_id(booked.id).await.unwrap();
    assert_eq!(stored, Some(expected));
    let slot_after = world.slot_now(slot).await;
    assert_eq!((slot_after.booked_count, slot_after.updated_at), (0, at(6)));
    // A second one frees nothing more, and the seat is sold again, to the same patient too.
    let outcome = world
        .unchanged(change(&world, booked.id, Pending, Rejected, None))
        .await;
    assert_eq!(outcome, ChangeStatusOutcome::Superseded(Rejected));
    world.book(slot, booked.patient).await;
    assert_eq!(world.slot_now(slot).await.booked_count, 1);
}

async fn an_unknown_appointment_is_none(world: Arc<World>) {
    let slot = slot_with(&world, 60, 1).await;
    let booked = world.book(slot, world.patient().await).await;
    for number in [0, -1, booked.id.get() + 1, i64::MAX] {
        let id = AppointmentId::from_row(number);
        assert_eq!(world.storage.appointment_by_id(id).await.unwrap(), None);
    }
}

async fn appointments_are_listed_newest_first(world: Arc<World>) {
    use AppointmentStatus::{Cancelled, Confirmed, Pending};
    let clinic = world.clinic().await;
    let doctors = [world.doctor(clinic).await, world.doctor(clinic).await];
    let patients = world.patients(3).await;
    let mut booked = Vec::new();
    // The start and the time of the booking are no part of the order.
    for (doctor, patient, start, minute) in [
        (0, 0, 300, 5),
        (1, 0, 200, 3),
        (0, 1, 100, 4),
        (1, 1, 400, 1),
        (0, 0, 500, 2),
    ] {
        let slot = world.slot(doctors[doctor], clinic, start, 1).await;
        let command = world.booking_at(at(minute), patients[patient]);
        let outcome = applied(world.try_book(slot, &command).await);
        let BookOutcome::Booked(appointment) = outcome else {
            panic!("{outcome:?}")
        };
        booked.push(appointment);
    }
    world.become_status(&booked[0], &[Confirmed]).await;
    cancel(&world, booked[3].id).await;
    let all = AppointmentFilter::default();
    let ids = |places: &[usize]| places.iter().map(|at| booked[*at].id).collect::<Vec<_>>();
    let listed = |filter: AppointmentFilter, skip, limit| {
        let world = Arc::clone(&world);
        async move {
            let found = world
                .storage
                .appointment_page(&filter, page(skip, limit))
                .await
                .unwrap();
            let rows = found.items.iter().map(|one| &one.appointment);
            for one in rows.clone() {
                let stored = world.storage.appointment_by_id(one.id).await.unwrap();
                assert_eq!(stored.as_ref(), Some(one));
            }
            (rows.map(|one| one.id).collect::<Vec<_>>(), found.total)
        }
    };
    let of = |patient: usize| AppointmentFilter {
        patient: Some(patients[patient]),
        ..all
    };
    let by = |doctor: usize| AppointmentFilter {
        doctor: Some(doctors[doctor]),
        ..all
    };
    for (filter, expected) in [
        (all, ids(&[4, 3, 2, 1, 0])),
        (of(0), ids(&[4, 1, 0])),
        (of(1), ids(&[3, 2])),
        (of(2), ids(&[])),
        (by(0), ids(&[4, 2, 0])),
        (by(1), ids(&[3, 1])),
        (
            AppointmentFilter {
                status: Some(Pending),
                ..all
            },
            ids(&[4, 2, 1]),
        ),
        (
            AppointmentFilter {
                status: Some(Cancelled),
                ..all
            },
            ids(&[3]),
        ),
        (
            AppointmentFilter {
                status: Some(Confirmed),
                ..of(0)
            },
            ids(&[0]),
        ),
        (
            AppointmentFilter {
                status: Some(Pending),
                ..by(0)
            },
            ids(&[4, 2]),
        ),
        (
            AppointmentFilter {
                doctor: Some(doctors[1]),
                ..of(0)
            },
            ids(&[1]),
        ),
        (
            AppointmentFilter {
                doctor: Some(doctors[1]),
                status: Some(Pending),
                ..of(0)
            },
            ids(&[1]),
        ),
        (
            AppointmentFilter {
                patient: Some(user_id(9999)),
                ..all
            },
            ids(&[]),
        ),
    ] {
        let total = expected.len() as u64;
        assert_eq!(
            listed(filter, 0, 100).await,
            (expected, total),
            "{filter:?}"
        );
    }
    assert_eq!(listed(all, 1, 2).await, (ids(&[3, 2]), 5));
    assert_eq!(listed(of(0), 2, 2).await, (ids(&[0]), 3));
    assert_eq!(listed(of(0), 3, 2).await, (ids(&[]), 3));
}

async fn a_care_relation_follows_from_an_appointment(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, NoShow, Rejected};
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let other = world.doctor(clinic).await;
    let patient = world.patient().await;
    let stranger = world.patient().await;
    let relates = |doctor, patient, ended_after| {
        let world = Arc::clone(&world);
        async move {
            world
                .storage
                .care_relation(doctor, patient, at(ended_after))
                .await
                .unwrap()
        }
    };
    let always = -1_000_000;
    assert!(!relates(doctor, patient, always).await);
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let booked = world.book(slot, patient).await;
    // It ends at minute 90.
    for (ended_after, expected) in [
        (always, true),
        (0, true),
        (89, true),
        (90, false),
        (91, false),
    ] {
        assert_eq!(relates(doctor, patient, ended_after).await, expected);
    }
    assert!(!relates(other, patient, always).await);
    assert!(!relates(doctor, stranger, always).await);
    assert!(!relates(patient, doctor, always).await);
    for path in [&[Confirmed][..], &[Completed], &[NoShow]] {
        let now = world
            .storage
            .appointment_by_id(booked.id)
            .await
            .unwrap()
            .unwrap();
        world.become_status(&now, path).await;
        assert!(relates(doctor, patient, 89).await, "{path:?}");
    }
    // What was declined or called off founds nothing.
    let slot = world.slot(other, clinic, 200, 1).await;
    let declined = world.book(slot, stranger).await;
    assert!(relates(other, stranger, always).await);
    world.become_status(&declined, &[Rejected]).await;
    assert!(!relates(other, stranger, always).await);
    let called_off = world.book(slot, stranger).await;
    assert!(relates(other, stranger, always).await);
    cancel(&world, called_off.id).await;
    assert!(!relates(other, stranger, always).await);
    // One of several is enough.
    world.book(slot, stranger).await;
    assert!(relates(other, stranger, always).await);
}
