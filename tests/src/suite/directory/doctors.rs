//! Cases of doctors.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::directory::{
    Biography, CompleteDoctor, CompleteDoctorOutcome, ConsultationFee, DailyLimit, Doctor,
    DoctorDetails, DoctorFilter, ExperienceYears, LicenceNumber, Qualifications, Specialty,
    UpdateDoctorOutcome,
};
use telemed_core::id::{ClinicId, UserId};
use telemed_core::journal::{Resource, Subject};

use crate::build::{World, applied, at, page, user_id, with_key};
use crate::suite::case_list;
use crate::suite::directory::clinics::clinic_id;
use crate::together;

case_list! { "directory":
    a_doctor_is_refused_in_order,
    a_completed_doctor_is_verified,
    verification_is_idempotent,
    an_unlisted_doctor_is_found_by_id,
    only_listed_doctors_are_listed,
    doctors_are_found_by_specialty_and_clinic,
    specialties_of_listed_doctors_are_listed_once,
    a_doctor_is_edited_at_his_version,
    a_licence_stays_unique,
}

fn licence(text: &str) -> LicenceNumber {
    LicenceNumber::new(text).unwrap()
}

async fn complete(world: &World, user: UserId, details: DoctorDetails) -> CompleteDoctorOutcome {
    let write = world.write_at(at(6), Subject::number(Resource::Doctor, user.get()));
    let doctor = CompleteDoctor { user, details };
    applied(
        world
            .storage
            .complete_doctor(&write, &doctor)
            .await
            .unwrap(),
    )
}

async fn a_doctor_is_refused_in_order(world: Arc<World>) {
    let clinic = world.clinic().await;
    let taken = DoctorDetails {
        licence_number: licence("EG-77"),
        ..world.doctor_details(clinic)
    };
    let first = world.make_doctor(taken.clone()).await;
    let patient = world.patient().await;
    let doctor = world.user(Role::Doctor).await.id;
    let folded = DoctorDetails {
        licence_number: licence("eg-77"),
        ..taken
    };
    let nowhere = DoctorDetails {
        clinic: clinic_id(clinic.get() + 1),
        ..folded.clone()
    };
    let refused = |user, details: &DoctorDetails| {
        let (world, details) = (Arc::clone(&world), details.clone());
        async move { world.unchanged(complete(&world, user, details)).await }
    };
    let unknown = user_id(doctor.get() + 1);
    assert_eq!(
        refused(unknown, &nowhere).await,
        CompleteDoctorOutcome::UserNotFound
    );
    for user in [patient, first, doctor] {
        assert_eq!(
            refused(user, &nowhere).await,
            CompleteDoctorOutcome::ClinicNotFound
        );
    }
    assert_eq!(
        refused(patient, &folded).await,
        CompleteDoctorOutcome::NotADoctor
    );
    let admin = world.user(Role::Admin).await.id;
    assert_eq!(
        refused(admin, &folded).await,
        CompleteDoctorOutcome::NotADoctor
    );
    assert_eq!(
        refused(first, &folded).await,
        CompleteDoctorOutcome::DoctorExists
    );
    assert_eq!(
        refused(doctor, &folded).await,
        CompleteDoctorOutcome::LicenceTaken
    );
    let free = world.doctor_details(clinic);
    let outcome = complete(&world, doctor, free).await;
    assert!(matches!(outcome, CompleteDoctorOutcome::Completed(_)));
}

async fn a_completed_doctor_is_verified(world: Arc<World>) {
    let clinic = world.make_clinic(&world.clinic_details("UTC")).await;
    let user = world.user(Role::Doctor).await;
    assert!(!user.is_verified);
    let details = DoctorDetails {
        specialty: Specialty::new("طب القلب").unwrap(),
        qualifications: Some(Qualifications::new("MD\nPhD").unwrap()),
        experience_years: ExperienceYears::new(0).unwrap(),
        daily_limit: DailyLimit::new(1).unwrap(),
        biography: Some(Biography::new("Born in Aswan.\nسيرة").unwrap()),
        consultation_fee: Some(ConsultationFee::from_hundredths(25_050).unwrap()),
        ..world.doctor_details(clinic.id)
    };
    let expected = Doctor {
        id: user.id,
        full_name: user.full_name,
        details: details.clone(),
        clinic_name: clinic.details.name,
        is_active: true,
        is_verified: true,
        created_at: at(6),
        updated_at: at(6),
        version: 1,
    };
    let outcome = complete(&world, user.id, details).await;
    assert_eq!(outcome, CompleteDoctorOutcome::Completed(expected.clone()));
    assert_eq!(
        world.storage.doctor_by_id(user.id).await.unwrap(),
        Some(expected)
    );
    let after = world.storage.user_by_id(user.id).await.unwrap().unwrap();
    assert!(after.is_verified);
    assert_eq!(after.updated_at, at(6));
}

