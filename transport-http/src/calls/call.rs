//! Calls: begun, accepted, declined, ended.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::calls::{
    AcceptCall, CallReference, CallState, ClientCallId, DeviceId, HangUp, InitiateCall, Initiated,
};
use telemed_core::limits::LimitName;
use telemed_core::value::{Checks, ValueError};
use utoipa::ToSchema;

use super::cards::CallSummary;
use super::ice::{IceServerLine, lines};
use super::words::{DeclineReason, call_kind, status_seen_by};
use crate::auth::{Caller, Idempotency};
use crate::extract::{Figure, Id, Json, OptionalJson, Order, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::reply::{Answer, Done, Nothing, Refusals, Reply};

/// A call to be begun.
#[derive(Deserialize, ToSchema)]
pub(super) struct InitiateBody {
    /// Who is called: somebody to whom there is a care relation.
    #[schema(value_type = i64, minimum = 1)]
    callee_id: Option<Id>,
    /// The appointment that it belongs to: one of the two.
    #[schema(value_type = Option<i64>, minimum = 1)]
    appointment_id: Option<Id>,
    /// `video` or `voice`; `audio` is `voice`.
    #[schema(value_type = String, pattern = "^(video|voice|audio)$")]
    call_type: Option<String>,
    /// An id of the client's own: under it the call is begun once, and it stands for the call in
    /// everything that this client sends.
    #[schema(min_length = 1, max_length = 128)]
    client_call_id: Option<String>,
    /// The device; the session's if it is not said.
    #[schema(min_length = 1, max_length = 128)]
    device_id: Option<String>,
}

/// A call that was begun.
#[derive(Serialize, ToSchema)]
pub(super) struct BegunLine {
    /// The call.
    #[schema(format = "uuid")]
    call_id: String,
    /// The id that the caller's client gave it.
    client_call_id: Option<String>,
    /// The room in which the two meet.
    room_id: String,
    /// Its state.
    #[schema(value_type = String, example = "initiated")]
    status: &'static str,
    /// The callee was calling at the same time: it is that call, and it is accepted by this.
    glare: bool,
    /// By which servers the two devices find to each other, for `RTCPeerConnection`.
    ice_servers: Vec<IceServerLine>,
}

/// Begins a call with somebody to whom there is a care relation.
#[utoipa::path(post, path = "/api/calls/initiate", tag = "calls",
    operation_id = "initiate_call",
    request_body = InitiateBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The call", body = Success<BegunLine>),
        (status = 409, description = "One of the two is in another call, or the callee does not want to be disturbed; `details` has `call_id` and `status`: CONFLICT", body = crate::platform::envelope::Failure),
        Refusals))]
pub(super) async fn initiate(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    Json(body): Json<InitiateBody>,
) -> Answer {
    let mut checks = Checks::new();
    let callee = checks.required("callee_id", body.callee_id, Id::typed);
    let appointment = checks.optional("appointment_id", body.appointment_id, Id::typed);
    let kind = checks.required("call_type", unless_blank(body.call_type), call_kind);
    let client_id = unless_blank(body.client_call_id);
    let client_id = checks.optional("client_call_id", client_id, ClientCallId::new);
    let device = checks.optional("device_id", unless_blank(body.device_id), DeviceId::new);
    let (callee, kind) = checks.finish(callee.zip(kind))?;
    let limits = state.shared.limits();
    limits
        .spend(LimitName::Calls, &actor, state.engine.now())
        .await?;
    let request = InitiateCall {
        callee,
        appointment,
        kind,
        client_id,
        device,
        by_socket: false,
    };
    let calls = state.engine.calls().keyed(key);
    let Initiated { call, is_glare } = calls.initiate(&actor, request).await?;
    let data = BegunLine {
        call_id: call.id.to_string(),
        client_call_id: call.client_id.as_ref().map(|id| id.as_str().to_owned()),
        room_id: call.room(),
        status: match is_glare {
            true => accepted(),
            false => call.progress.state.as_str(),
        },
        glare: is_glare,
        ice_servers: lines(state.engine.calls().ice_servers(&call)),
    };
    Ok(reply.ok(Done::CallBegun, data))
}

/// What is said of an answered call, also where the devices count as connected at once.
const fn accepted() -> &'static str {
    CallState::Accepted.as_str()
}

/// On which device a call is accepted.
#[derive(Deserialize, ToSchema)]
pub(super) struct AcceptBody {
    /// The device; the session's if it is not said.
    #[schema(min_length = 1, max_length = 128)]
    device_id: Option<String>,
}

/// A call that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct AcceptedLine {
    /// The call.
    #[schema(format = "uuid")]
    call_id: String,
    /// `accepted`.
    #[schema(value_type = String, example = "accepted")]
    status: &'static str,
    /// The room in which the two meet.
    room_id: String,
    /// By which servers the two devices find to each other, for `RTCPeerConnection`.
    ice_servers: Vec<IceServerLine>,
}

