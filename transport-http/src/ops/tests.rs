#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use telemed_core::env::ManualClock;
use telemed_core::time::Timestamp;
use tower::ServiceExt;

use super::*;
use crate::cors::Cors;

fn mount(ready: bool) -> Mount {
    let clock = ManualClock::at(Timestamp::from_micros(0));
    let shared = Arc::new(Shared::new(
        Arc::new(clock),
        Cors::default(),
        Metrics::new(),
    ));
    ops(
        &shared,
        Probe::new(move || async move { ready }),
        &openapi(),
    )
}

async fn get(mount: &Mount, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = mount
        .router
        .clone()
        .oneshot(request)
        .await
        .unwrap()
        .into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (
        parts.status,
        parts.headers,
        String::from_utf8(body).unwrap(),
    )
}

#[tokio::test]
async fn life_and_readiness_are_two_questions() {
    let sick = mount(false);
    assert_eq!(get(&sick, "/health").await.0, StatusCode::OK);
    let (status, headers, body) = get(&sick, "/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after") && body.contains("UNAVAILABLE"));
    assert_eq!(get(&mount(true), "/ready").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_never_answers_is_not_ready() {
    let clock = ManualClock::at(Timestamp::from_micros(0));
    let shared = Arc::new(Shared::new(
        Arc::new(clock),
        Cors::default(),
        Metrics::new(),
    ));
    let mount = ops(
        &shared,
        Probe::new(std::future::pending::<bool>),
        &openapi(),
    );
    assert_eq!(
        get(&mount, "/ready").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let mount = mount(true);
    for (path, root) in [("/docs", ""), ("/docs/", "../")] {
        let (status, headers, page) = get(&mount, path).await;
        assert_eq!(status, StatusCode::OK);
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(page.contains(&format!("src=\"{root}docs.js\"")), "{page}");
        // Scripts and styles are files of ours: nothing in the page itself would run.
        assert!(!page.contains("<style") && !page.contains("onclick"));
    }
    for path in ["/docs", "/docs.js", "/docs.css"] {
        let (status, headers, text) = get(&mount, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path}"
        );
        assert!(!text.contains("innerHTML"), "{path}");
    }
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_lists_these_routes() {
    let mount = mount(true);
    let (_, headers, text) = get(&mount, "/openapi.json").await;
    assert_eq!(headers["content-type"], "application/json");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for route in mount
        .routes
        .iter()
        .filter(|route| !route.path.starts_with("/docs"))
    {
        let method = route.method.to_ascii_lowercase();
        assert!(
            document["paths"][&route.path][&method].is_object(),
            "{route:?}"
        );
    }
}
