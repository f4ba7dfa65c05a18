//! `/openapi.json` and the page that shows it. The page is ours and loads nothing from elsewhere,
//! so that it works in a closed network and tells nobody who reads it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::{OpsState, health, metrics};

const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");

/// Only what the page itself needs: its own script, its own style, calls to its own origin.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(health::health, health::ready, metrics::metrics, openapi),
    tags((name = "operations", description = "For the operator of the installation"))
)]
struct Described;

pub(super) fn described() -> OpenApi {
    Described::openapi()
}

pub(super) fn document_bytes(document: &OpenApi) -> Bytes {
    // A document of strings and maps always becomes JSON.
    serde_json::to_vec(document).unwrap_or_default().into()
}

/// This document: OpenAPI 3.1, generated from the code.
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "This document", content_type = "application/json")))]
pub(super) async fn openapi(State(state): State<OpsState>) -> Response {
    resource("application/json", state.document)
}

/// The page that lists the operations and tries them.
pub(super) async fn page(uri: Uri) -> Response {
    // The page is at `/docs` and `/docs/`, perhaps below a host's own prefix: its parts are named
    // relative to either.
    let root = if uri.path().ends_with('/') { "../" } else { "" };
    let mut response = resource(
        "text/html; charset=utf-8",
        PAGE.replace("{root}", root).into(),
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    response
}

/// The page's script.
pub(super) async fn script() -> Response {
    resource(
        "text/javascript; charset=utf-8",
        Bytes::from_static(SCRIPT.as_bytes()),
    )
}

/// The page's style.
pub(super) async fn style() -> Response {
    resource(
        "text/css; charset=utf-8",
        Bytes::from_static(STYLE.as_bytes()),
    )
}

fn resource(kind: &'static str, body: Bytes) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // Another version of the program has another document.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}
