//! `/users/doctors`, `/users/specialties`, `/appointments/doctors`: who there is to see, and when.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::Actor;
use telemed_core::directory::{Doctor, DoctorFilter, Specialty};
use telemed_core::error::Error;
use telemed_core::id::UserId;
use telemed_core::page::PageRequest;
use telemed_core::scheduling::FreeTimes;
use telemed_core::time::{LocalDay, TimeZone, Timestamp};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Platform;
use super::envelope::Success;
use super::paging::Paging;
use super::reply::{Answer, Done, Refusals, Reply};
use super::words::fee_shown;
use crate::auth::Visitor;
use crate::envelope::{Place, Refusal};
use crate::extract::{Count, Id, PathId, Query, unless_blank};

/// A listed doctor.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct DoctorCard {
    /// The id, which is the user's.
    id: i64,
    /// The user's id.
    user_id: i64,
    /// The name.
    full_name: String,
    /// The name once more, where some clients look for it.
    user: DoctorName,
    /// The field of medicine.
    specialty: String,
    /// Years of practice.
    years_of_experience: u16,
    /// Always null for now.
    rating: Option<f64>,
    /// What a consultation costs.
    consultation_fee: Option<f64>,
    /// What the doctor says about himself.
    bio: Option<String>,
    /// The clinic.
    clinic: ClinicCard,
}

/// A doctor's name.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct DoctorName {
    /// The name.
    full_name: String,
}

/// A doctor's clinic.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ClinicCard {
    /// The id.
    id: i64,
    /// The name.
    name: String,
}

impl ClinicCard {
    /// The clinic that a doctor works at.
    pub(super) fn of(doctor: &Doctor) -> Self {
        Self {
            id: doctor.details.clinic.get(),
            name: doctor.clinic_name.as_str().to_owned(),
        }
    }
}

impl From<Doctor> for DoctorCard {
    fn from(doctor: Doctor) -> Self {
        let clinic = ClinicCard::of(&doctor);
        let full_name = doctor.full_name.as_str().to_owned();
        let details = doctor.details;
        Self {
            id: doctor.id.get(),
            user_id: doctor.id.get(),
            user: DoctorName {
                full_name: full_name.clone(),
            },
            full_name,
            specialty: details.specialty.as_str().to_owned(),
            years_of_experience: details.experience_years.get(),
            rating: None,
            consultation_fee: details.consultation_fee.map(fee_shown),
            bio: details.biography.map(|text| text.as_str().to_owned()),
            clinic,
        }
    }
}

/// A page of doctors.
#[derive(Serialize, ToSchema)]
pub(super) struct DoctorsCard {
    /// Listed doctors, by id.
    doctors: Vec<DoctorCard>,
}

/// A doctor: flat, and once more as `doctor`.
#[derive(Serialize, ToSchema)]
pub(super) struct OneDoctorCard {
    #[serde(flatten)]
    flat: DoctorCard,
    /// The same.
    doctor: DoctorCard,
}

/// Fields of medicine.
#[derive(Serialize, ToSchema)]
pub(super) struct SpecialtiesCard {
    /// The fields of medicine of listed doctors, in order.
    specialties: Vec<String>,
}

/// Which doctors to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DoctorsQuery {
    /// Of this field of medicine, without regard to case.
    specialty: Option<String>,
    /// Of this clinic.
    #[param(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// The page, from 1.
    #[param(value_type = Option<i64>, minimum = 1)]
    page: Option<Count>,
    /// Rows of a page; 10 if only a page is asked for.
    #[param(value_type = Option<i64>, minimum = 1)]
    per_page: Option<Count>,
}

/// Listed doctors, by id.
#[utoipa::path(get, path = "/api/users/doctors", tag = "platform-users",
    params(DoctorsQuery),
    responses((status = 200, description = "Doctors", body = Success<DoctorsCard>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Visitor(actor): Visitor,
    reply: Reply,
    Query(query): Query<DoctorsQuery>,
) -> Answer {
    doctors(&state, &actor, &reply, query).await
}

/// Listed doctors, by id: the same as `/api/users/doctors`.
#[utoipa::path(get, path = "/api/appointments/doctors", tag = "platform-appointments",
    params(DoctorsQuery),
    responses((status = 200, description = "Doctors", body = Success<DoctorsCard>), Refusals))]
pub(super) async fn list_to_book(
    State(state): State<Platform>,
    Visitor(actor): Visitor,
    reply: Reply,
    Query(query): Query<DoctorsQuery>,
) -> Answer {
    doctors(&state, &actor, &reply, query).await
}

async fn doctors(state: &Platform, actor: &Actor, reply: &Reply, query: DoctorsQuery) -> Answer {
    let mut checks = Checks::new();
    let filter = DoctorFilter {
        specialty: checks.optional("specialty", unless_blank(query.specialty), Specialty::new),
        clinic: checks.optional("clinic_id", query.clinic_id, Id::typed),
    };
    let filter = checks.finish(Some(filter)).map_err(in_query)?;
    let paging = Paging::asked(query.page, query.per_page, PageRequest::default())?;
    let directory = state.engine.directory();
    let found = directory.doctors(actor, filter, paging.request).await?;
    let meta = paging.meta(found.total);
    let doctors = found.items.into_iter().map(DoctorCard::from).collect();
    Ok(reply.page(Done::Doctors, DoctorsCard { doctors }, meta))
}

