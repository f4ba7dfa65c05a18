//! `/patients`: profiles, and the appointments of one patient.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::directory::{Allergies, BloodGroup, EmergencyContact, Patient, UpdatePatient};
use telemed_core::error::{Code, Error};
use telemed_core::id::UserId;
use telemed_core::time::LocalDay;
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::appointments::AppointmentView;
use super::reply::{Answer, Refusals, checked_change, list as listed, page, shown};
use crate::auth::{Caller, Idempotency};
use crate::envelope::Refusal;
use crate::extract::{Json, Limit, Order, PathId, Query, Skip, present};

/// A patient.
#[derive(Serialize, ToSchema)]
pub(super) struct PatientView {
    /// The id, which is the user's.
    id: i64,
    /// The user's id.
    user_id: i64,
    /// The name.
    name: String,
    /// The date of birth.
    #[schema(format = Date)]
    date_of_birth: Option<String>,
    /// The blood group.
    #[schema(value_type = Option<String>, example = "O+")]
    blood_group: Option<&'static str>,
    /// What the patient does not tolerate.
    allergies: Option<String>,
    /// Whom to call in an emergency.
    emergency_contact: Option<String>,
    /// Whether the account is active.
    is_active: bool,
    /// When the account was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the profile was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Patient> for PatientView {
    fn from(patient: Patient) -> Self {
        let profile = patient.profile;
        Self {
            id: patient.id.get(),
            user_id: patient.id.get(),
            name: patient.full_name.as_str().to_owned(),
            date_of_birth: profile.date_of_birth.map(|day| day.to_string()),
            blood_group: profile.blood_group.map(BloodGroup::as_str),
            allergies: profile.allergies.map(|text| text.as_str().to_owned()),
            emergency_contact: profile
                .emergency_contact
                .map(|text| text.as_str().to_owned()),
            is_active: patient.is_active,
            created_at: patient.created_at.to_string(),
            updated_at: patient.updated_at.to_string(),
        }
    }
}

/// A change of a profile: what is absent stays as it is, `null` empties a field.
#[derive(Deserialize, ToSchema)]
pub(super) struct PatientBody {
    /// The date of birth, in the past.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Date, example = "1990-01-15")]
    date_of_birth: Option<Option<String>>,
    /// One of A+, A-, B+, B-, AB+, AB-, O+, O-.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "O+")]
    blood_group: Option<Option<String>>,
    /// What the patient does not tolerate.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000, example = "Penicillin")]
    allergies: Option<Option<String>>,
    /// Whom to call in an emergency.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 20, example = "+20 100 000 0000")]
    emergency_contact: Option<Option<String>>,
}

impl PatientBody {
    fn checked(self) -> Result<UpdatePatient, Refusal> {
        let mut checks = Checks::new();
        let change = UpdatePatient {
            date_of_birth: checked_change(
                &mut checks,
                "date_of_birth",
                self.date_of_birth,
                |text| LocalDay::parse(&text).ok_or("must be a date such as 1990-01-15".into()),
            ),
            blood_group: checked_change(
                &mut checks,
                "blood_group",
                self.blood_group,
                BloodGroup::parse,
            ),
            allergies: checked_change(&mut checks, "allergies", self.allergies, Allergies::new),
            emergency_contact: checked_change(
                &mut checks,
                "emergency_contact",
                self.emergency_contact,
                EmergencyContact::new,
            ),
            ..UpdatePatient::default()
        };
        Ok(checks.finish(Some(change))?)
    }
}

/// The own profile.
#[utoipa::path(get, path = "/api/v1/patients/me", tag = "patients",
    security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = PatientView), Refusals))]
pub(super) async fn own(State(state): State<Booking>, Caller(actor): Caller) -> Answer {
    let own = actor
        .user_id()
        .ok_or_else(|| Error::new(Code::Unauthenticated))?;
    let directory = state.engine.directory();
    shown::<PatientView, _>(directory.patient(&actor, own)).await
}

/// A patient's profile: for himself, administrators, and doctors who treat him.
#[utoipa::path(get, path = "/api/v1/patients/{patient_id}", tag = "patients",
    params(("patient_id" = i64, Path, minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = PatientView), Refusals))]
pub(super) async fn one(
    State(state): State<Booking>,
    Caller(actor): Caller,
    PathId(patient): PathId<UserId>,
) -> Answer {
    let directory = state.engine.directory();
    shown::<PatientView, _>(directory.patient(&actor, patient)).await
}

/// Changes a patient's profile: for himself and administrators.
#[utoipa::path(put, path = "/api/v1/patients/{patient_id}", tag = "patients",
    request_body = PatientBody,
    params(("patient_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = PatientView), Refusals))]
pub(super) async fn update(
    State(state): State<Booking>,
    Order {
        actor,
        id: patient,
        key,
    }: Order<UserId>,
    Json(body): Json<PatientBody>,
) -> Answer {
    let change = body.checked()?;
    let directory = state.engine.directory().keyed(key);
    shown::<PatientView, _>(directory.update_patient(&actor, patient, change)).await
}

/// Which part of a list to answer.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(super) skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    pub(super) limit: Limit,
}

/// A patient's appointments, newest first: for himself and administrators.
#[utoipa::path(get, path = "/api/v1/patients/{patient_id}/appointments", tag = "patients",
    params(("patient_id" = i64, Path, minimum = 1), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "Appointments", body = [AppointmentView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"))), Refusals))]
pub(super) async fn appointments(
    State(state): State<Booking>,
    Caller(actor): Caller,
    PathId(patient): PathId<UserId>,
    Query(query): Query<PageQuery>,
) -> Answer {
    let page = page(query.skip, query.limit)?;
    let found = state
        .engine
        .scheduling()
        .patient_appointments(&actor, patient, page)
        .await?;
    Ok(listed(found, AppointmentView::from))
}
