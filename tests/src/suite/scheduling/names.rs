//! Cases of lists of appointments, and of the notes on them.

use std::sync::Arc;

use telemed_core::directory::{DoctorDetails, Specialty};
use telemed_core::id::AppointmentId;
use telemed_core::identity::{FullName, UserEdit};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentNames, AppointmentRow, StoredAppointment,
};

use crate::build::{World, applied, at, page, sealed, zone};
use crate::suite::case_list;

case_list! { "scheduling":
    notes_are_replaced,
    appointments_are_listed_with_their_names,
    appointments_are_found_by_their_start,
}

async fn notes_are_replaced(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 2).await;
    let patients = world.patients(2).await;
    let booked = world.book(slot, patients[0]).await;
    let other = world.book(slot, patients[1]).await;
    for (minute, text) in [(5, Some("rest")), (6, Some("rest, water")), (7, None)] {
        let notes = text.map(sealed);
        let subject = Subject::number(Resource::Appointment, booked.id.get());
        let write = world.write_at(at(minute), subject);
        let answer = world
            .storage
            .update_notes(&write, booked.id, notes.as_ref())
            .await;
        let expected = StoredAppointment {
            notes,
            updated_at: at(minute),
            ..booked.clone()
        };
        assert_eq!(applied(answer.unwrap()), Some(expected.clone()));
        let stored = world.storage.appointment_by_id(booked.id).await.unwrap();
        assert_eq!(stored, Some(expected));
    }
    let stored = world.storage.appointment_by_id(other.id).await.unwrap();
    assert_eq!(stored, Some(other));
    let unknown = AppointmentId::from_row(9999);
    let write = world.changes(Resource::Appointment, 9999);
    let notes = sealed("rest");
    let answer = world
        .unchanged(world.storage.update_notes(&write, unknown, Some(&notes)))
        .await;
    assert_eq!(applied(answer.unwrap()), None);
}

async fn appointments_are_listed_with_their_names(world: Arc<World>) {
    let cairo = world
        .make_clinic(&world.clinic_details("Africa/Cairo"))
        .await;
    let details = DoctorDetails {
        specialty: Specialty::new("طب القلب").unwrap(),
        ..world.doctor_details(cairo.id)
    };
    let doctor = world.make_doctor(details).await;
    let utc = world.clinic().await;
    let colleague = world.doctor(utc).await;
    let patients = world.patients(2).await;
    let mut slot = world.new_slot(doctor, cairo.id, 60, 1);
    slot.time_zone = zone("Africa/Cairo");
    let far = world.make_slot(&slot).await.id;
    let near = world.slot(colleague, utc, 90, 1).await;
    let booked = [
        world.book(far, patients[0]).await,
        world.book(near, patients[1]).await,
    ];
    let name = |user| {
        let world = Arc::clone(&world);
        async move {
            let user = world.storage.user_by_id(user).await.unwrap();
            user.unwrap().full_name
        }
    };
    let key = |user| {
        let world = Arc::clone(&world);
        async move { world.storage.data_key_of_user(user).await.unwrap() }
    };
    let mut expected = [
        AppointmentRow {
            appointment: booked[0].clone(),
            names: AppointmentNames {
                patient: name(patients[0]).await,
                doctor: name(doctor).await,
                specialty: Specialty::new("طب القلب").unwrap(),
                time_zone: zone("Africa/Cairo"),
            },
            patient_key: key(patients[0]).await,
        },
        AppointmentRow {
            appointment: booked[1].clone(),
            names: AppointmentNames {
                patient: name(patients[1]).await,
                doctor: name(colleague).await,
                specialty: Specialty::new("Cardiology").unwrap(),
                time_zone: zone("UTC"),
            },
            patient_key: key(patients[1]).await,
        },
    ];
    let check = |expected: [AppointmentRow; 2]| {
        let world = Arc::clone(&world);
        async move {
            for row in &expected {
                let id = row.appointment.id;
                let read = world.storage.appointment_row(id).await.unwrap();
                assert_eq!(read.as_ref(), Some(row));
            }
            let all = AppointmentFilter::default();
            let listed = world.storage.appointment_page(&all, page(0, 100)).await;
            let [one, two] = expected;
            assert_eq!(listed.unwrap().items, [two, one]);
        }
    };
    assert!(expected.iter().all(|row| row.patient_key.is_some()));
    check(expected.clone()).await;
    // The names are those of now, of people who are not active, too.
    let new = FullName::new("أمل").unwrap();
    let edit = UserEdit {
        full_name: Some(new.clone()),
        ..UserEdit::default()
    };
    for user in [patients[0], colleague] {
        let write = world.changes(Resource::User, user.get());
        world.storage.edit_user(&write, user, &edit).await.unwrap();
        world.set_active(user, false).await;
    }
    expected[0].names.patient = new.clone();
    expected[1].names.doctor = new;
    check(expected).await;
    let unknown = AppointmentId::from_row(9999);
    assert_eq!(world.storage.appointment_row(unknown).await.unwrap(), None);
}

async fn appointments_are_found_by_their_start(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let colleague = world.doctor(clinic).await;
    let patients = world.patients(2).await;
    let mut ids = Vec::new();
    for (doctor, patient, start) in [
        (doctor, 0, 300),
        (doctor, 1, 100),
        (colleague, 0, 200),
        (colleague, 1, 300),
    ] {
        let slot = world.slot(doctor, clinic, start, 1).await;
        ids.push(world.book(slot, patients[patient]).await.id);
    }
    let of = |places: &[usize]| places.iter().map(|at| ids[*at]).collect::<Vec<_>>();
    for (from, to, doctor, patient, expected) in [
        (None, None, None, None, of(&[3, 2, 1, 0])),
        (Some(200), None, None, None, of(&[3, 2, 0])),
        (Some(201), None, None, None, of(&[3, 0])),
        (None, Some(200), None, None, of(&[2, 1])),
        (None, Some(199), None, None, of(&[1])),
        (Some(100), Some(300), None, None, of(&[3, 2, 1, 0])),
        (Some(200), Some(200), None, None, of(&[2])),
        (Some(250), Some(200), None, None, of(&[])),
        (Some(150), None, Some(doctor), None, of(&[0])),
        (Some(150), Some(250), None, Some(patients[0]), of(&[2])),
        (
            Some(300),
            Some(300),
            Some(colleague),
            Some(patients[1]),
            of(&[3]),
        ),
    ] {
        let filter = AppointmentFilter {
            patient,
            doctor,
            status: None,
            from: from.map(at),
            to: to.map(at),
        };
        let found = world
            .storage
            .appointment_page(&filter, page(0, 100))
            .await
            .unwrap();
        let found_ids: Vec<_> = found.items.iter().map(|row| row.appointment.id).collect();
        assert_eq!(found_ids, expected, "{filter:?}");
        assert_eq!(found.total, expected.len() as u64);
        let part = world.storage.appointment_page(&filter, page(1, 1)).await;
        let part = part.unwrap();
        assert_eq!(part.total, expected.len() as u64);
        let second = part.items.first().map(|row| row.appointment.id);
        assert_eq!(second, expected.get(1).copied());
    }
}
