//! `/appointments`: bookings by date.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::{Actor, Role};
use telemed_core::error::{Code, Error};
use telemed_core::id::{AppointmentId, SlotId, UserId};
use telemed_core::page::PageRequest;
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentKind, Book, NamedAppointment, Notes, ReasonForVisit, Symptoms,
};
use telemed_core::time::{TimeZone, Timestamp};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Platform;
use super::auth::own_id;
use super::doctors::in_query;
use super::envelope::Success;
use super::paging::Paging;
use super::reply::{Answer, Done, Refusals, Reply};
use super::words::{status_of, status_word};
use crate::auth::{Caller, Idempotency};
use crate::extract::{Count, Id, JsonOrForm, PathId, Query, unless_blank};
use crate::times::{Bound, End, instant, zone_of_doctor};

/// An appointment.
#[derive(Serialize, ToSchema)]
pub(super) struct VisitCard {
    /// The id.
    id: i64,
    /// The patient.
    patient_id: i64,
    /// The patient's name.
    patient_name: String,
    /// The doctor.
    doctor_id: i64,
    /// The doctor's name.
    doctor_name: String,
    /// The doctor's field of medicine.
    doctor_specialty: String,
    /// The clinic.
    clinic_id: i64,
    /// When it begins.
    #[schema(format = DateTime)]
    appointment_date: String,
    /// When it ends.
    #[schema(format = DateTime)]
    end: String,
    /// The zone of the clinic's wall clocks.
    #[schema(example = "Africa/Cairo")]
    time_zone: String,
    /// `video`, `audio`, `chat` or `in_person`.
    #[schema(value_type = String, example = "video")]
    appointment_type: &'static str,
    /// `scheduled`, `confirmed`, `rejected`, `cancelled`, `in_progress`, `completed` or `no_show`.
    #[schema(value_type = String, example = "scheduled")]
    status: &'static str,
    /// What the patient feels.
    symptoms: Option<String>,
    /// Why the patient comes.
    reason_for_visit: Option<String>,
    /// Notes on it.
    notes: Option<String>,
    /// The slot.
    slot_id: i64,
    /// When it was cancelled.
    #[schema(format = DateTime)]
    cancelled_at: Option<String>,
    /// Why it was cancelled or rejected.
    cancellation_reason: Option<String>,
    /// Why it was moved the last time.
    reschedule_reason: Option<String>,
    /// When it was booked.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<NamedAppointment> for VisitCard {
    fn from(named: NamedAppointment) -> Self {
        let NamedAppointment { appointment, names } = named;
        Self {
            id: appointment.id.get(),
            patient_id: appointment.patient.get(),
            patient_name: names.patient.as_str().to_owned(),
            doctor_id: appointment.doctor.get(),
            doctor_name: names.doctor.as_str().to_owned(),
            doctor_specialty: names.specialty.as_str().to_owned(),
            clinic_id: appointment.clinic.get(),
            appointment_date: appointment.starts_at.to_string(),
            end: appointment.ends_at.to_string(),
            time_zone: names.time_zone.name().to_owned(),
            appointment_type: appointment.kind.as_str(),
            status: status_word(appointment.status),
            symptoms: appointment.symptoms,
            reason_for_visit: appointment.reason_for_visit,
            notes: appointment.notes,
            slot_id: appointment.slot.get(),
            cancelled_at: appointment.cancelled_at.map(|at| at.to_string()),
            cancellation_reason: appointment.status_reason,
            reschedule_reason: appointment.reschedule_reason,
            created_at: appointment.created_at.to_string(),
            updated_at: appointment.updated_at.to_string(),
        }
    }
}

/// One appointment.
#[derive(Serialize, ToSchema)]
pub(super) struct OneVisitCard {
    /// The appointment.
    pub appointment: VisitCard,
}

/// A page of appointments.
#[derive(Serialize, ToSchema)]
pub(super) struct VisitsCard {
    /// The appointments, newest first.
    appointments: Vec<VisitCard>,
}

/// Which appointments to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VisitsQuery {
    /// The page, from 1.
    #[param(value_type = Option<i64>, minimum = 1)]
    page: Option<Count>,
    /// Rows of a page; 10 if only a page is asked for.
    #[param(value_type = Option<i64>, minimum = 1)]
    per_page: Option<Count>,
    /// In this state.
    #[param(
        pattern = "^(scheduled|pending|confirmed|rejected|cancelled|in_progress|completed|no_show)$"
    )]
    status: Option<String>,
    /// Of this patient: for doctors and administrators.
    #[param(value_type = Option<i64>, minimum = 1)]
    patient_id: Option<Id>,
    /// That begin at this time or on this day, or later.
    from: Option<String>,
    /// That begin at this time or on this day, or earlier.
    to: Option<String>,
}

/// The own appointments, newest first; all of them for administrators. Without a page the newest
/// 500.
#[utoipa::path(get, path = "/api/appointments", tag = "platform-appointments",
    params(VisitsQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Appointments", body = Success<VisitsCard>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<VisitsQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let status = checks.optional("status", unless_blank(query.status), status_of);
    let patient = checks.optional("patient_id", query.patient_id, Id::typed);
    let from = unless_blank(query.from).map(|text| Bound::new(&text, End::Start));
    let to = unless_blank(query.to).map(|text| Bound::new(&text, End::Close));
    let is_local = from.iter().chain(&to).any(Bound::is_naive);
    let zone = match &actor {
        Actor::User(user) if is_local && user.role == Role::Doctor => {
            zone_of_doctor(&state.engine, &actor, user.user).await?
        }
        _ => TimeZone::utc(),
    };
    let mut read = |field, bound: Option<Bound>| match bound {
        Some(bound) => bound.instant(&mut checks, field, &zone),
        None => Ok(None),
    };
    let from = read("from", from).map_err(in_query)?;
    let to = read("to", to).map_err(in_query)?;
    let filter = AppointmentFilter {
        patient,
        doctor: None,
        status,
        from,
        to,
    };
    let filter = checks.finish(Some(filter)).map_err(in_query)?;
    let paging = Paging::asked(query.page, query.per_page, PageRequest::newest())?;
    let found = state
        .engine
        .scheduling()
        .own_appointments(&actor, filter, paging.request)
        .await?;
    let meta = paging.meta(found.total);
    let appointments = found.items.into_iter().map(VisitCard::from).collect();
    Ok(reply.page(Done::Appointments, VisitsCard { appointments }, meta))
}