/// A listed doctor.
#[utoipa::path(get, path = "/api/users/doctors/{doctor_id}", tag = "platform-users",
    params(("doctor_id" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The doctor", body = Success<OneDoctorCard>), Refusals))]
pub(super) async fn one(
    State(state): State<Platform>,
    Visitor(actor): Visitor,
    reply: Reply,
    PathId(doctor): PathId<UserId>,
) -> Answer {
    let doctor = state.engine.directory().doctor(&actor, doctor).await?;
    let doctor = DoctorCard::from(doctor);
    let flat = doctor.clone();
    Ok(reply.ok(Done::Doctor, OneDoctorCard { flat, doctor }))
}

/// The fields of medicine that there are doctors of.
#[utoipa::path(get, path = "/api/users/specialties", tag = "platform-users",
    responses((status = 200, description = "Fields of medicine", body = Success<SpecialtiesCard>), Refusals))]
pub(super) async fn specialties(
    State(state): State<Platform>,
    Visitor(actor): Visitor,
    reply: Reply,
) -> Answer {
    let found = state.engine.directory().specialties(&actor).await?;
    let specialties = found.iter().map(|one| one.as_str().to_owned()).collect();
    Ok(reply.ok(Done::Specialties, SpecialtiesCard { specialties }))
}

/// Which days to show.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DaysQuery {
    /// One day of the clinic's calendar.
    #[param(format = Date, example = "2030-01-31")]
    date: Option<String>,
    /// The first day, if `date` is absent.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, if `date` is absent; 62 days at most are shown.
    #[param(format = Date)]
    to: Option<String>,
}

/// A doctor's times.
#[derive(Serialize, ToSchema)]
pub(super) struct FreeTimesCard {
    /// The doctor.
    doctor_id: i64,
    /// The zone of the clinic's wall clocks.
    #[schema(example = "Africa/Cairo")]
    time_zone: String,
    /// The times by start, whether they can be booked or not.
    available_slots: Vec<TimeCard>,
}

/// A time of a doctor.
#[derive(Serialize, ToSchema)]
pub(super) struct TimeCard {
    /// The slot.
    slot_id: i64,
    /// When it begins, by the clinic's clocks.
    #[schema(example = "09:00")]
    start: String,
    /// When it ends, by the clinic's clocks.
    #[schema(example = "09:30")]
    end: String,
    /// When it begins, with the clinic's offset.
    #[schema(format = DateTime, example = "2030-01-31T09:00:00+02:00")]
    datetime: String,
    /// Whether it can be booked now.
    available: bool,
    /// How many patients it takes.
    capacity: u16,
    /// How many seats are taken.
    booked_count: u16,
}

/// A doctor's times on a day or on some days.
#[utoipa::path(get, path = "/api/appointments/doctors/{doctor_id}/availability", tag = "platform-appointments",
    params(("doctor_id" = i64, Path, minimum = 1), DaysQuery),
    responses((status = 200, description = "The times", body = Success<FreeTimesCard>), Refusals))]
pub(super) async fn availability(
    State(state): State<Platform>,
    Visitor(actor): Visitor,
    reply: Reply,
    PathId(doctor): PathId<UserId>,
    Query(query): Query<DaysQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let days = if let Some(date) = unless_blank(query.date) {
        checks.check("date", day(date)).map(|day| (day, day))
    } else {
        let (from, to) = (unless_blank(query.from), unless_blank(query.to));
        if from.is_none() && to.is_none() {
            checks.note("date", "is required");
            None
        } else {
            let from = checks.required("from", from, day);
            from.zip(checks.required("to", to, day))
        }
    };
    let (from, to) = checks.finish(days).map_err(in_query)?;
    let scheduling = state.engine.scheduling();
    let found = scheduling.free_times(&actor, doctor, from, to).await?;
    Ok(reply.ok(Done::FreeTimes, free_times_card(doctor, found)))
}

fn free_times_card(doctor: UserId, found: FreeTimes) -> FreeTimesCard {
    let zone = found.time_zone;
    let times = found.times.into_iter().map(|time| {
        let slot = time.slot.slot;
        let datetime = slot.facts.starts_at.in_zone(&zone);
        TimeCard {
            slot_id: slot.id.get(),
            start: clock(&datetime),
            end: clock_of(slot.facts.ends_at, &zone),
            datetime,
            available: time.is_available,
            capacity: slot.capacity.get(),
            booked_count: slot.booked_count,
        }
    });
    FreeTimesCard {
        doctor_id: doctor.get(),
        available_slots: times.collect(),
        time_zone: zone.name().to_owned(),
    }
}

fn clock_of(at: Timestamp, zone: &TimeZone) -> String {
    clock(&at.in_zone(zone))
}

/// The hours and minutes of a time in RFC 3339.
fn clock(datetime: &str) -> String {
    datetime
        .split_once('T')
        .map_or("", |(_, time)| time)
        .chars()
        .take(5)
        .collect()
}

fn day(text: String) -> Result<LocalDay, telemed_core::value::ValueError> {
    LocalDay::parse(text.trim()).ok_or("must be a date such as 2030-01-31".into())
}

/// A refusal whose fields stand in the query.
pub(super) fn in_query(error: Error) -> Refusal {
    Refusal::new(Place::Query, error)
}
