//! `/slots`: times that doctors offer.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::Actor;
use telemed_core::error::Error;
use telemed_core::id::{ClinicId, SlotId, UserId};
use telemed_core::scheduling::{Capacity, CreateSlot, Slot, SlotDuration, SlotFilter};
use telemed_core::time::{TimeZone, Timestamp};
use telemed_core::value::{Checks, Issue};
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::reply::{
    Answer, Message, Refusals, created, in_query, list as listed, message, page, unless_blank,
};
use crate::auth::{Caller, Idempotency, Visitor};
use crate::envelope::Refusal;
use crate::extract::{Id, Json, Limit, Order, Query, Skip};
use crate::times::{Bound, End, instant, zone_of_clinic, zone_of_doctor};

/// Minutes and seats if nothing is said.
const MINUTES: i64 = 30;
const SEATS: i64 = 1;

/// A slot.
#[derive(Serialize, ToSchema)]
pub(super) struct SlotView {
    /// The id.
    id: i64,
    /// The doctor.
    doctor_id: i64,
    /// The clinic.
    clinic_id: i64,
    /// When it begins.
    #[schema(format = DateTime)]
    slot_datetime: String,
    /// How long it is.
    duration_minutes: u64,
    /// How many patients it takes.
    capacity: u16,
    /// How many seats are taken.
    booked_count: u16,
    /// Whether every seat is taken.
    is_booked: bool,
    /// How many seats are free.
    available_slots: u16,
    /// Whether it is offered.
    is_active: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Slot> for SlotView {
    fn from(slot: Slot) -> Self {
        let facts = slot.facts;
        Self {
            id: slot.id.get(),
            doctor_id: facts.doctor.get(),
            clinic_id: facts.clinic.get(),
            slot_datetime: facts.starts_at.to_string(),
            duration_minutes: facts.ends_at.since(facts.starts_at).as_secs() / 60,
            capacity: slot.capacity.get(),
            booked_count: slot.booked_count,
            is_booked: slot.free_seats() == 0,
            available_slots: slot.free_seats(),
            is_active: slot.is_active,
            created_at: slot.created_at.to_string(),
            updated_at: slot.updated_at.to_string(),
        }
    }
}

/// A slot to be offered.
#[derive(Deserialize, ToSchema)]
pub(super) struct SlotBody {
    /// The doctor.
    #[schema(value_type = i64, required, minimum = 1)]
    doctor_id: Option<Id>,
    /// The doctor's clinic.
    #[schema(value_type = i64, required, minimum = 1)]
    clinic_id: Option<Id>,
    /// When it begins: RFC 3339, or a local time of the clinic without an offset. `start_time`
    /// may stand instead.
    #[schema(format = DateTime, example = "2030-03-01T10:00:00Z")]
    slot_datetime: Option<String>,
    /// As `slot_datetime`.
    #[schema(format = DateTime)]
    start_time: Option<String>,
    /// When it ends; may stand instead of `duration_minutes`.
    #[schema(format = DateTime)]
    end_time: Option<String>,
    /// How long it is; 30 if absent.
    #[schema(minimum = 5, maximum = 240, example = 30)]
    duration_minutes: Option<i64>,
    /// How many patients it takes; 1 if absent.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    capacity: Option<i64>,
}

impl SlotBody {
    /// The name under which the caller said when it begins.
    fn start_name(&self) -> &'static str {
        if self.slot_datetime.is_none() && self.start_time.is_some() {
            "start_time"
        } else {
            "slot_datetime"
        }
    }

    fn checked(self, zone: &TimeZone) -> Result<CreateSlot, Refusal> {
        let start_name = self.start_name();
        let mut checks = Checks::new();
        let doctor = checks.required("doctor_id", self.doctor_id, Id::typed);
        let clinic = checks.required("clinic_id", self.clinic_id, Id::typed);
        let start = unless_blank(self.slot_datetime.or(self.start_time));
        let starts_at = match checks.required(start_name, start, Ok) {
            Some(text) => instant(&mut checks, start_name, &text, zone)?,
            None => None,
        };
        let ends_at = match unless_blank(self.end_time) {
            Some(text) => instant(&mut checks, "end_time", &text, zone)?,
            None => None,
        };
        let capacity = self.capacity.unwrap_or(SEATS);
        let capacity = checks.check("capacity", Capacity::new(capacity));
        let duration = match (starts_at, ends_at) {
            (Some(starts_at), Some(ends_at)) => {
                let minutes = minutes_between(starts_at, ends_at)?;
                checks.check("end_time", SlotDuration::new(minutes))
            }
            _ => {
                let minutes = self.duration_minutes.unwrap_or(MINUTES);
                checks.check("duration_minutes", SlotDuration::new(minutes))
            }
        };
        let request = match (doctor, clinic, starts_at, duration, capacity) {
            (Some(doctor), Some(clinic), Some(starts_at), Some(duration), Some(capacity)) => {
                Some(CreateSlot {
                    doctor,
                    clinic,
                    starts_at,
                    duration,
                    capacity,
                })
            }
            _ => None,
        };
        Ok(checks.finish(request)?)
    }
}

