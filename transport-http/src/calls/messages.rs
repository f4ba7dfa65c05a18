//! Messages: read in pages or by cursor, sent, marked as read one by one.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::calls::CallReference;
use telemed_core::error::Error;
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::limits::LimitName;
use telemed_core::messaging::{
    ClientMessageId, Message, MessageBody, MessageContext, MessageKind, MessageRange, PageFrom,
    ReceiptKind, SendMessage,
};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::cards::MessageLine;
use crate::auth::{Caller, Idempotency};
use crate::envelope::{Place, Refusal};
use crate::extract::{Count, Json, MessageAt, PathId, Query, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::paging::Paging;
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// Rows of a page if it is not said.
const USUAL: i64 = 50;

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(super) struct MessagesPage {
    /// The messages, ascending inside the page.
    messages: Vec<MessageLine>,
    /// How many the conversation has.
    total: u64,
    /// How many pages there are.
    pages: u64,
    /// The page, from 1; null where a cursor was asked for.
    current_page: Option<u64>,
}

/// Which messages to read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// The page, from 1.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<Count>,
    /// Rows of a page.
    #[param(value_type = Option<i64>, minimum = 1, default = 50)]
    per_page: Option<Count>,
    /// `desc`: page 1 is the newest. `asc`: page 1 is the oldest.
    #[param(pattern = "^(asc|desc)$", default = "desc")]
    order: Option<String>,
    /// The newest before this message, in place of a page: its id or its seq.
    #[param(value_type = Option<String>)]
    before: Option<MessageAt>,
    /// The oldest after this message, in place of a page: its id or its seq.
    #[param(value_type = Option<String>)]
    after: Option<MessageAt>,
}

impl MessagesQuery {
    fn from(&self, page: u64) -> Result<PageFrom, Error> {
        let mut checks = Checks::new();
        let order = unless_blank(self.order.clone());
        let is_ascending = checks.optional("order", order, |order| match order.as_str() {
            "asc" => Ok(true),
            "desc" => Ok(false),
            _ => Err("must be one of: asc desc".into()),
        });
        if self.before.is_some() && self.after.is_some() {
            checks.note("after", "cannot come together with before");
        }
        let from = match (self.before, self.after, is_ascending.unwrap_or(false)) {
            (Some(MessageAt::Id(id)), ..) => PageFrom::Before(id),
            (Some(MessageAt::Place(place)), ..) => PageFrom::BeforePlace(place),
            (None, Some(MessageAt::Id(id)), _) => PageFrom::After(id),
            (None, Some(MessageAt::Place(place)), _) => PageFrom::AfterPlace(place),
            (None, None, true) => PageFrom::Oldest(page),
            (None, None, false) => PageFrom::Newest(page),
        };
        checks.finish(Some(from))
    }
}

/// Messages of a conversation. Reading marks nothing as read; what is fetched is delivered.
#[utoipa::path(get, path = "/api/conversations/{conversation_id}/messages", tag = "calls",
    operation_id = "list_messages",
    params(("conversation_id" = String, Path, format = "uuid"), MessagesQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Messages", body = Success<MessagesPage>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<ConversationId>,
    Query(query): Query<MessagesQuery>,
) -> Answer {
    let paging = Paging::of(query.page, query.per_page, USUAL)?;
    let from = query
        .from(paging.page)
        .map_err(|error| Refusal::new(Place::Query, error))?;
    let range = MessageRange {
        from,
        limit: paging.request.limit(),
    };
    let messaging = state.engine.messaging();
    let page = messaging
        .read_messages(&actor, id, range, ReceiptKind::Delivered)
        .await?;
    let is_page = matches!(from, PageFrom::Newest(_) | PageFrom::Oldest(_));
    let data = MessagesPage {
        messages: page.messages.into_iter().map(MessageLine::from).collect(),
        total: page.total,
        pages: paging.pages(page.total),
        current_page: is_page.then_some(paging.page),
    };
    Ok(reply.ok(Done::Messages, data))
}

