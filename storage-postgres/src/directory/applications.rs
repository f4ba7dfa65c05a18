//! The profiles of doctors who register themselves.

use telemed_core::directory::DoctorDetails;
use telemed_core::id::UserId;
use telemed_core::identity::{DoctorApplication, RegisterOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{clinics, doctors};
use crate::connection::Connection;
use crate::statement::lock_names;

/// Why an application is refused, if it is; nothing is written.
pub(crate) async fn refusal(
    connection: &mut Connection,
    application: &DoctorApplication,
) -> StoreResult<Option<RegisterOutcome>> {
    if let Some(clinic) = application.clinic
        && clinics::by_id(connection, clinic).await?.is_none()
    {
        return Ok(Some(RegisterOutcome::ClinicNotFound));
    }
    let licence = &application.licence_number;
    let is_taken = doctors::licence_is_taken(connection, licence, None).await?;
    Ok(is_taken.then_some(RegisterOutcome::LicenceTaken))
}

/// Makes the profile, and the first clinic when none is named and there is none.
pub(crate) async fn keep(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
    application: &DoctorApplication,
) -> StoreResult<()> {
    let clinic = match application.clinic {
        Some(clinic) => clinic,
        None => {
            // Two who find none would make two.
            lock_names(connection, &["first clinic".to_owned()]).await?;
            match clinics::first(connection).await? {
                Some(clinic) => clinic,
                None => {
                    clinics::add(connection, at, &application.first_clinic)
                        .await?
                        .id
                }
            }
        }
    };
    let mut details = DoctorDetails::new(
        clinic,
        application.specialty.clone(),
        application.licence_number.clone(),
    );
    details.experience_years = application.experience_years;
    details.daily_limit = application.daily_limit;
    doctors::add(connection, at, doctor, &details).await
}
