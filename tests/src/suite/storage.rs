//! Cases of what all storage traits have in common.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::directory::{ClinicDetails, CompleteDoctor};
use telemed_core::id::{AppointmentId, ClinicId, UserId};
use telemed_core::identity::{Language, NewUser, UserEdit};
use telemed_core::journal::{
    IdempotencyKey, JobKind, KeyRecord, Resource, Subject, SubscriptionItem, Write,
};
use telemed_core::messaging::{MarkMessages, ReceiptKind};
use telemed_core::scheduling::{AppointmentStatus, BookCommand, ChangeStatus, RescheduleCommand};
use telemed_core::store::{StoreResult, Written};

use crate::build::{World, applied, at, fingerprint, hours, sealed, with_key};
use crate::dump::{events_of, open_jobs};
use crate::suite::case_list;
use crate::together;

case_list! { "storage":
    a_write_leaves_behind_what_it_says,
    every_keyed_write_replays_its_key,
    a_commit_is_announced,
    commits_are_announced_in_the_order_of_the_log,
}

async fn a_write_leaves_behind_what_it_says(world: Arc<World>) {
    let told = world.patient().await;
    let mut write = with_key(world.makes(Resource::Clinic), "key", 5);
    let subject = write.audit.subject;
    let other = Subject::number(Resource::Appointment, 44);
    write.events = vec![world.event(&[told], subject), world.event(&[told], other)];
    write.jobs = vec![
        world.job(JobKind::AppointmentNotice, subject, at(1)),
        world.job(JobKind::AppointmentReminder, other, at(2)),
    ];
    let details = world.clinic_details("UTC");
    let clinic = applied(world.storage.create_clinic(&write, &details).await.unwrap());
    let made = Subject::number(Resource::Clinic, clinic.id.get());

    let dump = world.dump().await;
    let mut audit = write.audit.clone();
    audit.subject = made;
    assert_eq!(dump.audit.last().unwrap().row, audit);
    let mut events = write.events.clone();
    events[0].subject = made;
    assert_eq!(dump.events, events);
    let key = IdempotencyKey::new("key").unwrap();
    let record = KeyRecord {
        fingerprint: fingerprint(5),
        subject: made,
    };
    assert_eq!(
        world.storage.key_record("test", &key).await.unwrap(),
        Some(record)
    );
    let jobs: Vec<_> = open_jobs(&*world.storage)
        .await
        .into_iter()
        .map(|one| one.job)
        .collect();
    let mut expected = write.jobs;
    expected[0].subject = made;
    assert_eq!(jobs, expected);
}

