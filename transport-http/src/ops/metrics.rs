//! `/metrics`, in the OpenMetrics text format.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use telemed_core::error::Code;

use super::OpsState;
use crate::envelope::Refusal;

/// Seconds: from a look-up in memory to what a person gives up on.
const BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The figures of one installation. There is no global registry: two engines in one process do
/// not count each other's requests.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
}

/// The route is its template: labels hold no ids, and a client cannot make new ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: Arc<String>,
    status: u16,
}

impl Metrics {
    /// Figures that all stand at nothing.
    #[must_use]
    pub fn new() -> Self {
        let requests = Family::default();
        let durations: Family<Labels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut registry = Registry::with_prefix("telemed");
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer's head",
            durations.clone(),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            requests,
            durations,
        }
    }

    /// Gives out the registry, so that a host adds figures of its own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn count(
        &self,
        method: &'static str,
        route: &Arc<String>,
        status: u16,
        took: Duration,
    ) {
        let labels = Labels {
            method,
            route: Arc::clone(route),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Every figure in the OpenMetrics text format; `None` if one of a host's own cannot be
    /// written.
    fn text(&self) -> Option<String> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).ok().map(|()| text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The figures of this process in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Figures", content_type = "application/openmetrics-text", body = String)))]
pub(super) async fn metrics(State(state): State<OpsState>) -> Result<Response, Refusal> {
    let text = state
        .metrics
        .text()
        .ok_or_else(|| Refusal::code(Code::Internal))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok((
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind))],
        text,
    )
        .into_response())
}
