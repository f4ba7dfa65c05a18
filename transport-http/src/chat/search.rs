//! `/search`: messages by the words in them.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::error::Error;
use telemed_core::id::ConversationId;
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::cards::MessageCard;
use super::to_outsiders;
use crate::auth::Caller;
use crate::envelope::{Place, Refusal};
use crate::extract::{Query, UuidId, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// What was found.
#[derive(Serialize, ToSchema)]
pub(super) struct FoundCard {
    /// The messages, newest first, at most 50.
    messages: Vec<MessageCard>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// Words, or beginnings of words of 3 letters or more; a message has all of them.
    #[param(required = true)]
    q: Option<String>,
    /// In this conversation; else in the thousand that were active last.
    #[param(format = "uuid")]
    conversation_id: Option<String>,
}

/// Messages by the words in them, newest first, at most 50.
#[utoipa::path(get, path = "/api/messages/search", tag = "chat",
    operation_id = "search_messages",
    params(SearchQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Messages", body = Success<FoundCard>), Refusals))]
pub(super) async fn search(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<SearchQuery>,
) -> Answer {
    let in_query = |error: Error| Refusal::new(Place::Query, error);
    let mut checks = Checks::new();
    let words = checks.required("q", query.q, Ok);
    let conversation = unless_blank(query.conversation_id);
    let conversation: Option<ConversationId> =
        checks.optional("conversation_id", conversation, UuidId::typed);
    let words = checks.finish(words).map_err(in_query)?;
    let messaging = state.engine.messaging();
    match messaging.search(&actor, &words, conversation).await {
        Ok(found) => {
            let messages = found.into_iter().map(MessageCard::from).collect();
            Ok(reply.ok(Done::MessagesFound, FoundCard { messages }))
        }
        Err(error) => match conversation {
            Some(id) => Err(in_query(to_outsiders(&state, &actor, id, error).await)),
            None => Err(in_query(error)),
        },
    }
}
