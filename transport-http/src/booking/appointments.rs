//! `/appointments`: bookings and what becomes of them.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::{Actor, Role};
use telemed_core::error::{Code, Error};
use telemed_core::id::AppointmentId;
use telemed_core::scheduling::{
    Appointment, AppointmentStatus, Book, Cancel, ReasonForVisit, StatusReason,
};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::reply::{Answer, Refusals, asked, created, list as listed, shown, unless_blank};
use crate::auth::{Caller, Idempotency};
use crate::envelope::Refusal;
use crate::extract::{Id, Json, Limit, Order, PathId, Query, Skip};

/// An appointment.
#[derive(Serialize, ToSchema)]
pub(super) struct AppointmentView {
    /// The id.
    id: i64,
    /// The patient.
    patient_id: i64,
    /// The doctor.
    doctor_id: i64,
    /// The clinic.
    clinic_id: i64,
    /// The slot.
    slot_id: i64,
    /// When it begins.
    #[schema(format = DateTime)]
    slot_datetime: String,
    /// How long it is.
    duration_minutes: u64,
    /// How doctor and patient meet.
    #[schema(value_type = String, example = "video")]
    appointment_type: &'static str,
    /// `pending`, `confirmed`, `rejected`, `cancelled`, `in_progress`, `completed` or `no_show`.
    #[schema(value_type = String, example = "pending")]
    status: &'static str,
    /// Why the patient comes.
    reason_for_visit: Option<String>,
    /// Notes on it.
    notes: Option<String>,
    /// When it was cancelled.
    #[schema(format = DateTime)]
    cancelled_at: Option<String>,
    /// Why it was cancelled or rejected.
    cancelled_reason: Option<String>,
    /// Whether it lies ahead or takes place.
    is_active: bool,
    /// When it was booked.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Appointment> for AppointmentView {
    fn from(appointment: Appointment) -> Self {
        Self {
            id: appointment.id.get(),
            patient_id: appointment.patient.get(),
            doctor_id: appointment.doctor.get(),
            clinic_id: appointment.clinic.get(),
            slot_id: appointment.slot.get(),
            slot_datetime: appointment.starts_at.to_string(),
            duration_minutes: appointment.ends_at.since(appointment.starts_at).as_secs() / 60,
            appointment_type: appointment.kind.as_str(),
            status: appointment.status.as_str(),
            reason_for_visit: appointment.reason_for_visit,
            notes: appointment.notes,
            cancelled_at: appointment.cancelled_at.map(|at| at.to_string()),
            cancelled_reason: appointment.status_reason,
            is_active: appointment.status.is_live(),
            created_at: appointment.created_at.to_string(),
            updated_at: appointment.updated_at.to_string(),
        }
    }
}

/// An appointment to be booked.
#[derive(Deserialize, ToSchema)]
pub(super) struct BookBody {
    /// The slot.
    #[schema(value_type = i64, required, minimum = 1)]
    slot_id: Option<Id>,
    /// The patient; the caller himself if absent. Administrators, and only they, name another.
    #[schema(value_type = Option<i64>, minimum = 1)]
    patient_id: Option<Id>,
    /// Must be the slot's, if it is there.
    #[schema(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
    /// Must be the slot's, if it is there.
    #[schema(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// Why the patient comes.
    #[schema(max_length = 500, example = "Regular checkup")]
    reason_for_visit: Option<String>,
}

