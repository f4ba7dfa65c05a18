//! The calls surface, the rest of `/api`: conversations and messages as those use them who call
//! one another, and the feed of events.
//!
//! It shares its envelope and its errors with [`crate::platform`], to whose prefix it belongs.
//! Reading marks nothing as read here, and a conversation that is not the caller's is not there.
//! Each file holds the routes of one resource.

mod cards;
mod conversations;
mod events;
mod measured;
mod messages;

use std::sync::Arc;

use telemed_core::Engine;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

pub(crate) use cards::MessageLine;
pub(crate) use measured::MeasuredBody;

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
        events::list,
    ),
    tags(
        (name = "calls", description = "Conversations of those who call one another"),
        (name = "events", description = "What has happened since a cursor"),
    )
)]
struct Described;

#[cfg(test)]
mod tests;
