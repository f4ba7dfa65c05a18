//! Messages: read in pages, sent, marked as read.

use axum::extract::State;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::id::ConversationId;
use telemed_core::journal::IdempotencyKey;
use telemed_core::limits::LimitName;
use telemed_core::messaging::{
    ClientMessageId, Message, MessageBody, MessageContext, MessageKind, MessageRange, PageFrom,
    ReceiptKind, SendMessage,
};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::cards::MessageCard;
use super::to_outsiders;
use crate::auth::{Caller, Idempotency};
use crate::extract::{
    Count, Flag, Id, JsonOrForm, MessageAt, OptionalJson, PathId, Query, UuidId, unless_blank,
};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::paging::{Meta, Paging};
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// Rows of a page if it is not said.
const USUAL: i64 = 50;

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(super) struct MessagesCard {
    /// The messages, ascending inside the page.
    messages: Vec<MessageCard>,
    /// Where the page stands; page 1 is the newest.
    pagination: Meta,
}

/// Which messages to read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// The page, from 1, which is the newest.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<Count>,
    /// Rows of a page.
    #[param(value_type = Option<i64>, minimum = 1, default = 50)]
    per_page: Option<Count>,
    /// Whether everything up to the newest message of the page is marked as read.
    #[param(value_type = Option<bool>, default = true)]
    mark_read: Option<Flag>,
}

/// A page of a conversation. Unless it is said otherwise, everything up to the newest message of
/// the page is marked as read.
#[utoipa::path(get, path = "/api/messages/conversations/{conversation_id}", tag = "chat",
    operation_id = "read_conversation",
    params(("conversation_id" = String, Path, format = "uuid"), MessagesQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Messages", body = Success<MessagesCard>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    method: Method,
    PathId(id): PathId<ConversationId>,
    Query(query): Query<MessagesQuery>,
) -> Answer {
    let paging = Paging::of(query.page, query.per_page, USUAL)?;
    let range = MessageRange {
        from: PageFrom::Newest(paging.page),
        limit: paging.request.limit(),
    };
    // Who asks for the head alone reads nothing.
    let reads = method != Method::HEAD && query.mark_read.is_none_or(|flag| flag.0);
    let mark = if reads {
        ReceiptKind::Read
    } else {
        ReceiptKind::Delivered
    };
    let messaging = state.engine.messaging();
    let page = match messaging.read_messages(&actor, id, range, mark).await {
        Ok(page) => page,
        Err(error) => return Err(to_outsiders(&state, &actor, id, error).await.into()),
    };
    let data = MessagesCard {
        messages: page.messages.into_iter().map(MessageCard::from).collect(),
        pagination: paging.meta(page.total),
    };
    Ok(reply.ok(Done::Messages, data))
}

/// A message to be sent.
#[derive(Deserialize, ToSchema)]
pub(super) struct MessageBodyIn {
    /// The conversation; not where the path names it.
    #[schema(format = "uuid")]
    conversation_id: Option<String>,
    /// The text, which is kept byte for byte.
    #[schema(max_length = 2000)]
    message: Option<String>,
    /// The same as `message`.
    #[schema(max_length = 2000)]
    content: Option<String>,
    /// `text` if absent, `prescription` or `report`.
    #[schema(pattern = "^(text|prescription|report)$")]
    message_type: Option<String>,
    /// An id of the client's own: under it, the message is sent once.
    #[schema(min_length = 1, max_length = 128)]
    client_msg_id: Option<String>,
    /// The appointment that it is about.
    #[schema(value_type = Option<i64>, minimum = 1)]
    appointment_id: Option<Id>,
}

/// One message.
#[derive(Serialize, ToSchema)]
pub(super) struct OneMessageCard {
    /// The message.
    message: MessageCard,
}

/// One message: flat, but for its text, which is `content` here, and whole as `message`.
#[derive(Serialize, ToSchema)]
pub(super) struct FlatMessageCard {
    /// The fields of `message`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    flat: serde_json::Map<String, serde_json::Value>,
    /// The message.
    message: MessageCard,
}

/// Sends a message.
#[utoipa::path(post, path = "/api/messages", tag = "chat",
    operation_id = "send_message",
    request_body = MessageBodyIn,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The message", body = Success<OneMessageCard>), Refusals))]
pub(super) async fn send(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<MessageBodyIn>,
) -> Answer {
    let message = deliver(&state, &actor, None, key, body).await?.into();
    Ok(reply.ok(Done::MessageSent, OneMessageCard { message }))
}

