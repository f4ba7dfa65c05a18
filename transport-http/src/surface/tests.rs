#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use serde_json::Value;
use telemed_core::env::ManualClock;
use telemed_core::error::{Code, Error};
use telemed_core::id::UserId;
use telemed_core::time::Timestamp;
use tower::ServiceExt;

use super::*;
use crate::booking::envelope::BookingFamily;
use crate::extract::PathId;
use crate::ops::Probe;

fn shared(cors: Cors) -> Arc<Shared> {
    let clock = ManualClock::at(Timestamp::from_micros(1_900_000_000_000_000));
    Arc::new(Shared::new(Arc::new(clock), cors, Metrics::new()))
}

async fn greet(State(word): State<&'static str>) -> &'static str {
    word
}

async fn refuse() -> Result<(), Refusal> {
    Err(Error::new(Code::SlotFull).into())
}

async fn fail() -> Result<(), Refusal> {
    Err(Error::new(Code::Unavailable)
        .caused_by("the disk is on fire")
        .into())
}

async fn blow_up() -> &'static str {
    panic!("a bug")
}

async fn number(PathId(id): PathId<UserId>) -> String {
    id.to_string()
}

fn mount(shared: &Arc<Shared>) -> Mount {
    Surface::new("/api/v1", BookingFamily, Arc::clone(shared))
        .get("/words", greet)
        .post("/words", refuse)
        .get("/words/{word_id}", number)
        .get("/words/{word_id}/letters", number)
        .delete("/words/{word_id}", refuse)
        .get("/broken", fail)
        .get("/panic", blow_up)
        .build("hello")
}

fn router() -> Router {
    mount(&shared(Cors::default())).router
}

/// A host with routes and a fallback of its own.
fn host(inner: impl FnOnce(Router) -> Router) -> Router {
    let host = Router::new().route("/", get(async || "the host's"));
    inner(host).fallback(async || (StatusCode::IM_A_TEAPOT, "the host's fallback"))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()["error_code"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> String {
        let all = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap());
        all.collect::<Vec<_>>().join(", ")
    }
}

async fn ask(router: &Router, method: &str, path: &str) -> Answer {
    ask_with(router, method, path, &[]).await
}

async fn ask_with(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

#[tokio::test]
async fn both_spellings_of_a_path_answer_without_a_redirect() {
    let router = router();
    for path in ["/api/v1/words", "/api/v1/words/"] {
        let answer = ask(&router, "GET", path).await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (StatusCode::OK, &b"hello"[..])
        );
    }
    for path in [
        "/api/v1/words/7",
        "/api/v1/words/7/",
        "/api/v1/words/7/letters/",
    ] {
        assert_eq!(ask(&router, "GET", path).await.body, b"7", "{path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let answer = ask(&router(), "HEAD", "/api/v1/words").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-length"), "5");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn other_methods_are_refused_with_the_ones_that_work() {
    let router = router();
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "MADEUP"] {
        let answer = ask(&router, method, "/api/v1/words").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), "GET, HEAD, POST, OPTIONS");
    }
}

#[tokio::test]
async fn options_without_an_origin_lists_the_methods() {
    let answer = ask(&router(), "OPTIONS", "/api/v1/words/7").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("allow"), "GET, HEAD, DELETE, OPTIONS");
}

#[tokio::test]
async fn what_no_route_matches_is_ours_under_our_prefix() {
    let router = router();
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/words/7/nothing",
        "/api/v1/words/7/letters/9/10",
        "/api/v1/%00",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = ask(&router, method, path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(answer.code(), "RESOURCE_NOT_FOUND");
            assert_eq!(answer.json()["timestamp"], "2030-03-17T17:46:40Z");
        }
    }
    // Outside of the prefix nothing is ours.
    assert!(ask(&router, "GET", "/api/v2").await.body.is_empty());
}

#[tokio::test]
async fn a_foreign_host_changes_nothing_merged_or_nested() {
    let merged = host(|host| host.merge(router()));
    let nested = host(|host| host.nest("/clinic/{tenant}", router()));
    for (router, prefix) in [(merged, ""), (nested, "/clinic/north")] {
        let at = |path: &str| format!("{prefix}/api/v1{path}");
        assert_eq!(ask(&router, "GET", &at("/words/")).await.body, b"hello");
        assert_eq!(ask(&router, "GET", &at("/words/12")).await.body, b"12");
        assert_eq!(
            ask(&router, "POST", &at("/words")).await.code(),
            "SLOT_UNAVAILABLE"
        );
        assert_eq!(
            ask(&router, "PUT", &at("/words")).await.code(),
            "METHOD_NOT_ALLOWED"
        );
        assert_eq!(
            ask(&router, "GET", &at("/nothing")).await.code(),
            "RESOURCE_NOT_FOUND"
        );
        assert_eq!(
            ask(&router, "GET", &at("")).await.code(),
            "RESOURCE_NOT_FOUND"
        );
        let options = ask(&router, "OPTIONS", &at("/words")).await;
        assert_eq!(options.status, StatusCode::NO_CONTENT);
        // And the host's own stay its own.
        assert_eq!(ask(&router, "GET", "/").await.body, b"the host's");
        assert_eq!(
            ask(&router, "GET", "/elsewhere").await.status,
            StatusCode::IM_A_TEAPOT
        );
    }
}

