//! Doctors' weekly hours and blocked times.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use telemed_facade::core::env::ManualClock;
use telemed_facade::http::{RouterConfig, router};
use telemed_facade::prelude::*;
use telemed_facade::{Config, Telemed};
use telemed_tests::client::id_of;
use telemed_tests::practice::{PASSWORD, Visit, log_in, token_of};
use tokio::net::TcpListener;

use super::*;

/// An administrator, a patient and a doctor in Berlin with hours, at this time.
async fn berlin(now: &str) -> (Client, Person, Client, Telemed) {
    let mut config = Config::new("memory:");
    config.background = false;
    let now = Timestamp::parse(now, &TimeZone::utc()).unwrap();
    config.clock = Arc::new(ManualClock::at(now));
    let telemed = Telemed::open(config).await.unwrap();
    let request = CreateAdministrator {
        full_name: FullName::new("Admin").unwrap(),
        email: Email::new("admin@host.example").unwrap(),
        password: NewPassword::new(PASSWORD).unwrap(),
    };
    let identity = telemed.engine().identity();
    identity
        .create_administrator(&Actor::operator(), request)
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    let routes = router(telemed.engine(), RouterConfig::default());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let admin = nobody.with_token(&log_in(&nobody, "admin@host.example", PASSWORD).await);
    let clinic = admin
        .post(
            "/clinics",
            &json!({"name": "x", "time_zone": "Europe/Berlin"}),
        )
        .await
        .expect(201);
    let account = |email: &str, role: &str| json!({"name": "x", "email": email, "password": PASSWORD, "role": role});
    let signed = admin
        .post("/auth/register", &account("d@x.example", "doctor"))
        .await
        .expect(201);
    let doctor = Person {
        id: id_of(&signed["user"]),
        email: "d@x.example".into(),
        token: token_of(&signed),
    };
    let profile = json!({"user_id": doctor.id, "clinic_id": id_of(&clinic), "specialty": "x", "license_number": "x"});
    let _ = admin.post("/doctors", &profile).await.expect(201);
    let hours = json!({"schedule": every_day("09:00", "12:00"), "slot_minutes": 60, "capacity": 5});
    ok(
        &put(
            &nobody.with_token(&doctor.token),
            "/availability/schedule",
            &hours,
        )
        .await,
        200,
    );
    let signed = nobody
        .post("/auth/register", &account("p@x.example", "patient"))
        .await
        .expect(201);
    (
        nobody.with_token(&token_of(&signed)),
        doctor,
        nobody,
        telemed,
    )
}

