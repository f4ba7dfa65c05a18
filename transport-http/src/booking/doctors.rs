//! `/doctors`.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use telemed_core::directory::{
    CreateDoctor, DailyLimit, Doctor, DoctorDetails, DoctorFilter, ExperienceYears, LicenceNumber,
    Qualifications, Specialty, UpdateDoctor,
};
use telemed_core::id::UserId;
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::reply::{
    Answer, Refusals, asked, cached_list, cached_one, checked_change, created, shown, unless_blank,
};
use crate::auth::{Caller, Idempotency, Visitor};
use crate::envelope::Refusal;
use crate::extract::{Id, Json, Limit, Order, PathId, Query, Skip, present};

/// Patients a day if nothing is said.
const PATIENTS_PER_DAY: i64 = 10;

/// A doctor.
#[derive(Serialize, ToSchema)]
pub(super) struct DoctorView {
    /// The id, which is the user's.
    id: i64,
    /// The user's id.
    user_id: i64,
    /// The name.
    name: String,
    /// The clinic.
    clinic_id: i64,
    /// The field of medicine.
    specialty: String,
    /// The number of the licence to practise.
    license_number: String,
    /// Degrees and certificates.
    qualifications: Option<String>,
    /// Years of practice.
    experience_years: u16,
    /// Patients that the doctor sees on one day of the clinic.
    max_patients_per_day: u16,
    /// Whether an administrator has verified the doctor.
    is_verified: bool,
    /// Whether the account is active.
    is_active: bool,
    /// When the profile was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Doctor> for DoctorView {
    fn from(doctor: Doctor) -> Self {
        let details = doctor.details;
        Self {
            id: doctor.id.get(),
            user_id: doctor.id.get(),
            name: doctor.full_name.as_str().to_owned(),
            clinic_id: details.clinic.get(),
            specialty: details.specialty.as_str().to_owned(),
            license_number: details.licence_number.as_str().to_owned(),
            qualifications: details.qualifications.map(|text| text.as_str().to_owned()),
            experience_years: details.experience_years.get(),
            max_patients_per_day: details.daily_limit.get(),
            is_verified: doctor.is_verified,
            is_active: doctor.is_active,
            created_at: doctor.created_at.to_string(),
            updated_at: doctor.updated_at.to_string(),
        }
    }
}

/// A doctor's profile to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct DoctorBody {
    /// A user with the role doctor.
    #[schema(value_type = i64, required, minimum = 1)]
    user_id: Option<Id>,
    /// The clinic.
    #[schema(value_type = i64, required, minimum = 1)]
    clinic_id: Option<Id>,
    /// The field of medicine.
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Cardiology")]
    specialty: Option<String>,
    /// The number of the licence to practise, unique.
    #[schema(value_type = String, required, min_length = 1, max_length = 50, example = "LIC123456")]
    license_number: Option<String>,
    /// Degrees and certificates.
    #[schema(max_length = 2000, example = "MD, Board Certified")]
    qualifications: Option<String>,
    /// Years of practice; 0 if absent.
    #[schema(minimum = 0, maximum = 80)]
    experience_years: Option<i64>,
    /// Patients that the doctor sees on one day of the clinic; 10 if absent.
    #[schema(minimum = 1, maximum = 100, example = 10)]
    max_patients_per_day: Option<i64>,
}

impl DoctorBody {
    fn checked(self) -> Result<CreateDoctor, Refusal> {
        let mut checks = Checks::new();
        let user = checks.required("user_id", self.user_id, Id::typed);
        let clinic = checks.required("clinic_id", self.clinic_id, Id::typed);
        let specialty = checks.required("specialty", self.specialty, Specialty::new);
        let licence = checks.required("license_number", self.license_number, LicenceNumber::new);
        let qualifications = checks.optional(
            "qualifications",
            unless_blank(self.qualifications),
            Qualifications::new,
        );
        let years = self.experience_years.unwrap_or(0);
        let years = checks.check("experience_years", ExperienceYears::new(years));
        let limit = self.max_patients_per_day.unwrap_or(PATIENTS_PER_DAY);
        let limit = checks.check("max_patients_per_day", DailyLimit::new(limit));
        let request = match (user, clinic, specialty, licence, years, limit) {
            (
                Some(user),
                Some(clinic),
                Some(specialty),
                Some(licence_number),
                Some(experience_years),
                Some(daily_limit),
            ) => {
                let details = DoctorDetails {
                    qualifications,
                    experience_years,
                    daily_limit,
                    ..DoctorDetails::new(clinic, specialty, licence_number)
                };
                Some(CreateDoctor { user, details })
            }
            _ => None,
        };
        Ok(checks.finish(request)?)
    }
}

