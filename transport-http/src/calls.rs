//! The calls surface, the rest of `/api`: calls, their history and their quality, who can be
//! reached, conversations and messages as those use them who call one another, and the feed of
//! events.
//!
//! It shares its envelope and its errors with [`crate::platform`], to whose prefix it belongs.
//! Reading marks nothing as read here, and a conversation or a call that is not the caller's is
//! not there. Each file holds the routes of one resource.

mod call;
mod cards;
mod conversations;
mod events;
mod history;
mod ice;
mod messages;
mod presence;
mod quality;
mod words;

use std::sync::Arc;

use telemed_core::Engine;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

pub(crate) use call::whole_seconds;
pub(crate) use cards::MessageLine;
pub(crate) use ice::lines as ice_lines;
pub(crate) use presence::current_call;
pub(crate) use quality::{QualityBody, RecordedLine};
pub(crate) use words::{DeclineReason, call_kind};

use crate::platform::Platform;
use crate::platform::envelope::PlatformFamily;
use crate::surface::{Mount, Shared, Surface};

/// The surface over this engine. What is under its prefix and is no route is answered by the
/// platform surface.
#[must_use]
pub fn calls(engine: &Engine, shared: &Arc<Shared>) -> Mount {
    Surface::new("", PlatformFamily, Arc::clone(shared))
        .get("/api/conversations", conversations::list)
        .post("/api/conversations", conversations::open)
        .get(
            "/api/conversations/{conversation_id}/messages",
            messages::list,
        )
        .post(
            "/api/conversations/{conversation_id}/send-message",
            messages::send,
        )
        .post("/api/messages/{message_id}/mark-read", messages::mark_read)
        .post("/api/calls/initiate", call::initiate)
        .post("/api/calls/{call_id}/accept", call::accept)
        .post("/api/calls/{call_id}/decline", call::decline)
        .post("/api/calls/{call_id}/hangup", call::hang_up)
        .get("/api/calls/{call_id}/quality-metrics", quality::list)
        .post("/api/calls/{call_id}/quality-metrics", quality::record)
        .get("/api/call-history", history::list)
        .get("/api/call-history/{call_id}", history::one)
        .get("/api/call-statistics", history::statistics)
        .post("/api/presence/update", presence::update)
        .get("/api/presence/online-users", presence::list)
        .get("/api/presence/{user_id}", presence::one)
        .get("/api/ice", ice::own)
        .get("/api/events", events::list)
        .build(Platform::new(engine, shared))
}

/// The OpenAPI description of these routes.
#[must_use]
pub fn openapi() -> OpenApi {
    Described::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        conversations::list,
        conversations::open,
        messages::list,
        messages::send,
        messages::mark_read,
        call::initiate,
        call::accept,
        call::decline,
        call::hang_up,
        quality::list,
        quality::record,
        history::list,
        history::one,
        history::statistics,
        presence::update,
        presence::list,
        presence::one,
        ice::own,
        events::list,
    ),
    tags(
        (name = "calls", description = "Calls, and conversations of those who call one another"),
        (name = "presence", description = "Who can be reached"),
        (name = "events", description = "What has happened since a cursor"),
    )
)]
struct Described;

#[cfg(test)]
mod tests;
