//! `/socket.io/`: Engine.IO 4 and Socket.IO 5, spoken by clients in browsers and elsewhere.
//!
//! There is the default namespace and text; other namespaces and bytes are refused. A session
//! polls or has a WebSocket, and may change from the one to the other.
//!
//! | file | holds |
//! |---|---|
//! | `packet.rs` | both protocols as text |
//! | `transport.rs` | the requests: handshake, polls, posts, WebSockets |
//! | `upgrade.rs` | the change from polling to a WebSocket |
//! | `polled.rs`, `sid.rs` | the sessions that poll, and their names |
//! | `session.rs` | the task of a session |
//! | `events.rs`, `commands.rs`, `calling.rs` | the events, and what is done for them |

mod calling;
mod commands;
pub(crate) mod events;
pub(crate) mod packet;
mod polled;
mod session;
mod sid;
mod signal;
mod transport;
mod upgrade;

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
pub use events::event_table;
use polled::PolledSessions;

/// The events that go to and fro.
#[doc = include_str!("docs/socket-events.md")]
pub mod documentation {}

/// What the handlers share.
#[derive(Clone)]
struct SocketIo {
    sockets: Sockets,
    sessions: PolledSessions,
}

/// Writes refusals as Engine.IO does.
struct EngineFamily;

/// A refusal, as Engine.IO writes it.
#[derive(Serialize, ToSchema)]
struct EngineError {
    /// The number that Engine.IO has for it.
    #[schema(example = 1)]
    code: u8,
    /// What is wrong.
    #[schema(example = "Session ID unknown")]
    message: String,
}

impl Family for EngineFamily {
    fn render(&self, refusal: &Refusal, _: Timestamp, language: Language) -> Response {
        let error = &refusal.error;
        let (status, code) = match error.code {
            Code::WrongShape => (StatusCode::BAD_REQUEST, 3),
            // "Bad handshake method".
            Code::MethodNotAllowed => (StatusCode::BAD_REQUEST, 2),
            Code::Forbidden | Code::ForeignOrigin => (StatusCode::FORBIDDEN, 4),
            other => (status_of(other), 3),
        };
        let message = refusal_text(language, error);
        json(status, &EngineError { code, message })
    }
}

/// The surface: only its own routes.
pub(crate) fn socketio(sockets: &Sockets) -> Mount {
    Surface::new("", EngineFamily, Arc::clone(sockets.shared_state()))
        .get("/socket.io", transport::get)
        .post("/socket.io", transport::post)
        .build(SocketIo {
            sockets: sockets.clone(),
            sessions: PolledSessions::default(),
        })
}

/// The OpenAPI description of these routes.
#[must_use]
pub fn openapi() -> OpenApi {
    Described::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(transport::get, transport::post),
    components(schemas(EngineError)),
    tags((name = "sockets", description = "Socket.IO"))
)]
struct Described;

#[cfg(test)]
mod tests;
