//! Cases of booking.

use std::sync::Arc;

use telemed_core::actor::ActorReference;
use telemed_core::directory::ClinicDetails;
use telemed_core::id::{ClinicId, JobId, SlotId, UserId};
use telemed_core::journal::{Audience, JobKind, Resource, Subject};
use telemed_core::scheduling::{
    AppointmentKind, AppointmentStatus, BookCommand, BookOutcome, Slot, StoredAppointment,
};
use telemed_core::store::Written;

use crate::build::{World, applied, at, minutes, sealed, user_id};
use crate::dump::open_jobs;
use crate::suite::case_list;
use crate::together;

case_list! { "scheduling":
    a_booking_is_refused_in_order,
    a_booking_takes_a_seat,
    a_slot_is_never_oversold,
    the_daily_limit_holds_in_parallel,
    a_patient_is_never_in_two_places,
}

async fn a_booking_is_refused_in_order(world: Arc<World>) {
    let clinic = world.make_clinic(&world.clinic_details("UTC")).await;
    let doctor = world.doctor_with_limit(clinic.id, 2).await;
    let colleague = world.doctor(clinic.id).await;
    let patients = world.patients(4).await;
    let [patient, other, visitor, inactive] = patients[..] else {
        panic!()
    };
    let full = world.slot(doctor, clinic.id, 60, 1).await;
    let second = world.slot(doctor, clinic.id, 120, 1).await;
    let free = world.slot(doctor, clinic.id, 180, 5).await;
    let parallel = world.slot(colleague, clinic.id, 45, 5).await;
    // Two of two for that day; `other` is at the colleague's while the first slot runs.
    world.book(full, patient).await;
    world.book(second, patient).await;
    world.book(parallel, other).await;
    world.set_active(inactive, false).await;

    let refused = |slot: SlotId, command: BookCommand, expected: BookOutcome| {
        let world = Arc::clone(&world);
        async move {
            let answer = world.unchanged(world.try_book(slot, &command)).await;
            assert_eq!(answer, Written::Applied(expected));
        }
    };
    let book = |patient| world.booking(patient);
    let by_doctor = |patient, doctor| BookCommand {
        expected_doctor: Some(doctor),
        ..world.booking(patient)
    };
    let at_clinic = |patient, clinic| BookCommand {
        expected_clinic: Some(clinic),
        ..world.booking(patient)
    };
    let nobody = user_id(9999);
    let nowhere = ClinicId::from_row(9999);

    let missing = SlotId::from_row(9999);
    refused(
        missing,
        by_doctor(nobody, nobody),
        BookOutcome::SlotNotFound,
    )
    .await;
    refused(
        full,
        by_doctor(nobody, colleague),
        BookOutcome::SlotMismatch,
    )
    .await;
    refused(full, at_clinic(nobody, nowhere), BookOutcome::SlotMismatch).await;
    // From here on the slot is out of order in every way that comes later.
    world.set_active(doctor, false).await;
    for no_patient in [nobody, colleague, user_id(0)] {
        refused(full, book(no_patient), BookOutcome::PatientNotFound).await;
    }
    refused(full, book(inactive), BookOutcome::PatientInactive).await;
    let late = world.booking_at(at(60), patient);
    refused(full, late.clone(), BookOutcome::SlotInactive).await;
    world.set_active(doctor, true).await;
    let close = |version, is_active| {
        let details = ClinicDetails {
            is_active,
            ..clinic.details.clone()
        };
        let world = Arc::clone(&world);
        async move {
            let write = world.changes(Resource::Clinic, clinic.id.get());
            world
                .storage
                .update_clinic(&write, clinic.id, version, &details)
                .await
                .unwrap();
        }
    };
    close(1, false).await;
    refused(full, late.clone(), BookOutcome::SlotInactive).await;
    close(2, true).await;
    refused(full, late, BookOutcome::SlotPast).await;
    refused(
        full,
        world.booking_at(at(61), visitor),
        BookOutcome::SlotPast,
    )
    .await;
    refused(full, book(patient), BookOutcome::AlreadyBooked).await;
    refused(full, book(other), BookOutcome::PatientOverlap).await;
    // The doctor is away for a part of the free slot.
    let block = world.block(doctor, 195, 200).await;
    refused(full, book(visitor), BookOutcome::SlotFull).await;
    refused(free, book(visitor), BookOutcome::OnLeave).await;
    let write = world.changes(Resource::BlockedTime, block.id.get());
    let freed = world.storage.unblock_time(&write, doctor, block.id).await;
    assert!(applied(freed.unwrap()));
    refused(free, book(visitor), BookOutcome::DailyLimit).await;
    // What is expected rightly is no hindrance.
    let command = BookCommand {
        expected_doctor: Some(colleague),
        expected_clinic: Some(clinic.id),
        ..world.booking(visitor)
    };
    let outcome = applied(world.try_book(parallel, &command).await);
    assert!(matches!(outcome, BookOutcome::Booked(_)));
}

