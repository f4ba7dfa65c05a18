//! `/clinics`.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use telemed_core::directory::{
    City, Clinic, ClinicAddress, ClinicDetails, ClinicName, ClinicPhone, DoctorFilter, Region,
    UpdateClinic, ZipCode,
};
use telemed_core::id::ClinicId;
use telemed_core::identity::Email;
use telemed_core::time::TimeZone;
use telemed_core::value::{Checks, ValueError};
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::doctors::DoctorView;
use super::patients::PageQuery;
use super::reply::{
    Answer, Refusals, asked, cached_list, cached_one, checked_change, created, page, shown,
    unless_blank,
};
use crate::auth::{Caller, Idempotency, Visitor};
use crate::envelope::Refusal;
use crate::extract::{Json, Limit, Order, PathId, Query, Skip, present};

/// A clinic.
#[derive(Serialize, ToSchema)]
pub(super) struct ClinicView {
    /// The id.
    id: i64,
    /// The name.
    name: String,
    /// The street address.
    address: Option<String>,
    /// The telephone number.
    phone: Option<String>,
    /// The e-mail address.
    email: Option<String>,
    /// The city.
    city: Option<String>,
    /// The state, province or governorate.
    state: Option<String>,
    /// The postal code.
    zip_code: Option<String>,
    /// The IANA zone of its wall clocks.
    #[schema(example = "Africa/Cairo")]
    time_zone: String,
    /// Whether its slots can be booked.
    is_active: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Clinic> for ClinicView {
    fn from(clinic: Clinic) -> Self {
        let details = clinic.details;
        Self {
            id: clinic.id.get(),
            name: details.name.as_str().to_owned(),
            address: details.address.map(|text| text.as_str().to_owned()),
            phone: details.phone.map(|text| text.as_str().to_owned()),
            email: details.email.map(|text| text.as_str().to_owned()),
            city: details.city.map(|text| text.as_str().to_owned()),
            state: details.state.map(|text| text.as_str().to_owned()),
            zip_code: details.zip_code.map(|text| text.as_str().to_owned()),
            time_zone: details.time_zone.name().to_owned(),
            is_active: details.is_active,
            created_at: clinic.created_at.to_string(),
            updated_at: clinic.updated_at.to_string(),
        }
    }
}

/// A clinic to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct ClinicBody {
    /// The name.
    #[schema(value_type = String, required, min_length = 1, max_length = 255, example = "City Health Center")]
    name: Option<String>,
    /// The street address.
    #[schema(max_length = 500)]
    address: Option<String>,
    /// The telephone number.
    #[schema(max_length = 20)]
    phone: Option<String>,
    /// The e-mail address.
    #[schema(max_length = 254, format = Email)]
    email: Option<String>,
    /// The city.
    #[schema(max_length = 100, example = "Cairo")]
    city: Option<String>,
    /// The state, province or governorate.
    #[schema(max_length = 100)]
    state: Option<String>,
    /// The postal code.
    #[schema(max_length = 10)]
    zip_code: Option<String>,
    /// The IANA zone of its wall clocks; UTC if absent.
    #[schema(example = "Africa/Cairo")]
    time_zone: Option<String>,
}

impl ClinicBody {
    fn checked(self) -> Result<ClinicDetails, Refusal> {
        let mut checks = Checks::new();
        let name = checks.required("name", self.name, ClinicName::new);
        let address = checks.optional("address", unless_blank(self.address), ClinicAddress::new);
        let phone = checks.optional("phone", unless_blank(self.phone), ClinicPhone::new);
        let email = checks.optional("email", unless_blank(self.email), Email::new);
        let city = checks.optional("city", unless_blank(self.city), City::new);
        let state = checks.optional("state", unless_blank(self.state), Region::new);
        let zip_code = checks.optional("zip_code", unless_blank(self.zip_code), ZipCode::new);
        let time_zone = checks.optional("time_zone", unless_blank(self.time_zone), zone);
        let details = name.map(|name| ClinicDetails {
            name,
            address,
            phone,
            email,
            city,
            state,
            zip_code,
            time_zone: time_zone.unwrap_or_else(TimeZone::utc),
            is_active: true,
        });
        Ok(checks.finish(details)?)
    }
}

/// A change of a clinic: what is absent stays as it is, `null` empties a field.
#[derive(Deserialize, ToSchema)]
pub(super) struct ClinicChangeBody {
    /// The name.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The street address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 500)]
    address: Option<Option<String>>,
    /// The telephone number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 20)]
    phone: Option<Option<String>>,
    /// The e-mail address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 254, format = Email)]
    email: Option<Option<String>>,
    /// The city.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    city: Option<Option<String>>,
    /// The state, province or governorate.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    state: Option<Option<String>>,
    /// The postal code.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 10)]
    zip_code: Option<Option<String>>,
    /// The IANA zone; the local days of its slots follow it.
    #[schema(example = "Africa/Cairo")]
    time_zone: Option<String>,
    /// Whether its slots can be booked.
    is_active: Option<bool>,
}