#[tokio::test]
async fn a_refusal_takes_the_shape_of_its_family() {
    let answer = ask(&router(), "POST", "/api/v1/words").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "detail": "The slot is already booked",
            "error_code": "SLOT_UNAVAILABLE",
            "timestamp": "2030-03-17T17:46:40Z",
        })
    );
}

#[tokio::test]
async fn a_path_id_that_is_none_is_named() {
    let router = router();
    for path in [
        "0",
        "-1",
        "x",
        "1.5",
        "9223372036854775808",
        "%00",
        "1%20",
        "%FF",
    ] {
        let answer = ask(&router, "GET", &format!("/api/v1/words/{path}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert_eq!(answer.code(), "VALIDATION_ERROR");
        let loc = &answer.json()["errors"][0]["loc"];
        let expected = if path == "%FF" { "id" } else { "word_id" };
        assert_eq!(*loc, serde_json::json!(["path", expected]), "{path}");
    }
}

#[tokio::test]
async fn faults_hide_their_cause() {
    let router = router();
    let broken = ask(&router, "GET", "/api/v1/broken").await;
    assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(broken.header("retry-after"), "1");
    assert!(!String::from_utf8(broken.body).unwrap().contains("fire"));

    let panicked = ask(&router, "GET", "/api/v1/panic").await;
    assert_eq!(panicked.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(panicked.code(), "INTERNAL_ERROR");
}

#[tokio::test]
async fn every_answer_carries_the_protecting_headers() {
    let router = router();
    for (method, path) in [
        ("GET", "/api/v1/words"),
        ("POST", "/api/v1/words"),
        ("GET", "/api/v1/x"),
        ("OPTIONS", "/api/v1/words"),
    ] {
        let answer = ask(&router, method, path).await;
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{method} {path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
        assert!(answer.header("vary").contains("Origin"));
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn browsers_of_listed_origins_may_call_every_route() {
    let cors = Cors::new(["https://app.example.org", "http://localhost:*"]).unwrap();
    let router = mount(&shared(cors)).router;
    let nested = host(|host| host.nest("/sub", router));
    let question = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ]
    };

    for path in [
        "/sub/api/v1/words",
        "/sub/api/v1/words/1",
        "/sub/api/v1/nothing",
    ] {
        let answer = ask_with(&nested, "OPTIONS", path, &question("http://localhost:5173")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "http://localhost:5173"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert!(
            answer
                .header("access-control-allow-headers")
                .contains("Idempotency-Key")
        );
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains("GET")
        );
        assert!(answer.header("vary").contains("Origin"));
    }
    let foreign = ask_with(
        &nested,
        "OPTIONS",
        "/sub/api/v1/words",
        &question("https://evil.example"),
    )
    .await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");

    // Refusals can be read by the page too.
    for (path, status) in [
        ("words", StatusCode::CONFLICT),
        ("nothing", StatusCode::NOT_FOUND),
    ] {
        let path = format!("/sub/api/v1/{path}");
        let headers = [("origin", "https://app.example.org")];
        let answer = ask_with(&nested, "POST", &path, &headers).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://app.example.org"
        );
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("X-Total-Count")
        );
    }
    let foreign = [("origin", "https://evil.example")];
    let answer = ask_with(&nested, "GET", "/sub/api/v1/words", &foreign).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[test]
fn the_routes_are_listed_for_the_test_against_the_document() {
    let routes = mount(&shared(Cors::default())).routes;
    let list: Vec<_> = routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(
        list,
        [
            "GET /api/v1/broken",
            "GET /api/v1/panic",
            "GET /api/v1/words",
            "POST /api/v1/words",
            "DELETE /api/v1/words/{word_id}",
            "GET /api/v1/words/{word_id}",
            "GET /api/v1/words/{word_id}/letters",
        ]
    );
}

#[tokio::test]
async fn figures_name_templates_and_no_ids() {
    let shared = shared(Cors::default());
    let router = mount(&shared)
        .router
        .merge(crate::ops::ops(&shared, Probe::new(async || true), &crate::ops::openapi()).router);
    for path in [
        "/api/v1/words/4711",
        "/api/v1/words/4712",
        "/api/v1/secret-4713?name=Maryam",
    ] {
        ask(&router, "GET", path).await;
    }
    ask(&router, "MADEUP", "/api/v1/words").await;
    let text = String::from_utf8(ask(&router, "GET", "/metrics").await.body).unwrap();
    let line = r#"telemed_http_requests_total{method="GET",route="/api/v1/words/{word_id}",status="200"} 2"#;
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(r#"method="OTHER",route="/api/v1/words",status="405""#),
        "{text}"
    );
    assert!(text.contains("telemed_http_request_duration_seconds_bucket"));
    for secret in ["4711", "4713", "Maryam", "MADEUP"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_standalone_server_answers_unknown_paths_in_json() {
    let shared = shared(Cors::default());
    let router = answer_unknown_paths(mount(&shared).router, BookingFamily, &shared);
    for path in ["/", "/nothing", "/api/v2/x"] {
        let answer = ask(&router, "GET", path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.code(), "RESOURCE_NOT_FOUND");
    }
    assert_eq!(ask(&router, "GET", "/api/v1/words").await.body, b"hello");
}
