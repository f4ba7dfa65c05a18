//! Clinics.

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use telemed_core::directory::{Clinic, ClinicDetails, Edited};
use telemed_core::id::ClinicId;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::scheduling::move_local_days;
use crate::statement::{Params, one, single};

pub(super) async fn by_id(
    connection: &mut Connection,
    clinic: ClinicId,
) -> StoreResult<Option<Clinic>> {
    let sql = format!("SELECT {} FROM clinics WHERE id = $1", rows::CLINIC);
    one(
        connection,
        "reading a clinic",
        &sql,
        (clinic.get(),),
        rows::clinic,
    )
    .await
}

/// What was decided about a clinic: the values of the statements below.
struct Values<'d> {
    at: Timestamp,
    details: &'d ClinicDetails,
    /// The clinic, if it is there.
    clinic: Option<ClinicId>,
}

impl Params for Values<'_> {
    fn arguments(self) -> Result<PgArguments, BoxDynError> {
        let details = self.details;
        let city = details.city.as_ref().map(|city| city.as_str());
        let mut arguments = (
            self.at.micros(),
            details.name.as_str(),
            details.address.as_ref().map(|it| it.as_str()),
            details.phone.as_ref().map(|it| it.as_str()),
            details.email.as_ref().map(|it| it.as_str()),
            city,
            city.map(str::to_lowercase),
            details.state.as_ref().map(|it| it.as_str()),
            details.zip_code.as_ref().map(|it| it.as_str()),
            details.time_zone.name(),
            details.is_active,
        )
            .arguments()?;
        if let Some(clinic) = self.clinic {
            arguments.add(clinic.get())?;
        }
        Ok(arguments)
    }
}

pub(super) async fn create(
    connection: &mut Connection,
    at: Timestamp,
    details: &ClinicDetails,
) -> StoreResult<Decided<Clinic>> {
    let clinic = add(connection, at, details).await?;
    let number = clinic.id.get();
    Ok(Decided::Made(clinic, number))
}

/// Makes a clinic.
pub(super) async fn add(
    connection: &mut Connection,
    at: Timestamp,
    details: &ClinicDetails,
) -> StoreResult<Clinic> {
    let sql = format!(
        "INSERT INTO clinics (created_at, updated_at, version, name, address, phone, email, city,
                              city_folded, state, zip_code, time_zone, is_active)
         VALUES ($1, $1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         RETURNING {}",
        rows::CLINIC
    );
    let values = Values {
        at,
        details,
        clinic: None,
    };
    single(connection, "making a clinic", &sql, values, rows::clinic).await
}

/// The installation's first clinic.
pub(super) async fn first(connection: &mut Connection) -> StoreResult<Option<ClinicId>> {
    one(
        connection,
        "looking for the first clinic",
        "SELECT id FROM clinics ORDER BY id LIMIT 1",
        (),
        |columns| columns.make(ClinicId::from_row),
    )
    .await
}

pub(super) async fn update(
    connection: &mut Connection,
    at: Timestamp,
    clinic: ClinicId,
    expected: i64,
    details: &ClinicDetails,
) -> StoreResult<Decided<Edited<Clinic>>> {
    // Who makes slots holds the clinic and its zone until they are there.
    let before = one(
        connection,
        "locking a clinic",
        "SELECT version, time_zone FROM clinics WHERE id = $1 FOR NO KEY UPDATE",
        (clinic.get(),),
        |columns| Ok((columns.next::<i64>()?, columns.next::<String>()?)),
    )
    .await?;
    let Some((version, zone)) = before else {
        return Ok(Decided::Refused(Edited::NotFound));
    };
    if version != expected {
        return Ok(Decided::Refused(Edited::Superseded));
    }
    if zone != details.time_zone.name() {
        move_local_days(connection, clinic, &details.time_zone).await?;
    }
    let sql = format!(
        "UPDATE clinics
         SET updated_at = $1, name = $2, address = $3, phone = $4, email = $5, city = $6,
             city_folded = $7, state = $8, zip_code = $9, time_zone = $10, is_active = $11,
             version = version + 1
         WHERE id = $12
         RETURNING {}",
        rows::CLINIC
    );
    let values = Values {
        at,
        details,
        clinic: Some(clinic),
    };
    let updated = single(connection, "editing a clinic", &sql, values, rows::clinic).await?;
    Ok(Decided::Changed(Edited::Updated(updated)))
}
