//! Every operation of the store, for the plans of their statements.

use telemed_core::actor::Role;
use telemed_core::directory::DoctorFilter;
use telemed_core::identity::{
    ConcludeLogin, DoctorApplication, GuessingLimits, LoginKeys, Phone, RefreshCommand,
    RefreshOutcome, UserEdit, UserEditOutcome,
};
use telemed_core::journal::{AuditHead, AuditStore, Checkpoint, JobEnd, JournalStore, Retention};
use telemed_core::page::PageRequest;
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentStatus, AvailabilityStore, BlockDetails, BlockOutcome,
    CancelForBlock, ChangeStatus, LocalTime, Publication, PublishOutcome, RescheduleCommand,
    RescheduleOutcome, SlotDuration, SlotFilter, WeeklyHours, Window,
};
use telemed_core::time::LocalDay;

use super::*;

/// Calls every operation of the store.
pub(super) async fn exercise(store: &SqliteStore) {
    identity(store).await;
    let practice = practice(store).await;
    directory(store, &practice).await;
    scheduling(store, &practice).await;
    availability(store, &practice).await;
    messages::exercise(store, practice.doctor).await;
    calls::exercise(store, &practice).await;
    journal(store).await;
}

async fn identity(store: &SqliteStore) {
    let whole = Subject::new_row(Resource::User);
    let id = user(store, "amal", Role::Patient).await;
    let page = PageRequest::default();
    store.user_by_id(id).await.unwrap();
    store.user_page(None, page).await.unwrap();
    store.user_page(Some(Role::Patient), page).await.unwrap();
    let account = store
        .account_by_email("amal@example.org")
        .await
        .unwrap()
        .unwrap();
    store.account_by_user(id).await.unwrap();
    let keys = LoginKeys {
        account: Fingerprint([2; 32]),
        network: Some(Fingerprint([1; 32])),
        session: None,
    };
    let limits = GuessingLimits::default();
    store
        .login_standing(&keys, Some(id), &limits, NOW)
        .await
        .unwrap();
    store
        .login_standing(&keys, None, &limits, NOW)
        .await
        .unwrap();
    let refresh = Some(Fingerprint([3; 32]));
    let session = NewSession {
        refresh,
        ..new_user("other", Role::Patient).session.unwrap()
    };
    for opened in [None, Some((id, session.clone()))] {
        let login = ConcludeLogin {
            keys,
            limits,
            opened,
            account: Some(id),
        };
        store.conclude_login(&write(whole), &login).await.unwrap();
    }
    store.session_with_user(session.id).await.unwrap().unwrap();
    store
        .session_of_refresh_token(Fingerprint([3; 32]))
        .await
        .unwrap()
        .unwrap();
    let exchange = RefreshCommand {
        presented: Fingerprint([3; 32]),
        next: Fingerprint([4; 32]),
        expires_at: session.expires_at,
        reuse: write(whole),
    };
    for _ in 0..2 {
        store
            .refresh_session(&write(whole), &exchange)
            .await
            .unwrap();
    }
    assert_eq!(
        store
            .refresh_session(&write(whole), &exchange)
            .await
            .unwrap(),
        RefreshOutcome::Ended
    );
    let edit = UserEdit {
        phone: Some(Phone::new("+20 100 000").ok()),
        ..UserEdit::default()
    };
    let edited = store.edit_user(&write(whole), id, &edit).await.unwrap();
    assert!(matches!(
        edited,
        Written::Applied(UserEditOutcome::Edited(_))
    ));
    let by_phone = store.account_by_phone("+20100000").await.unwrap();
    assert_eq!(by_phone.unwrap().user.id, id);
    store
        .end_session(&keyed(whole, "end"), session.id)
        .await
        .unwrap();
    let new = PasswordHash::new("new".to_owned());
    let keep = Some(session.id);
    store
        .change_password(&write(whole), id, &account.password, &new, keep)
        .await
        .unwrap();
    for active in [false, true] {
        store
            .set_user_active(&write(whole), id, active)
            .await
            .unwrap();
    }
    let key = store.data_key_of_user(id).await.unwrap().unwrap();
    assert_eq!(store.data_keys(&[key.id]).await.unwrap(), [key]);
}