async fn verification_is_idempotent(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let verify = |user: UserId| {
        let world = Arc::clone(&world);
        async move {
            let write = world.write_at(at(9), Subject::number(Resource::Doctor, user.get()));
            let write = with_key(write, "never kept", 1);
            applied(world.storage.verify_doctor(&write, user).await.unwrap())
        }
    };
    let before = world.storage.doctor_by_id(doctor).await.unwrap();
    assert_eq!(world.unchanged(verify(doctor)).await, before);
    // Who has no doctor's profile cannot be verified as one.
    let without = world.user(Role::Doctor).await.id;
    for user in [without, world.patient().await, user_id(9999)] {
        assert_eq!(world.unchanged(verify(user)).await, None);
    }
}

async fn an_unlisted_doctor_is_found_by_id(world: Arc<World>) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    world.set_active(doctor, false).await;
    let found = world.storage.doctor_by_id(doctor).await.unwrap().unwrap();
    assert!(!found.is_active && found.is_verified && !found.is_listed());
    let without = world.user(Role::Doctor).await.id;
    for user in [without, world.patient().await, user_id(0), user_id(9999)] {
        assert_eq!(world.storage.doctor_by_id(user).await.unwrap(), None);
    }
}

async fn listed(world: &World, filter: &DoctorFilter, skip: i64, limit: i64) -> (Vec<UserId>, u64) {
    let found = world
        .storage
        .doctor_page(filter, page(skip, limit))
        .await
        .unwrap();
    (
        found.items.iter().map(|doctor| doctor.id).collect(),
        found.total,
    )
}

async fn only_listed_doctors_are_listed(world: Arc<World>) {
    let clinic = world.clinic().await;
    let mut doctors = Vec::new();
    for _ in 0..4 {
        doctors.push(world.doctor(clinic).await);
    }
    world.user(Role::Doctor).await;
    world.patient().await;
    world.set_active(doctors[1], false).await;
    let everyone = DoctorFilter::default();
    let expected = vec![doctors[0], doctors[2], doctors[3]];
    assert_eq!(
        listed(&world, &everyone, 0, 100).await,
        (expected.clone(), 3)
    );
    assert_eq!(
        listed(&world, &everyone, 1, 1).await,
        (expected[1..2].to_vec(), 3)
    );
    assert_eq!(listed(&world, &everyone, 3, 1).await, (vec![], 3));
    world.set_active(doctors[1], true).await;
    assert_eq!(
        listed(&world, &everyone, 0, 100).await,
        (doctors.clone(), 4)
    );
    let page = world
        .storage
        .doctor_page(&everyone, page(0, 100))
        .await
        .unwrap();
    for doctor in page.items {
        assert_eq!(
            world.storage.doctor_by_id(doctor.id).await.unwrap(),
            Some(doctor)
        );
    }
}

