//! `/availability`: a doctor's weekly hours and blocked times.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::Engine;
use telemed_core::actor::{Actor, Role};
use telemed_core::error::Error;
use telemed_core::id::{BlockId, UserId};
use telemed_core::scheduling::{
    BlockTime, BlockedTime, Capacity, LocalTime, SetSchedule, SlotDuration, StatusReason,
    WeeklyHours, Window,
};
use telemed_core::time::{LocalDay, TimeZone};
use telemed_core::value::{Checks, Issue};
use utoipa::{IntoParams, ToSchema};

use super::Platform;
use super::auth::own_id;
use super::envelope::Success;
use super::reply::{Answer, Done, Nothing, Refusals, Reply};
use crate::auth::{Caller, Idempotency};
use crate::envelope::Refusal;
use crate::extract::{Id, Json, Order, Query, Whole, unless_blank};

/// Minutes of a slot, if nothing is said.
const MINUTES: i64 = 30;
const DAYS: [&str; 7] = [
    "schedule.monday",
    "schedule.tuesday",
    "schedule.wednesday",
    "schedule.thursday",
    "schedule.friday",
    "schedule.saturday",
    "schedule.sunday",
];

/// A span of a day, by the clinic's clocks.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub(super) struct WindowCard {
    /// Its beginning.
    #[schema(example = "09:00")]
    start: Option<String>,
    /// Its end.
    #[schema(example = "12:00")]
    end: Option<String>,
    /// Whether there are hours on this day; true if absent.
    enabled: Option<bool>,
}

/// The hours of a day: one window, or several.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum DayCard {
    /// Several windows.
    Several(Vec<WindowCard>),
    /// One window, or none if it is not enabled.
    One(WindowCard),
}

/// The hours of a week.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub(super) struct WeekCard {
    /// Monday.
    monday: Option<DayCard>,
    /// Tuesday.
    tuesday: Option<DayCard>,
    /// Wednesday.
    wednesday: Option<DayCard>,
    /// Thursday.
    thursday: Option<DayCard>,
    /// Friday.
    friday: Option<DayCard>,
    /// Saturday.
    saturday: Option<DayCard>,
    /// Sunday.
    sunday: Option<DayCard>,
}

impl WeekCard {
    fn days(self) -> [Option<DayCard>; 7] {
        [
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        ]
    }

    fn of(days: [DayCard; 7]) -> Self {
        let [
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
            sunday,
        ] = days.map(Some);
        Self {
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
            sunday,
        }
    }

    /// The windows of each day, and what is wrong with them.
    fn windows(self) -> Result<[Vec<Window>; 7], Error> {
        let mut issues = Vec::new();
        let mut days: [Vec<Window>; 7] = Default::default();
        for ((field, day), into) in DAYS.into_iter().zip(self.days()).zip(&mut days) {
            let windows = match day {
                None => Vec::new(),
                Some(DayCard::One(window)) => vec![window],
                Some(DayCard::Several(windows)) => windows,
            };
            for window in windows.into_iter().filter(|one| one.enabled != Some(false)) {
                let mut time = |name: &str, text: Option<String>| {
                    let read = match unless_blank(text) {
                        Some(text) => LocalTime::parse(&text),
                        None => Err("is required".into()),
                    };
                    read.map_err(|error| {
                        issues.push(Issue::new(format!("{field}.{name}"), error.0))
                    })
                    .ok()
                };
                let (start, end) = (time("start", window.start), time("end", window.end));
                if let Some((start, end)) = start.zip(end) {
                    into.push(Window { start, end });
                }
            }
        }
        if issues.is_empty() {
            Ok(days)
        } else {
            Err(Error::wrong_shape(issues))
        }
    }
}

fn day_card(windows: &[Window]) -> DayCard {
    let card = |window: &Window| WindowCard {
        start: Some(window.start.to_string()),
        end: Some(window.end.to_string()),
        enabled: Some(true),
    };
    match windows {
        [] => DayCard::One(WindowCard {
            start: None,
            end: None,
            enabled: Some(false),
        }),
        [window] => DayCard::One(card(window)),
        several => DayCard::Several(several.iter().map(card).collect()),
    }
}

/// A doctor's hours.
#[derive(Serialize, ToSchema)]
pub(super) struct HoursCard {
    /// The doctor.
    doctor_id: i64,
    /// The weekly hours.
    schedule: WeekCard,
    /// Whether hours were ever set; without, there are no slots but those made one by one.
    is_set: bool,
    /// The zone of the clinic's wall clocks, in which all of it is meant.
    #[schema(example = "Africa/Cairo")]
    timezone: String,
    /// How long a slot is.
    slot_minutes: u16,
    /// How many patients a slot takes.
    capacity: u16,
    /// Whether a booking is confirmed without the doctor's word.
    auto_confirm: bool,
    /// Blocked times that are not over.
    blocked_times: Vec<BlockCard>,
}