async fn directory(store: &SqliteStore, practice: &Practice) {
    let page = PageRequest::default();
    let (clinic, doctor) = (practice.clinic, practice.doctor);
    let details = doctor_details(clinic);
    let applicant = NewUser {
        doctor: Some(DoctorApplication {
            clinic: None,
            first_clinic: clinic_details(),
            licence_number: LicenceNumber::new("L-2").unwrap(),
            specialty: details.specialty,
            experience_years: details.experience_years,
            daily_limit: details.daily_limit,
        }),
        ..new_user("applicant", Role::Doctor)
    };
    let applied = store
        .register_user(&write(Subject::new_row(Resource::User)), &applicant)
        .await
        .unwrap();
    assert!(matches!(
        applied,
        Written::Applied(RegisterOutcome::Registered(_))
    ));
    assert_eq!(store.specialties().await.unwrap().len(), 1);
    let whole = Subject::number(Resource::Clinic, clinic.get());
    store.clinic_by_id(clinic).await.unwrap();
    assert_eq!(store.clinic_page(None, page).await.unwrap().total, 1);
    assert_eq!(
        store.clinic_page(Some("cairo"), page).await.unwrap().total,
        1
    );
    let moved = ClinicDetails {
        time_zone: TimeZone::named("Asia/Tokyo").unwrap(),
        ..clinic_details()
    };
    store
        .update_clinic(&write(whole), clinic, 1, &moved)
        .await
        .unwrap();
    store
        .update_clinic(&write(whole), clinic, 2, &clinic_details())
        .await
        .unwrap();
    store.verify_doctor(&write(whole), doctor).await.unwrap();
    store.doctor_by_id(doctor).await.unwrap();
    for specialty in [None, Specialty::new("cardiology").ok()] {
        for clinic in [None, Some(clinic)] {
            let filter = DoctorFilter {
                specialty: specialty.clone(),
                clinic,
            };
            assert_eq!(store.doctor_page(&filter, page).await.unwrap().total, 1);
        }
    }
    store
        .update_doctor(&write(whole), doctor, 1, &doctor_details(clinic))
        .await
        .unwrap();
    let patient = user(store, "profile", Role::Patient).await;
    let profile = Sealed::from_row(vec![2; 80]);
    store
        .update_patient(&write(whole), patient, 1, &profile)
        .await
        .unwrap();
    assert_eq!(
        store.patient_by_id(patient).await.unwrap().unwrap().version,
        2
    );
}

