//! The surfaces in somebody else's router.

use axum::http::StatusCode;
use axum::routing::get;

use super::*;
use crate::cors::Cors;

fn host(inner: impl FnOnce(Router) -> Router) -> Router {
    let host = Router::new()
        .route("/", get(async || "the host's"))
        .route("/shop/{item}", get(async || "the host's"));
    inner(host).fallback(async || (StatusCode::IM_A_TEAPOT, "the host's fallback"))
}

#[tokio::test]
async fn the_router_answers_the_same_merged_and_nested() {
    let mut house = House::open().await;
    let own = house.router.clone();
    let merged = host(|host| host.merge(own.clone()));
    let nested = host(|host| host.nest("/tenant/{tenant}", own.clone()));
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let doctor = format!("/api/v1/doctors/{}/", practice.doctor.id);
    let book = json!({"slot_id": slot}).to_string();
    let requests = [
        ("GET", "/health", "", ""),
        ("GET", "/ready", "", ""),
        ("GET", "/openapi.json", "", ""),
        ("GET", "/docs/", "", ""),
        ("GET", "/api/v1/doctors", "", ""),
        ("HEAD", "/api/v1/doctors", "", ""),
        ("GET", doctor.as_str(), "", ""),
        ("GET", "/api/v1/doctors/0", "", ""),
        ("GET", "/api/v1/doctors/99", "", ""),
        ("GET", "/api/v1/slots?limit=0", "", ""),
        ("GET", "/api/v1/nothing", "", ""),
        ("GET", "/api/v1", "", ""),
        ("PATCH", "/api/v1/doctors", "", ""),
        ("OPTIONS", "/api/v1/doctors", "", ""),
        ("POST", "/api/v1/appointments/book", "", book.as_str()),
        (
            "POST",
            "/api/v1/appointments/book",
            patient.token.as_str(),
            "{",
        ),
        ("GET", "/api/v1/auth/profile", patient.token.as_str(), ""),
    ];
    for (method, path, token, body) in requests {
        let mut answers = Vec::new();
        for (router, prefix) in [(&own, ""), (&merged, ""), (&nested, "/tenant/north")] {
            house.router = router.clone();
            let mut request = Request::builder()
                .method(method)
                .uri(format!("{prefix}{path}"));
            if !token.is_empty() {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if !body.is_empty() {
                request = request.header("content-type", "application/json");
            }
            let request = request.body(Body::from(body.to_owned())).unwrap();
            let mut answer = house.send(request).await;
            answer.headers.remove("x-request-id");
            answers.push((answer.status, answer.headers, answer.body));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
        assert_eq!(answers[0], answers[2], "{method} {path}");
    }
    for (router, prefix) in [(merged, ""), (nested, "/tenant/north")] {
        house.router = router;
        let ask = async |path: &str| {
            house
                .send(Request::get(path).body(Body::empty()).unwrap())
                .await
        };
        assert_eq!(ask("/").await.body, b"the host's");
        assert_eq!(ask("/shop/7").await.body, b"the host's");
        assert_eq!(ask(&format!("{prefix}/elsewhere")).await.status, 418);
    }
}

#[tokio::test]
async fn a_whole_visit_works_below_a_host() {
    let mut house = House::open().await;
    let own = house.router.clone();
    // Everything goes through the host from here on.
    house.router = host(|host| host.merge(own));
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let appointment = house.booked(&patient, slot).await;
    house
        .book(&patient, slot)
        .await
        .refused(409, "DUPLICATE_BOOKING");
    let reason = json!({"cancelled_reason": "away"});
    house
        .post(
            &format!("/appointments/{appointment}/cancel/"),
            &patient.token,
            reason,
        )
        .await
        .expect(200);
    house.booked(&patient, slot).await;
}

#[tokio::test]
async fn preflights_are_answered_on_every_route() {
    let cors = Cors::new(["https://app.example.org"]).unwrap();
    let house = House::with(RouterConfig {
        cors,
        ..RouterConfig::default()
    })
    .await;
    for route in &house.routes {
        let path = route
            .path
            .replace("_id}", "")
            .replace("{appointment", "1")
            .replace("{slot", "1");
        let path = path.replace('{', "");
        let request = Request::builder()
            .method("OPTIONS")
            .uri(path)
            .header("origin", "https://app.example.org")
            .header("access-control-request-method", &route.method)
            .header(
                "access-control-request-headers",
                "authorization, idempotency-key",
            )
            .body(Body::empty())
            .unwrap();
        let answer = house.send(request).await;
        assert_eq!(answer.status, 204, "{route:?}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://app.example.org"
        );
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains(&route.method),
            "{route:?}"
        );
    }
}
