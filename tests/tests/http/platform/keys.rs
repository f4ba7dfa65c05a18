//! Requests with an `Idempotency-Key`: sent again, they take effect once.

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::id_of;
use telemed_tests::practice::{PASSWORD, Visit};

use super::*;

async fn keyed(client: &Client, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    api(client, method, path).key(key).json(body).send().await
}

/// Sends a request twice with a key, and something else with the same key. The first answer.
async fn twice(client: &Client, method: Method, path: &str, [body, other]: [Value; 2]) -> Answer {
    let (key, body) = ("k", &body);
    let first = keyed(client, method.clone(), path, key, body).await;
    assert!(
        [200, 201].contains(&first.status),
        "{path}: {}",
        first.text()
    );
    let again = keyed(client, method.clone(), path, key, body).await;
    assert_eq!(ok(&again, first.status), ok(&first, first.status), "{path}");
    let mismatch = keyed(client, method, path, key, &other).await;
    refused(&mismatch, 422, "IDEMPOTENCY_MISMATCH");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_an_appointment_happens_once() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "UTC").await;
    let own = visit.of(&visit.patient().await);
    let by_doctor = visit.of(&doctor);
    let at = |time: &str| format!("{}T{time}:00Z", date(30));
    let booking = |time: &str| json!({"doctor_id": doctor.id, "appointment_date": at(time)});
    let made = twice(
        &own,
        Method::POST,
        "/appointments",
        [booking("09:00"), booking("09:30")],
    );
    let made = ok(&made.await, 201)["appointment"].clone();
    let listed = ok(&get(&own, "/appointments").await, 200);
    assert_eq!(listed["appointments"].as_array().unwrap().len(), 1);
    // The key is one person's.
    let other = visit.of(&visit.patient().await);
    let his = keyed(
        &other,
        Method::POST,
        "/appointments",
        "k",
        &booking("09:30"),
    )
    .await;
    ok(&his, 201);

    let path = format!("/appointments/{}", id_of(&made));
    let to =
        |time: &str, reason: &str| json!({"new_date_time": at(time), "reschedule_reason": reason});
    let moving = format!("{path}/reschedule");
    let moved = twice(
        &own,
        Method::PUT,
        &moving,
        [to("10:00", "late"), to("10:00", "early")],
    );
    let moved = ok(&moved.await, 200)["appointment"].clone();
    assert_eq!(moved["reschedule_reason"], "late");
    // The repetition does not undo what came after it.
    let moved = ok(&put(&own, &moving, &to("10:30", "again")).await, 200);
    let again = keyed(&own, Method::PUT, &moving, "k", &to("10:00", "late")).await;
    assert_eq!(ok(&again, 200), moved);
    assert_eq!(moved["appointment"]["reschedule_reason"], "again");

    let notes = twice(
        &by_doctor,
        Method::PUT,
        &path,
        [json!({"notes": "rest"}), json!({"notes": "water"})],
    );
    assert_eq!(ok(&notes.await, 200)["appointment"]["notes"], "rest");
    let confirmed = json!({"status": "confirmed"});
    for _ in 0..2 {
        let answer = keyed(&by_doctor, Method::PUT, &path, "k", &confirmed).await;
        assert_eq!(ok(&answer, 200)["appointment"]["status"], "confirmed");
    }
    let cancelled = twice(
        &own,
        Method::DELETE,
        &path,
        [json!({"reason": "ill"}), json!({"reason": "away"})],
    );
    let cancelled = ok(&cancelled.await, 200)["appointment"].clone();
    assert_eq!(
        (&cancelled["status"], &cancelled["cancellation_reason"]),
        (&json!("cancelled"), &json!("ill"))
    );
    // The other way to cancel is the same step.
    let path = format!("{path}/cancel");
    let answer = keyed(&own, Method::PUT, &path, "k", &json!({"reason": "ill"})).await;
    assert_eq!(ok(&answer, 200)["appointment"], cancelled);
    // Without a key it is over.
    refused(&put(&own, &path, &json!({})).await, 409, "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_blocked_times_change_once() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "UTC").await;
    let own = visit.of(&doctor);
    let hours = |end: &str| json!({"schedule": every_day("09:00", end), "slot_minutes": 30});
    let path = "/availability/schedule";
    let set = twice(&own, Method::PUT, path, [hours("11:00"), hours("10:00")]);
    ok(&set.await, 200);
    let later = ok(&put(&own, path, &hours("12:00")).await, 200);
    let again = keyed(&own, Method::PUT, path, "k", &hours("11:00")).await;
    assert_eq!(ok(&again, 200)["schedule"], later["schedule"]);

    let day = date(32);
    let block = |reason: &str| json!({"date": day, "start_time": "09:00", "end_time": "10:00", "reason": reason});
    let path = "/availability/block-time";
    let blocked = twice(&own, Method::POST, path, [block("away"), block("ill")]);
    let blocked = blocked.await;
    let blocked = ok(&blocked, blocked.status);
    let shown = ok(&get(&own, "/availability/schedule").await, 200);
    let text = shown.to_string();
    assert_eq!(text.matches("\"away\"").count(), 1, "{shown}");
    let id = blocked["blocked_time"]["id"].as_i64();
    let id = id.unwrap_or_else(|| panic!("no id: {blocked}"));
    let path = format!("/availability/unblock-time/{id}");
    let free = async || api(&own, Method::DELETE, &path).key("k").send().await;
    for _ in 0..2 {
        ok(&free().await, 200);
    }
    refused(
        &api(&own, Method::DELETE, &path).send().await,
        404,
        "NOT_FOUND",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_once_and_logins_take_no_key() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let account = |name: &str| json!({"full_name": name, "email": email, "password": PASSWORD, "user_type": "patient"});
    let register = async |name: &str| {
        let client = &visit.anonymous;
        keyed(
            client,
            Method::POST,
            "/auth/register",
            &email,
            &account(name),
        )
        .await
    };
    let first = ok(&register("One").await, 201);
    let again = ok(&register("One").await, 201);
    assert_eq!(first["user"]["id"], again["user"]["id"]);
    assert_ne!(first["access_token"], again["access_token"]);
    refused(&register("Two").await, 422, "IDEMPOTENCY_MISMATCH");
    let own = visit
        .anonymous
        .with_token(again["access_token"].as_str().unwrap());

    let profile = |name: &str| json!({"full_name": name});
    let path = "/users/profile";
    let named = twice(&own, Method::PUT, path, [profile("New"), profile("Newer")]);
    assert_eq!(ok(&named.await, 200)["full_name"], "New");

    let login = |password: &str| json!({"login_identifier": email, "password": password});
    let sign_in = async |password: &str| {
        let client = &visit.anonymous;
        keyed(
            client,
            Method::POST,
            "/auth/login",
            &email,
            &login(password),
        )
        .await
    };
    let one = ok(&sign_in(PASSWORD).await, 200);
    let two = ok(&sign_in(PASSWORD).await, 200);
    assert_ne!(one["access_token"], two["access_token"]);
    refused(&sign_in("wrong").await, 401, "UNAUTHORIZED");
    // Nor does a change of the password: the second finds another one.
    let change = json!({"current_password": PASSWORD, "new_password": "another long one"});
    let path = "/auth/change-password";
    ok(&keyed(&own, Method::POST, path, "k", &change).await, 200);
    names(
        &keyed(&own, Method::POST, path, "k", &change).await,
        "current_password",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_refused_in_the_envelope() {
    let visit = Visit::shared().await;
    let own = visit.of(&visit.patient().await);
    let long = "k".repeat(256);
    for key in ["", " ", long.as_str()] {
        let body = json!({"full_name": "Nobody"});
        let answer = keyed(&own, Method::PUT, "/users/profile", key, &body).await;
        refused(&answer, 400, "VALIDATION_ERROR");
        assert!(!answer.text().contains("kkkk"), "the input is not repeated");
    }
    let profile = ok(&get(&own, "/users/profile").await, 200);
    assert_ne!(profile["full_name"], "Nobody");
}