async fn scheduling(store: &SqliteStore, practice: &Practice) {
    let page = PageRequest::default();
    let new = || Subject::new_row(Resource::Appointment);
    let slot_id = slot(store, practice, 0, 3).await;
    let patient = user(store, "patient", Role::Patient).await;
    let booking = booking(keyed(new(), "book"), patient);
    let Written::Applied(BookOutcome::Booked(booked)) =
        book(store, slot_id, booking).await.unwrap()
    else {
        panic!("not booked")
    };
    for doctor in [None, Some(practice.doctor)] {
        for clinic in [None, Some(practice.clinic)] {
            for (from, to) in [(None, None), (Some(NOW), Some(NOW.plus(hours(100))))] {
                let filter = SlotFilter {
                    doctor,
                    clinic,
                    from,
                    to,
                };
                assert_eq!(
                    store
                        .open_slot_page(&filter, NOW, page)
                        .await
                        .unwrap()
                        .total,
                    1
                );
            }
        }
        for patient in [None, Some(patient)] {
            for status in [None, Some(AppointmentStatus::Pending)] {
                for (from, to) in [(None, None), (Some(NOW), Some(NOW.plus(hours(100))))] {
                    let filter = AppointmentFilter {
                        patient,
                        doctor,
                        status,
                        from,
                        to,
                    };
                    let listed = store.appointment_page(&filter, page).await.unwrap();
                    assert!(
                        listed
                            .items
                            .iter()
                            .map(|row| &row.appointment)
                            .eq([&booked])
                    );
                }
            }
        }
    }
    let row = store.appointment_row(booked.id).await.unwrap();
    assert_eq!(row.unwrap().names.patient.as_str(), "patient");
    store
        .update_notes(&write(new()), booked.id, None)
        .await
        .unwrap();
    store.appointment_by_id(booked.id).await.unwrap();
    assert!(
        store
            .care_relation(practice.doctor, patient, NOW)
            .await
            .unwrap()
    );
    let confirm = ChangeStatus {
        from: AppointmentStatus::Pending,
        to: AppointmentStatus::Confirmed,
        reason: None,
    };
    store
        .change_status(&write(new()), booked.id, &confirm)
        .await
        .unwrap();
    let reason = Sealed::from_row(vec![3; 60]);
    store
        .cancel(&write(new()), booked.id, &reason)
        .await
        .unwrap();
    store.retire_slot(&write(new()), slot_id).await.unwrap();
}

async fn availability(store: &SqliteStore, practice: &Practice) {
    let doctor = practice.doctor;
    let about = || Subject::number(Resource::Schedule, doctor.get());
    let nine = Window {
        start: LocalTime::from_minutes(540),
        end: LocalTime::from_minutes(570),
    };
    let hours_of = WeeklyHours::new(
        std::array::from_fn(|_| vec![nine]),
        SlotDuration::new(30).unwrap(),
        Capacity::ONE,
        true,
    )
    .unwrap();
    let zone = TimeZone::utc();
    let publication = |days| {
        let slots = hours_of.slots(NOW.local_day(&zone), days, &zone, NOW);
        let facts = |(starts_at, ends_at): (Timestamp, Timestamp)| {
            let facts = SlotFacts {
                doctor,
                clinic: practice.clinic,
                starts_at,
                ends_at,
            };
            (facts, starts_at.local_day(&zone))
        };
        Publication {
            time_zone: zone.clone(),
            from: NOW,
            until: NOW.plus(hours(240)),
            capacity: Capacity::ONE,
            slots: slots.into_iter().map(facts).collect(),
        }
    };
    let set = store
        .set_schedule(&write(about()), doctor, None, &hours_of, &publication(5))
        .await
        .unwrap();
    assert!(matches!(
        set,
        Written::Applied(PublishOutcome::Published { made: 4.., .. })
    ));
    let published = store
        .publish_slots(&write(about()), doctor, 1, &publication(4))
        .await
        .unwrap();
    assert!(matches!(
        published,
        PublishOutcome::Published {
            made: 0,
            retired: 1,
            ..
        }
    ));
    let schedule = store.schedule_of_doctor(doctor).await.unwrap().unwrap();
    assert_eq!(schedule.hours, hours_of);

    let [from, to] = ["2030-03-17", "2030-03-27"].map(|day| LocalDay::parse(day).unwrap());
    let days = store.days_of_listed_doctor(doctor, from, to);
    let days = days.await.unwrap().unwrap().slots;
    let (first, second) = (&days[0].slot, &days[1].slot);
    assert_eq!(
        store
            .slot_at(doctor, first.facts.starts_at)
            .await
            .unwrap()
            .as_ref(),
        Some(first)
    );
    let patient = user(store, "mover", Role::Patient).await;
    let new = || Subject::new_row(Resource::Appointment);
    let Written::Applied(BookOutcome::Booked(booked)) =
        book(store, first.id, booking(write(new()), patient))
            .await
            .unwrap()
    else {
        panic!("not booked")
    };
    assert_eq!(booked.status, AppointmentStatus::Confirmed);
    let command = RescheduleCommand {
        write: write(new()),
        slot: second.id,
        from: booked.status,
        confirm_again: true,
        reason: Some(Sealed::from_row(vec![3; 60])),
        reminders: vec![],
    };
    let moved = store.reschedule(booked.id, &command).await.unwrap();
    assert!(matches!(
        moved,
        Written::Applied(RescheduleOutcome::Rescheduled(_))
    ));

    let (from, until) = (second.facts.starts_at, second.facts.ends_at);
    let live = store.live_bookings(doctor, from, until).await.unwrap();
    assert_eq!(live.len(), 1);
    let details = BlockDetails {
        doctor,
        starts_at: from,
        ends_at: until,
        day: LocalDay::parse("2030-03-18").unwrap(),
        start: nine.start,
        end: nine.end,
        time_zone: "UTC".to_owned(),
        seal_id: fresh(),
        reason: None,
    };
    let cancel = CancelForBlock {
        appointment: booked.id,
        write: write(new()),
        reason: Sealed::from_row(vec![3; 60]),
    };
    let blocked = store
        .block_time(
            &write(Subject::new_row(Resource::BlockedTime)),
            &details,
            &[cancel],
        )
        .await
        .unwrap();
    let Written::Applied(BlockOutcome::Blocked { block, cancelled }) = blocked else {
        panic!("not blocked")
    };
    assert_eq!(cancelled, 1);
    assert_eq!(
        store.blocks_of_doctor(doctor, from, until).await.unwrap(),
        std::slice::from_ref(&block)
    );
    assert_eq!(
        store.block_by_id(block.id).await.unwrap().as_ref(),
        Some(&block)
    );
    assert_eq!(
        store
            .unblock_time(&write(about()), doctor, block.id)
            .await
            .unwrap(),
        Written::Applied(true)
    );
}

