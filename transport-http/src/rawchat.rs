//! The raw chat surface: messages over a bare WebSocket, and what is read, over HTTP, in bare
//! objects; refusals are `{detail}`.

mod frames;
mod missed;
mod read;
mod socket;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use telemed_core::error::Code;
use telemed_core::identity::Language;
use telemed_core::time::Timestamp;
use utoipa::openapi::OpenApi;
use utoipa::{OpenApi as _, ToSchema};

use crate::connection::Sockets;
use crate::envelope::{Family, Refusal, json, status_of};
use crate::language::refusal_text;
use crate::surface::{Mount, Surface};
pub(crate) use frames::MessageFrame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use frames::reads_frame;

/// A refusal, as the raw chat writes it.
#[derive(Serialize, ToSchema)]
#[schema(as = RawDetail)]
pub(crate) struct Detail {
    /// What is wrong, in a sentence.
    #[schema(example = "User not found")]
    detail: String,
}

/// Writes refusals as the raw chat does.
pub struct RawChatFamily;

impl Family for RawChatFamily {
    fn render(&self, refusal: &Refusal, _: Timestamp, language: Language) -> Response {
        let error = &refusal.error;
        let status = match error.code {
            Code::WrongShape => StatusCode::BAD_REQUEST,
            other => status_of(other),
        };
        let detail = refusal_text(language, error);
        json(status, &Detail { detail })
    }
}

/// The surface over this engine: only its own routes.
#[must_use]
pub(crate) fn rawchat(sockets: &Sockets) -> Mount {
    Surface::new("", RawChatFamily, Arc::clone(sockets.shared_state()))
        .put("/chat/read/{reader_id}", read::mark_read)
        .get("/ws/{client_id}", socket::open)
        .build(sockets.clone())
}

/// The OpenAPI description of these routes.
#[must_use]
pub fn openapi() -> OpenApi {
    Described::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(read::mark_read, socket::open),
    components(schemas(Detail)),
    tags((name = "raw-chat", description = "The raw chat"))
)]
struct Described;

#[cfg(test)]
mod tests;