/// Every instant that is written somewhere in an answer but its own time.
fn instants(body: &Value) -> Vec<jiff::Timestamp> {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove("timestamp");
    let text = body.to_string();
    let words = text.split(|c: char| c.is_whitespace() || "\"'(),;".contains(c));
    let mut found: Vec<_> = words
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_is_nine_before_and_after_the_clocks_change() {
    for (now, days, odd, candidates) in [
        (
            "2027-03-20T00:00:00Z",
            [
                ("2027-03-27", "+01:00"),
                ("2027-03-28", "+02:00"),
                ("2027-03-29", "+02:00"),
            ],
            "2027-03-28T02:30:00",
            ["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"],
        ),
        (
            "2027-10-20T00:00:00Z",
            [
                ("2027-10-30", "+02:00"),
                ("2027-10-31", "+01:00"),
                ("2027-11-01", "+01:00"),
            ],
            "2027-10-31T02:30",
            ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"],
        ),
    ] {
        let (patient, doctor, nobody, _telemed) = berlin(now).await;
        for (day, offset) in days {
            let path = format!(
                "/appointments/doctors/{}/availability?date={day}",
                doctor.id
            );
            let data = ok(&get(&nobody, &path).await, 200);
            let slots = data["available_slots"].as_array().unwrap();
            let told: Vec<_> = slots
                .iter()
                .map(|slot| {
                    (
                        slot["start"].as_str().unwrap(),
                        slot["datetime"].as_str().unwrap(),
                    )
                })
                .collect();
            let times = ["09:00", "10:00", "11:00"];
            let right: Vec<_> = times
                .map(|time| (time, format!("{day}T{time}:00{offset}")))
                .into();
            let right: Vec<_> = right
                .iter()
                .map(|(time, at)| (*time, at.as_str()))
                .collect();
            assert_eq!(told, right);
            let made = ok(
                &book(&patient, &doctor, &format!("{day}T09:00:00")).await,
                201,
            );
            assert_eq!(
                instant(&made["appointment"]["appointment_date"]),
                instant(&json!(format!("{day}T09:00:00{offset}")))
            );
        }
        let body = names(&book(&patient, &doctor, odd).await, "appointment_date");
        let expected = candidates.map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(instants(&body), expected, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_spares_bookings_unless_told() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let by_doctor = visit.of(&doctor);
    let patient = visit.of(&visit.patient().await);
    let day = date(16);
    let made =
        ok(&book(&patient, &doctor, &format!("{day}T09:30")).await, 201)["appointment"].clone();
    let mut block =
        json!({"date": day, "start_time": "09:00", "end_time": "10:30", "reason": "surgery"});
    let answer = refused(
        &post(&by_doctor, "/availability/block-time", &block).await,
        409,
        "CONFLICT",
    );
    let ids = answer["details"]
        .as_object()
        .unwrap()
        .values()
        .any(|value| *value == json!([made["id"]]));
    assert!(ids, "the ids are not told: {answer}");
    let path = format!("/appointments/{}", id_of(&made));
    assert_eq!(
        ok(&get(&patient, &path).await, 200)["appointment"]["status"],
        "scheduled"
    );
    block["cancel_bookings"] = true.into();
    let answer = post(&by_doctor, "/availability/block-time", &block).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
    let data = ok(&answer, answer.status);
    assert_eq!(
        ok(&get(&patient, &path).await, 200)["appointment"]["status"],
        "cancelled"
    );
    let answer = refused(
        &book(&patient, &doctor, &format!("{day}T10:00")).await,
        409,
        "CONFLICT",
    );
    assert!(
        answer["message"].as_str().unwrap().contains("blocked"),
        "{answer}"
    );
    let free = async || {
        let path = format!(
            "/appointments/doctors/{}/availability?date={day}",
            doctor.id
        );
        let data = ok(&get(&patient, &path).await, 200);
        let slots = data["available_slots"].as_array().unwrap().clone();
        slots
            .iter()
            .filter(|slot| slot["available"] == true)
            .count()
    };
    assert_eq!(free().await, 3);
    let found = ["block", "blocked_time", "blocked"]
        .iter()
        .find_map(|name| data[*name]["id"].as_i64());
    let id = found
        .or(data["id"].as_i64())
        .or(data["block_id"].as_i64())
        .unwrap_or_else(|| panic!("no id: {data}"));
    // Another doctor's is not his to lift.
    let other = doctor_with_hours(&visit, "UTC").await;
    let path = format!("/availability/unblock-time/{id}");
    refused(
        &api(&visit.of(&other), Method::DELETE, &path).send().await,
        404,
        "NOT_FOUND",
    );
    ok(&api(&by_doctor, Method::DELETE, &path).send().await, 200);
    assert_eq!(free().await, 6);
    ok(&book(&patient, &doctor, &format!("{day}T10:00")).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_in_another_zone_is_refused() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let own = visit.of(&doctor);
    let hours = |zone: &str| json!({"schedule": every_day("09:00", "10:00"), "timezone": zone});
    names(
        &put(&own, "/availability/schedule", &hours("Europe/Berlin")).await,
        "timezone",
    );
    names(
        &put(&own, "/availability/schedule", &hours("Nowhere/City")).await,
        "timezone",
    );
    let told = ok(&get(&own, "/availability/schedule").await, 200);
    let text = told.to_string();
    assert!(
        text.contains("12:00") && text.contains("Africa/Cairo"),
        "{told}"
    );
    // A list of windows in a day.
    let windows = json!([{"start": "09:00", "end": "10:00", "enabled": true}, {"start": "14:00", "end": "15:00", "enabled": true}]);
    let mut hours = every_day("09:00", "10:00");
    for day in hours.as_object_mut().unwrap().values_mut() {
        *day = windows.clone();
    }
    ok(
        &put(
            &own,
            "/availability/schedule",
            &json!({"schedule": hours, "slot_minutes": 30}),
        )
        .await,
        200,
    );
    let path = format!(
        "/appointments/doctors/{}/availability?date={}",
        doctor.id,
        date(8)
    );
    let data = ok(&get(&own, &path).await, 200);
    let starts: Vec<_> = data["available_slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| slot["start"].clone())
        .collect();
    assert_eq!(starts, ["09:00", "09:30", "14:00", "14:30"]);
    let patient = visit.of(&visit.patient().await);
    refused(
        &get(&patient, "/availability/schedule").await,
        403,
        "FORBIDDEN",
    );
}
