//! What each refusal of a booking answers, and that a refused booking changes nothing.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::Client;
use telemed_tests::practice::{Person, Visit, hour, until};

/// A patient, a doctor and what a refused booking must leave as it is.
struct Scene {
    visit: Visit,
    clinic: i64,
    doctor: Person,
    patient: Person,
}

impl Scene {
    async fn set() -> Self {
        let visit = Visit::shared().await;
        let (clinic, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        Self {
            visit,
            clinic,
            doctor,
            patient,
        }
    }

    /// Everything about the doctor's offer and the patient's appointments.
    async fn state(&self) -> (Vec<Value>, Vec<Value>) {
        (
            self.visit.open_slots(&self.doctor).await,
            self.visit.appointments_of(&self.patient).await,
        )
    }

    async fn refused(&self, by: &Client, request: Value, status: u16, code: &str) {
        let before = self.state().await;
        let answer = by.post("/appointments/book", &request).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
        answer.refused(status, code);
        assert_eq!(
            self.state().await,
            before,
            "{request} has changed something"
        );
    }

    async fn refused_slot(&self, slot: i64, status: u16, code: &str) {
        let patient = self.visit.of(&self.patient);
        self.refused(&patient, json!({"slot_id": slot}), status, code)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_slot() {
    let scene = Scene::set().await;
    scene
        .refused_slot(999_999_999, 404, "RESOURCE_NOT_FOUND")
        .await;
    scene
        .refused_slot(i64::MAX, 404, "RESOURCE_NOT_FOUND")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_taken_back() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let path = format!("/slots/{slot}");
    let _ = scene.visit.admin.delete(&path).await.expect(200);
    scene.refused_slot(slot, 409, "SLOT_UNAVAILABLE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_doctor_who_was_deactivated() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let path = format!("/users/{}/deactivate", scene.doctor.id);
    let admin = &scene.visit.admin;
    let _ = admin.request(Method::POST, &path).send().await.expect(200);
    scene.refused_slot(slot, 409, "SLOT_UNAVAILABLE").await;
    let path = format!("/users/{}/activate", scene.doctor.id);
    let _ = admin.request(Method::POST, &path).send().await.expect(200);
    let _ = scene.visit.booked(&scene.patient, slot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_clinic_that_is_closed() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let path = format!("/clinics/{}", scene.clinic);
    let admin = &scene.visit.admin;
    let _ = admin
        .put(&path, &json!({"is_active": false}))
        .await
        .expect(200);
    assert!(scene.visit.open_slots(&scene.doctor).await.is_empty());
    scene.refused_slot(slot, 409, "SLOT_UNAVAILABLE").await;
    let _ = admin
        .put(&path, &json!({"is_active": true}))
        .await
        .expect(200);
    let _ = scene.visit.booked(&scene.patient, slot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_has_begun() {
    let scene = Scene::set().await;
    let soon = Timestamp::now() + SignedDuration::from_secs(3);
    let slot = scene.visit.slot(&scene.doctor, scene.clinic, soon, 5).await;
    until("the slot has begun", || async {
        scene.visit.open_slots(&scene.doctor).await.is_empty()
    })
    .await;
    assert!(Timestamp::now() >= soon, "it was offered until its start");
    scene.refused_slot(slot, 409, "SLOT_UNAVAILABLE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_slot() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 2).await;
    for _ in 0..2 {
        let other = scene.visit.patient().await;
        let _ = scene.visit.booked(&other, slot).await;
    }
    scene.refused_slot(slot, 409, "SLOT_UNAVAILABLE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_the_doctor_sees_no_more_patients() {
    let mut scene = Scene::set().await;
    scene.doctor = scene.visit.doctor_with_limit(scene.clinic, 2).await;
    let day = scene.visit.new_day();
    let morning = scene
        .visit
        .slot(&scene.doctor, scene.clinic, hour(day, 9), 5)
        .await;
    let noon = scene
        .visit
        .slot(&scene.doctor, scene.clinic, hour(day, 12), 5)
        .await;
    let other = scene.visit.patient().await;
    let first = scene.visit.booked(&other, morning).await;
    let _ = scene.visit.booked(&other, noon).await;
    scene.refused_slot(morning, 409, "SLOT_UNAVAILABLE").await;
    scene.refused_slot(noon, 409, "SLOT_UNAVAILABLE").await;
    // Another day has a limit of its own.
    let next = scene.visit.any_slot(&scene.doctor, scene.clinic, 5).await;
    let _ = scene.visit.booked(&scene.patient, next).await;
    // What is cancelled does not count.
    let _ = scene.visit.of(&other).cancel(first).await.expect(200);
    let _ = scene.visit.booked(&scene.patient, noon).await;
    scene.refused_slot(morning, 409, "SLOT_UNAVAILABLE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctors_day_is_the_clinics_day() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("Pacific/Auckland").await;
    let doctor = visit.doctor_with_limit(clinic, 1).await;
    let zone = jiff::tz::TimeZone::get("Pacific/Auckland").unwrap();
    let (day, _spare) = (visit.new_day(), visit.new_day());
    // Midnight in Auckland lies inside of this day of UTC.
    let midnight = hour(day, 20)
        .to_zoned(zone)
        .start_of_day()
        .unwrap()
        .timestamp();
    assert!(hour(day, 1) < midnight && midnight < hour(day, 23));
    let patient = visit.patient().await;
    let before = visit.slot(&doctor, clinic, hour(midnight, -1), 2).await;
    let after = visit.slot(&doctor, clinic, hour(midnight, 1), 2).await;
    let later = visit.slot(&doctor, clinic, hour(midnight, 20), 2).await;
    let _ = visit.booked(&patient, before).await;
    let _ = visit.booked(&patient, after).await;
    visit
        .of(&patient)
        .book(later)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_slot_again() {
    let scene = Scene::set().await;
    for capacity in [1, 3] {
        let slot = scene
            .visit
            .any_slot(&scene.doctor, scene.clinic, capacity)
            .await;
        let appointment = scene.visit.booked(&scene.patient, slot).await;
        // Also when it is full by that: he has it already.
        scene.refused_slot(slot, 409, "DUPLICATE_BOOKING").await;
        let _ = scene
            .visit
            .admin
            .step(appointment, "confirm")
            .await
            .expect(200);
        scene.refused_slot(slot, 409, "DUPLICATE_BOOKING").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_at_the_same_time_as_another_of_the_patient() {
    let scene = Scene::set().await;
    let other = scene.visit.doctor(scene.clinic).await;
    let day = scene.visit.new_day();
    let ten = hour(day, 10);
    let first = scene.visit.slot(&other, scene.clinic, ten, 1).await;
    let appointment = scene.visit.booked(&scene.patient, first).await;
    let mut slots = Vec::new();
    for minutes in [15, -15] {
        let at = ten + SignedDuration::from_mins(minutes);
        let doctor = scene.visit.doctor(scene.clinic).await;
        slots.push(scene.visit.slot(&doctor, scene.clinic, at, 1).await);
    }
    slots.push(scene.visit.slot(&scene.doctor, scene.clinic, ten, 1).await);
    for slot in &slots {
        scene.refused_slot(*slot, 409, "CONFLICT").await;
    }
    // What only touches is no overlap.
    let next = scene
        .visit
        .slot(
            &scene.doctor,
            scene.clinic,
            ten + SignedDuration::from_mins(30),
            1,
        )
        .await;
    let _ = scene.visit.booked(&scene.patient, next).await;
    // What is cancelled is in nobody's way.
    let _ = scene
        .visit
        .of(&scene.patient)
        .cancel(appointment)
        .await
        .expect(200);
    let _ = scene.visit.booked(&scene.patient, slots[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_or_clinic_that_is_not_the_slots() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let (clinic, doctor) = scene.visit.clinic_and_doctor().await;
    let patient = scene.visit.of(&scene.patient);
    for (field, id) in [
        ("doctor_id", doctor.id),
        ("doctor_id", 999_999_999),
        ("clinic_id", clinic),
        ("clinic_id", 999_999_999),
    ] {
        let request = json!({"slot_id": slot, field: id});
        scene
            .refused(&patient, request, 400, "APPOINTMENT_ERROR")
            .await;
    }
    // It is told before what else is wrong.
    let _ = scene
        .visit
        .admin
        .delete(&format!("/slots/{slot}"))
        .await
        .expect(200);
    let request = json!({"slot_id": slot, "doctor_id": doctor.id});
    scene
        .refused(&patient, request, 400, "APPOINTMENT_ERROR")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_patient() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let stranger = scene.visit.patient().await;
    let stranger = scene.visit.of(&stranger);
    for patient in [scene.patient.id, scene.doctor.id, 999_999_999] {
        let request = json!({"slot_id": slot, "patient_id": patient});
        scene
            .refused(&stranger, request, 403, "AUTHORIZATION_ERROR")
            .await;
    }
    // A doctor books nobody, himself neither.
    let doctor = scene.visit.of(&scene.doctor);
    for patient in [scene.patient.id, scene.doctor.id] {
        let request = json!({"slot_id": slot, "patient_id": patient});
        scene
            .refused(&doctor, request, 403, "AUTHORIZATION_ERROR")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_who_was_deactivated() {
    let scene = Scene::set().await;
    let slot = scene.visit.any_slot(&scene.doctor, scene.clinic, 1).await;
    let admin = scene.visit.admin.clone();
    let path = format!("/users/{}/deactivate", scene.patient.id);
    let _ = admin.request(Method::POST, &path).send().await.expect(200);
    let request = json!({"slot_id": slot, "patient_id": scene.patient.id});
    scene
        .refused(&admin, request.clone(), 403, "AUTHORIZATION_ERROR")
        .await;
    // It is told before what is wrong with the slot.
    let _ = admin.delete(&format!("/slots/{slot}")).await.expect(200);
    scene
        .refused(&admin, request, 403, "AUTHORIZATION_ERROR")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_reason_in_the_contracts_order_is_told() {
    let scene = Scene::set().await;
    let visit = &scene.visit;
    let doctor = visit.doctor_with_limit(scene.clinic, 1).await;
    let day = visit.new_day();
    let slot = visit.slot(&doctor, scene.clinic, hour(day, 9), 1).await;
    let other = visit.patient().await;
    // Full, over the limit, and overlapping another visit of the patient: the overlap.
    let _ = visit.booked(&other, slot).await;
    let elsewhere = visit
        .slot(&scene.doctor, scene.clinic, hour(day, 9), 1)
        .await;
    let _ = visit.booked(&scene.patient, elsewhere).await;
    scene.refused_slot(slot, 409, "CONFLICT").await;
    // Taken back and overlapping: taken back.
    let third = visit.doctor(scene.clinic).await;
    let gone = visit.slot(&third, scene.clinic, hour(day, 9), 1).await;
    let _ = visit
        .admin
        .delete(&format!("/slots/{gone}"))
        .await
        .expect(200);
    scene.refused_slot(gone, 409, "SLOT_UNAVAILABLE").await;
}
