//! `PUT /chat/read/{reader_id}`: everything of one sender is read.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use telemed_core::error::{Code, Error};
use telemed_core::id::UserId;
use telemed_core::messaging::ReceiptKind;
use telemed_core::value::Checks;
use utoipa::ToSchema;

use super::Detail;
use crate::auth::{Caller, HasEngine, Idempotency};
use crate::connection::Sockets;
use crate::envelope::{Refusal, json};
use crate::extract::{Id, Json, PathId};
use crate::language::{Voice, text};
use crate::platform::reply::Done;

/// Whose messages were read.
#[derive(Deserialize, ToSchema)]
pub(super) struct ReadBody {
    /// Who sent them.
    #[schema(value_type = String, example = "7")]
    sender_id: Option<Id>,
}

/// How many messages were marked.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadAnswer {
    /// What was done.
    #[schema(example = "Messages marked as read successfully")]
    message: String,
    /// How many messages were newly marked.
    updated_count: u64,
}

/// Marks everything that somebody has sent the caller as read.
#[utoipa::path(put, path = "/chat/read/{reader_id}", tag = "raw-chat",
    operation_id = "mark_read",
    request_body = ReadBody,
    params(("reader_id" = i64, Path, minimum = 1, description = "The caller"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "How many", body = ReadAnswer),
        (status = 400, description = "The body has a wrong shape", body = Detail),
        (status = 401, description = "No credential, or one that is not good", body = Detail),
        (status = 403, description = "The reader is not the caller", body = Detail),
        (status = 404, description = "There is no such sender", body = Detail),
        (status = 413, description = "The body is larger than 1 MiB", body = Detail),
        (status = 415, description = "The body is not JSON", body = Detail),
        (status = 422, description = "The idempotency key was used with another request", body = Detail),
        (status = 429, description = "Too often; see Retry-After", body = Detail),
        (status = 503, description = "Busy; see Retry-After", body = Detail),
        (status = 507, description = "No space is left", body = Detail)))]
pub(super) async fn mark_read(
    State(state): State<Sockets>,
    Caller(actor): Caller,
    voice: Option<Extension<Voice>>,
    PathId(reader): PathId<UserId>,
    Idempotency(key): Idempotency,
    Json(body): Json<ReadBody>,
) -> Result<Response, Refusal> {
    if actor.user_id() != Some(reader) {
        return Err(Error::new(Code::Forbidden).into());
    }
    let mut checks = Checks::new();
    let sender = checks.required("sender_id", body.sender_id, Id::typed);
    let sender = checks.finish(sender)?;
    let messaging = state.engine().messaging().keyed(key);
    let marked = messaging
        .mark_from(&actor, sender, ReceiptKind::Read)
        .await?;
    let language = voice.unwrap_or_default().language();
    let answer = ReadAnswer {
        message: text(language, Done::MessagesRead.as_str()),
        updated_count: marked.map_or(0, |marked| marked.count),
    };
    Ok(json(StatusCode::OK, &answer))
}
