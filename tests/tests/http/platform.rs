//! The platform surface, `/api`, over the wire.

mod accounts;
mod booking;
mod cookie;
mod hours;
mod keys;
mod lists;
mod routes;
mod shapes;

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client, Request, assert_utc};
use telemed_tests::practice::{Person, Visit};

/// A request for a path under `/api`.
pub(super) fn api(client: &Client, method: Method, path: &str) -> Request {
    client.request(method, &format!("//api{path}"))
}

pub(super) async fn get(client: &Client, path: &str) -> Answer {
    api(client, Method::GET, path).send().await
}

pub(super) async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    api(client, Method::POST, path).json(body).send().await
}

pub(super) async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    api(client, Method::PUT, path).json(body).send().await
}

#[track_caller]
fn assert_envelope(answer: &Answer, needed: &[&str], optional: &[&str]) -> Value {
    let body = answer.json();
    let fields = body.as_object().expect("an object");
    for name in needed {
        assert!(fields.contains_key(*name), "no {name}: {body}");
    }
    for name in fields.keys() {
        let known = needed.contains(&name.as_str()) || optional.contains(&name.as_str());
        assert!(known, "more than the envelope has, {name}: {body}");
    }
    assert_eq!(body["code"], answer.status, "{body}");
    assert_eq!(body["status_code"], answer.status, "{body}");
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    assert_utc(&body["timestamp"]);
    body
}

/// The data of a success.
#[track_caller]
pub(super) fn ok(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    let needed = [
        "success",
        "message",
        "data",
        "code",
        "status_code",
        "timestamp",
    ];
    let body = assert_envelope(answer, &needed, &["meta"]);
    assert_eq!(body["success"], true);
    body["data"].clone()
}

/// The body of a refusal.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.json();
    let told = (answer.status, body["error_code"].as_str());
    assert_eq!(told, (status, Some(code)), "{body}");
    let needed = [
        "success",
        "message",
        "error",
        "error_code",
        "code",
        "status_code",
        "timestamp",
    ];
    assert_envelope(answer, &needed, &["field", "details"]);
    assert_eq!(body["success"], false);
    assert_eq!(body["error"], body["message"]);
    body
}

/// A validation error that names this field, in both places.
#[track_caller]
pub(super) fn names(answer: &Answer, field: &str) -> Value {
    let body = refused(answer, 400, "VALIDATION_ERROR");
    assert_eq!(body["field"], field, "{body}");
    assert_eq!(body["details"]["field"], field, "{body}");
    body
}

/// Signs in here and returns the data.
async fn sign_in(client: &Client, identifier: &str, password: &str) -> Value {
    let body = json!({"login_identifier": identifier, "password": password});
    ok(&post(client, "/auth/login", &body).await, 200)
}

/// The same hours for every day of the week.
fn every_day(start: &str, end: &str) -> Value {
    let days = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let window = json!({"start": start, "end": end, "enabled": true});
    days.iter()
        .map(|day| ((*day).to_owned(), window.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A verified doctor in a zone who sees patients from 09:00 to 12:00 every day.
async fn doctor_with_hours(visit: &Visit, zone: &str) -> Person {
    let clinic = visit.clinic(zone).await;
    let doctor = visit.doctor(clinic).await;
    let hours = json!({
        "schedule": every_day("09:00", "12:00"), "timezone": zone,
        "slot_minutes": 30, "capacity": 1, "auto_confirm": false,
    });
    let set = put(&visit.of(&doctor), "/availability/schedule", &hours).await;
    ok(&set, 200);
    doctor
}

/// The day `ahead` days from now, `YYYY-MM-DD`.
fn date(ahead: i64) -> String {
    let now = jiff::Timestamp::now();
    let day = now + jiff::SignedDuration::from_hours(24 * ahead);
    day.to_string()[..10].to_owned()
}

/// Books a doctor's time.
async fn book(client: &Client, doctor: &Person, at: &str) -> Answer {
    let body = json!({
        "doctor_id": doctor.id, "appointment_date": at, "appointment_type": "audio",
        "symptoms": "a cough", "reason_for_visit": "a check", "notes": "in the morning",
    });
    post(client, "/appointments", &body).await
}

/// The instant of a field.
#[track_caller]
fn instant(value: &Value) -> jiff::Timestamp {
    let text = value.as_str().unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("no time: {value}"))
}