/// Sends a message to the conversation of the path.
#[utoipa::path(post, path = "/api/messages/conversations/{conversation_id}/messages", tag = "chat",
    operation_id = "send_message_to",
    request_body = MessageBodyIn,
    params(("conversation_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The message", body = Success<FlatMessageCard>), Refusals))]
pub(super) async fn send_to(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<ConversationId>,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<MessageBodyIn>,
) -> Answer {
    let message = deliver(&state, &actor, Some(id), key, body).await?;
    let message = MessageCard::from(message);
    let mut flat = match serde_json::to_value(&message) {
        Ok(serde_json::Value::Object(flat)) => flat,
        _ => return Err(Error::new(Code::Internal).into()),
    };
    flat.remove("message");
    Ok(reply.ok(Done::MessageSent, FlatMessageCard { flat, message }))
}

async fn deliver(
    state: &Platform,
    actor: &Actor,
    conversation: Option<ConversationId>,
    key: Option<IdempotencyKey>,
    body: MessageBodyIn,
) -> Result<Message, Error> {
    let mut checks = Checks::new();
    let (field, text) = match (body.message, body.content) {
        (Some(text), None) => ("message", Some(text)),
        (None, Some(text)) => ("content", Some(text)),
        // Both: the one that is this route's own.
        (Some(text), Some(_)) if conversation.is_none() => ("message", Some(text)),
        (Some(_), Some(text)) => ("content", Some(text)),
        (None, None) if conversation.is_none() => ("message", None),
        (None, None) => ("content", None),
    };
    let conversation = match conversation {
        Some(id) => Some(id),
        None => checks.required("conversation_id", body.conversation_id, UuidId::typed),
    };
    let most = state.engine.settings().message_lengths.chat;
    let text = checks.required(field, text, |text| MessageBody::new(text, most));
    let kind = unless_blank(body.message_type);
    let kind = checks.optional("message_type", kind, MessageKind::parse);
    let client_id = unless_blank(body.client_msg_id);
    let client_id = checks.optional("client_msg_id", client_id, ClientMessageId::new);
    let appointment = checks.optional("appointment_id", body.appointment_id, Id::typed);
    let (conversation, body) = checks.finish(conversation.zip(text))?;
    let limits = state.shared.limits();
    limits
        .spend(LimitName::Messages, actor, state.engine.now())
        .await?;
    let request = SendMessage {
        conversation,
        kind: kind.unwrap_or(MessageKind::Text),
        body,
        context: MessageContext {
            appointment,
            ..MessageContext::default()
        },
        client_id,
    };
    match state
        .engine
        .messaging()
        .keyed(key)
        .send(actor, request)
        .await
    {
        Ok(message) => Ok(message),
        Err(error) => Err(to_outsiders(state, actor, conversation, error).await),
    }
}

/// Up to where it was read.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ReadBody {
    /// The last message that was read, by its id or its seq; the newest if absent.
    #[schema(value_type = Option<String>)]
    up_to: Option<MessageAt>,
}

/// How many messages were marked.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadCard {
    /// How many messages were newly marked.
    updated_count: u64,
}

/// Marks what others have sent as read.
#[utoipa::path(post, path = "/api/messages/conversations/{conversation_id}/read", tag = "chat",
    operation_id = "mark_conversation_read",
    request_body = Option<ReadBody>,
    params(("conversation_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "How many", body = Success<ReadCard>), Refusals))]
pub(super) async fn read(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<ConversationId>,
    Idempotency(key): Idempotency,
    OptionalJson(body): OptionalJson<ReadBody>,
) -> Answer {
    let messaging = state.engine.messaging().keyed(key);
    let kind = ReceiptKind::Read;
    let marked = match body.unwrap_or_default().up_to {
        Some(MessageAt::Place(place)) => messaging.mark_place(&actor, id, kind, place).await,
        Some(MessageAt::Id(message)) => messaging.mark(&actor, id, kind, Some(message)).await,
        None => messaging.mark(&actor, id, kind, None).await,
    };
    match marked {
        Ok(marked) => {
            let updated_count = marked.map_or(0, |marked| marked.count);
            Ok(reply.ok(Done::MessagesRead, ReadCard { updated_count }))
        }
        Err(error) => Err(to_outsiders(&state, &actor, id, error).await.into()),
    }
}
