//! Bad input on every route: a clear refusal, never a fault, and nothing changes.

use super::*;

fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "", "{", "[]", "null", "\"x\"", "1e999", "{\"a\":", "\u{0}", "{}{}", "\u{feff}{}",
        r#"{"slot_id": -1, "user_id": 0, "doctor_id": 1e99}"#,
        r#"{"slot_id": 99999999999999999999999999, "name": 5}"#,
        r#"{"slot_id": {"$gt": 0}, "email": ["a"], "password": {}}"#,
        r#"{"name": "\u0000", "email": "a\u0000@b.c", "password": "\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000"}"#,
        r#"{"cancelled_reason": "\u0000", "reason": "\u0000", "reason_for_visit": "\u0000"}"#,
        r#"{"date_of_birth": "9999-99-99", "time_zone": "../../etc/passwd"}"#,
        r#"{"slot_datetime": "+262142-12-31T23:59:59Z", "doctor_id": 1, "clinic_id": 1}"#,
        r#"{"slot_datetime": "-9999-01-01T00:00:00Z", "doctor_id": 1, "clinic_id": 1}"#,
        r#"{"start_time": "9999-12-31T23:59:59Z", "end_time": "0001-01-01T00:00:00Z", "doctor_id": 1, "clinic_id": 1}"#,
        r#"{"duration_minutes": -9223372036854775808, "capacity": 9223372036854775807}"#,
        r#"{"name": "\ud800"}"#,
        r#"{"name": "' OR 1=1; --", "email": "x' OR '1'='1@x.y", "password": "' OR 1=1 --"}"#,
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(vec![0xff; 64]);
    bodies.push(format!(r#"{{"name": "{}"}}"#, "a".repeat(900_000)).into_bytes());
    bodies.push(vec![b'['; 500_000]);
    bodies
}

#[tokio::test]
async fn no_input_is_a_fault() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let before = house
        .get("/appointments", Some(&house.admin))
        .await
        .expect(200);
    let ids = [
        "0",
        "-1",
        "999999",
        "9223372036854775807",
        "9223372036854775808",
        "x",
        "1.5",
        "%00",
        "%F0%9F%92%8A",
        "..%2f..%2f",
        "1;drop%20table",
    ];
    for route in house
        .routes
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
    {
        let path = route.path.trim_start_matches("/api/v1");
        let by_id = path.contains('{');
        for id in ids {
            let filled: Vec<_> = path
                .split('/')
                .map(|part| if part.starts_with('{') { id } else { part })
                .collect();
            let filled = filled.join("/");
            for token in [house.admin.as_str(), patient.token.as_str()] {
                if filled.ends_with("/logout") {
                    continue;
                }
                let answer = house
                    .call(&route.method, &filled, Some(token), &[], None)
                    .await;
                assert!(
                    answer.status < 500,
                    "{} {filled}: {}",
                    route.method,
                    answer.status
                );
                if answer.status >= 400 {
                    assert!(answer.json()["error_code"].is_string());
                }
            }
            if !by_id {
                break;
            }
        }
        if route.method == "GET" {
            continue;
        }
        let filled: Vec<_> = path
            .split('/')
            .map(|part| {
                if part.starts_with('{') {
                    "999999"
                } else {
                    part
                }
            })
            .collect();
        for body in bodies() {
            let request = Request::builder()
                .method(route.method.as_str())
                .uri(format!("/api/v1{}", filled.join("/")))
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {}", patient.token))
                .body(Body::from(body.clone()))
                .unwrap();
            if path == "/auth/logout" {
                continue;
            }
            let answer = house.send(request).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert!(
                (400..500).contains(&answer.status),
                "{} {path} {shown}: {}",
                route.method,
                answer.status
            );
            assert!(answer.json()["error_code"].is_string());
        }
    }
    assert_eq!(
        house
            .get("/appointments", Some(&house.admin))
            .await
            .expect(200),
        before
    );
    house.booked(&patient, slot).await;
}

#[tokio::test]
async fn wild_queries_are_refused_or_ignored() {
    let house = House::open().await;
    for path in ["/doctors", "/clinics", "/slots", "/users", "/appointments"] {
        for query in [
            "skip=-1",
            "skip=x",
            "skip=99999999999999999999",
            "limit=0",
            "limit=101",
            "limit=1e1",
            "skip=9223372036854775807&limit=100",
            "clinic_id=0",
            "clinic_id=%00",
            "specialty=%00",
            "city=%00",
            "city=%ff%fe",
            "date_from=%00",
            "date_to=9999-12-31",
            "date_from=0001-01-01",
            "date_from=9999-12-31T23:59:59-23:59",
            "status=%27",
            "role=%00",
            "=",
            "&&&",
            "%",
            "a=b=c",
            "specialty=%25_%25",
            "limit=1&limit=2",
        ] {
            let answer = house
                .get(&format!("{path}?{query}"), Some(&house.admin))
                .await;
            assert!(
                [200, 400, 422].contains(&answer.status),
                "{path}?{query}: {}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused() {
    let house = House::open().await;
    let request = Request::post("/api/v1/auth/register")
        .header("content-type", "application/json")
        .body(Body::from(vec![b' '; 10 * 1024 * 1024]))
        .unwrap();
    house.send(request).await.refused(413, "PAYLOAD_TOO_LARGE");
    let request = Request::post("/api/v1/auth/register")
        .header("content-type", "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    house
        .send(request)
        .await
        .refused(415, "UNSUPPORTED_MEDIA_TYPE");
}