/// An appointment to be booked.
#[derive(Deserialize, ToSchema)]
pub(super) struct VisitBody {
    /// The doctor; may be absent with `slot_id`.
    #[schema(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
    /// When it begins: with `Z`, with an offset, or by the clinic's clocks.
    #[schema(example = "2030-01-31T09:00")]
    appointment_date: Option<String>,
    /// The slot, in place of the date.
    #[schema(value_type = Option<i64>, minimum = 1)]
    slot_id: Option<Id>,
    /// `video` if absent, `audio`, `chat` or `in_person`.
    #[schema(pattern = "^(video|audio|chat|in_person)$")]
    appointment_type: Option<String>,
    /// What the patient feels.
    #[schema(max_length = 2000)]
    symptoms: Option<String>,
    /// Why the patient comes.
    #[schema(max_length = 500)]
    reason_for_visit: Option<String>,
    /// Notes on it.
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// The patient. Administrators, and only they, name another than themselves.
    #[schema(value_type = Option<i64>, minimum = 1)]
    patient_id: Option<Id>,
}

/// Books the doctor's slot that begins at a time, or a slot by its id.
#[utoipa::path(post, path = "/api/appointments", tag = "platform-appointments",
    request_body = VisitBody,
    params(Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn book(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<VisitBody>,
) -> Answer {
    let mut checks = Checks::new();
    let doctor: Option<UserId> = checks.optional("doctor_id", body.doctor_id, Id::typed);
    let slot: Option<SlotId> = checks.optional("slot_id", body.slot_id, Id::typed);
    let patient = checks.optional("patient_id", body.patient_id, Id::typed);
    let kind = unless_blank(body.appointment_type);
    let kind = checks.optional("appointment_type", kind, AppointmentKind::parse);
    let symptoms = checks.optional("symptoms", unless_blank(body.symptoms), Symptoms::new);
    let reason = unless_blank(body.reason_for_visit);
    let reason_for_visit = checks.optional("reason_for_visit", reason, ReasonForVisit::new);
    let notes = checks.optional("notes", unless_blank(body.notes), Notes::new);
    let date = unless_blank(body.appointment_date);
    if slot.is_none() {
        if doctor.is_none() {
            checks.note("doctor_id", "is required");
        }
        if date.is_none() {
            checks.note("appointment_date", "is required");
        }
    }
    let is_administrator = matches!(&actor, Actor::User(user) if user.role == Role::Admin);
    if is_administrator && patient.is_none() {
        checks.note("patient_id", "is required of an administrator");
    }
    checks.finish(Some(()))?;
    let slot = match (slot, doctor, date) {
        (Some(slot), ..) => slot,
        (None, Some(doctor), Some(date)) => slot_of_date(&state, doctor, &date).await?,
        _ => return Err(Error::new(Code::Internal).into()),
    };
    let patient = match patient {
        Some(patient) => patient,
        None => own_id(&actor)?,
    };
    let request = Book {
        doctor,
        kind: kind.unwrap_or(AppointmentKind::Video),
        reason_for_visit,
        symptoms,
        notes,
        ..Book::new(patient, slot)
    };
    let scheduling = state.engine.scheduling();
    let booked = scheduling.keyed(key).book(&actor, request).await?;
    let card = card(&state, &actor, booked.id).await?;
    Ok(reply.created(Done::Booked, card))
}

/// The slot that a date stands for.
async fn slot_of_date(state: &Platform, doctor: UserId, date: &str) -> Result<SlotId, Error> {
    let scheduling = state.engine.scheduling();
    let zone = scheduling.zone_of_listed_doctor(doctor).await?;
    let start = start(date, "appointment_date", &zone)?;
    scheduling.slot_of_start(doctor, start).await
}

/// Reads when something begins.
pub(super) fn start(text: &str, field: &'static str, zone: &TimeZone) -> Result<Timestamp, Error> {
    let mut checks = Checks::new();
    let start = instant(&mut checks, field, text, zone)?;
    checks.finish(start)
}

/// An appointment with its names.
pub(super) async fn card(
    state: &Platform,
    actor: &Actor,
    id: AppointmentId,
) -> Result<OneVisitCard, Error> {
    let scheduling = state.engine.scheduling();
    let named = scheduling.named_appointment(actor, id).await?;
    Ok(OneVisitCard {
        appointment: named.into(),
    })
}

/// An appointment: for its patient, its doctor and administrators.
#[utoipa::path(get, path = "/api/appointments/{appointment_id}", tag = "platform-appointments",
    params(("appointment_id" = i64, Path, minimum = 1)),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The appointment", body = Success<OneVisitCard>), Refusals))]
pub(super) async fn one(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(id): PathId<AppointmentId>,
) -> Answer {
    let card = card(&state, &actor, id).await?;
    Ok(reply.ok(Done::Appointment, card))
}
