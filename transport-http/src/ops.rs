//! What the operator of an installation looks at: whether it lives, whether it can work, how it
//! fares, and what it offers.

mod docs;
mod health;
mod metrics;

pub use health::Probe;
pub use metrics::Metrics;

use std::sync::Arc;

use utoipa::openapi::OpenApi;

use crate::booking::envelope::BookingFamily;
use crate::surface::{Mount, Shared, Surface};

/// `/health`, `/ready`, `/metrics`, `/openapi.json` and `/docs`.
///
/// `probe` tells whether the storage answers; `document` describes every surface that is mounted.
#[must_use]
pub fn ops(shared: &Arc<Shared>, probe: Probe, document: &OpenApi) -> Mount {
    let state = OpsState {
        probe,
        metrics: shared.metrics().clone(),
        document: docs::document_bytes(document),
    };
    Surface::new("", BookingFamily, Arc::clone(shared))
        .get("/health", health::health)
        .get("/ready", health::ready)
        .get("/metrics", metrics::metrics)
        .get("/openapi.json", docs::openapi)
        .get("/docs", docs::page)
        .get("/docs.js", docs::script)
        .get("/docs.css", docs::style)
        .build(state)
}

/// The OpenAPI description of these routes.
#[must_use]
pub fn openapi() -> OpenApi {
    docs::described()
}

#[derive(Clone)]
struct OpsState {
    probe: Probe,
    metrics: Metrics,
    document: axum::body::Bytes,
}

#[cfg(test)]
mod tests;
