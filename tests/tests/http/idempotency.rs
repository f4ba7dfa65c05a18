//! Requests with an `Idempotency-Key`: sent again, they take effect once.

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client, id_of};
use telemed_tests::practice::{PASSWORD, Visit, hour, token_of};

async fn keyed(client: &Client, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    let request = client.request(method, path).key(key);
    let request = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    request.send().await
}

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    keyed(client, Method::POST, path, key, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_sent_again_is_the_same_booking() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let slot = visit.any_slot(&doctor, clinic, 5).await;
    let body = json!({"slot_id": slot, "reason_for_visit": "cough"});
    let first = post(&client, "/appointments/book", "key-1", &body)
        .await
        .expect(201);
    for _ in 0..3 {
        let again = post(&client, "/appointments/book", "key-1", &body)
            .await
            .expect(201);
        assert_eq!(again, first);
    }
    assert_eq!(visit.seats_taken(&doctor, slot, 5).await, 1);
    assert_eq!(visit.appointments_of(&patient).await.len(), 1);
    // The same key with another request.
    for other in [
        json!({"slot_id": slot, "reason_for_visit": "fever"}),
        json!({"slot_id": slot}),
        json!({"slot_id": visit.any_slot(&doctor, clinic, 1).await, "reason_for_visit": "cough"}),
    ] {
        let answer = post(&client, "/appointments/book", "key-1", &other).await;
        answer.refused(422, "IDEMPOTENCY_MISMATCH");
    }
    assert_eq!(visit.appointments_of(&patient).await.len(), 1);
    // Another key is another request.
    let other = post(&client, "/appointments/book", "key-2", &body).await;
    other.refused(409, "DUPLICATE_BOOKING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_actors_and_one_operations() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let [one, two] = [visit.patient().await, visit.patient().await];
    let slot = visit.any_slot(&doctor, clinic, 5).await;
    let body = json!({"slot_id": slot});
    let first = post(&visit.of(&one), "/appointments/book", "shared", &body)
        .await
        .expect(201);
    let second = post(&visit.of(&two), "/appointments/book", "shared", &body)
        .await
        .expect(201);
    assert_ne!(first["id"], second["id"]);
    let path = format!("/appointments/{}/cancel", first["id"]);
    let reason = json!({"cancelled_reason": "x"});
    let cancelled = post(&visit.of(&one), &path, "shared", &reason)
        .await
        .expect(200);
    assert_eq!(cancelled["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_use_the_key_up() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let [one, two] = [visit.patient().await, visit.patient().await];
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let held = visit.booked(&one, slot).await;
    let body = json!({"slot_id": slot});
    let client = visit.of(&two);
    let answer = post(&client, "/appointments/book", "later", &body).await;
    answer.refused(409, "SLOT_UNAVAILABLE");
    let _ = visit.of(&one).cancel(held).await.expect(200);
    let _ = post(&client, "/appointments/book", "later", &body)
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_repetitions_take_effect_once() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 10).await;
    let body = json!({"slot_id": slot});
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, body) = (visit.of(&patient), body.clone());
        running.spawn(async move {
            let answer = post(&client, "/appointments/book", "together", &body).await;
            id_of(&answer.expect(201))
        });
    }
    let mut ids = running.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(visit.seats_taken(&doctor, slot, 10).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_sent_again_gives_fresh_tokens_for_the_same_account() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let key = format!("register-{email}");
    let body = json!({"name": "x", "email": email, "password": PASSWORD, "role": "patient"});
    let first = post(&visit.anonymous, "/auth/register", &key, &body)
        .await
        .expect(201);
    let again = post(&visit.anonymous, "/auth/register", &key, &body)
        .await
        .expect(201);
    assert_eq!(first["user"]["id"], again["user"]["id"]);
    assert_ne!(token_of(&first), token_of(&again), "tokens are not kept");
    for signed in [&first, &again] {
        let client = visit.anonymous.with_token(&token_of(signed));
        assert_eq!(
            client.get("/auth/profile").await.expect(200)["id"],
            first["user"]["id"]
        );
    }
    // Who does not know the password does not get in by the key.
    let mut other = body.clone();
    other["password"] = "another long password".into();
    let answer = post(&visit.anonymous, "/auth/register", &key, &other).await;
    answer.refused(422, "IDEMPOTENCY_MISMATCH");
    let answer = visit.anonymous.post("/auth/register", &body).await;
    answer.refused(409, "EMAIL_ALREADY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn login_ignores_the_key() {
    let visit = Visit::shared().await;
    let [one, two] = [visit.patient().await, visit.patient().await];
    let key = format!("login-{}", one.email);
    let mut tokens = Vec::new();
    for person in [&one, &one, &two] {
        let body = json!({"email": person.email, "password": PASSWORD});
        let signed = post(&visit.anonymous, "/auth/login", &key, &body)
            .await
            .expect(200);
        assert_eq!(signed["user"]["id"], person.id);
        tokens.push(token_of(&signed));
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_an_appointment_sent_again_answer_the_appointment() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let doctors = visit.of(&doctor);
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let appointment = visit.booked(&patient, slot).await;
    let path = |step: &str| format!("/appointments/{appointment}/{step}");
    for _ in 0..2 {
        let answer = post(&doctors, &path("confirm"), "k", &Value::Null)
            .await
            .expect(200);
        assert_eq!(answer["status"], "confirmed");
    }
    let reason = json!({"cancelled_reason": "ill"});
    for _ in 0..2 {
        let answer = post(&doctors, &path("cancel"), "k", &reason)
            .await
            .expect(200);
        assert_eq!(answer["status"], "cancelled");
    }
    let other = json!({"cancelled_reason": "another reason"});
    let answer = post(&doctors, &path("cancel"), "k", &other).await;
    answer.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(visit.seats_taken(&doctor, slot, 1).await, 0);
    let appointment = visit.booked(&patient, slot).await;
    let path = format!("/appointments/{appointment}/reject");
    for _ in 0..2 {
        let answer = post(&doctors, &path, "k", &json!({"reason": "x"}))
            .await
            .expect(200);
        assert_eq!(answer["status"], "rejected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_and_deletes_have_keys_too() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let admin = &visit.admin;
    let client = visit.of(&patient);
    let key = format!("put-{}", patient.email);
    let path = format!("/patients/{}", patient.id);
    let allergic = json!({"allergies": "nuts"});
    let first = keyed(&client, Method::PUT, &path, &key, &allergic)
        .await
        .expect(200);
    assert_eq!(first["allergies"], "nuts");
    let changed = client
        .put(&path, &json!({"allergies": "none known"}))
        .await
        .expect(200);
    // The repetition must not undo what came after it.
    let _ = keyed(&client, Method::PUT, &path, &key, &allergic)
        .await
        .expect(200);
    assert_eq!(client.get(&path).await.expect(200), changed);
    let answer = keyed(
        &client,
        Method::PUT,
        &path,
        &key,
        &json!({"allergies": "dust"}),
    )
    .await;
    answer.refused(422, "IDEMPOTENCY_MISMATCH");

    for (path, body) in [
        (format!("/clinics/{clinic}"), json!({"phone": "12"})),
        (
            format!("/doctors/{}", doctor.id),
            json!({"experience_years": 12}),
        ),
    ] {
        for _ in 0..2 {
            let _ = keyed(admin, Method::PUT, &path, &key, &body)
                .await
                .expect(200);
        }
    }
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let path = format!("/slots/{slot}");
    for _ in 0..2 {
        let body = keyed(admin, Method::DELETE, &path, &key, &Value::Null)
            .await
            .expect(200);
        assert!(body["message"].is_string());
    }
    let other = visit.any_slot(&doctor, clinic, 1).await;
    let answer = keyed(
        admin,
        Method::DELETE,
        &format!("/slots/{other}"),
        &key,
        &Value::Null,
    )
    .await;
    answer.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(
        visit.open_slots(&doctor).await.len(),
        1,
        "the other slot is still offered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn things_made_twice_with_a_key_are_made_once() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.unverified_doctor().await;
    let profile = visit.profile(&doctor, clinic);
    let key = format!("make-{}", doctor.email);
    let slot = json!({
        "doctor_id": doctor.id,
        "clinic_id": clinic,
        "slot_datetime": hour(visit.new_day(), 8).to_string(),
    });
    for (path, body) in [
        ("/clinics", json!({"name": key})),
        ("/doctors", profile),
        ("/slots", slot),
    ] {
        let first = post(&visit.admin, path, &key, &body).await.expect(201);
        let again = post(&visit.admin, path, &key, &body).await.expect(201);
        assert_eq!(first["id"], again["id"], "{path}");
    }
    for verb in ["deactivate", "activate"] {
        let path = format!("/users/{}/{verb}", doctor.id);
        for _ in 0..2 {
            let user = post(&visit.admin, &path, &key, &Value::Null)
                .await
                .expect(200);
            assert_eq!(user["id"], doctor.id);
        }
    }
    let path = format!("/doctors/{}/verify", doctor.id);
    for _ in 0..2 {
        let _ = post(&visit.admin, &path, &key, &Value::Null)
            .await
            .expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_wrong_shape_is_refused_and_nothing_happens() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let client = visit.of(&patient);
    let long = "k".repeat(5_000);
    for key in ["", &long] {
        let answer = post(
            &client,
            "/appointments/book",
            key,
            &json!({"slot_id": slot}),
        )
        .await;
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        answer.refused(answer.status, "VALIDATION_ERROR");
        assert!(
            !answer.text().contains("kkkkkk"),
            "the input is not repeated"
        );
    }
    assert!(visit.appointments_of(&patient).await.is_empty());
}
