//! Rubbish for the routes of calls and presence.

use super::*;

/// A word that no answer may repeat.
const CANARY: &str = "echocanary";

const ROUTES: &[(&str, &str, &[&str])] = &[
    (
        "POST",
        "/calls/initiate",
        &[
            "callee_id",
            "appointment_id",
            "call_type",
            "client_call_id",
            "device_id",
        ],
    ),
    ("POST", "/calls/{id}/accept", &["device_id"]),
    ("POST", "/calls/{id}/decline", &["reason"]),
    ("POST", "/calls/{id}/hangup", &["reason", "duration"]),
    (
        "POST",
        "/calls/{id}/quality-metrics",
        &[
            "rtt",
            "packet_loss",
            "jitter",
            "audio_bitrate",
            "video_bitrate",
            "video_resolution",
            "video_framerate",
            "cpu_usage",
            "memory_usage",
            "audio_quality",
            "video_quality",
        ],
    ),
    (
        "POST",
        "/presence/update",
        &[
            "status",
            "current_call_id",
            "current_appointment_id",
            "device_id",
            "device_type",
        ],
    ),
    ("GET", "/calls/{id}/quality-metrics", &[]),
    (
        "GET",
        "/call-history",
        &[
            "page",
            "per_page",
            "call_type",
            "status",
            "date_from",
            "date_to",
            "direction",
        ],
    ),
    ("GET", "/call-history/{id}", &[]),
    ("GET", "/call-statistics", &["period"]),
    ("GET", "/presence/online-users", &["role"]),
    ("GET", "/presence/{id}", &[]),
    ("GET", "/ice", &[]),
];

#[tokio::test]
async fn every_route_answers_with_and_without_a_slash_and_to_nobody_without_a_credential() {
    let house = House::open().await;
    for (method, path, _) in ROUTES {
        let path = path.replace("{id}", "7");
        for path in [path.clone(), format!("{path}/")] {
            let answer = house.ask(method, &path, &[], Some(&json!({}))).await;
            answer.failed(401, "UNAUTHORIZED");
            let answer = house.ask("OPTIONS", &path, &[], None).await;
            assert_eq!(answer.status, 204, "{path}");
            assert!(answer.header("allow").contains(method), "{path}");
            let answer = house.api("DELETE", &path, &house.admin, None).await;
            answer.failed(405, "METHOD_NOT_ALLOWED");
        }
    }
}

#[tokio::test]
async fn rubbish_is_refused_clearly_and_changes_nothing() {
    let house = House::open().await;
    let care = house.care().await;
    let call = house.begun(&care.patient, &care.doctor).await;
    let id = call["call_id"].as_str().unwrap();
    let token = &care.doctor.token;
    let long = format!("{CANARY}{}", "x".repeat(200));
    for (method, path, fields) in ROUTES {
        let path = path.replace("{id}", id);
        for field in *fields {
            if *method == "GET" {
                for value in [CANARY, "%00", "-1", "9e9", "%ff", "%F0%9F%98%80"] {
                    let path = format!("{path}?{field}={value}");
                    let answer = house.api(method, &path, token, None).await;
                    assert_clear(&answer, field, &path);
                }
                continue;
            }
            for value in [
                json!({"a": CANARY}),
                json!([CANARY]),
                json!(true),
                json!(long),
                json!(format!("{CANARY}\u{0}")),
                json!(-1),
                json!(1e300),
            ] {
                let mut body = json!({"callee_id": care.patient.id, "call_type": "video",
                    "status": "online", "rtt": 5});
                body[*field] = value.clone();
                if (*field, *method) == ("reason", "POST")
                    && path.ends_with("hangup")
                    && value.is_string()
                {
                    // Whatever a client says of it.
                    continue;
                }
                let what = format!("{path} {field} {value}");
                let answer = house.api(method, &path, token, Some(body)).await;
                assert_clear(&answer, field, &what);
            }
        }
        if *method == "POST" {
            for body in [
                "",
                "null",
                "[]",
                "7",
                "\"x\"",
                "{",
                "{\"a\":",
                "\u{feff}{}",
                "{} {}",
            ] {
                let request = axum::http::Request::post(format!("/api{path}"))
                    .header("host", HOST)
                    .header("authorization", format!("Bearer {token}"))
                    .header("content-type", "application/json")
                    .body(axum::body::Body::from(body))
                    .unwrap();
                let optional = ["accept", "decline", "hangup"]
                    .iter()
                    .any(|end| path.ends_with(end));
                if body.is_empty() && optional {
                    continue;
                }
                let answer = house.send(request).await;
                assert_eq!(
                    answer.failed(400, "VALIDATION_ERROR")["field"],
                    "body",
                    "{path} {body}"
                );
            }
        }
    }
    for id in [
        "%00",
        "%ff",
        "..",
        "%2e%2e",
        "%20",
        &"x".repeat(129),
        "\u{202e}",
        "'%20OR%201=1--",
    ] {
        for path in [
            format!("/call-history/{id}"),
            format!("/calls/{id}/quality-metrics"),
        ] {
            let path: String = path
                .chars()
                .flat_map(|c| match c.is_ascii() {
                    true => c.to_string().chars().collect::<Vec<_>>(),
                    false => "%E2%80%AE".chars().collect(),
                })
                .collect();
            let answer = house.api("GET", &path, token, None).await;
            assert!(
                (400..405).contains(&answer.status),
                "{path}: {}",
                answer.status
            );
            answer.json();
        }
    }
    let path = format!("/call-history/{id}");
    let detail = house.api("GET", &path, token, None).await.data(200);
    assert_eq!(detail["status"], "initiated");
    let listed = house.api("GET", "/call-history", token, None).await;
    assert_eq!(listed.data(200)["total"], 1);
}

#[track_caller]
fn assert_clear(answer: &Answer, field: &str, what: &str) {
    assert_eq!(
        answer.status,
        400,
        "{what}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(
        answer.failed(400, "VALIDATION_ERROR")["field"],
        field,
        "{what}"
    );
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains(CANARY), "{what}: {text}");
}