/// A message to be sent.
#[derive(Deserialize, ToSchema)]
pub(super) struct LineBody {
    /// The text, which is kept byte for byte.
    #[schema(max_length = 5000)]
    body: Option<String>,
    /// `text` if absent, `prescription` or `report`.
    #[schema(pattern = "^(text|prescription|report)$")]
    message_type: Option<String>,
    /// The call in which it is sent, one of the participants': its id, or the id that the
    /// sender's client gave it.
    #[schema(max_length = 128)]
    call_id: Option<String>,
    /// Attachments: none can be named yet.
    #[schema(max_items = 0)]
    attachment_ids: Option<Vec<String>>,
    /// An id of the client's own: under it, the message is sent once.
    #[schema(min_length = 1, max_length = 128)]
    client_msg_id: Option<String>,
}

/// Sends a message.
#[utoipa::path(post, path = "/api/conversations/{conversation_id}/send-message", tag = "calls",
    operation_id = "send_message",
    request_body = LineBody,
    params(("conversation_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The message", body = Success<MessageLine>), Refusals))]
pub(super) async fn send(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(conversation): PathId<ConversationId>,
    Idempotency(key): Idempotency,
    Json(body): Json<LineBody>,
) -> Answer {
    let mut checks = Checks::new();
    let most = state.engine.settings().message_lengths.others;
    let text = checks.required("body", body.body, |text| MessageBody::new(text, most));
    let kind = unless_blank(body.message_type);
    let kind = checks.optional("message_type", kind, MessageKind::parse);
    let call = checks.optional("call_id", unless_blank(body.call_id), CallReference::new);
    let client_id = unless_blank(body.client_msg_id);
    let client_id = checks.optional("client_msg_id", client_id, ClientMessageId::new);
    if body.attachment_ids.is_some_and(|ids| !ids.is_empty()) {
        checks.note("attachment_ids", "must be empty");
    }
    let body = checks.finish(text)?;
    let limits = state.shared.limits();
    limits
        .spend(LimitName::Messages, &actor, state.engine.now())
        .await?;
    let request = SendMessage {
        conversation,
        kind: kind.unwrap_or(MessageKind::Text),
        body,
        context: MessageContext {
            call,
            ..MessageContext::default()
        },
        client_id,
    };
    let messaging = state.engine.messaging().keyed(key);
    let message = messaging.send(&actor, request).await?;
    Ok(reply.ok(Done::MessageSent, MessageLine::from(message)))
}

/// What has become of a message.
#[derive(Serialize, ToSchema)]
pub(super) struct MarkedLine {
    /// The message.
    #[schema(format = "uuid")]
    message_id: String,
    /// The conversation.
    #[schema(format = "uuid")]
    conversation_id: String,
    /// `read`.
    #[schema(value_type = String, example = "read")]
    status: &'static str,
    /// When it was read first.
    #[schema(format = DateTime)]
    read_at: Option<String>,
}

impl From<Message> for MarkedLine {
    fn from(message: Message) -> Self {
        Self {
            message_id: message.id.to_string(),
            conversation_id: message.conversation.to_string(),
            status: message.status().as_str(),
            read_at: message.read_at.map(|at| at.to_string()),
        }
    }
}

/// Marks a message as read, and with it those before it: for its recipient alone. The first time
/// stays.
#[utoipa::path(post, path = "/api/messages/{message_id}/mark-read", tag = "calls",
    operation_id = "mark_message_read",
    params(("message_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The message", body = Success<MarkedLine>), Refusals))]
pub(super) async fn mark_read(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<MessageId>,
    Idempotency(key): Idempotency,
) -> Answer {
    let messaging = state.engine.messaging().keyed(key);
    let marked = messaging
        .mark_message(&actor, id, ReceiptKind::Read)
        .await?;
    Ok(reply.ok(Done::MessagesRead, MarkedLine::from(marked)))
}