/// Calls with a key: at first it takes effect; repeated it is replayed, with another request it
/// is refused, and neither changes anything.
async fn replays<T, F>(world: &World, key: &str, write: Write, call: impl Fn(Write) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = StoreResult<Written<T>>>,
{
    let first = call(with_key(write.clone(), key, 1)).await.unwrap();
    assert!(matches!(first, Written::Applied(_)), "{key}: {first:?}");
    let name = IdempotencyKey::new(key).unwrap();
    let record = world.storage.key_record("test", &name).await.unwrap();
    let record = record.unwrap_or_else(|| panic!("{key}: it took no effect: {first:?}"));
    assert_eq!(record.fingerprint, fingerprint(1));
    for (request, is_same) in [(1, true), (2, false), (1, true)] {
        let again = with_key(world.write(write.audit.subject), key, request);
        let answer = world.unchanged(call(again)).await.unwrap();
        match answer {
            Written::Replayed(subject) if is_same => assert_eq!(subject, record.subject),
            Written::KeyMismatch if !is_same => {}
            other => panic!("{key}: {other:?}"),
        }
    }
}

async fn every_keyed_write_replays_its_key(world: Arc<World>) {
    let store = &world.storage;
    let session = world.new_session(None);
    let patient = NewUser {
        session: Some(session.clone()),
        ..world.new_user(Role::Patient)
    };
    let write = world.makes(Resource::User);
    let register = |write: Write| {
        let patient = &patient;
        async move { store.register_user(&write, patient).await }
    };
    replays(&world, "register", write, register).await;
    let patient = store
        .session_with_user(session.id)
        .await
        .unwrap()
        .unwrap()
        .user
        .id;
    let write = world.write(Subject::uuid(Resource::Session, session.id.get()));
    let end = |write: Write| async move { store.end_session(&write, session.id).await };
    replays(&world, "end session", write, end).await;
    let user = world.patient().await;
    let write = world.changes(Resource::User, user.get());
    let set = |write: Write| async move { store.set_user_active(&write, user, false).await };
    replays(&world, "deactivate", write, set).await;

    let edit = UserEdit {
        language: Some(Some(Language::Arabic)),
        ..UserEdit::default()
    };
    let edit = &edit;
    let write = world.changes(Resource::User, user.get());
    let change = |write: Write| async move { store.edit_user(&write, user, edit).await };
    replays(&world, "edit user", write, change).await;

    let details = world.clinic_details("UTC");
    let details = &details;
    let write = world.makes(Resource::Clinic);
    let create = |write: Write| async move { store.create_clinic(&write, details).await };
    replays(&world, "create clinic", write, create).await;
    let clinic = world.dump().await.clinics[0].id;
    let closed = ClinicDetails {
        is_active: false,
        ..details.clone()
    };
    for (version, name, details) in [(1, "close clinic", &closed), (2, "open clinic", details)] {
        let write = world.changes(Resource::Clinic, clinic.get());
        let update = |write: Write| async move {
            store.update_clinic(&write, clinic, version, details).await
        };
        replays(&world, name, write, update).await;
    }
    let doctor = world.user(Role::Doctor).await.id;
    let complete = CompleteDoctor {
        user: doctor,
        details: world.doctor_details(clinic),
    };
    let complete = &complete;
    let write = world.changes(Resource::Doctor, doctor.get());
    let create = |write: Write| async move { store.complete_doctor(&write, complete).await };
    replays(&world, "complete doctor", write, create).await;
    let profile = world.doctor_details(clinic);
    let profile = &profile;
    let write = world.changes(Resource::Doctor, doctor.get());
    let update =
        |write: Write| async move { store.update_doctor(&write, doctor, 1, profile).await };
    replays(&world, "update doctor", write, update).await;
    let write = world.changes(Resource::Patient, patient.get());
    let update =
        |write: Write| async move { store.update_patient(&write, patient, 1, &sealed("a")).await };
    replays(&world, "update patient", write, update).await;

    let slot = world.new_slot(doctor, clinic, 60, 2);
    let slot = &slot;
    let write = world.makes(Resource::Slot);
    let create = |write: Write| async move { store.create_slot(&write, slot).await };
    replays(&world, "create slot", write, create).await;
    let slot = world.dump().await.slots[0].id;
    let booking = world.booking(patient);
    let booking = &booking;
    let book = |write: Write| async move {
        let command = BookCommand {
            write,
            ..booking.clone()
        };
        store
            .book_many(slot, &[command])
            .await
            .map(|mut answers| answers.remove(0))
    };
    replays(&world, "book", world.makes(Resource::Appointment), book).await;
    let appointment = world.dump().await.appointments[0].id;
    let change = ChangeStatus {
        from: AppointmentStatus::Pending,
        to: AppointmentStatus::Confirmed,
        reason: None,
    };
    let change = &change;
    let write = world.changes(Resource::Appointment, appointment.get());
    let confirm =
        |write: Write| async move { store.change_status(&write, appointment, change).await };
    replays(&world, "confirm", write, confirm).await;
    let write = world.changes(Resource::Appointment, appointment.get());
    let note = |write: Write| async move { store.update_notes(&write, appointment, None).await };
    replays(&world, "notes", write, note).await;
    let appointment = keyed_hours(&world, doctor, clinic, appointment).await;
    let write = world.changes(Resource::Appointment, appointment.get());
    let cancel =
        |write: Write| async move { store.cancel(&write, appointment, &sealed("ill")).await };
    replays(&world, "cancel", write, cancel).await;
    let write = world.changes(Resource::Slot, slot.get());
    let retire = |write: Write| async move { store.retire_slot(&write, slot).await };
    replays(&world, "retire slot", write, retire).await;
    keyed_messages(&world, [patient, doctor]).await;
}

/// A conversation with a message that is read, put away.
async fn keyed_messages(world: &World, pair: [UserId; 2]) {
    let store = &world.storage;
    let conversation = world.new_conversation(pair);
    let conversation = &conversation;
    let id = conversation.id;
    let subject = Subject::uuid(Resource::Conversation, id.get());
    let open = |write: Write| async move { store.open_conversation(&write, conversation).await };
    replays(world, "open", world.write(subject), open).await;
    let message = world.new_message(id, pair[0]);
    let message = &message;
    let about = Subject::uuid(Resource::Message, message.id.get());
    let send = |write: Write| async move { store.append_message(&write, message).await };
    replays(world, "send", world.write(about), send).await;
    let mark = world.marking(at(0), id, pair[1], ReceiptKind::Read, 1);
    let mark = &mark;
    let read = |write: Write| async move {
        let mark = MarkMessages {
            write,
            ..mark.clone()
        };
        store.mark_messages(&mark).await
    };
    replays(world, "mark", world.write(subject), read).await;
    let archive =
        |write: Write| async move { store.archive_conversation(&write, id, pair[0], true).await };
    replays(world, "archive", world.write(subject), archive).await;
}

/// Hours, moves and blocked times; the appointment is cancelled in the end, and the one that takes
/// its place is returned.
async fn keyed_hours(
    world: &World,
    doctor: UserId,
    clinic: ClinicId,
    appointment: AppointmentId,
) -> AppointmentId {
    let store = &world.storage;
    let (weekly, publication) = (
        hours(2, false),
        world.publication(doctor, clinic, 2, &[300]),
    );
    let (weekly, publication) = (&weekly, &publication);
    let write = world.changes(Resource::Schedule, doctor.get());
    let set = |write: Write| async move {
        store
            .set_schedule(&write, doctor, None, weekly, publication)
            .await
    };
    replays(world, "hours", write, set).await;

    let stored = store.appointment_by_id(appointment).await.unwrap().unwrap();
    let old = stored.slot;
    let new = store.slot_at(doctor, at(300)).await.unwrap().unwrap().id;
    let command = world.moving(at(0), &stored, new);
    let command = &command;
    let write = world.changes(Resource::Appointment, appointment.get());
    let go = |write: Write| async move {
        let command = RescheduleCommand {
            write,
            ..command.clone()
        };
        store.reschedule(appointment, &command).await
    };
    replays(world, "move", write, go).await;

    let details = world.block_details(doctor, 290, 310);
    let details = &details;
    let stored = store.appointment_by_id(appointment).await.unwrap().unwrap();
    let given = [world.cancel_for_block(&stored)];
    let given = &given;
    let write = world.makes(Resource::BlockedTime);
    let block = |write: Write| async move { store.block_time(&write, details, given).await };
    replays(world, "block", write, block).await;
    let block = world.dump().await.blocks[0].id;
    let write = world.changes(Resource::BlockedTime, block.get());
    let free = |write: Write| async move { store.unblock_time(&write, doctor, block).await };
    replays(world, "unblock", write, free).await;

    world.book(old, stored.patient).await.id
}

async fn a_commit_is_announced(world: Arc<World>) {
    let mut subscription = world.bus().subscribe().await;
    let told = world.patient().await;
    let details = world.clinic_details("UTC");
    let telling = |key: &str, request: u8| {
        let mut write = with_key(world.makes(Resource::Clinic), key, request);
        let subject = write.audit.subject;
        write.events = vec![world.event(&[told], subject), world.event(&[], subject)];
        write
    };
    let store = &world.storage;
    let first = telling("key", 1);
    applied(store.create_clinic(&first, &details).await.unwrap());
    // A repetition, a mismatch and a refusal have nothing to tell.
    for request in [1, 2] {
        store
            .create_clinic(&telling("key", request), &details)
            .await
            .unwrap();
    }
    let missing = telling("other", 1);
    let unknown = telemed_core::id::ClinicId::from_row(999);
    applied(
        store
            .update_clinic(&missing, unknown, 1, &details)
            .await
            .unwrap(),
    );
    let last = telling("last", 1);
    let clinic = applied(store.create_clinic(&last, &details).await.unwrap());

    let expected: Vec<_> = first
        .events
        .iter()
        .chain(&last.events)
        .map(|event| event.id)
        .collect();
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        match subscription.next().await {
            Some(SubscriptionItem::Event(event)) => {
                // What is heard is committed: it can be read, with the number that was given.
                assert!(event.event.subject.as_number().is_some());
                if !event.event.audience.is_empty() {
                    let logged = events_of(&**store, [told]).await;
                    assert!(logged.contains(&event));
                }
                heard.push(event);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        heard.iter().map(|one| one.event.id).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(
        heard[3].event.subject,
        Subject::number(Resource::Clinic, clinic.id.get())
    );
}

async fn commits_are_announced_in_the_order_of_the_log(world: Arc<World>) {
    const CALLERS: usize = 16;
    const EACH: usize = 8;
    let mut subscription = world.bus().subscribe().await;
    let writing = {
        let world = Arc::clone(&world);
        together(CALLERS, move |_| {
            let world = Arc::clone(&world);
            async move {
                for _ in 0..EACH {
                    let mut write = world.whole();
                    let subject = write.audit.subject;
                    write.events = vec![world.event(&[], subject), world.event(&[], subject)];
                    world.storage.record(&write).await.unwrap();
                }
            }
        })
    };
    let hearing = async {
        let mut last = 0;
        for _ in 0..2 * CALLERS * EACH {
            match subscription.next().await {
                Some(SubscriptionItem::Event(event)) => {
                    assert!(event.seq > last, "{} after {last}", event.seq);
                    last = event.seq;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(writing, hearing);
}
