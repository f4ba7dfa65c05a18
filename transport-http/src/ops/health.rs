//! `/health` and `/ready`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use telemed_core::error::Code;
use utoipa::ToSchema;

use super::OpsState;
use crate::envelope::{Refusal, json};

/// How long the storage may take to answer before it counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync;

/// Asks whether the storage answers.
#[derive(Clone)]
pub struct Probe(Arc<Check>);

impl Probe {
    /// The probe that runs this check each time.
    pub fn new<F, Answer>(check: F) -> Self
    where
        F: Fn() -> Answer + Send + Sync + 'static,
        Answer: Future<Output = bool> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(check())))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// How the process fares.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`: an answer at all is the news.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives. It asks nothing of the storage, so that a slow database does not
/// get the process restarted.
#[utoipa::path(get, path = "/health", tag = "operations",
    responses((status = 200, description = "The process lives", body = Health)))]
pub(super) async fn health() -> Response {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Whether the process can work: the storage answers.
#[utoipa::path(get, path = "/ready", tag = "operations",
    responses((status = 200, description = "The storage answers", body = Health),
              (status = 503, description = "It does not; try again after Retry-After")))]
pub(super) async fn ready(State(state): State<OpsState>) -> Result<Response, Refusal> {
    match tokio::time::timeout(PATIENCE, (state.probe.0)()).await {
        Ok(true) => Ok(json(StatusCode::OK, &Health { status: "ok" })),
        Ok(false) | Err(_) => Err(Refusal::code(Code::Unavailable)),
    }
}