/// Whole minutes from the start to the end.
fn minutes_between(starts_at: Timestamp, ends_at: Timestamp) -> Result<i64, Error> {
    if ends_at <= starts_at {
        return Err(Error::broken_rule("end_time", "must be after the start"));
    }
    let seconds = ends_at.since(starts_at).as_secs();
    let minutes = i64::try_from(seconds / 60).unwrap_or(i64::MAX);
    if ends_at == starts_at.plus(std::time::Duration::from_secs(seconds / 60 * 60)) {
        Ok(minutes)
    } else {
        let issue = Issue::new("end_time", "must be whole minutes after the start");
        Err(Error::wrong_shape(vec![issue]))
    }
}

/// Offers a slot: the doctor himself and administrators.
#[utoipa::path(post, path = "/api/v1/slots", tag = "slots",
    request_body = SlotBody,
    params(Idempotency),
    security(("bearer" = [])),
    responses((status = 201, description = "The slot", body = SlotView), Refusals))]
pub(super) async fn create(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Idempotency(key): Idempotency,
    Json(body): Json<SlotBody>,
) -> Answer {
    let start_name = body.start_name();
    let zone = match body.clinic_id.and_then(|id| id.typed::<ClinicId>().ok()) {
        Some(clinic) => zone_of_clinic(&state.engine, &actor, clinic).await?,
        None => TimeZone::utc(),
    };
    let request = body.checked(&zone)?;
    let created_slot = state
        .engine
        .scheduling()
        .keyed(key)
        .create_slot(&actor, request)
        .await;
    let slot = created_slot.map_err(|error| renamed(error, "starts_at", start_name))?;
    Ok(created(&SlotView::from(slot)))
}

/// Calls a field of the engine as this surface does.
fn renamed(mut error: Error, from: &str, to: &'static str) -> Error {
    for issue in error.issues.iter_mut().filter(|issue| issue.field == from) {
        issue.field = to.into();
        error.message = issue.to_string().into();
    }
    error
}

/// Which slots to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SlotQuery {
    /// Of this doctor.
    #[param(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
    /// At this clinic.
    #[param(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// That begin at this time or later: RFC 3339, a local time of the clinic, or a date.
    date_from: Option<String>,
    /// That begin at this time or earlier; a date stands for its whole day.
    date_to: Option<String>,
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

impl SlotQuery {
    async fn filter(&self, state: &Booking, actor: &Actor) -> Result<SlotFilter, Error> {
        let mut checks = Checks::new();
        let doctor = checks.optional("doctor_id", self.doctor_id, Id::typed::<UserId>);
        let clinic = checks.optional("clinic_id", self.clinic_id, Id::typed::<ClinicId>);
        let text = |text: &Option<String>, end| {
            unless_blank(text.clone()).map(|text| Bound::new(&text, end))
        };
        let from = text(&self.date_from, End::Start);
        let to = text(&self.date_to, End::Close);
        let needs_zone = from.iter().chain(&to).any(Bound::is_naive);
        let zone = match (needs_zone, clinic, doctor) {
            (true, Some(clinic), _) => zone_of_clinic(&state.engine, actor, clinic).await?,
            (true, None, Some(doctor)) => zone_of_doctor(&state.engine, actor, doctor).await?,
            _ => TimeZone::utc(),
        };
        let from = match from {
            Some(bound) => bound.instant(&mut checks, "date_from", &zone)?,
            None => None,
        };
        let to = match to {
            Some(bound) => bound.instant(&mut checks, "date_to", &zone)?,
            None => None,
        };
        checks.finish(Some(SlotFilter {
            doctor,
            clinic,
            from,
            to,
        }))
    }
}

/// Slots that can be booked now, by time. Never cached: a seat may be gone the next moment.
#[utoipa::path(get, path = "/api/v1/slots", tag = "slots",
    params(SlotQuery),
    responses((status = 200, description = "Slots", body = [SlotView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"))), Refusals))]
pub(super) async fn list(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    Query(query): Query<SlotQuery>,
) -> Answer {
    let filter = query.filter(&state, &actor).await.map_err(in_query)?;
    let page = page(query.skip, query.limit)?;
    let slots = state
        .engine
        .scheduling()
        .open_slots(&actor, filter, page)
        .await?;
    Ok(listed(slots, SlotView::from))
}

/// Takes a slot back: the doctor himself and administrators.
#[utoipa::path(delete, path = "/api/v1/slots/{slot_id}", tag = "slots",
    params(("slot_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "It is not offered any more", body = Message), Refusals))]
pub(super) async fn retire(
    State(state): State<Booking>,
    Order {
        actor,
        id: slot,
        key,
    }: Order<SlotId>,
) -> Answer {
    state
        .engine
        .scheduling()
        .keyed(key)
        .retire_slot(&actor, slot)
        .await?;
    Ok(message("Slot deleted successfully"))
}
