//! The envelope, paths, methods, languages, limits.

use super::*;
use crate::limits::LimitConfig;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use std::net::SocketAddr;
use telemed_core::limits::{Limit, LimitName, LimitProfile, RateLimits};

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_shape_of_their_surface() {
    let house = House::open().await;
    for path in [
        "/nothing",
        "/nothing/",
        "/auth",
        "/appointments/1/2",
        "",
        "/",
    ] {
        house
            .ask("GET", path, &[], None)
            .await
            .failed(404, "NOT_FOUND");
    }
    for path in ["/v1/nothing", "/v1", "/v1/", "/v1/appointments/1/2"] {
        let answer = house.ask("GET", path, &[], None).await;
        answer.refused(404, "RESOURCE_NOT_FOUND");
    }
    let answer = house
        .ask("POST", "/users/doctors", &[], Some(&json!({})))
        .await;
    answer.failed(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn every_route_answers_with_and_without_a_slash() {
    let house = House::open().await;
    for path in ["/users/doctors", "/users/doctors/", "/users/specialties/"] {
        house.ask("GET", path, &[], None).await.data(200);
        let head = house.ask("HEAD", path, &[], None).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let options = house.ask("OPTIONS", path, &[], None).await;
        assert_eq!(options.status, 204, "{path}");
    }
    house
        .ask("POST", "/auth/login/", &[], Some(&json!({})))
        .await
        .failed(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn wrong_shapes_name_their_fields() {
    let house = House::open().await;
    let patient = house.patient().await;
    let answer = house
        .ask("POST", "/auth/login", &[], Some(&json!({"password": 7})))
        .await;
    assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "password");
    let both = house
        .ask("POST", "/auth/login", &[], Some(&json!({})))
        .await;
    let both = both.failed(400, "VALIDATION_ERROR");
    let fields: Vec<_> = both["details"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["login_identifier", "password"]);
    for (path, field) in [
        ("/appointments?page=0", "page"),
        ("/appointments?per_page=0", "per_page"),
        ("/appointments?page=-1", "page"),
        ("/appointments?status=lost", "status"),
        ("/appointments?from=yesterday", "from"),
        ("/appointments/x", "appointment_id"),
        ("/users/doctors/0", "doctor_id"),
        ("/users/doctors?clinic_id=x", "clinic_id"),
        ("/appointments/doctors/1/availability", "date"),
        ("/appointments/doctors/1/availability?from=2030-01-01", "to"),
    ] {
        let answer = house.api("GET", path, &patient.token, None).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{path}"
        );
    }
    let request = Request::post("/api/auth/login").header("content-type", "text/plain");
    house
        .send(request.body(Body::from("x")).unwrap())
        .await
        .failed(415, "UNSUPPORTED_MEDIA_TYPE");
    let request = Request::post("/api/auth/login").header("content-type", "application/json");
    let large = Body::from(vec![b' '; 1024 * 1024 + 1]);
    house
        .send(request.body(large).unwrap())
        .await
        .failed(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn texts_follow_the_language_and_codes_do_not() {
    let house = House::open().await;
    let arabic = |text: &Value| {
        text.as_str()
            .unwrap()
            .chars()
            .any(|c| ('\u{600}'..='\u{6ff}').contains(&c))
    };
    let asked = [("accept-language", "ar-EG, en;q=0.5")];
    let answer = house.ask("GET", "/users/doctors", &asked, None).await;
    answer.data(200);
    assert!(arabic(&answer.json()["message"]));
    let missing = house.ask("GET", "/users/doctors/99", &asked, None).await;
    assert!(arabic(&missing.failed(404, "NOT_FOUND")["message"]));
    // On the other surface too.
    let answer = house.ask("GET", "/v1/doctors/99", &asked, None).await;
    answer.refused(404, "RESOURCE_NOT_FOUND");
    assert!(arabic(&answer.json()["detail"]));

    // What the user prefers, unless another is asked for.
    let body = json!({"full_name": "ليلى", "phone": "0912345678", "password": PASSWORD,
        "language_preference": "ar"});
    let signed = house.ask("POST", "/auth/register", &[], Some(&body)).await;
    assert!(arabic(&signed.json()["message"]));
    let token = signed.data(201)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let own = house.api("GET", "/appointments/7", &token, None).await;
    assert!(arabic(&own.failed(404, "APPOINTMENT_NOT_FOUND")["message"]));
    let bearer = format!("Bearer {token}");
    let english = [
        ("authorization", bearer.as_str()),
        ("accept-language", "en"),
    ];
    let answer = house.ask("GET", "/appointments/7", &english, None).await;
    let body = answer.failed(404, "APPOINTMENT_NOT_FOUND");
    assert_eq!(body["message"], "Appointment not found");
    assert_eq!(body["details"]["appointment_id"], 7);
}

#[tokio::test]
async fn too_many_writes_are_refused_in_the_shape_of_each_surface() {
    let limits =
        RateLimits::of(LimitProfile::Off).with(LimitName::Writes, Limit::per_minute(3, 60));
    let house = House::with(RouterConfig {
        limits: LimitConfig::local(limits),
        ..RouterConfig::default()
    })
    .await;
    // The tests have no address until one is given: nothing was counted up to here.
    let patient = house.patient().await;
    let other = house.patient().await;
    let body = json!({"full_name": "A New Name"});
    for _ in 0..3 {
        house
            .api("PUT", "/users/profile", &patient.token, Some(body.clone()))
            .await
            .data(200);
    }
    let answer = house
        .api("PUT", "/users/profile", &patient.token, Some(body.clone()))
        .await;
    answer.failed(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), "1");
    let answer = house.put("/patients/1", &patient.token, json!({})).await;
    answer.refused(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), "1");
    // Reads and other people are not touched, and time heals.
    house
        .api("GET", "/users/profile", &patient.token, None)
        .await
        .data(200);
    house
        .api("PUT", "/users/profile", &other.token, Some(body.clone()))
        .await
        .data(200);
    house.clock.advance(std::time::Duration::from_secs(1));
    house
        .api("PUT", "/users/profile", &patient.token, Some(body))
        .await
        .data(200);

    // Visitors are counted by their network.
    let from = async |address: &str| {
        let mut request = Request::post("/api/auth/login")
            .header("content-type", "application/json")
            .body(Body::from("{}"))
            .unwrap();
        let peer: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        house.send(request).await.status
    };
    for _ in 0..3 {
        assert_eq!(from("203.0.113.7:1").await, 400);
    }
    assert_eq!(from("203.0.113.7:2").await, 429);
    assert_eq!(from("203.0.113.8:1").await, 400);
}

#[tokio::test]
async fn security_is_as_described() {
    let house = House::open().await;
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(route) = path
            .strip_prefix("/api/")
            .filter(|path| !path.starts_with("v1/"))
        else {
            continue;
        };
        for (method, operation) in item.as_object().unwrap() {
            let needs = operation["security"].as_array().is_some_and(|all| {
                all.iter().any(|one| one.get("bearer").is_some())
                    && all.iter().any(|one| one.get("cookie").is_some())
            });
            let filled: Vec<_> = route
                .split('/')
                .map(|part| if part.starts_with('{') { "1" } else { part })
                .collect();
            let filled = format!("/{}", filled.join("/"));
            let answer = house
                .ask(&method.to_uppercase(), &filled, &[], Some(&json!({})))
                .await;
            assert_eq!(
                answer.status == 401,
                needs,
                "{method} {path}: {}",
                answer.status
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 53);
}
