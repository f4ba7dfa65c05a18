//! `/appointments/{appointment_id}`: what becomes of an appointment.

use axum::extract::State;
use serde::Deserialize;
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::id::{AppointmentId, SlotId};
use telemed_core::journal::IdempotencyKey;
use telemed_core::scheduling::{
    AppointmentStatus, Cancel, MoveTo, NamedAppointment, Notes, Reschedule, StatusReason,
};
use telemed_core::value::Checks;
use utoipa::ToSchema;

use super::Platform;
use super::appointments::{OneVisitCard, card, start};
use super::envelope::Success;
use super::reply::{Answer, Done, Refusals, Reply};
use super::words::status_of;
use crate::auth::Idempotency;
use crate::extract::{Id, JsonOrForm, OptionalJson, Order, checked_change, present, unless_blank};
use crate::times::instant;

/// What is kept as the reason of a cancellation or rejection that says none.
const NO_REASON: &str = "No reason given";

/// A change of an appointment: what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
pub(super) struct VisitChangeBody {
    /// When it begins instead. It may not come together with another status.
    appointment_date: Option<String>,
    /// Notes on it; `null` empties them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Option<String>>,
    /// The state that it shall have.
    #[schema(
        pattern = "^(scheduled|pending|confirmed|rejected|cancelled|in_progress|completed|no_show)$"
    )]
    status: Option<String>,
    /// Why, if it is cancelled or rejected.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The same as `reason`.
    #[schema(max_length = 500)]
    cancellation_reason: Option<String>,
}

/// Moves an appointment, changes its notes or its state. What is as it was is no change.
#[utoipa::path(put, path = "/api/appointments/{appointment_id}", tag = "platform-appointments",
    request_body = VisitChangeBody,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn update(
    State(state): State<Platform>,
    Order { actor, id, key }: Order<AppointmentId>,
    reply: Reply,
    JsonOrForm(body): JsonOrForm<VisitChangeBody>,
) -> Answer {
    let scheduling = || state.engine.scheduling();
    let was = scheduling().named_appointment(&actor, id).await?;
    let mut checks = Checks::new();
    let status = checks.optional("status", unless_blank(body.status), status_of);
    let notes = checked_change(&mut checks, "notes", body.notes, Notes::new);
    let reason = reason(&mut checks, body.reason, body.cancellation_reason);
    let date = match unless_blank(body.appointment_date) {
        Some(date) => instant(&mut checks, "appointment_date", &date, &was.names.time_zone)?,
        None => None,
    };
    let reason = checks.finish(reason)?;
    let date = date.filter(|date| *date != was.appointment.starts_at);
    let status = status.filter(|status| *status != was.appointment.status);
    // Each is one step of its own; together they could be half done.
    if date.is_some() && status.is_some() {
        let message = "cannot be changed together with appointment_date";
        return Err(Error::broken_rule("status", message).into());
    }
    if let Some(date) = date {
        let keyed = scheduling().keyed(key.clone());
        let request = Reschedule {
            to: MoveTo::Start(date),
            reason: None,
        };
        keyed.reschedule(&actor, id, request).await?;
    }
    if let Some(status) = status {
        change_status(&state, &actor, &was, status, reason, key.clone()).await?;
    }
    if let Some(notes) = notes {
        let keyed = scheduling().keyed(key);
        keyed.update_notes(&actor, id, notes).await?;
    }
    let card = card(&state, &actor, id).await?;
    Ok(reply.ok(Done::AppointmentUpdated, card))
}

/// The reason that was given, in either field, or that none was.
fn reason(
    checks: &mut Checks,
    reason: Option<String>,
    other: Option<String>,
) -> Option<StatusReason> {
    let (field, text) = match (unless_blank(reason), unless_blank(other)) {
        (Some(text), _) => ("reason", text),
        (None, Some(text)) => ("cancellation_reason", text),
        (None, None) => ("reason", NO_REASON.to_owned()),
    };
    checks.check(field, StatusReason::new(text))
}

/// Calls the operation that leads to a state.
async fn change_status(
    state: &Platform,
    actor: &Actor,
    was: &NamedAppointment,
    to: AppointmentStatus,
    reason: StatusReason,
    key: Option<IdempotencyKey>,
) -> Result<(), Error> {
    let id = was.appointment.id;
    let scheduling = state.engine.scheduling().keyed(key);
    match to {
        AppointmentStatus::Confirmed => scheduling.confirm(actor, id).await,
        AppointmentStatus::Rejected => scheduling.reject(actor, id, reason).await,
        AppointmentStatus::Cancelled => scheduling.cancel(actor, id, Cancel { reason }).await,
        AppointmentStatus::Completed => scheduling.complete(actor, id).await,
        AppointmentStatus::NoShow => scheduling.no_show(actor, id).await,
        // No operation leads there: booking and calls do.
        AppointmentStatus::Pending | AppointmentStatus::InProgress => {
            let status = was.appointment.status;
            return Err(Error::new(Code::IllegalTransition)
                .message(format!("The appointment is {status}"))
                .detail("appointment_id", id.get())
                .detail("status", status.as_str()));
        }
    }
    .map(|_| ())
}

