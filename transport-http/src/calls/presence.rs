//! Who can be reached.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::Engine;
use telemed_core::actor::{Actor, Role};
use telemed_core::calls::{CallReference, DeviceId};
use telemed_core::error::{Error, Kind};
use telemed_core::id::{AppointmentId, CallId, UserId};
use telemed_core::presence::{DeviceType, Presence, PresenceStatus, SayPresence};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Caller, Idempotency};
use crate::envelope::{Place, Refusal};
use crate::extract::{Id, Json, PathId, Query, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// What a device says of its user.
#[derive(Deserialize, ToSchema)]
pub(super) struct PresenceBody {
    /// Whether he can be reached.
    #[schema(value_type = String, pattern = "^(online|away|idle|busy|offline|do_not_disturb)$")]
    status: Option<String>,
    /// The call that he is in: one of his.
    #[schema(max_length = 128)]
    current_call_id: Option<String>,
    /// The appointment that he is in: one of his.
    #[schema(value_type = Option<i64>, minimum = 1)]
    current_appointment_id: Option<Id>,
    /// The device; the session's if it is not said.
    #[schema(min_length = 1, max_length = 128)]
    device_id: Option<String>,
    /// What kind of device it is; as it was, or `web`, if it is not said.
    #[schema(min_length = 1, max_length = 32)]
    device_type: Option<String>,
}

/// What is known now.
#[derive(Serialize, ToSchema)]
pub(super) struct SaidLine {
    /// The user.
    user_id: i64,
    /// Whether he can be reached: over several devices the strongest counts, and a live call is
    /// busy.
    #[schema(value_type = String, example = "online")]
    status: &'static str,
    /// When he was heard of last.
    #[schema(format = DateTime)]
    last_heartbeat: Option<String>,
}

/// Says whether one can be reached, for ninety seconds.
#[utoipa::path(post, path = "/api/presence/update", tag = "presence",
    operation_id = "update_presence",
    request_body = PresenceBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Taken, and not needed: said twice it is the same")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "What is known now", body = Success<SaidLine>), Refusals))]
pub(super) async fn update(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(_): Idempotency,
    Json(body): Json<PresenceBody>,
) -> Answer {
    let mut checks = Checks::new();
    let status = unless_blank(body.status);
    let status = checks.required("status", status, PresenceStatus::parse);
    let call = unless_blank(body.current_call_id);
    let call = checks.optional("current_call_id", call, CallReference::new);
    let appointment = body.current_appointment_id;
    let current_appointment: Option<AppointmentId> =
        checks.optional("current_appointment_id", appointment, Id::typed);
    let device = checks.optional("device_id", unless_blank(body.device_id), DeviceId::new);
    let device_type = unless_blank(body.device_type);
    let device_type = checks.optional("device_type", device_type, DeviceType::new);
    let status = checks.finish(status)?;
    let said = SayPresence {
        status,
        current_call: current_call(&state.engine, &actor, call).await?,
        current_appointment,
        device,
        device_type,
    };
    let presence = state.engine.presence().say(&actor, said).await?;
    let data = SaidLine {
        user_id: presence.user.get(),
        status: presence.status.as_str(),
        last_heartbeat: presence.last_seen.map(|at| at.to_string()),
    };
    Ok(reply.ok(Done::PresenceUpdated, data))
}

/// The call that somebody says he is in, which may go by the id that his client gave it.
///
/// # Errors
/// A broken rule: `current_call_id` for a call that is not his, or not there.
pub(crate) async fn current_call(
    engine: &Engine,
    actor: &Actor,
    reference: Option<CallReference>,
) -> Result<Option<CallId>, Error> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    match engine.calls().own_call(actor, &reference).await {
        Ok(call) => Ok(Some(call.id)),
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Forbidden) => Err(
            Error::broken_rule("current_call_id", "must be one of yours"),
        ),
        Err(error) => Err(error),
    }
}

/// Whether somebody can be reached.
#[derive(Serialize, ToSchema)]
pub(super) struct PresenceLine {
    /// The user.
    user_id: i64,
    /// `online`, `away`, `idle`, `busy`, `offline` or `do_not_disturb`.
    #[schema(value_type = String, example = "online")]
    status: &'static str,
    /// When a device of his was heard of last.
    #[schema(format = DateTime)]
    last_seen: Option<String>,
    /// The call that he is in, for its parties.
    #[schema(format = "uuid")]
    current_call_id: Option<String>,
    /// The appointment that he is in, for its parties.
    current_appointment_id: Option<i64>,
    /// The kind of the device.
    #[schema(example = "web")]
    device_type: Option<String>,
}

impl From<Presence> for PresenceLine {
    fn from(presence: Presence) -> Self {
        Self {
            user_id: presence.user.get(),
            status: presence.status.as_str(),
            last_seen: presence.last_seen.map(|at| at.to_string()),
            current_call_id: presence.current_call.map(|id| id.to_string()),
            current_appointment_id: presence.current_appointment.map(AppointmentId::get),
            device_type: presence.device_type.map(|kind| kind.as_str().to_owned()),
        }
    }
}

/// Whether somebody can be reached: for himself, his contacts and administrators.
#[utoipa::path(get, path = "/api/presence/{user_id}", tag = "presence",
    operation_id = "get_presence",
    params(("user_id" = i64, Path, minimum = 1)),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Whether he can be reached", body = Success<PresenceLine>), Refusals))]
pub(super) async fn one(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(user): PathId<UserId>,
) -> Answer {
    let presence = state.engine.presence().look(&actor, user).await?;
    Ok(reply.ok(Done::Presence, PresenceLine::from(presence)))
}

/// Somebody who can be reached.
#[derive(Serialize, ToSchema)]
pub(super) struct OnlineLine {
    /// The user.
    user_id: i64,
    /// The name.
    name: String,
    /// `patient`, `doctor` or `admin`.
    #[schema(value_type = String, example = "doctor")]
    role: &'static str,
    /// `online`, `away`, `idle`, `busy` or `do_not_disturb`.
    #[schema(value_type = String, example = "online")]
    status: &'static str,
    /// When a device of his was heard of last; not told of doctors who are no contacts.
    #[schema(format = DateTime)]
    last_seen: Option<String>,
    /// The kind of the device; not told of doctors who are no contacts.
    #[schema(example = "web")]
    device_type: Option<String>,
}

impl From<Presence> for OnlineLine {
    fn from(presence: Presence) -> Self {
        Self {
            user_id: presence.user.get(),
            name: presence.name.as_str().to_owned(),
            role: presence.role.as_str(),
            status: presence.status.as_str(),
            last_seen: presence.last_seen.map(|at| at.to_string()),
            device_type: presence.device_type.map(|kind| kind.as_str().to_owned()),
        }
    }
}

/// Of whom.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OnlineQuery {
    /// Of this role only. With `doctor`, listed doctors come who are no contacts, too.
    #[param(pattern = "^(patient|doctor|admin)$")]
    role: Option<String>,
}

/// Which contacts can be reached, by name.
#[utoipa::path(get, path = "/api/presence/online-users", tag = "presence",
    operation_id = "list_online_users",
    params(OnlineQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Those who can be reached", body = Success<Vec<OnlineLine>>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<OnlineQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let role = checks.optional("role", unless_blank(query.role), Role::parse);
    checks
        .finish(Some(()))
        .map_err(|error| Refusal::new(Place::Query, error))?;
    let online = state.engine.presence().list(&actor, role).await?;
    let data: Vec<_> = online.into_iter().map(OnlineLine::from).collect();
    Ok(reply.ok(Done::OnlineUsers, data))
}