async fn doctors_are_found_by_specialty_and_clinic(world: Arc<World>) {
    let clinics = [world.clinic().await, world.clinic().await];
    let mut doctors = Vec::new();
    for (specialty, clinic) in [
        ("Cardiology", 0),
        ("CARDIOLOGY", 1),
        ("Dermatology", 0),
        ("Ärztin", 1),
        ("cardiology and more", 0),
    ] {
        let specialty = Specialty::new(specialty).unwrap();
        let details = DoctorDetails {
            specialty,
            ..world.doctor_details(clinics[clinic])
        };
        doctors.push(world.make_doctor(details).await);
    }
    let filter = |specialty: Option<&str>, clinic: Option<ClinicId>| DoctorFilter {
        specialty: specialty.map(|text| Specialty::new(text).unwrap()),
        clinic,
    };
    let ids = |places: &[usize]| places.iter().map(|at| doctors[*at]).collect::<Vec<_>>();
    let find = |filter: DoctorFilter| {
        let world = Arc::clone(&world);
        async move { listed(&world, &filter, 0, 100).await }
    };
    assert_eq!(
        find(filter(Some("cardiology"), None)).await,
        (ids(&[0, 1]), 2)
    );
    assert_eq!(
        find(filter(Some("cArdiology"), Some(clinics[1]))).await,
        (ids(&[1]), 1)
    );
    assert_eq!(
        find(filter(None, Some(clinics[0]))).await,
        (ids(&[0, 2, 4]), 3)
    );
    assert_eq!(find(filter(Some("ÄRZTIN"), None)).await, (ids(&[3]), 1));
    assert_eq!(find(filter(Some("%"), None)).await, (ids(&[]), 0));
    assert_eq!(
        find(filter(None, Some(clinic_id(999)))).await,
        (ids(&[]), 0)
    );
    let paged = listed(&world, &filter(None, Some(clinics[0])), 1, 1).await;
    assert_eq!(paged, (ids(&[2]), 3));
    world.set_active(doctors[0], false).await;
    assert_eq!(find(filter(Some("cardiology"), None)).await, (ids(&[1]), 1));
}