/// Accepts a call on one device of the callee; the others stop ringing.
#[utoipa::path(post, path = "/api/calls/{call_id}/accept", tag = "calls",
    operation_id = "accept_call",
    request_body(content = Option<AcceptBody>),
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The call", body = Success<AcceptedLine>),
        (status = 409, description = "It was answered on another device, or is over; `details` has `call_id` and `status`: CONFLICT", body = crate::platform::envelope::Failure),
        Refusals))]
pub(super) async fn accept(
    State(state): State<Platform>,
    reply: Reply,
    order: Order<CallReference>,
    OptionalJson(body): OptionalJson<AcceptBody>,
) -> Answer {
    let mut checks = Checks::new();
    let device = body.and_then(|body| unless_blank(body.device_id));
    let device = checks.optional("device_id", device, DeviceId::new);
    checks.finish(Some(()))?;
    let request = AcceptCall {
        call: order.id,
        device,
        by_socket: false,
    };
    let calls = state.engine.calls().keyed(order.key);
    let call = calls.accept(&order.actor, request).await?;
    let data = AcceptedLine {
        call_id: call.id.to_string(),
        status: accepted(),
        room_id: call.room(),
        ice_servers: lines(state.engine.calls().ice_servers(&call)),
    };
    Ok(reply.ok(Done::CallAccepted, data))
}

/// Why a call is declined.
#[derive(Deserialize, ToSchema)]
pub(super) struct DeclineBody {
    /// `user_declined` if absent, `busy`, `rejected`, `unanswered` (the call is missed then) or
    /// `connection_failed`.
    #[schema(pattern = "^(user_declined|busy|rejected|unanswered|connection_failed)$")]
    reason: Option<String>,
}

/// Declines a call: for the callee alone, and before it is accepted.
#[utoipa::path(post, path = "/api/calls/{call_id}/decline", tag = "calls",
    operation_id = "decline_call",
    request_body(content = Option<DeclineBody>),
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "It is declined", body = Success<Nothing>),
        (status = 409, description = "It was accepted before; `details` has `call_id` and `status`: CONFLICT", body = crate::platform::envelope::Failure),
        Refusals))]
pub(super) async fn decline(
    State(state): State<Platform>,
    reply: Reply,
    order: Order<CallReference>,
    OptionalJson(body): OptionalJson<DeclineBody>,
) -> Answer {
    let mut checks = Checks::new();
    let reason = body.and_then(|body| unless_blank(body.reason));
    let reason = checks.optional("reason", reason, DeclineReason::parse);
    checks.finish(Some(()))?;
    let calls = state.engine.calls().keyed(order.key);
    calls
        .decline(&order.actor, &order.id, reason.unwrap_or_default().0)
        .await?;
    Ok(reply.ok(Done::CallDeclined, Nothing {}))
}

/// How a call is ended.
#[derive(Deserialize, ToSchema)]
pub(super) struct HangupBody {
    /// What the client says of it, such as `user_hangup`. Only `unanswered` is listened to: a
    /// callee who says so before he has answered has missed the call.
    reason: Option<String>,
    /// How many seconds it took by the client's claim, which is kept aside: the server's clock
    /// decides.
    #[schema(value_type = Option<f64>, minimum = 0)]
    duration: Option<Figure>,
}

/// A call that is over.
#[derive(Serialize, ToSchema)]
pub(super) struct HungUp {
    /// How it went.
    call_summary: CallSummary,
}

/// Ends a call: for either party, whatever its state. Before it is accepted the caller cancels it
/// by this, and the callee declines it; one that is over stays as it is.
#[utoipa::path(post, path = "/api/calls/{call_id}/hangup", tag = "calls",
    operation_id = "hang_up_call",
    request_body(content = Option<HangupBody>),
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "How it went", body = Success<HungUp>), Refusals))]
pub(super) async fn hang_up(
    State(state): State<Platform>,
    reply: Reply,
    order: Order<CallReference>,
    OptionalJson(body): OptionalJson<HangupBody>,
) -> Answer {
    let mut checks = Checks::new();
    let (reason, duration) = body.map_or((None, None), |body| (body.reason, body.duration));
    let reported_duration = checks.optional("duration", duration, whole_seconds);
    checks.finish(Some(()))?;
    let request = HangUp {
        call: order.id,
        unanswered: reason.is_some_and(|reason| reason.trim() == "unanswered"),
        reported_duration,
    };
    let calls = state.engine.calls().keyed(order.key);
    let call = calls.hang_up(&order.actor, request).await?;
    let call_summary = CallSummary::of(&call, status_seen_by(&call, order.actor.user_id()));
    Ok(reply.ok(Done::CallEnded, HungUp { call_summary }))
}

/// Seconds by a client's claim, rounded down.
pub(crate) fn whole_seconds(claim: Figure) -> Result<u32, ValueError> {
    let seconds = claim.get();
    if (0.0..=f64::from(u32::MAX)).contains(&seconds) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number that was checked to fit"
        )]
        return Ok(seconds as u32);
    }
    Err("must be a number of seconds".into())
}