async fn a_booking_takes_a_seat(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let patient = world.patient().await;
    let slot = world.slot(doctor, clinic, 26 * 60, 2).await;
    let before = world.slot_now(slot).await;
    let mut command = BookCommand {
        kind: AppointmentKind::InPerson,
        expected_doctor: Some(doctor),
        symptoms: Some(sealed("symptoms")),
        notes: Some(sealed("notes")),
        reminders: vec![
            (JobId::new(world.uuid()), minutes(24 * 60)),
            (JobId::new(world.uuid()), minutes(60)),
            // Its time has passed when the booking is made.
            (JobId::new(world.uuid()), minutes(48 * 60)),
        ],
        ..world.booking_at(at(1), patient)
    };
    let subject = command.write.audit.subject;
    command.write.actor = ActorReference::User(patient);
    command.write.audit.actor = command.write.actor;
    command.write.events.push(world.event(&[patient], subject));
    command
        .write
        .jobs
        .push(world.job(JobKind::AppointmentNotice, subject, at(1)));

    let outcome = applied(world.try_book(slot, &command).await);
    let BookOutcome::Booked(made) = outcome else {
        panic!("{outcome:?}")
    };
    let expected = StoredAppointment {
        id: made.id,
        patient,
        slot,
        facts: before.facts,
        local_day: before.local_day,
        kind: AppointmentKind::InPerson,
        status: AppointmentStatus::Pending,
        seal_id: command.seal_id,
        reason_for_visit: Some(sealed("reason")),
        symptoms: Some(sealed("symptoms")),
        notes: Some(sealed("notes")),
        status_reason: None,
        reschedule_reason: None,
        cancelled_at: None,
        created_at: at(1),
        updated_at: at(1),
    };
    assert!(made.id.get() > 0);
    assert_eq!(made, expected);
    assert_eq!(
        world.storage.appointment_by_id(made.id).await.unwrap(),
        Some(expected)
    );
    let after = Slot {
        booked_count: 1,
        updated_at: at(1),
        ..before.clone()
    };
    assert_eq!(world.slot_now(slot).await, after);

    // What is left behind is what the command says for this slot, about the new appointment.
    let write = command.write_for(&before.facts);
    let subject = Subject::number(Resource::Appointment, made.id.get());
    let dump = world.dump().await;
    let mut audit = write.audit.clone();
    audit.subject = subject;
    assert_eq!(dump.audit.last().unwrap().row, audit);
    let mut event = write.events[0].clone();
    event.subject = subject;
    assert_eq!(
        event.audience,
        [Audience::User(patient), Audience::User(doctor)]
    );
    assert_eq!(dump.events.last(), Some(&event));
    let mut jobs: Vec<_> = write
        .jobs
        .iter()
        .map(|job| (job.due_at, job.clone()))
        .collect();
    jobs.iter_mut().for_each(|(_, job)| job.subject = subject);
    jobs.sort_by_key(|(due_at, _)| *due_at);
    assert_eq!(jobs.len(), 3, "a notice and two reminders");
    let claimed = open_jobs(&*world.storage).await;
    let claimed: Vec<_> = claimed
        .into_iter()
        .map(|one| (one.job.due_at, one.job))
        .collect();
    assert_eq!(claimed, jobs);

    let silent = BookCommand {
        reason_for_visit: None,
        ..world.booking(world.patient().await)
    };
    let outcome = applied(world.try_book(slot, &silent).await);
    let BookOutcome::Booked(silent) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (silent.reason_for_visit, silent.symptoms, silent.notes),
        (None, None, None)
    );
    assert!(silent.id > made.id);
    // Several at once: the answers stand in the order of the commands.
    let slot = world.slot(doctor, clinic, 40 * 60, 2).await;
    let patients = world.patients(3).await;
    let commands = [
        patients[0],
        user_id(9999),
        patients[0],
        patients[1],
        patients[2],
    ]
    .map(|one| world.booking(one));
    let answers = world.storage.book_many(slot, &commands).await.unwrap();
    let answers: Vec<BookOutcome> = answers.into_iter().map(applied).collect();
    let [
        BookOutcome::Booked(one),
        no,
        twice,
        BookOutcome::Booked(two),
        full,
    ] = &answers[..]
    else {
        panic!("{answers:?}")
    };
    assert_eq!((one.patient, two.patient), (patients[0], patients[1]));
    assert_eq!(
        (no, twice, full),
        (
            &BookOutcome::PatientNotFound,
            &BookOutcome::AlreadyBooked,
            &BookOutcome::SlotFull
        )
    );
    assert!(world.storage.book_many(slot, &[]).await.unwrap().is_empty());
    let missing = SlotId::from_row(9999);
    let answers = world
        .storage
        .book_many(missing, &commands[..2])
        .await
        .unwrap();
    let none = Written::Applied(BookOutcome::SlotNotFound);
    assert_eq!(answers, [none.clone(), none]);
}