async fn journal(store: &SqliteStore) {
    store
        .record(&write(Subject::number(Resource::Patient, 1)))
        .await
        .unwrap();
    store
        .key_record("test", &IdempotencyKey::new("book").unwrap())
        .await
        .unwrap()
        .unwrap();
    let audiences = [1, 2].map(|user| Audience::User(UserId::from_row(user)));
    assert!(
        !store
            .events_after(&audiences, 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.next_job_due().await.unwrap().is_some());
    let lease = NOW.plus(hours(1));
    let claimed = store.claim_jobs(NOW, lease, 3).await.unwrap();
    for (claim, end) in claimed
        .iter()
        .zip([JobEnd::Done, JobEnd::Retry(NOW), JobEnd::Dead])
    {
        assert!(store.finish_job(claim.job.id, lease, end).await.unwrap());
    }
    assert_eq!(store.claim_installation_value("a", "b").await.unwrap(), "b");
    assert_eq!(store.claim_installation_value("a", "c").await.unwrap(), "b");
    store.installation_value("a").await.unwrap();
    let head = store.seal_audit(10).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap(), head);
    let checkpoint = Checkpoint {
        head: AuditHead {
            count: 1,
            hash: [1; 32],
        },
        at: NOW,
        key: TenantKeyId(1),
        signature: [2; 32],
    };
    store.keep_checkpoint(&checkpoint).await.unwrap();
    store.keep_checkpoint(&checkpoint).await.unwrap();
    assert_eq!(
        store.newest_checkpoint(None).await.unwrap(),
        Some(checkpoint)
    );
    assert_eq!(store.newest_checkpoint(Some(0)).await.unwrap(), None);
    store.sealed_audit_rows(0, 10).await.unwrap();
    store.ready().await.unwrap();
    assert!(store.event_span().await.unwrap().newest > 0);
    let later = NOW.plus(hours(1000));
    let retention = Retention {
        events_before: later,
        keys_before: later,
        dead_jobs_before: later,
        login_failures_before: later,
        sessions_before: later,
    };
    assert!(store.purge(&retention).await.unwrap() > 0);
    assert_eq!(store.purge(&retention).await.unwrap(), 0);
}