/// A blocked time.
#[derive(Serialize, ToSchema)]
pub(super) struct BlockCard {
    /// The id.
    id: i64,
    /// The day.
    #[schema(format = Date)]
    date: String,
    /// The beginning, by the clinic's clocks.
    #[schema(example = "09:00")]
    start_time: String,
    /// The end, by the clinic's clocks.
    #[schema(example = "12:00")]
    end_time: String,
    /// The beginning.
    #[schema(format = DateTime)]
    starts_at: String,
    /// The end.
    #[schema(format = DateTime)]
    ends_at: String,
    /// Why.
    reason: Option<String>,
}

impl BlockCard {
    fn of(block: &BlockedTime, reason: Option<String>) -> Self {
        let details = &block.details;
        Self {
            id: block.id.get(),
            date: details.day.to_string(),
            start_time: details.start.to_string(),
            end_time: details.end.to_string(),
            starts_at: details.starts_at.to_string(),
            ends_at: details.ends_at.to_string(),
            reason,
        }
    }
}

/// One blocked time.
#[derive(Serialize, ToSchema)]
pub(super) struct OneBlockCard {
    /// The blocked time.
    blocked_time: BlockCard,
}

async fn hours_card(engine: &Engine, actor: &Actor, doctor: UserId) -> Result<HoursCard, Error> {
    let scheduling = engine.scheduling();
    let hours = scheduling.hours(actor, doctor).await?;
    let reasons = scheduling.block_reasons(&hours.blocked).await?;
    let blocked = hours.blocked.iter().zip(reasons);
    let blocked_times = blocked.map(|(block, reason)| BlockCard::of(block, reason));
    let weekly = hours.schedule.as_ref().map(|schedule| &schedule.hours);
    let days =
        std::array::from_fn(|day| day_card(weekly.map_or(&[][..], |weekly| &weekly.days()[day])));
    Ok(HoursCard {
        doctor_id: doctor.get(),
        schedule: WeekCard::of(days),
        is_set: weekly.is_some(),
        timezone: hours.time_zone.name().to_owned(),
        slot_minutes: weekly.map_or(MINUTES.unsigned_abs() as u16, |it| it.slot_duration.get()),
        capacity: weekly.map_or(1, |it| it.capacity.get()),
        auto_confirm: weekly.is_some_and(|it| it.auto_confirm),
        blocked_times: blocked_times.collect(),
    })
}

/// Whose hours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhoseQuery {
    /// The doctor, if an administrator asks.
    #[param(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
}

/// The doctor that is meant: the one who is named, else the one who asks. An administrator names
/// one.
fn whose(actor: &Actor, named: Option<Id>) -> Result<UserId, Error> {
    let mut checks = Checks::new();
    let is_admin = matches!(actor, Actor::User(user) if user.role == Role::Admin);
    let doctor = if is_admin {
        checks.required("doctor_id", named, Id::typed)
    } else {
        let named = checks.optional("doctor_id", named, Id::typed);
        match named {
            Some(doctor) => Some(doctor),
            None => Some(own_id(actor)?),
        }
    };
    checks.finish(doctor)
}

