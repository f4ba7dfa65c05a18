//! Cases of clinics.

use std::sync::Arc;

use telemed_core::directory::{
    City, Clinic, ClinicAddress, ClinicDetails, ClinicName, ClinicPhone, Edited, Region, ZipCode,
};
use telemed_core::id::ClinicId;
use telemed_core::identity::Email;
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{BookOutcome, CreateSlotOutcome, NewSlot};

use crate::build::{World, applied, at, local_day, page, zone};
use crate::suite::case_list;
use crate::together;

case_list! { "directory":
    a_clinic_comes_back_as_it_was_made,
    an_unknown_clinic_is_none,
    clinics_are_found_by_city_without_regard_to_case,
    a_clinic_is_edited_at_its_version,
    a_new_zone_moves_local_days,
}

pub(super) fn clinic_id(number: i64) -> ClinicId {
    ClinicId::from_row(number)
}

async fn a_clinic_comes_back_as_it_was_made(world: Arc<World>) {
    let full = ClinicDetails {
        name: ClinicName::new("عيادة النيل 🏥").unwrap(),
        address: Some(ClinicAddress::new("١٢ شارع النيل").unwrap()),
        phone: Some(ClinicPhone::new("+20 2 1234").unwrap()),
        email: Some(Email::new("Nile@Example.org").unwrap()),
        city: Some(City::new("القاهرة").unwrap()),
        state: Some(Region::new("Cairo' OR 1=1 --").unwrap()),
        zip_code: Some(ZipCode::new("11511").unwrap()),
        time_zone: zone("Africa/Cairo"),
        is_active: false,
    };
    let plain = world.clinic_details("UTC");
    let mut ids = Vec::new();
    for details in [full, plain] {
        let write = world.write_at(at(3), Subject::new_row(Resource::Clinic));
        let clinic = applied(world.storage.create_clinic(&write, &details).await.unwrap());
        let expected = Clinic {
            id: clinic.id,
            details,
            created_at: at(3),
            updated_at: at(3),
            version: 1,
        };
        assert!(clinic.id.get() > 0);
        assert_eq!(clinic, expected);
        assert_eq!(
            world.storage.clinic_by_id(clinic.id).await.unwrap(),
            Some(expected)
        );
        ids.push(clinic.id);
    }
    assert!(ids[0] < ids[1]);
}

async fn an_unknown_clinic_is_none(world: Arc<World>) {
    let clinic = world.clinic().await;
    for number in [0, -1, clinic.get() + 1, i64::MAX] {
        assert_eq!(
            world.storage.clinic_by_id(clinic_id(number)).await.unwrap(),
            None
        );
    }
}

async fn clinics_are_found_by_city_without_regard_to_case(world: Arc<World>) {
    let mut ids = Vec::new();
    for (city, is_active) in [
        (Some("Cairo"), true),
        (Some("CAIRO"), true),
        (Some("cairo"), false),
        (Some("İzmir"), true),
        (None, true),
        (Some("القاهرة"), true),
    ] {
        let city = city.map(|city| City::new(city).unwrap());
        let details = ClinicDetails {
            city,
            is_active,
            ..world.clinic_details("UTC")
        };
        ids.push(world.make_clinic(&details).await.id);
    }
    let listed = |city: Option<&str>, request| {
        let (world, city) = (Arc::clone(&world), city.map(str::to_owned));
        async move {
            let page = world
                .storage
                .clinic_page(city.as_deref(), request)
                .await
                .unwrap();
            (
                page.items
                    .iter()
                    .map(|clinic| clinic.id)
                    .collect::<Vec<_>>(),
                page.total,
            )
        }
    };
    let all = page(0, 100);
    assert_eq!(listed(Some("cairo"), all).await, (vec![ids[0], ids[1]], 2));
    assert_eq!(listed(Some("cairo"), page(1, 1)).await, (vec![ids[1]], 2));
    assert_eq!(
        listed(Some(&"İzmir".to_lowercase()), all).await,
        (vec![ids[3]], 1)
    );
    assert_eq!(listed(Some("القاهرة"), all).await, (vec![ids[5]], 1));
    assert_eq!(listed(Some("cair"), all).await, (vec![], 0));
    assert_eq!(listed(Some("%"), all).await, (vec![], 0));
    let active = vec![ids[0], ids[1], ids[3], ids[4], ids[5]];
    assert_eq!(listed(None, all).await, (active.clone(), 5));
    assert_eq!(listed(None, page(1, 2)).await, (active[1..3].to_vec(), 5));
    // A clinic that moves is found where it is.
    let city = Some(City::new("Aswan").unwrap());
    let details = ClinicDetails {
        city,
        ..world.clinic_details("UTC")
    };
    let write = world.changes(Resource::Clinic, ids[0].get());
    world
        .storage
        .update_clinic(&write, ids[0], 1, &details)
        .await
        .unwrap();
    assert_eq!(listed(Some("cairo"), all).await, (vec![ids[1]], 1));
    assert_eq!(listed(Some("aswan"), all).await, (vec![ids[0]], 1));
}

