//! Clinics.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use telemed_core::directory::{Clinic, ClinicDetails, Edited};
use telemed_core::id::ClinicId;
use telemed_core::store::StoreResult;
use telemed_core::time::{TimeZone, Timestamp};

use crate::journal::Decided;
use crate::rows;
use crate::statement::{Columns, all, change, insert, maybe_text, one};

pub(super) fn by_id(connection: &Connection, clinic: ClinicId) -> StoreResult<Option<Clinic>> {
    let sql = format!("SELECT {} FROM clinics WHERE id = ?1", rows::CLINIC);
    one(
        connection,
        "reading a clinic",
        &sql,
        [clinic.get()],
        rows::clinic,
    )
}

/// What was decided about a clinic: the values 1 to 10 of the statements below.
fn values(details: &ClinicDetails) -> Vec<Value> {
    let city = details.city.as_ref().map(|city| city.as_str());
    vec![
        details.name.as_str().to_owned().into(),
        maybe_text(details.address.as_ref().map(|it| it.as_str())),
        maybe_text(details.phone.as_ref().map(|it| it.as_str())),
        maybe_text(details.email.as_ref().map(|it| it.as_str())),
        maybe_text(city),
        maybe_text(city.map(str::to_lowercase)),
        maybe_text(details.state.as_ref().map(|it| it.as_str())),
        maybe_text(details.zip_code.as_ref().map(|it| it.as_str())),
        details.time_zone.name().to_owned().into(),
        details.is_active.into(),
    ]
}

pub(super) fn create(
    connection: &Connection,
    at: Timestamp,
    details: &ClinicDetails,
) -> StoreResult<Decided<Clinic>> {
    let id = add(connection, at, details)?;
    let clinic = rows::there(by_id(connection, id)?)?;
    Ok(Decided::Made(clinic, id.get()))
}

/// Makes a clinic and returns its id.
pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    details: &ClinicDetails,
) -> StoreResult<ClinicId> {
    let mut values = values(details);
    values.push(at.micros().into());
    let id = insert(
        connection,
        "making a clinic",
        "INSERT INTO clinics (name, address, phone, email, city, city_folded, state, zip_code,
                              time_zone, is_active, created_at, updated_at, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 1)",
        params_from_iter(values),
    )?;
    Ok(ClinicId::from_row(id))
}

/// The installation's first clinic.
pub(super) fn first(connection: &Connection) -> StoreResult<Option<ClinicId>> {
    one(
        connection,
        "looking for the first clinic",
        "SELECT id FROM clinics ORDER BY id LIMIT 1",
        [],
        |columns| columns.make(ClinicId::from_row),
    )
}

pub(super) fn update(
    connection: &Connection,
    at: Timestamp,
    clinic: ClinicId,
    expected: i64,
    details: &ClinicDetails,
) -> StoreResult<Decided<Edited<Clinic>>> {
    let Some(before) = by_id(connection, clinic)? else {
        return Ok(Decided::Refused(Edited::NotFound));
    };
    if before.version != expected {
        return Ok(Decided::Refused(Edited::Superseded));
    }
    let mut values = values(details);
    values.extend([at.micros().into(), clinic.get().into()]);
    change(
        connection,
        "editing a clinic",
        "UPDATE clinics
         SET name = ?1, address = ?2, phone = ?3, email = ?4, city = ?5, city_folded = ?6,
             state = ?7, zip_code = ?8, time_zone = ?9, is_active = ?10, updated_at = ?11,
             version = version + 1
         WHERE id = ?12",
        params_from_iter(values),
    )?;
    if before.details.time_zone != details.time_zone {
        move_local_days(connection, clinic, &details.time_zone)?;
    }
    Ok(Decided::Changed(Edited::Updated(rows::there(by_id(
        connection, clinic,
    )?)?)))
}

/// Derives the local days of a clinic's slots from its new zone; appointments have theirs from
/// the slot.
fn move_local_days(connection: &Connection, clinic: ClinicId, zone: &TimeZone) -> StoreResult<()> {
    let slots: Vec<(i64, i64, String)> = all(
        connection,
        "reading the slots of a clinic",
        "SELECT id, starts_at, local_day FROM slots WHERE clinic_id = ?1",
        [clinic.get()],
        |columns: &mut Columns<'_>| Ok((columns.next()?, columns.next()?, columns.next()?)),
    )?;
    for (slot, starts_at, before) in slots {
        let day = Timestamp::from_micros(starts_at)
            .local_day(zone)
            .to_string();
        if day != before {
            change(
                connection,
                "moving the local day of a slot",
                "UPDATE slots SET local_day = ?2 WHERE id = ?1",
                (slot, day),
            )?;
        }
    }
    Ok(())
}