async fn specialties_of_listed_doctors_are_listed_once(world: Arc<World>) {
    assert!(world.storage.specialties().await.unwrap().is_empty());
    let clinic = world.clinic().await;
    let mut doctors = Vec::new();
    for text in [
        "Neurology",
        "cardiology",
        "Cardiology",
        "طب القلب",
        "Ärztin",
        "äRZTIN",
        "NEUROLOGY",
        "Zoology",
        "Anatomy",
    ] {
        let details = DoctorDetails {
            specialty: Specialty::new(text).unwrap(),
            ..world.doctor_details(clinic)
        };
        doctors.push(world.make_doctor(details).await);
    }
    let listed = || async {
        let specialties = world.storage.specialties().await.unwrap();
        specialties
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    let all = [
        "Anatomy",
        "cardiology",
        "Neurology",
        "Zoology",
        "Ärztin",
        "طب القلب",
    ];
    assert_eq!(listed().await, all);
    // Who is not listed has none; the next one's spelling takes the place of his.
    for (doctor, expected) in [
        (
            7,
            vec!["Anatomy", "cardiology", "Neurology", "Ärztin", "طب القلب"],
        ),
        (
            1,
            vec!["Anatomy", "Cardiology", "Neurology", "Ärztin", "طب القلب"],
        ),
        (
            4,
            vec!["Anatomy", "Cardiology", "Neurology", "äRZTIN", "طب القلب"],
        ),
    ] {
        world.set_active(doctors[doctor], false).await;
        assert_eq!(listed().await, expected);
    }
    world.set_active(doctors[1], true).await;
    assert_eq!(listed().await[1], "cardiology");
}

async fn a_doctor_is_edited_at_his_version(world: Arc<World>) {
    let clinic = world.clinic().await;
    let other = world.make_clinic(&world.clinic_details("UTC")).await;
    let taken = DoctorDetails {
        licence_number: licence("Taken"),
        ..world.doctor_details(clinic)
    };
    world.make_doctor(taken).await;
    let own = DoctorDetails {
        licence_number: licence("Own"),
        ..world.doctor_details(clinic)
    };
    let doctor = world.make_doctor(own.clone()).await;
    let before = world.storage.doctor_by_id(doctor).await.unwrap().unwrap();
    let edit = |doctor: UserId, expected, details: &DoctorDetails| {
        let (world, details) = (Arc::clone(&world), details.clone());
        async move {
            let write = world.write_at(at(8), Subject::number(Resource::Doctor, doctor.get()));
            let answer = world
                .storage
                .update_doctor(&write, doctor, expected, &details)
                .await;
            applied(answer.unwrap())
        }
    };
    let folded = DoctorDetails {
        licence_number: licence("tAKEN"),
        ..own.clone()
    };
    let nowhere = DoctorDetails {
        clinic: clinic_id(999),
        ..folded.clone()
    };
    let unknown = user_id(9999);
    assert_eq!(
        world.unchanged(edit(unknown, 9, &nowhere)).await,
        UpdateDoctorOutcome::NotFound
    );
    let patient = world.patient().await;
    assert_eq!(
        world.unchanged(edit(patient, 1, &own)).await,
        UpdateDoctorOutcome::NotFound
    );
    let outcome = world.unchanged(edit(doctor, 9, &nowhere)).await;
    assert_eq!(outcome, UpdateDoctorOutcome::ClinicNotFound);
    let outcome = world.unchanged(edit(doctor, 9, &folded)).await;
    assert_eq!(outcome, UpdateDoctorOutcome::Superseded);
    let outcome = world.unchanged(edit(doctor, 1, &folded)).await;
    assert_eq!(outcome, UpdateDoctorOutcome::LicenceTaken);

    let details = DoctorDetails {
        clinic: other.id,
        licence_number: licence("OWN"),
        qualifications: Some(Qualifications::new("MD").unwrap()),
        biography: Some(Biography::new("From Aswan").unwrap()),
        consultation_fee: Some(ConsultationFee::from_hundredths(0).unwrap()),
        ..own
    };
    let after = Doctor {
        details: details.clone(),
        clinic_name: other.details.name,
        updated_at: at(8),
        version: 2,
        ..before
    };
    assert_eq!(
        edit(doctor, 1, &details).await,
        UpdateDoctorOutcome::Updated(after.clone())
    );
    assert_eq!(
        world.storage.doctor_by_id(doctor).await.unwrap(),
        Some(after)
    );
    let answers = together(16, |_| edit(doctor, 2, &details)).await;
    let edited = answers
        .iter()
        .filter(|one| matches!(one, UpdateDoctorOutcome::Updated(_)))
        .count();
    assert_eq!(edited, 1);
}

async fn a_licence_stays_unique(world: Arc<World>) {
    let clinic = world.clinic().await;
    let mut users = Vec::new();
    for _ in 0..16 {
        users.push(world.user(Role::Doctor).await.id);
    }
    let answers = together(16, |caller| {
        let (world, user) = (Arc::clone(&world), users[caller]);
        async move {
            let text = if caller % 2 == 0 { "Eg-1" } else { "eG-1" };
            let details = DoctorDetails {
                licence_number: licence(text),
                ..world.doctor_details(clinic)
            };
            complete(&world, user, details).await
        }
    })
    .await;
    let completed = answers
        .iter()
        .filter(|one| matches!(one, CompleteDoctorOutcome::Completed(_)))
        .count();
    let taken = answers
        .iter()
        .filter(|one| **one == CompleteDoctorOutcome::LicenceTaken)
        .count();
    assert_eq!((completed, taken), (1, 15));
    // The same by edits: eight doctors, one licence.
    let mut doctors = Vec::new();
    for _ in 0..8 {
        doctors.push(world.doctor(clinic).await);
    }
    let answers = together(8, |caller| {
        let (world, doctor) = (Arc::clone(&world), doctors[caller]);
        async move {
            let details = DoctorDetails {
                licence_number: licence("Eg-2"),
                ..world.doctor_details(clinic)
            };
            let write = world.changes(Resource::Doctor, doctor.get());
            let answer = world
                .storage
                .update_doctor(&write, doctor, 1, &details)
                .await;
            applied(answer.unwrap())
        }
    })
    .await;
    let updated = answers
        .iter()
        .filter(|one| matches!(one, UpdateDoctorOutcome::Updated(_)))
        .count();
    let taken = answers
        .iter()
        .filter(|one| **one == UpdateDoctorOutcome::LicenceTaken)
        .count();
    assert_eq!((updated, taken), (1, 7));
    // A licence that was given up is free.
    let holder = answers
        .iter()
        .position(|one| *one != UpdateDoctorOutcome::LicenceTaken)
        .unwrap();
    let write = world.changes(Resource::Doctor, doctors[holder].get());
    let details = world.doctor_details(clinic);
    world
        .storage
        .update_doctor(&write, doctors[holder], 2, &details)
        .await
        .unwrap();
    let details = DoctorDetails {
        licence_number: licence("EG-2"),
        ..world.doctor_details(clinic)
    };
    world.make_doctor(details).await;
}
