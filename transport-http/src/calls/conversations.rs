//! `/conversations`: the own ones, and how one is opened.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::error::Error;
use telemed_core::id::UserId;
use telemed_core::messaging::{ConversationKind, OpenConversation};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::cards::ConversationLine;
use crate::auth::{Caller, Idempotency};
use crate::extract::{Count, Id, Json, Query, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::paging::Paging;
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// Rows of a page if it is not said.
const USUAL: i64 = 20;

/// A page of conversations.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationsPage {
    /// The conversations, the most recently active first; those that were put away, too.
    conversations: Vec<ConversationLine>,
    /// How many there are.
    total: u64,
    /// How many pages there are.
    pages: u64,
    /// The page, from 1.
    current_page: u64,
}

/// Which conversations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ConversationsQuery {
    /// The page, from 1.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<Count>,
    /// Rows of a page.
    #[param(value_type = Option<i64>, minimum = 1, default = 20)]
    per_page: Option<Count>,
}

/// The own conversations, the most recently active first.
#[utoipa::path(get, path = "/api/conversations", tag = "calls",
    operation_id = "list_conversations",
    params(ConversationsQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Conversations", body = Success<ConversationsPage>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<ConversationsQuery>,
) -> Answer {
    let paging = Paging::of(query.page, query.per_page, USUAL)?;
    let messaging = state.engine.messaging();
    let found = messaging
        .conversations(&actor, true, paging.request)
        .await?;
    let rows = found.items.iter();
    let user = actor.user_id();
    let data = ConversationsPage {
        conversations: rows
            .map(|row| ConversationLine::of(&row.conversation, user))
            .collect(),
        total: found.total,
        pages: paging.pages(found.total),
        current_page: paging.page,
    };
    Ok(reply.ok(Done::Conversations, data))
}

/// Who shall take part.
#[derive(Deserialize, ToSchema)]
pub(super) struct ConversationBody {
    /// The other one; oneself may be named beside him.
    #[schema(value_type = Vec<i64>)]
    participant_ids: Option<Vec<Id>>,
    /// `direct`.
    #[schema(pattern = "^direct$", default = "direct")]
    conversation_type: Option<String>,
}

/// One conversation: flat, and once more as `conversation`.
#[derive(Serialize, ToSchema)]
pub(super) struct OneConversation {
    #[serde(flatten)]
    flat: ConversationLine,
    /// The same.
    conversation: ConversationLine,
}

/// The direct conversation with somebody: the one that is there, or a new one.
#[utoipa::path(post, path = "/api/conversations", tag = "calls",
    operation_id = "open_conversation",
    request_body = ConversationBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The conversation", body = Success<OneConversation>), Refusals))]
pub(super) async fn open(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    Json(body): Json<ConversationBody>,
) -> Answer {
    let user = actor.user_id();
    let mut checks = Checks::new();
    let kind = unless_blank(body.conversation_type);
    checks.optional("conversation_type", kind, ConversationKind::parse);
    let with = checks.required("participant_ids", body.participant_ids, |ids| {
        let ids: Vec<UserId> = ids.into_iter().map(Id::typed).collect::<Result<_, _>>()?;
        let mut others: Vec<_> = ids.iter().filter(|id| Some(**id) != user).collect();
        others.dedup();
        match (others.as_slice(), ids.as_slice()) {
            ([other], _) => Ok(**other),
            // Oneself alone is refused as oneself.
            ([], [own, ..]) => Ok(*own),
            _ => Err("must name one other participant".into()),
        }
    });
    let with = checks.finish(with)?;
    let request = OpenConversation {
        with,
        with_administrators: false,
    };
    let messaging = state.engine.messaging().keyed(key);
    let opened = messaging.open_conversation(&actor, request).await;
    let flat = ConversationLine::of(&opened.map_err(as_list)?, user);
    let conversation = flat.clone();
    let data = OneConversation { flat, conversation };
    Ok(reply.ok(Done::ConversationOpened, data))
}

/// Names the field as this surface does.
fn as_list(mut error: Error) -> Error {
    for issue in &mut error.issues {
        if issue.field == "participant_id" {
            issue.field = "participant_ids".into();
        }
    }
    error
}