/// Books an appointment: for himself, or for anybody as an administrator.
#[utoipa::path(post, path = "/api/v1/appointments/book", tag = "appointments",
    request_body = BookBody,
    params(Idempotency),
    security(("bearer" = [])),
    responses((status = 201, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn book(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Idempotency(key): Idempotency,
    Json(body): Json<BookBody>,
) -> Answer {
    let mut checks = Checks::new();
    let slot = checks.required("slot_id", body.slot_id, Id::typed);
    let patient = checks.optional("patient_id", body.patient_id, Id::typed);
    let doctor = checks.optional("doctor_id", body.doctor_id, Id::typed);
    let clinic = checks.optional("clinic_id", body.clinic_id, Id::typed);
    let reason = unless_blank(body.reason_for_visit);
    let reason_for_visit = checks.optional("reason_for_visit", reason, ReasonForVisit::new);
    let is_administrator = matches!(&actor, Actor::User(user) if user.role == Role::Admin);
    if is_administrator && body.patient_id.is_none() {
        checks.note("patient_id", "is required of an administrator");
    }
    let slot = checks.finish(slot)?;
    let patient = patient
        .or_else(|| actor.user_id())
        .ok_or_else(|| Error::new(Code::Unauthenticated))?;
    let request = Book {
        doctor,
        clinic,
        reason_for_visit,
        ..Book::new(patient, slot)
    };
    let appointment = state
        .engine
        .scheduling()
        .keyed(key)
        .book(&actor, request)
        .await?;
    Ok(created(&AppointmentView::from(appointment)))
}

/// Which appointments to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AppointmentQuery {
    /// In this state.
    #[param(pattern = "^(pending|confirmed|rejected|cancelled|in_progress|completed|no_show)$")]
    status: Option<String>,
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// All appointments, newest first. Administrators only.
#[utoipa::path(get, path = "/api/v1/appointments", tag = "appointments",
    params(AppointmentQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "Appointments", body = [AppointmentView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"))), Refusals))]
pub(super) async fn list(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Query(query): Query<AppointmentQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let status = checks.optional(
        "status",
        unless_blank(query.status),
        AppointmentStatus::parse,
    );
    let (status, page) = asked(checks, status, query.skip, query.limit)?;
    let found = state
        .engine
        .scheduling()
        .appointments(&actor, status, page)
        .await?;
    Ok(listed(found, AppointmentView::from))
}

/// An appointment: for its patient, its doctor and administrators.
#[utoipa::path(get, path = "/api/v1/appointments/{appointment_id}", tag = "appointments",
    params(("appointment_id" = i64, Path, minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn one(
    State(state): State<Booking>,
    Caller(actor): Caller,
    PathId(id): PathId<AppointmentId>,
) -> Answer {
    let scheduling = state.engine.scheduling();
    shown::<AppointmentView, _>(scheduling.appointment(&actor, id)).await
}

/// A cancellation.
#[derive(Deserialize, ToSchema)]
pub(super) struct CancelBody {
    /// Why.
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "Unable to attend")]
    cancelled_reason: Option<String>,
}

/// Cancels a pending or confirmed appointment: its patient, its doctor and administrators.
#[utoipa::path(post, path = "/api/v1/appointments/{appointment_id}/cancel", tag = "appointments",
    request_body = CancelBody,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn cancel(
    State(state): State<Booking>,
    Order { actor, id, key }: Order<AppointmentId>,
    Json(body): Json<CancelBody>,
) -> Answer {
    let request = Cancel {
        reason: status_reason("cancelled_reason", body.cancelled_reason)?,
    };
    let scheduling = state.engine.scheduling().keyed(key);
    shown::<AppointmentView, _>(scheduling.cancel(&actor, id, request)).await
}

fn status_reason(field: &'static str, text: Option<String>) -> Result<StatusReason, Refusal> {
    let mut checks = Checks::new();
    let reason = checks.required(field, text, StatusReason::new);
    Ok(checks.finish(reason)?)
}

/// Confirms a pending appointment: its doctor and administrators.
#[utoipa::path(post, path = "/api/v1/appointments/{appointment_id}/confirm", tag = "appointments",
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn confirm(
    State(state): State<Booking>,
    Order { actor, id, key }: Order<AppointmentId>,
) -> Answer {
    let scheduling = state.engine.scheduling().keyed(key);
    shown::<AppointmentView, _>(scheduling.confirm(&actor, id)).await
}

/// A rejection.
#[derive(Deserialize, ToSchema)]
pub(super) struct RejectBody {
    /// Why.
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "Away on that day")]
    reason: Option<String>,
}

/// Rejects a pending appointment: its doctor and administrators.
#[utoipa::path(post, path = "/api/v1/appointments/{appointment_id}/reject", tag = "appointments",
    request_body = RejectBody,
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn reject(
    State(state): State<Booking>,
    Order { actor, id, key }: Order<AppointmentId>,
    Json(body): Json<RejectBody>,
) -> Answer {
    let reason = status_reason("reason", body.reason)?;
    let scheduling = state.engine.scheduling().keyed(key);
    shown::<AppointmentView, _>(scheduling.reject(&actor, id, reason)).await
}

/// Says that an appointment took place: its doctor and administrators.
#[utoipa::path(post, path = "/api/v1/appointments/{appointment_id}/complete", tag = "appointments",
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn complete(
    State(state): State<Booking>,
    Order { actor, id, key }: Order<AppointmentId>,
) -> Answer {
    let scheduling = state.engine.scheduling().keyed(key);
    shown::<AppointmentView, _>(scheduling.complete(&actor, id)).await
}

/// Says that the patient did not come: the appointment's doctor and administrators.
#[utoipa::path(post, path = "/api/v1/appointments/{appointment_id}/no-show", tag = "appointments",
    params(("appointment_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The appointment", body = AppointmentView), Refusals))]
pub(super) async fn no_show(
    State(state): State<Booking>,
    Order { actor, id, key }: Order<AppointmentId>,
) -> Answer {
    let scheduling = state.engine.scheduling().keyed(key);
    shown::<AppointmentView, _>(scheduling.no_show(&actor, id)).await
}
