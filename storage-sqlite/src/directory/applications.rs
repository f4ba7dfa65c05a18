//! The profiles of doctors who register themselves.

use rusqlite::Connection;
use telemed_core::directory::DoctorDetails;
use telemed_core::id::UserId;
use telemed_core::identity::{DoctorApplication, RegisterOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{clinics, doctors};

/// Why an application is refused, if it is; nothing is written.
pub(crate) fn refusal(
    connection: &Connection,
    application: &DoctorApplication,
) -> StoreResult<Option<RegisterOutcome>> {
    if let Some(clinic) = application.clinic
        && clinics::by_id(connection, clinic)?.is_none()
    {
        return Ok(Some(RegisterOutcome::ClinicNotFound));
    }
    let is_taken = doctors::licence_is_taken(connection, &application.licence_number, None)?;
    Ok(is_taken.then_some(RegisterOutcome::LicenceTaken))
}

/// Makes the profile, and the first clinic when none is named and there is none.
pub(crate) fn keep(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
    application: &DoctorApplication,
) -> StoreResult<()> {
    let clinic = match application.clinic {
        Some(clinic) => clinic,
        None => match clinics::first(connection)? {
            Some(clinic) => clinic,
            None => clinics::add(connection, at, &application.first_clinic)?,
        },
    };
    let mut details = DoctorDetails::new(
        clinic,
        application.specialty.clone(),
        application.licence_number.clone(),
    );
    details.experience_years = application.experience_years;
    details.daily_limit = application.daily_limit;
    doctors::add(connection, at, doctor, &details)
}