/// A change of a doctor's profile: what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
pub(super) struct DoctorChangeBody {
    /// The clinic.
    #[schema(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// The field of medicine.
    #[schema(min_length = 1, max_length = 100, example = "Cardiology")]
    specialty: Option<String>,
    /// The number of the licence to practise, unique.
    #[schema(min_length = 1, max_length = 50, example = "LIC123456")]
    license_number: Option<String>,
    /// Degrees and certificates; `null` empties them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    qualifications: Option<Option<String>>,
    /// Years of practice.
    #[schema(minimum = 0, maximum = 80)]
    experience_years: Option<i64>,
    /// Patients that the doctor sees on one day of the clinic.
    #[schema(minimum = 1, maximum = 100)]
    max_patients_per_day: Option<i64>,
}

impl DoctorChangeBody {
    fn checked(self) -> Result<UpdateDoctor, Refusal> {
        let mut checks = Checks::new();
        let change = UpdateDoctor {
            clinic: checks.optional("clinic_id", self.clinic_id, Id::typed),
            specialty: checks.optional("specialty", self.specialty, Specialty::new),
            licence_number: checks.optional(
                "license_number",
                self.license_number,
                LicenceNumber::new,
            ),
            qualifications: checked_change(
                &mut checks,
                "qualifications",
                self.qualifications,
                Qualifications::new,
            ),
            experience_years: checks.optional(
                "experience_years",
                self.experience_years,
                ExperienceYears::new,
            ),
            daily_limit: checks.optional(
                "max_patients_per_day",
                self.max_patients_per_day,
                DailyLimit::new,
            ),
            ..UpdateDoctor::default()
        };
        Ok(checks.finish(Some(change))?)
    }
}

/// Which doctors to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DoctorQuery {
    /// Of this field of medicine, without regard to case.
    specialty: Option<String>,
    /// Of this clinic.
    #[param(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// Listed doctors, by id.
#[utoipa::path(get, path = "/api/v1/doctors", tag = "doctors",
    params(DoctorQuery),
    responses((status = 200, description = "Doctors", body = [DoctorView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"), ("ETag" = String))),
        (status = 304, description = "The client has it already"), Refusals))]
pub(super) async fn list(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    headers: HeaderMap,
    Query(query): Query<DoctorQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let filter = DoctorFilter {
        specialty: checks.optional("specialty", unless_blank(query.specialty), Specialty::new),
        clinic: checks.optional("clinic_id", query.clinic_id, Id::typed),
    };
    let (filter, page) = asked(checks, filter, query.skip, query.limit)?;
    let doctors = state
        .engine
        .directory()
        .doctors(&actor, filter, page)
        .await?;
    cached_list(&actor, &headers, doctors, DoctorView::from)
}

/// A listed doctor.
#[utoipa::path(get, path = "/api/v1/doctors/{doctor_id}", tag = "doctors",
    params(("doctor_id" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The doctor", body = DoctorView, headers(("ETag" = String))),
        (status = 304, description = "The client has it already"), Refusals))]
pub(super) async fn one(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    PathId(doctor): PathId<UserId>,
    headers: HeaderMap,
) -> Answer {
    let doctor = state.engine.directory().doctor(&actor, doctor).await?;
    cached_one(&actor, &headers, &DoctorView::from(doctor))
}

/// Makes a doctor's profile, or completes and verifies that of a doctor who registered himself.
/// Administrators only.
#[utoipa::path(post, path = "/api/v1/doctors", tag = "doctors",
    request_body = DoctorBody,
    params(Idempotency),
    security(("bearer" = [])),
    responses((status = 201, description = "The doctor", body = DoctorView), Refusals))]
pub(super) async fn create(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Idempotency(key): Idempotency,
    Json(body): Json<DoctorBody>,
) -> Answer {
    let request = body.checked()?;
    let doctor = state
        .engine
        .directory()
        .keyed(key)
        .create_doctor(&actor, request)
        .await?;
    Ok(created(&DoctorView::from(doctor)))
}

/// Changes a doctor's profile. Administrators only.
#[utoipa::path(put, path = "/api/v1/doctors/{doctor_id}", tag = "doctors",
    request_body = DoctorChangeBody,
    params(("doctor_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The doctor", body = DoctorView), Refusals))]
pub(super) async fn update(
    State(state): State<Booking>,
    Order {
        actor,
        id: doctor,
        key,
    }: Order<UserId>,
    Json(body): Json<DoctorChangeBody>,
) -> Answer {
    let change = body.checked()?;
    let directory = state.engine.directory().keyed(key);
    shown::<DoctorView, _>(directory.update_doctor(&actor, doctor, change)).await
}

/// Verifies a doctor, who is listed and may act from then on. Administrators only.
#[utoipa::path(post, path = "/api/v1/doctors/{doctor_id}/verify", tag = "doctors",
    params(("doctor_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The doctor", body = DoctorView), Refusals))]
pub(super) async fn verify(
    State(state): State<Booking>,
    Order {
        actor,
        id: doctor,
        key,
    }: Order<UserId>,
) -> Answer {
    let directory = state.engine.directory().keyed(key);
    shown::<DoctorView, _>(directory.verify_doctor(&actor, doctor)).await
}
