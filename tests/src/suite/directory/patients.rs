//! Cases of patients.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::directory::{Edited, StoredPatient};
use telemed_core::id::UserId;
use telemed_core::journal::{Resource, Subject};

use crate::build::{World, applied, at, sealed, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "directory":
    only_patients_have_a_profile,
    a_profile_is_edited_at_its_version,
}

async fn only_patients_have_a_profile(world: Arc<World>) {
    let patient = world.user(Role::Patient).await;
    let found = world
        .storage
        .patient_by_id(patient.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.full_name, patient.full_name);
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let admin = world.user(Role::Admin).await.id;
    for user in [doctor, admin, user_id(0), user_id(9999)] {
        assert_eq!(world.storage.patient_by_id(user).await.unwrap(), None);
    }
    world.set_active(patient.id, false).await;
    let found = world
        .storage
        .patient_by_id(patient.id)
        .await
        .unwrap()
        .unwrap();
    assert!(!found.is_active);
}

async fn a_profile_is_edited_at_its_version(world: Arc<World>) {
    let patient = world.patient().await;
    let other = world.patient().await;
    let before = world.storage.patient_by_id(patient).await.unwrap().unwrap();
    let others = world.storage.patient_by_id(other).await.unwrap();
    let edit = |patient: UserId, expected, text: &str| {
        let (world, profile) = (Arc::clone(&world), sealed(text));
        async move {
            let write = world.write_at(at(2), Subject::number(Resource::Patient, patient.get()));
            let answer = world
                .storage
                .update_patient(&write, patient, expected, &profile)
                .await;
            applied(answer.unwrap())
        }
    };
    assert_eq!(
        world.unchanged(edit(user_id(9999), 1, "a")).await,
        Edited::NotFound
    );
    let admin = world.user(Role::Admin).await.id;
    assert_eq!(world.unchanged(edit(admin, 1, "a")).await, Edited::NotFound);
    for version in [0, 2, i64::MAX] {
        assert_eq!(
            world.unchanged(edit(patient, version, "a")).await,
            Edited::Superseded
        );
    }
    let after = StoredPatient {
        profile: Some(sealed("\0\u{1F48A}")),
        updated_at: at(2),
        version: 2,
        ..before
    };
    assert_eq!(
        edit(patient, 1, "\0\u{1F48A}").await,
        Edited::Updated(after.clone())
    );
    assert_eq!(
        world.storage.patient_by_id(patient).await.unwrap(),
        Some(after)
    );
    assert_eq!(world.storage.patient_by_id(other).await.unwrap(), others);
    let answers = together(16, |_| edit(patient, 2, "b")).await;
    let edited = answers
        .iter()
        .filter(|one| matches!(one, Edited::Updated(_)))
        .count();
    assert_eq!(edited, 1);
}