impl ClinicChangeBody {
    fn checked(self) -> Result<UpdateClinic, Refusal> {
        let mut checks = Checks::new();
        let change = UpdateClinic {
            name: checks.optional("name", self.name, ClinicName::new),
            address: checked_change(&mut checks, "address", self.address, ClinicAddress::new),
            phone: checked_change(&mut checks, "phone", self.phone, ClinicPhone::new),
            email: checked_change(&mut checks, "email", self.email, Email::new),
            city: checked_change(&mut checks, "city", self.city, City::new),
            state: checked_change(&mut checks, "state", self.state, Region::new),
            zip_code: checked_change(&mut checks, "zip_code", self.zip_code, ZipCode::new),
            time_zone: checks.optional("time_zone", self.time_zone, zone),
            is_active: self.is_active,
        };
        Ok(checks.finish(Some(change))?)
    }
}

fn zone(name: String) -> Result<TimeZone, ValueError> {
    TimeZone::named(name.trim()).ok_or("must be an IANA time zone such as Africa/Cairo".into())
}

/// Which clinics to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClinicQuery {
    /// In this city, without regard to case.
    city: Option<String>,
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// Active clinics, by id.
#[utoipa::path(get, path = "/api/v1/clinics", tag = "clinics",
    params(ClinicQuery),
    responses((status = 200, description = "Clinics", body = [ClinicView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"), ("ETag" = String))),
        (status = 304, description = "The client has it already"), Refusals))]
pub(super) async fn list(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    headers: HeaderMap,
    Query(query): Query<ClinicQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let city = checks.optional("city", unless_blank(query.city), City::new);
    let (city, page) = asked(checks, city, query.skip, query.limit)?;
    let clinics = state.engine.directory().clinics(&actor, city, page).await?;
    cached_list(&actor, &headers, clinics, ClinicView::from)
}

/// A clinic.
#[utoipa::path(get, path = "/api/v1/clinics/{clinic_id}", tag = "clinics",
    params(("clinic_id" = i64, Path, minimum = 1)),
    responses((status = 200, description = "The clinic", body = ClinicView, headers(("ETag" = String))),
        (status = 304, description = "The client has it already"), Refusals))]
pub(super) async fn one(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    PathId(clinic): PathId<ClinicId>,
    headers: HeaderMap,
) -> Answer {
    let clinic = state.engine.directory().clinic(&actor, clinic).await?;
    cached_one(&actor, &headers, &ClinicView::from(clinic))
}

/// Makes a clinic. Administrators only.
#[utoipa::path(post, path = "/api/v1/clinics", tag = "clinics",
    request_body = ClinicBody,
    params(Idempotency),
    security(("bearer" = [])),
    responses((status = 201, description = "The clinic", body = ClinicView), Refusals))]
pub(super) async fn create(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Idempotency(key): Idempotency,
    Json(body): Json<ClinicBody>,
) -> Answer {
    let details = body.checked()?;
    let clinic = state
        .engine
        .directory()
        .keyed(key)
        .create_clinic(&actor, details)
        .await?;
    Ok(created(&ClinicView::from(clinic)))
}

/// Changes a clinic. Administrators only.
#[utoipa::path(put, path = "/api/v1/clinics/{clinic_id}", tag = "clinics",
    request_body = ClinicChangeBody,
    params(("clinic_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The clinic", body = ClinicView), Refusals))]
pub(super) async fn update(
    State(state): State<Booking>,
    Order {
        actor,
        id: clinic,
        key,
    }: Order<ClinicId>,
    Json(body): Json<ClinicChangeBody>,
) -> Answer {
    let change = body.checked()?;
    let directory = state.engine.directory().keyed(key);
    shown::<ClinicView, _>(directory.update_clinic(&actor, clinic, change)).await
}

/// The listed doctors of a clinic, by id.
#[utoipa::path(get, path = "/api/v1/clinics/{clinic_id}/doctors", tag = "clinics",
    params(("clinic_id" = i64, Path, minimum = 1), PageQuery),
    responses((status = 200, description = "Doctors", body = [DoctorView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"), ("ETag" = String))),
        (status = 304, description = "The client has it already"), Refusals))]
pub(super) async fn doctors(
    State(state): State<Booking>,
    Visitor(actor): Visitor,
    PathId(clinic): PathId<ClinicId>,
    headers: HeaderMap,
    Query(query): Query<PageQuery>,
) -> Answer {
    let page = page(query.skip, query.limit)?;
    let directory = state.engine.directory();
    let clinic = directory.clinic(&actor, clinic).await?;
    let filter = DoctorFilter {
        clinic: Some(clinic.id),
        ..DoctorFilter::default()
    };
    let doctors = directory.doctors(&actor, filter, page).await?;
    cached_list(&actor, &headers, doctors, DoctorView::from)
}
