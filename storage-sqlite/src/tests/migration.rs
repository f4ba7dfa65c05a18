//! A database of an older program opens with this one, and keeps what is in it.

use telemed_core::identity::{GuessingLimits, LoginKeys, LoginStanding};
use telemed_core::journal::{EventSpan, JournalStore};
use telemed_core::page::PageRequest;
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentStatus, AvailabilityStore, SlotFilter,
};

use super::*;
use crate::connection::open_writer;
use crate::migrate::{MIGRATIONS, migrate};

/// A patient, a doctor, a slot with a booking, and failed logins, as the first schema keeps them.
const ROWS: &str = "
    INSERT INTO users (role, email, email_folded, full_name, contact_number, seal_id, is_verified,
                       is_active, created_at, updated_at)
    VALUES ('patient', 'Amal@example.org', 'amal@example.org', 'Amal', '123', zeroblob(16), 0, 1,
            1, 2),
           ('doctor', 'd@example.org', 'd@example.org', 'Doctor', NULL, zeroblob(16), 1, 1, 3, 4);
    INSERT INTO credentials VALUES (1, 'hash'), (2, 'hash');
    INSERT INTO data_keys VALUES (zeroblob(16), 1, 1, zeroblob(72));
    INSERT INTO sessions (id, user_id, created_at, expires_at, network)
    VALUES (zeroblob(16), 1, 1, 9, zeroblob(32));
    INSERT INTO patients (id, seal_id, profile, updated_at, version)
    VALUES (1, zeroblob(16), zeroblob(60), 2, 5);
    INSERT INTO clinics (name, time_zone, is_active, created_at, updated_at, version)
    VALUES ('Clinic', 'Africa/Cairo', 1, 1, 1, 1);
    INSERT INTO doctors (id, clinic_id, specialty, specialty_folded, licence_number,
                         licence_folded, qualifications, experience_years, daily_limit,
                         created_at, updated_at, version)
    VALUES (2, 1, 'Cardiology', 'cardiology', 'L-1', 'l-1', 'MD', 7, 9, 1, 1, 3);
    INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                       booked_count, is_active, created_at, updated_at)
    VALUES (2, 1, 1900000000000000, 1900001800000000, '2030-03-17', 2, 1, 1, 1, 1);
    INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at, kind,
                              status, seal_id, reason_for_visit, created_at, updated_at)
    VALUES (1, 1, 2, 1, 1900000000000000, 1900001800000000, 'video', 'confirmed', zeroblob(16),
            zeroblob(60), 1, 2);
    INSERT INTO login_failures (at, account, network, known)
    VALUES (1899999999000000, zeroblob(32), zeroblob(32), 1),
           (1899999999000001, zeroblob(32), zeroblob(32), 0),
           (1899999999000002, zeroblob(32), NULL, 0);
";

#[tokio::test]
async fn a_database_of_the_first_schema_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    {
        let connection = open_writer(&path, &quick()).unwrap();
        assert_eq!(migrate(&connection, &MIGRATIONS[..1]).unwrap(), 1);
        connection.execute_batch(ROWS).unwrap();
    }
    let store = open(&path, &quick());
    let (patient, doctor) = (UserId::from_row(1), UserId::from_row(2));

    let account = store.account_by_email("amal@example.org").await.unwrap();
    let user = account.unwrap().user;
    assert_eq!((user.id, user.phone, user.language), (patient, None, None));
    assert_eq!(user.contact_number.unwrap().as_str(), "123");
    let profile = store.patient_by_id(patient).await.unwrap().unwrap();
    assert_eq!(profile.version, 5);
    assert!(profile.profile.is_some());

    let kept = store.doctor_by_id(doctor).await.unwrap().unwrap();
    assert!(kept.is_listed());
    assert_eq!(kept.clinic_name.as_str(), "Clinic");
    assert_eq!((kept.details.experience_years.get(), kept.version), (7, 3));
    assert_eq!(kept.details.biography, None);
    assert_eq!(kept.details.consultation_fee, None);
    assert_eq!(store.schedule_of_doctor(doctor).await.unwrap(), None);

    let page = PageRequest::default();
    let before = NOW.minus(hours(1));
    let key = store.data_key_of_user(patient).await.unwrap().unwrap();
    assert_eq!(key.wrapped, [0; 72]);
    assert_eq!(store.data_keys(&[key.id]).await.unwrap(), [key]);
    let open = store
        .open_slot_page(&SlotFilter::default(), before, page)
        .await
        .unwrap();
    assert_eq!(open.total, 1);
    assert!(!open.items[0].is_published);
    assert_eq!(open.items[0].booked_count, 1);
    let listed = store
        .appointment_page(&AppointmentFilter::default(), page)
        .await
        .unwrap();
    assert_eq!(listed.total, 1);
    let row = &listed.items[0];
    assert_eq!(row.names.patient.as_str(), "Amal");
    assert_eq!(row.appointment.status, AppointmentStatus::Confirmed);
    assert_eq!(row.appointment.symptoms, None);
    assert!(row.appointment.reason_for_visit.is_some());
}

#[tokio::test]
async fn failed_logins_stay_in_their_piles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    {
        let connection = open_writer(&path, &quick()).unwrap();
        migrate(&connection, &MIGRATIONS[..1]).unwrap();
        connection.execute_batch(ROWS).unwrap();
    }
    let store = open(&path, &quick());
    let limits = |per_account| GuessingLimits {
        per_account,
        ..GuessingLimits::default()
    };
    let standing = |network, per_account| {
        let keys = LoginKeys {
            account: Fingerprint([0; 32]),
            network: Some(Fingerprint([network; 32])),
            session: None,
        };
        let (store, limits) = (&store, limits(per_account));
        async move {
            let account = Some(UserId::from_row(1));
            let standing = store.login_standing(&keys, account, &limits, NOW).await;
            standing.unwrap() == LoginStanding::Open
        }
    };
    // One failure came from the network that the account knows, two from elsewhere.
    assert!(standing(0, 2).await);
    assert!(!standing(0, 1).await);
    assert!(standing(7, 3).await);
    assert!(!standing(7, 2).await);
}

#[tokio::test]
async fn it_is_known_how_far_an_old_log_was_dropped() {
    // Which events were kept, of five, and how far it was dropped.
    for (kept, newest, dropped_up_to) in [
        (&[][..], 0_i64, 0),
        (&[1, 2, 3], 3, 0),
        (&[2, 3], 3, 1),
        (&[1, 2, 5], 5, 4),
        (&[1, 3], 4, 4),
        (&[], 5, 5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        {
            let connection = open_writer(&path, &quick()).unwrap();
            migrate(&connection, &MIGRATIONS[..1]).unwrap();
            for seq in 1..=newest {
                let sql = "INSERT INTO events (seq, id, kind, audience, resource, subject, at,
                                               actor_kind, data)
                           VALUES (?1, zeroblob(16), 'user.registered', '', 'user', '1', 1,
                                   'operator', '{}')";
                connection.execute(sql, [seq]).unwrap();
                if !kept.contains(&seq) {
                    let sql = "DELETE FROM events WHERE seq = ?1";
                    connection.execute(sql, [seq]).unwrap();
                }
            }
        }
        let store = open(&path, &quick());
        let span = EventSpan {
            dropped_up_to,
            newest: newest.unsigned_abs(),
        };
        assert_eq!(store.event_span().await.unwrap(), span, "{kept:?}");
    }
}