/// A cancellation.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct CancellationBody {
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The same as `reason`.
    #[schema(max_length = 500)]
    cancellation_reason: Option<String>,
}

/// Cancels a pending or confirmed appointment; it is kept.
#[utoipa::path(delete, path = "/api/appointments/{appointment_id}", tag = "platform-appointments",
    request_body = Option<CancellationBody>,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn delete(
    State(state): State<Platform>,
    Order { actor, id, key }: Order<AppointmentId>,
    reply: Reply,
    OptionalJson(body): OptionalJson<CancellationBody>,
) -> Answer {
    give_up(&state, &actor, &reply, id, key, body).await
}

/// Cancels a pending or confirmed appointment: the same as DELETE.
#[utoipa::path(put, path = "/api/appointments/{appointment_id}/cancel", tag = "platform-appointments",
    request_body = Option<CancellationBody>,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn cancel(
    State(state): State<Platform>,
    Order { actor, id, key }: Order<AppointmentId>,
    reply: Reply,
    OptionalJson(body): OptionalJson<CancellationBody>,
) -> Answer {
    give_up(&state, &actor, &reply, id, key, body).await
}

async fn give_up(
    state: &Platform,
    actor: &Actor,
    reply: &Reply,
    id: AppointmentId,
    key: Option<IdempotencyKey>,
    body: Option<CancellationBody>,
) -> Answer {
    let body = body.unwrap_or_default();
    let mut checks = Checks::new();
    let reason = reason(&mut checks, body.reason, body.cancellation_reason);
    let reason = checks.finish(reason)?;
    let scheduling = state.engine.scheduling().keyed(key);
    scheduling.cancel(actor, id, Cancel { reason }).await?;
    let card = card(state, actor, id).await?;
    Ok(reply.ok(Done::Cancelled, card))
}

/// Where an appointment is moved to.
#[derive(Deserialize, ToSchema)]
pub(super) struct MoveBody {
    /// When it begins instead: with `Z`, with an offset, or by the clinic's clocks.
    #[schema(example = "2030-01-31T09:30")]
    new_appointment_date: Option<String>,
    /// The same as `new_appointment_date`.
    new_date_time: Option<String>,
    /// The same as `new_appointment_date`.
    appointment_date: Option<String>,
    /// Another slot of the same doctor, in place of a date.
    #[schema(value_type = Option<i64>, minimum = 1)]
    slot_id: Option<Id>,
    /// Why. It takes the place of the reason of an earlier move.
    #[schema(max_length = 500)]
    reschedule_reason: Option<String>,
}

/// Moves an appointment: the new seat is gained, or nothing changes.
#[utoipa::path(put, path = "/api/appointments/{appointment_id}/reschedule", tag = "platform-appointments",
    request_body = MoveBody,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn reschedule(
    State(state): State<Platform>,
    Order { actor, id, key }: Order<AppointmentId>,
    reply: Reply,
    JsonOrForm(body): JsonOrForm<MoveBody>,
) -> Answer {
    let mut checks = Checks::new();
    let slot: Option<SlotId> = checks.optional("slot_id", body.slot_id, Id::typed);
    let reason = unless_blank(body.reschedule_reason);
    let reason = checks.optional("reschedule_reason", reason, StatusReason::new);
    let date = [
        ("new_appointment_date", body.new_appointment_date),
        ("new_date_time", body.new_date_time),
        ("appointment_date", body.appointment_date),
    ]
    .into_iter()
    .find_map(|(field, text)| Some((field, unless_blank(text)?)));
    if slot.is_none() && date.is_none() {
        checks.note("new_appointment_date", "is required");
    }
    checks.finish(Some(()))?;
    let scheduling = state.engine.scheduling();
    let to = match (slot, date) {
        (Some(slot), _) => MoveTo::Slot(slot),
        (None, Some((field, text))) => {
            let was = scheduling.named_appointment(&actor, id).await?;
            MoveTo::Start(start(&text, field, &was.names.time_zone)?)
        }
        (None, None) => return Err(Error::new(Code::Internal).into()),
    };
    let request = Reschedule { to, reason };
    let keyed = scheduling.keyed(key);
    keyed.reschedule(&actor, id, request).await?;
    let card = card(&state, &actor, id).await?;
    Ok(reply.ok(Done::Rescheduled, card))
}
