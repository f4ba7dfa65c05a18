//! The chat surface, `/api/messages`: conversations between patients and doctors, their messages,
//! search.
//!
//! It shares its envelope, its paging and its errors with [`crate::platform`], to whose prefix it
//! belongs. Who takes no part in a conversation is told so here; the other surfaces say that there
//! is none. Each file holds the routes of one resource.

mod cards;
mod conversations;
mod messages;
mod search;

use std::sync::Arc;

use telemed_core::Engine;
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::id::ConversationId;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

pub(crate) use cards::MessageCard;

use crate::platform::Platform;
use crate::platform::envelope::PlatformFamily;
use crate::surface::{Mount, Shared, Surface};

/// The surface over this engine. What is under its prefix and is no route is answered by the
/// platform surface.
#[must_use]
pub fn chat(engine: &Engine, shared: &Arc<Shared>) -> Mount {
    Surface::new("", PlatformFamily, Arc::clone(shared))
        .get("/api/messages/conversations", conversations::list)
        .post("/api/messages/conversations", conversations::open)
        .get(
            "/api/messages/conversations/{conversation_id}",
            messages::list,
        )
        .put(
            "/api/messages/conversations/{conversation_id}/archive",
            conversations::archive,
        )
        .put(
            "/api/messages/conversations/{conversation_id}/unarchive",
            conversations::unarchive,
        )
        .post(
            "/api/messages/conversations/{conversation_id}/messages",
            messages::send_to,
        )
        .post(
            "/api/messages/conversations/{conversation_id}/read",
            messages::read,
        )
        .post("/api/messages", messages::send)
        .get("/api/messages/search", search::search)
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
        conversations::archive,
        conversations::unarchive,
        messages::list,
        messages::send,
        messages::send_to,
        messages::read,
        search::search,
    ),
    tags((name = "chat", description = "Conversations between patients and doctors"))
)]
struct Described;

/// Tells somebody who takes no part in a conversation that it is not his, where there is one.
async fn to_outsiders(state: &Platform, actor: &Actor, id: ConversationId, error: Error) -> Error {
    let is_missing = error.code == Code::NotFound
        && (error.details.iter()).any(|(name, _)| *name == "conversation_id");
    if !is_missing || actor.user_id().is_none() {
        return error;
    }
    match state.engine.messaging().is_conversation(id).await {
        Ok(true) => Error::new(Code::Forbidden).message("Access denied to this conversation"),
        Ok(false) => error,
        Err(failure) => failure,
    }
}

#[cfg(test)]
mod tests;