async fn a_clinic_is_edited_at_its_version(world: Arc<World>) {
    let before = world.make_clinic(&world.clinic_details("UTC")).await;
    let details = ClinicDetails {
        phone: Some(ClinicPhone::new("19000").unwrap()),
        is_active: false,
        ..world.clinic_details("Asia/Riyadh")
    };
    let edit = |clinic: ClinicId, expected, details: &ClinicDetails| {
        let (world, details) = (Arc::clone(&world), details.clone());
        async move {
            let write = world.write_at(at(4), Subject::number(Resource::Clinic, clinic.get()));
            let answer = world
                .storage
                .update_clinic(&write, clinic, expected, &details)
                .await;
            applied(answer.unwrap())
        }
    };
    let unknown = clinic_id(before.id.get() + 1);
    assert_eq!(
        world.unchanged(edit(unknown, 1, &details)).await,
        Edited::NotFound
    );
    for version in [0, 2, i64::MAX] {
        let outcome = world.unchanged(edit(before.id, version, &details)).await;
        assert_eq!(outcome, Edited::Superseded);
    }
    let after = Clinic {
        details: details.clone(),
        updated_at: at(4),
        version: 2,
        ..before
    };
    assert_eq!(
        edit(after.id, 1, &details).await,
        Edited::Updated(after.clone())
    );
    assert_eq!(
        world.storage.clinic_by_id(after.id).await.unwrap(),
        Some(after.clone())
    );
    assert_eq!(
        world.unchanged(edit(after.id, 1, &details)).await,
        Edited::Superseded
    );
    // Of edits in parallel one is the first.
    let answers = together(16, |_| edit(after.id, 2, &details)).await;
    let edited = answers
        .iter()
        .filter(|one| matches!(one, Edited::Updated(_)))
        .count();
    assert_eq!(edited, 1);
}

async fn a_new_zone_moves_local_days(world: Arc<World>) {
    let clinic = world.make_clinic(&world.clinic_details("UTC")).await;
    let elsewhere = world.clinic().await;
    let doctor = world.doctor_with_limit(clinic.id, 1).await;
    let other = world.doctor(elsewhere).await;
    let patient = world.patient().await;
    // 23:00 in Greenwich is 01:00 of the next day in Cairo.
    let late = world.slot(doctor, clinic.id, 23 * 60, 5).await;
    let retired = world.slot(doctor, clinic.id, 22 * 60 + 30, 5).await;
    let write = world.changes(Resource::Slot, retired.get());
    world.storage.retire_slot(&write, retired).await.unwrap();
    let next_day = world.slot(doctor, clinic.id, 34 * 60, 5).await;
    let untouched = world.slot(other, elsewhere, 23 * 60, 5).await;
    let booked = world.book(late, patient).await;
    assert_eq!(
        world.slot_now(late).await.local_day,
        local_day("2030-01-01")
    );
    assert_eq!(booked.local_day, local_day("2030-01-01"));

    let details = ClinicDetails {
        time_zone: zone("Africa/Cairo"),
        ..clinic.details.clone()
    };
    let write = world.changes(Resource::Clinic, clinic.id.get());
    let outcome = world
        .storage
        .update_clinic(&write, clinic.id, 1, &details)
        .await
        .unwrap();
    assert!(matches!(applied(outcome), Edited::Updated(_)));
    for slot in [late, retired, next_day] {
        assert_eq!(
            world.slot_now(slot).await.local_day,
            local_day("2030-01-02")
        );
    }
    assert_eq!(
        world.slot_now(untouched).await.local_day,
        local_day("2030-01-01")
    );
    let moved = world
        .storage
        .appointment_by_id(booked.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(moved.local_day, local_day("2030-01-02"));
    assert_eq!(moved.facts, booked.facts, "the instant stays");
    // The two slots are on one day now, and the doctor's day is full.
    let outcome = world.outcome(next_day, world.patient().await).await;
    assert_eq!(outcome, BookOutcome::DailyLimit);
    // Whoever derived a day in the old zone is told so.
    let write = world.makes(Resource::Slot);
    let slot = world.new_slot(doctor, clinic.id, 60, 1);
    let outcome = world
        .unchanged(world.storage.create_slot(&write, &slot))
        .await
        .unwrap();
    assert_eq!(applied(outcome), CreateSlotOutcome::ZoneChanged);
    let time_zone = zone("Africa/Cairo");
    let made = world
        .make_slot(&NewSlot {
            local_day: slot.facts.starts_at.local_day(&time_zone),
            time_zone,
            ..slot
        })
        .await;
    assert_eq!(made.local_day, local_day("2030-01-01"));
}