/// How many were booked; everybody else must have got `otherwise`.
fn booked(outcomes: &[BookOutcome], otherwise: &BookOutcome) -> usize {
    let is_booked = |one: &&BookOutcome| matches!(one, BookOutcome::Booked(_));
    for outcome in outcomes.iter().filter(|one| !is_booked(one)) {
        assert_eq!(outcome, otherwise);
    }
    outcomes.iter().filter(is_booked).count()
}

/// Books a slot from parallel tasks, each for so many patients in one call.
async fn rush(
    world: &Arc<World>,
    slot: SlotId,
    patients: &[UserId],
    in_one_call: usize,
) -> Vec<BookOutcome> {
    let parts: Vec<Vec<UserId>> = patients.chunks(in_one_call).map(<[_]>::to_vec).collect();
    let answers = together(parts.len(), |caller| {
        let (world, part) = (Arc::clone(world), parts[caller].clone());
        async move {
            let commands: Vec<_> = part.iter().map(|patient| world.booking(*patient)).collect();
            let answers = world.storage.book_many(slot, &commands).await.unwrap();
            assert_eq!(answers.len(), commands.len());
            answers.into_iter().map(applied).collect::<Vec<_>>()
        }
    })
    .await;
    answers.concat()
}

async fn a_slot_is_never_oversold(world: Arc<World>) {
    let clinic = world.clinic().await;
    let patients = world.patients(64).await;
    for (capacity, callers, in_one_call) in [
        (1, 64, 1),
        (3, 64, 1),
        (10, 64, 1),
        (10, 64, 64),
        (10, 64, 8),
        (100, 64, 4),
        (10, 3, 1),
    ] {
        let doctor = world.doctor(clinic).await;
        // Each on a day of its own, so that a patient can have a seat in every one of them.
        let number = i64::try_from(world.number()).unwrap();
        let slot = world.slot(doctor, clinic, number * 24 * 60, capacity).await;
        let outcomes = rush(&world, slot, &patients[..callers], in_one_call).await;
        let seats = usize::try_from(capacity).unwrap().min(callers);
        assert_eq!(outcomes.len(), callers);
        assert_eq!(
            booked(&outcomes, &BookOutcome::SlotFull),
            seats,
            "{capacity} seats"
        );
        assert_eq!(usize::from(world.slot_now(slot).await.booked_count), seats);
        // No seat went twice.
        let mut ids: Vec<_> = outcomes
            .iter()
            .filter_map(|one| match one {
                BookOutcome::Booked(appointment) => Some((appointment.id, appointment.patient)),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids.dedup_by_key(|(id, _)| *id);
        assert_eq!(ids.len(), seats);
    }
}

async fn the_daily_limit_holds_in_parallel(world: Arc<World>) {
    use AppointmentStatus::{Completed, Confirmed, NoShow, Rejected};
    let clinic = world.clinic().await;
    let doctor = world.doctor_with_limit(clinic, 5).await;
    let patients = world.patients(64).await;
    let mut slots = Vec::new();
    for place in 0..16 {
        slots.push(world.slot(doctor, clinic, 60 + 30 * place, 100).await);
    }
    let attempt = |slot: SlotId, patient: UserId| {
        let world = Arc::clone(&world);
        async move { world.outcome(slot, patient).await }
    };
    let outcomes = together(64, |caller| attempt(slots[caller % 15], patients[caller])).await;
    assert_eq!(booked(&outcomes, &BookOutcome::DailyLimit), 5);
    let made: Vec<StoredAppointment> = outcomes
        .into_iter()
        .filter_map(|one| match one {
            BookOutcome::Booked(appointment) => Some(appointment),
            _ => None,
        })
        .collect();
    let newcomer = world.patient().await;
    // A slot of that day that none of them was on.
    let last = slots[15];
    // What took place or was missed counts; what was declined or called off does not.
    world.become_status(&made[0], &[Confirmed, Completed]).await;
    world.become_status(&made[1], &[Confirmed, NoShow]).await;
    assert_eq!(attempt(last, newcomer).await, BookOutcome::DailyLimit);
    world.become_status(&made[2], &[Rejected]).await;
    assert!(matches!(
        attempt(last, newcomer).await,
        BookOutcome::Booked(_)
    ));
    let second = world.patient().await;
    assert_eq!(attempt(last, second).await, BookOutcome::DailyLimit);
    let write = world.changes(Resource::Appointment, made[3].id.get());
    world
        .storage
        .cancel(&write, made[3].id, &sealed("ill"))
        .await
        .unwrap();
    assert!(matches!(
        attempt(last, second).await,
        BookOutcome::Booked(_)
    ));
    let third = world.patient().await;
    assert_eq!(attempt(last, third).await, BookOutcome::DailyLimit);
    // Completed appointments count when their slot was taken back, too.
    let write = world.changes(Resource::Slot, made[0].slot.get());
    let live = world.dump().await.appointments;
    for one in live
        .iter()
        .filter(|one| one.slot == made[0].slot && one.status.is_live())
    {
        world.become_status(one, &[Confirmed, Completed]).await;
    }
    world
        .storage
        .retire_slot(&write, made[0].slot)
        .await
        .unwrap();
    assert!(!world.slot_now(made[0].slot).await.is_active);
    assert_eq!(attempt(last, third).await, BookOutcome::DailyLimit);
    // Another day and another doctor have their own.
    let next_day = world.slot(doctor, clinic, 30 * 60, 1).await;
    assert!(matches!(
        attempt(next_day, third).await,
        BookOutcome::Booked(_)
    ));
    let colleague = world.doctor_with_limit(clinic, 1).await;
    let his = world.slot(colleague, clinic, 20 * 60, 2).await;
    assert!(matches!(attempt(his, third).await, BookOutcome::Booked(_)));
    assert_eq!(attempt(his, second).await, BookOutcome::DailyLimit);
}

async fn a_patient_is_never_in_two_places(world: Arc<World>) {
    let clinic = world.clinic().await;
    let mut slots = Vec::new();
    for place in 0..16 {
        let doctor = world.doctor(clinic).await;
        // They share the minute from 89 to 90.
        slots.push(world.slot(doctor, clinic, 60 + place, 5).await);
    }
    let patient = world.patient().await;
    let attempt = |slot: SlotId| {
        let world = Arc::clone(&world);
        async move { world.outcome(slot, patient).await }
    };
    let outcomes = together(16, |caller| attempt(slots[caller])).await;
    assert_eq!(booked(&outcomes, &BookOutcome::PatientOverlap), 1);
    let taken: u16 = {
        let dump = world.dump().await;
        dump.slots.iter().map(|slot| slot.booked_count).sum()
    };
    assert_eq!(taken, 1);
    // Sixteen times the same slot is one booking, too.
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 500, 20).await;
    let outcomes = together(16, |_| attempt(slot)).await;
    assert_eq!(booked(&outcomes, &BookOutcome::AlreadyBooked), 1);
    // One that ends when the other begins does not overlap, on either side.
    let neighbour = world.doctor(clinic).await;
    for start in [470, 530] {
        let slot = world.slot(neighbour, clinic, start, 1).await;
        assert!(matches!(attempt(slot).await, BookOutcome::Booked(_)));
    }
    // What is over hinders nobody.
    let busy = world.patient().await;
    let first = world.slot(neighbour, clinic, 700, 1).await;
    let second = world.slot(doctor, clinic, 715, 1).await;
    let appointment = world.book(first, busy).await;
    assert_eq!(
        world.outcome(second, busy).await,
        BookOutcome::PatientOverlap
    );
    let over = [AppointmentStatus::Confirmed, AppointmentStatus::Completed];
    world.become_status(&appointment, &over).await;
    assert!(matches!(
        world.outcome(second, busy).await,
        BookOutcome::Booked(_)
    ));
}
