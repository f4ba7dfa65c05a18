//! Races over the wire: many clients, one winner for each seat.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use serde_json::json;
use telemed_tests::client::{Answer, id_of};
use telemed_tests::practice::{CROWD, PASSWORD, Visit, hour};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Sends all requests at one moment and returns their answers.
async fn at_once<F>(requests: impl IntoIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let requests: Vec<F> = requests.into_iter().collect();
    let line = Arc::new(Barrier::new(requests.len()));
    let mut running = JoinSet::new();
    for request in requests {
        let line = Arc::clone(&line);
        running.spawn(async move {
            line.wait().await;
            request.await
        });
    }
    running.join_all().await
}

/// How often each status and code was answered.
fn tally(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let code = answer.json()["error_code"]
            .as_str()
            .unwrap_or("")
            .to_owned();
        *counts.entry((answer.status, code)).or_default() += 1;
    }
    counts
}

#[track_caller]
fn assert_tally(answers: &[Answer], expected: &[(u16, &str, usize)]) {
    let expected: BTreeMap<_, _> = expected
        .iter()
        .filter(|(.., count)| *count > 0)
        .map(|(status, code, count)| ((*status, (*code).to_owned()), *count))
        .collect();
    assert_eq!(tally(answers), expected);
}

async fn many_on_one_slot(capacity: usize) {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let people = visit.crowd().await;
    let seats = i64::try_from(capacity).unwrap();
    let slot = visit.any_slot(&doctor, clinic, seats).await;
    let answers = at_once(people.iter().map(|person| {
        let client = visit.of(person);
        async move { client.book(slot).await }
    }))
    .await;
    assert_tally(
        &answers,
        &[
            (201, "", capacity),
            (409, "SLOT_UNAVAILABLE", CROWD - capacity),
        ],
    );
    // What the winners were told is there, once each.
    let mut ids: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| id_of(&answer.json()))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), capacity);
    for id in ids {
        let path = format!("/appointments/{id}");
        let row = visit.admin.get(&path).await.expect(200);
        assert_eq!(
            (&row["slot_id"], &row["status"]),
            (&json!(slot), &json!("pending"))
        );
    }
    assert!(visit.open_slots(&doctor).await.is_empty(), "it is full");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_and_one_seat() {
    many_on_one_slot(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_and_three_seats() {
    many_on_one_slot(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_and_ten_seats() {
    many_on_one_slot(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_cancels_free_one_seat() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let people = visit.crowd().await;
    let slot = visit.any_slot(&doctor, clinic, 3).await;
    let mut appointments = Vec::new();
    for person in &people[..3] {
        appointments.push(visit.booked(person, slot).await);
    }
    let target = appointments[1];
    let answers = at_once((0..16).map(|number| {
        // All who may: the patient, the doctor, the administrator.
        let client = match number % 3 {
            0 => visit.of(&people[1]),
            1 => visit.of(&doctor),
            _ => visit.admin.clone(),
        };
        async move { client.cancel(target).await }
    }))
    .await;
    assert_tally(&answers, &[(200, "", 1), (409, "CONFLICT", 15)]);
    assert_eq!(visit.seats_taken(&doctor, slot, 3).await, 2);
    // One seat is free, and not two.
    let answers = at_once(people[10..26].iter().map(|person| {
        let client = visit.of(person);
        async move { client.book(slot).await }
    }))
    .await;
    assert_tally(&answers, &[(201, "", 1), (409, "SLOT_UNAVAILABLE", 15)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_slots_are_made_once() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let slot = json!({
        "doctor_id": doctor.id,
        "clinic_id": clinic,
        "slot_datetime": hour(visit.new_day(), 9).to_string(),
    });
    let answers = at_once((0..16).map(|number| {
        let client = if number % 2 == 0 {
            visit.of(&doctor)
        } else {
            visit.admin.clone()
        };
        let slot = slot.clone();
        async move { client.post("/slots", &slot).await }
    }))
    .await;
    assert_tally(&answers, &[(201, "", 1), (409, "CONFLICT", 15)]);
    assert_eq!(visit.open_slots(&doctor).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_slots_exclude_one_another() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let day = visit.new_day();
    // Each of an hour, ten minutes apart: any two of neighbours overlap.
    let answers = at_once((0..24).map(|number| {
        let at = hour(day, 8) + jiff::SignedDuration::from_mins(number * 10);
        let slot = json!({
            "doctor_id": doctor.id,
            "clinic_id": clinic,
            "slot_datetime": at.to_string(),
            "duration_minutes": 60,
        });
        let client = visit.admin.clone();
        async move { client.post("/slots", &slot).await }
    }))
    .await;
    assert!(
        answers
            .iter()
            .all(|answer| [201, 409].contains(&answer.status))
    );
    let slots = visit.open_slots(&doctor).await;
    assert_eq!(
        slots.len(),
        answers.iter().filter(|answer| answer.status == 201).count()
    );
    assert!(!slots.is_empty());
    let starts: Vec<jiff::Timestamp> = slots
        .iter()
        .map(|slot| slot["slot_datetime"].as_str().unwrap().parse().unwrap())
        .collect();
    for pair in starts.windows(2) {
        assert!(pair[1].duration_since(pair[0]) >= jiff::SignedDuration::from_mins(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_limit_holds_over_several_slots() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.doctor_with_limit(clinic, 7).await;
    let people = visit.crowd().await;
    let day = visit.new_day();
    let mut slots = Vec::new();
    for at in [8, 10, 12, 14] {
        slots.push(visit.slot(&doctor, clinic, hour(day, at), 50).await);
    }
    let answers = at_once(people.iter().enumerate().map(|(number, person)| {
        let (client, slot) = (visit.of(person), slots[number % 4]);
        async move { client.book(slot).await }
    }))
    .await;
    assert_tally(
        &answers,
        &[(201, "", 7), (409, "SLOT_UNAVAILABLE", CROWD - 7)],
    );
    let taken: i64 = visit
        .open_slots(&doctor)
        .await
        .iter()
        .map(|slot| slot["booked_count"].as_i64().unwrap())
        .sum();
    assert_eq!(taken, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_gets_a_slot_once() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    for capacity in [1, 10] {
        let slot = visit.any_slot(&doctor, clinic, capacity).await;
        let answers = at_once((0..64).map(|_| {
            let client = visit.of(&patient);
            async move { client.book(slot).await }
        }))
        .await;
        assert_tally(&answers, &[(201, "", 1), (409, "DUPLICATE_BOOKING", 63)]);
        assert_eq!(visit.seats_taken(&doctor, slot, capacity).await, 1);
    }
    assert_eq!(visit.appointments_of(&patient).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_in_one_place_at_a_time() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let patient = visit.patient().await;
    let at = hour(visit.new_day(), 9);
    let mut slots = Vec::new();
    for _ in 0..8 {
        let doctor = visit.doctor(clinic).await;
        slots.push(visit.slot(&doctor, clinic, at, 5).await);
    }
    let answers = at_once(slots.into_iter().map(|slot| {
        let client = visit.of(&patient);
        async move { client.book(slot).await }
    }))
    .await;
    assert_tally(&answers, &[(201, "", 1), (409, "CONFLICT", 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_sold_again_while_they_are_given_back() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let people = visit.crowd().await;
    let slot = visit.any_slot(&doctor, clinic, 3).await;
    let mut running = JoinSet::new();
    for person in people.iter().take(16) {
        let client = visit.of(person);
        running.spawn(async move {
            let mut held = 0;
            for _ in 0..6 {
                let answer = client.book(slot).await;
                if answer.status == 201 {
                    held += 1;
                    let _ = client.cancel(id_of(&answer.json())).await.expect(200);
                } else {
                    answer.refused(409, "SLOT_UNAVAILABLE");
                }
            }
            held
        });
    }
    let held: usize = running.join_all().await.into_iter().sum();
    assert!(held >= 3, "somebody got a seat");
    assert_eq!(visit.seats_taken(&doctor, slot, 3).await, 0);
    for person in &people[..3] {
        let _ = visit.booked(person, slot).await;
    }
    visit
        .of(&people[3])
        .book(slot)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_makes_one_account() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let answers = at_once((0..16).map(|number| {
        let client = visit.anonymous.clone();
        let email = if number % 2 == 0 {
            email.clone()
        } else {
            email.to_uppercase()
        };
        let account = json!({"name": "x", "email": email, "password": PASSWORD, "role": "patient"});
        async move { client.post("/auth/register", &account).await }
    }))
    .await;
    assert_tally(&answers, &[(201, "", 1), (409, "EMAIL_ALREADY_EXISTS", 15)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_licence_makes_one_doctor() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let mut profiles = Vec::new();
    for _ in 0..8 {
        let doctor = visit.unverified_doctor().await;
        profiles.push(visit.profile(&doctor, clinic));
    }
    let licence = profiles[0]["license_number"].clone();
    let answers = at_once(profiles.into_iter().map(|mut profile| {
        profile["license_number"] = licence.clone();
        let client = visit.admin.clone();
        async move { client.post("/doctors", &profile).await }
    }))
    .await;
    assert_tally(&answers, &[(201, "", 1), (409, "CONFLICT", 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_opposite_decisions_one_is_taken() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    for _ in 0..4 {
        let slot = visit.any_slot(&doctor, clinic, 1).await;
        let appointment = visit.booked(&patient, slot).await;
        let answers = at_once((0..12).map(|number| {
            let client = visit.of(&doctor);
            async move {
                match number % 2 {
                    0 => client.step(appointment, "confirm").await,
                    _ => client.reject(appointment).await,
                }
            }
        }))
        .await;
        assert_tally(&answers, &[(200, "", 1), (409, "CONFLICT", 11)]);
        let told = answers
            .iter()
            .find(|answer| answer.status == 200)
            .unwrap()
            .json();
        let path = format!("/appointments/{appointment}");
        let row = visit.admin.get(&path).await.expect(200);
        assert_eq!(row["status"], told["status"], "what was told is what is");
        let taken = visit.seats_taken(&doctor, slot, 1).await;
        assert_eq!(taken, i64::from(row["status"] == "confirmed"));
    }
}