/// A doctor's weekly hours and blocked times: for himself and administrators.
#[utoipa::path(get, path = "/api/availability/schedule", tag = "platform-availability",
    params(WhoseQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The hours", body = Success<HoursCard>), Refusals))]
pub(super) async fn schedule(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<WhoseQuery>,
) -> Answer {
    let doctor = whose(&actor, query.doctor_id)?;
    let card = hours_card(&state.engine, &actor, doctor).await?;
    Ok(reply.ok(Done::Schedule, card))
}

/// Weekly hours to be set.
#[derive(Deserialize, ToSchema)]
pub(super) struct HoursBody {
    /// The hours of each day; a day that is absent has none.
    #[schema(value_type = WeekCard, required)]
    schedule: Option<WeekCard>,
    /// Must be the clinic's, if it is there.
    #[schema(example = "Africa/Cairo")]
    timezone: Option<String>,
    /// How long a slot is; stays as it is if absent, 30 at first.
    #[schema(value_type = Option<i64>, minimum = 5, maximum = 240)]
    slot_minutes: Option<Whole>,
    /// How many patients a slot takes; stays as it is if absent, 1 at first.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
    capacity: Option<Whole>,
    /// Whether a booking is confirmed without the doctor's word; stays as it is if absent.
    auto_confirm: Option<bool>,
    /// The doctor, if an administrator asks.
    #[schema(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
}

/// Sets a doctor's weekly hours, and publishes his slots from them at once.
#[utoipa::path(put, path = "/api/availability/schedule", tag = "platform-availability",
    request_body = HoursBody,
    params(Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The hours", body = Success<HoursCard>), Refusals))]
pub(super) async fn set_schedule(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    Json(body): Json<HoursBody>,
) -> Answer {
    let doctor = whose(&actor, body.doctor_id)?;
    let mut checks = Checks::new();
    let week = checks.required("schedule", body.schedule, Ok);
    let time_zone = checks.optional("timezone", unless_blank(body.timezone), |name| {
        TimeZone::named(name.trim()).ok_or("must be a time zone such as Africa/Cairo".into())
    });
    let duration = checks.optional("slot_minutes", body.slot_minutes, |minutes| {
        SlotDuration::new(minutes.get())
    });
    let capacity = checks.optional("capacity", body.capacity, |seats| {
        Capacity::new(seats.get())
    });
    let week = checks.finish(week)?;
    let scheduling = state.engine.scheduling();
    // What is not said stays as it is.
    let was = scheduling.hours(&actor, doctor).await?.schedule;
    let was = was.map(|schedule| schedule.hours);
    let duration = match (duration, &was) {
        (Some(duration), _) => duration,
        (None, Some(was)) => was.slot_duration,
        (None, None) => finish("slot_minutes", SlotDuration::new(MINUTES))?,
    };
    let capacity = capacity
        .or(was.as_ref().map(|was| was.capacity))
        .unwrap_or(Capacity::ONE);
    let auto_confirm = body
        .auto_confirm
        .unwrap_or(was.is_some_and(|was| was.auto_confirm));
    let hours = WeeklyHours::new(week.windows()?, duration, capacity, auto_confirm);
    let hours = hours.map_err(|(day, error)| {
        let field = DAYS.get(day).copied().unwrap_or("schedule");
        Error::broken_rule(field, error.0)
    })?;
    let request = SetSchedule {
        doctor,
        hours,
        time_zone,
    };
    scheduling.keyed(key).set_schedule(&actor, request).await?;
    let card = hours_card(&state.engine, &actor, doctor).await?;
    Ok(reply.ok(Done::ScheduleUpdated, card))
}

fn finish<T>(
    field: &'static str,
    value: Result<T, telemed_core::value::ValueError>,
) -> Result<T, Refusal> {
    let mut checks = Checks::new();
    let value = checks.check(field, value);
    Ok(checks.finish(value)?)
}

/// A time to be blocked, by the clinic's clocks.
#[derive(Deserialize, ToSchema)]
pub(super) struct BlockBody {
    /// The day.
    #[schema(value_type = String, required, format = Date, example = "2030-01-31")]
    date: Option<String>,
    /// The beginning; the beginning of the day if absent.
    #[schema(example = "09:00")]
    start_time: Option<String>,
    /// The end; the end of the day if absent.
    #[schema(example = "12:00")]
    end_time: Option<String>,
    /// Why; those whose appointments are cancelled are told.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Whether live appointments in it are cancelled. Otherwise they refuse it.
    cancel_bookings: Option<bool>,
    /// The doctor, if an administrator asks.
    #[schema(value_type = Option<i64>, minimum = 1)]
    doctor_id: Option<Id>,
}

/// Blocks a time of a doctor: for himself and administrators.
#[utoipa::path(post, path = "/api/availability/block-time", tag = "platform-availability",
    request_body = BlockBody,
    params(Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The blocked time", body = Success<OneBlockCard>), Refusals))]
pub(super) async fn block(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    Json(body): Json<BlockBody>,
) -> Answer {
    let doctor = whose(&actor, body.doctor_id)?;
    let mut checks = Checks::new();
    let day = checks.required("date", unless_blank(body.date), |text| {
        LocalDay::parse(text.trim()).ok_or("must be a date such as 2030-01-31".into())
    });
    let mut time = |field, text: Option<String>, otherwise: u16| match unless_blank(text) {
        Some(text) => checks.check(field, LocalTime::parse(&text)),
        None => Some(LocalTime::from_minutes(otherwise)),
    };
    let start = time("start_time", body.start_time, 0);
    let end = time("end_time", body.end_time, 1440);
    let reason = checks.optional("reason", unless_blank(body.reason), StatusReason::new);
    let request = day
        .zip(start)
        .zip(end)
        .map(|((day, start), end)| BlockTime {
            doctor,
            day,
            start,
            end,
            reason,
            cancel_bookings: body.cancel_bookings.unwrap_or(false),
        });
    let request = checks.finish(request)?;
    let scheduling = state.engine.scheduling().keyed(key);
    let block = scheduling.block_time(&actor, request).await?;
    let reasons = state
        .engine
        .scheduling()
        .block_reasons(std::slice::from_ref(&block))
        .await?;
    let blocked_time = BlockCard::of(&block, reasons.into_iter().next().flatten());
    Ok(reply.ok(Done::Blocked, OneBlockCard { blocked_time }))
}

/// Frees a blocked time.
#[utoipa::path(delete, path = "/api/availability/unblock-time/{block_id}", tag = "platform-availability",
    params(("block_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "It is free", body = Success<Nothing>), Refusals))]
pub(super) async fn unblock(
    State(state): State<Platform>,
    Order {
        actor,
        id: block,
        key,
    }: Order<BlockId>,
    reply: Reply,
) -> Answer {
    let scheduling = state.engine.scheduling().keyed(key);
    scheduling.unblock_time(&actor, block).await?;
    Ok(reply.ok(Done::Unblocked, Nothing {}))
}
