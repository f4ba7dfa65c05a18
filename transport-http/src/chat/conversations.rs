//! `/conversations`: the own ones, opened, put away and brought back.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::id::{AppointmentId, ConversationId, UserId};
use telemed_core::journal::IdempotencyKey;
use telemed_core::messaging::{ConversationSummary, OpenConversation};
use telemed_core::page::PageRequest;
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::cards::ConversationCard;
use super::to_outsiders;
use crate::auth::{Caller, Idempotency};
use crate::extract::{Count, Flag, Id, JsonOrForm, PathId, Query};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::paging::{Meta, Paging};
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// A list of conversations.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationsCard {
    /// The conversations, the most recently active first.
    conversations: Vec<ConversationCard>,
    /// Where the page stands.
    pagination: Meta,
}

/// One conversation: flat, and once more as `conversation`.
#[derive(Serialize, ToSchema)]
pub(super) struct OneConversationCard {
    #[serde(flatten)]
    flat: ConversationCard,
    /// The same.
    conversation: ConversationCard,
}

/// Which conversations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ConversationsQuery {
    /// The page, from 1. Without a page the first 500 are listed.
    #[param(value_type = Option<i64>, minimum = 1)]
    page: Option<Count>,
    /// Rows of a page; 10 if only a page is asked for.
    #[param(value_type = Option<i64>, minimum = 1)]
    per_page: Option<Count>,
    /// Whether those that were put away are listed too.
    #[param(value_type = Option<bool>, default = false)]
    include_archived: Option<Flag>,
}

/// The own conversations, the most recently active first.
#[utoipa::path(get, path = "/api/messages/conversations", tag = "chat",
    operation_id = "list_conversations",
    params(ConversationsQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Conversations", body = Success<ConversationsCard>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<ConversationsQuery>,
) -> Answer {
    let paging = Paging::asked(query.page, query.per_page, PageRequest::newest())?;
    let with_archived = query.include_archived.is_some_and(|flag| flag.0);
    let messaging = state.engine.messaging();
    let found = messaging
        .conversations(&actor, with_archived, paging.request)
        .await?;
    let pagination = paging.meta(found.total);
    let user = actor.user_id();
    let online = online(&state, user, &found.items).await?;
    let card = |summary| ConversationCard::of(summary, user, &online);
    let conversations = found.items.into_iter().map(card).collect();
    let data = ConversationsCard {
        conversations,
        pagination,
    };
    Ok(reply.ok(Done::Conversations, data))
}

/// With whom a conversation is wanted.
#[derive(Deserialize, ToSchema)]
pub(super) struct ConversationBody {
    /// The other one: a doctor for a patient, a patient for a doctor.
    #[schema(value_type = Option<i64>, minimum = 1)]
    participant_id: Option<Id>,
    /// The same as `participant_id`.
    #[schema(value_type = Option<i64>, minimum = 1)]
    recipient_id: Option<Id>,
    /// The appointment that it is about. It is a field of messages, and makes no second
    /// conversation.
    #[schema(value_type = Option<i64>, minimum = 1)]
    appointment_id: Option<Id>,
}

/// The direct conversation with somebody: the one that is there, or a new one.
#[utoipa::path(post, path = "/api/messages/conversations", tag = "chat",
    operation_id = "open_conversation",
    request_body = ConversationBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The conversation", body = Success<OneConversationCard>), Refusals))]
pub(super) async fn open(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<ConversationBody>,
) -> Answer {
    let mut checks = Checks::new();
    let with: Option<UserId> = checks.required(
        "participant_id",
        body.participant_id.or(body.recipient_id),
        Id::typed,
    );
    let appointment: Option<AppointmentId> =
        checks.optional("appointment_id", body.appointment_id, Id::typed);
    let with = checks.finish(with)?;
    if let Some(appointment) = appointment {
        require_between(&state, &actor, with, appointment).await?;
    }
    let request = OpenConversation {
        with,
        with_administrators: false,
    };
    let messaging = state.engine.messaging().keyed(key);
    let opened = messaging.open_conversation(&actor, request).await?;
    let card = card(&state, &actor, opened.id).await?;
    let card = card.about(appointment.map(AppointmentId::get));
    Ok(reply.ok(Done::ConversationOpened, one(card)))
}

/// Refuses an appointment that is not one of the caller's with the other.
async fn require_between(
    state: &Platform,
    actor: &Actor,
    with: UserId,
    id: AppointmentId,
) -> Result<(), Error> {
    let found = state.engine.scheduling().named_appointment(actor, id).await;
    let is_theirs = match found {
        Ok(named) => [named.appointment.patient, named.appointment.doctor].contains(&with),
        // Whose appointments there are does not show.
        Err(error) if matches!(error.code, Code::NotFound | Code::Forbidden) => false,
        Err(error) => return Err(error),
    };
    if is_theirs {
        return Ok(());
    }
    let message = "must be an appointment of the two";
    Err(Error::broken_rule("appointment_id", message))
}

/// A conversation for the caller.
async fn card(
    state: &Platform,
    actor: &Actor,
    id: ConversationId,
) -> Result<ConversationCard, Error> {
    let messaging = state.engine.messaging();
    let summary = messaging.conversation_summary(actor, id).await?;
    let user = actor.user_id();
    let online = online(state, user, std::slice::from_ref(&summary)).await?;
    Ok(ConversationCard::of(summary, user, &online))
}

/// Who of those on the other side can be reached.
async fn online(
    state: &Platform,
    user: Option<UserId>,
    summaries: &[ConversationSummary],
) -> Result<Vec<UserId>, Error> {
    let others = summaries.iter().filter_map(|summary| {
        let other = summary.conversation.other(user?)?;
        Some(other.user)
    });
    let others: Vec<_> = others.collect();
    state.engine.presence().are_online(&others).await
}

fn one(card: ConversationCard) -> OneConversationCard {
    OneConversationCard {
        flat: card.clone(),
        conversation: card,
    }
}

/// Puts a conversation away for the caller alone; the next message brings it back.
#[utoipa::path(put, path = "/api/messages/conversations/{conversation_id}/archive", tag = "chat",
    operation_id = "archive_conversation",
    params(("conversation_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The conversation", body = Success<OneConversationCard>), Refusals))]
pub(super) async fn archive(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<ConversationId>,
    Idempotency(key): Idempotency,
) -> Answer {
    put_away(&state, &actor, id, key, true).await?;
    let card = card(&state, &actor, id).await?;
    Ok(reply.ok(Done::Archived, one(card)))
}

/// Brings a conversation back into the caller's list.
#[utoipa::path(put, path = "/api/messages/conversations/{conversation_id}/unarchive", tag = "chat",
    operation_id = "unarchive_conversation",
    params(("conversation_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The conversation", body = Success<OneConversationCard>), Refusals))]
pub(super) async fn unarchive(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<ConversationId>,
    Idempotency(key): Idempotency,
) -> Answer {
    put_away(&state, &actor, id, key, false).await?;
    let card = card(&state, &actor, id).await?;
    Ok(reply.ok(Done::Unarchived, one(card)))
}

async fn put_away(
    state: &Platform,
    actor: &Actor,
    id: ConversationId,
    key: Option<IdempotencyKey>,
    archived: bool,
) -> Result<(), Error> {
    let messaging = state.engine.messaging().keyed(key);
    match messaging.archive(actor, id, archived).await {
        Ok(_) => Ok(()),
        Err(error) => Err(to_outsiders(state, actor, id, error).await),
    }
}
