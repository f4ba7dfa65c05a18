//! Doctors. Whether one is active and verified stands with the user.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use telemed_core::actor::Role;
use telemed_core::directory::{
    CompleteDoctor, CompleteDoctorOutcome, Doctor, DoctorDetails, LicenceNumber, Specialty,
    UpdateDoctorOutcome,
};
use telemed_core::id::UserId;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::clinics;
use crate::identity::user_by_id;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{all, any, change, maybe_text, one};

pub(super) fn by_id(connection: &Connection, doctor: UserId) -> StoreResult<Option<Doctor>> {
    let sql = format!(
        "SELECT {} FROM {} {} WHERE doctors.id = ?1",
        rows::DOCTOR,
        rows::DOCTORS,
        rows::CLINICS_OF_DOCTORS
    );
    one(
        connection,
        "reading a doctor",
        &sql,
        [doctor.get()],
        rows::doctor,
    )
}

/// The doctor, the time and what was decided: the values of the statements below.
fn values(doctor: UserId, at: Timestamp, details: &DoctorDetails) -> [Value; 12] {
    [
        doctor.get().into(),
        at.micros().into(),
        details.clinic.get().into(),
        details.specialty.as_str().to_owned().into(),
        details.specialty.folded().into(),
        details.licence_number.as_str().to_owned().into(),
        details.licence_number.folded().into(),
        maybe_text(details.qualifications.as_ref().map(|it| it.as_str())),
        details.experience_years.get().into(),
        details.daily_limit.get().into(),
        maybe_text(details.biography.as_ref().map(|it| it.as_str())),
        details
            .consultation_fee
            .map_or(Value::Null, |fee| fee.hundredths().into()),
    ]
}

const INSERT: &str = "INSERT INTO doctors
         (id, created_at, updated_at, clinic_id, specialty, specialty_folded, licence_number,
          licence_folded, qualifications, experience_years, daily_limit, biography,
          consultation_fee, version)
     VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)";

const UPDATE: &str = "UPDATE doctors
     SET updated_at = ?2, clinic_id = ?3, specialty = ?4, specialty_folded = ?5,
         licence_number = ?6, licence_folded = ?7, qualifications = ?8, experience_years = ?9,
         daily_limit = ?10, biography = ?11, consultation_fee = ?12, version = version + 1
     WHERE id = ?1";

/// Whether the licence is that of a doctor, but for this one.
pub(super) fn licence_is_taken(
    connection: &Connection,
    licence: &LicenceNumber,
    but: Option<UserId>,
) -> StoreResult<bool> {
    any(
        connection,
        "looking for a licence",
        "SELECT 1 FROM doctors WHERE licence_folded = ?1 AND id IS NOT ?2",
        (licence.folded(), but.map(UserId::get)),
    )
}

/// Makes a profile.
pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
    details: &DoctorDetails,
) -> StoreResult<()> {
    let values = params_from_iter(values(doctor, at, details));
    change(connection, "making a doctor's profile", INSERT, values)?;
    Ok(())
}

/// The fields of medicine of listed doctors, as the doctor with the lowest id writes each.
pub(super) fn specialties(connection: &Connection) -> StoreResult<Vec<Specialty>> {
    // Beside min(), SQLite takes the other columns from the row that has the least.
    let sql = format!(
        "SELECT doctors.specialty, min(doctors.id) FROM {} WHERE {}
         GROUP BY doctors.specialty_folded ORDER BY doctors.specialty_folded",
        rows::DOCTORS,
        rows::LISTED
    );
    all(
        connection,
        "listing fields of medicine",
        &sql,
        [],
        |columns| columns.make(Specialty::from_row),
    )
}

/// Notes that a user is verified.
fn verify_user(connection: &Connection, at: Timestamp, user: UserId) -> StoreResult<()> {
    change(
        connection,
        "verifying a doctor",
        "UPDATE users SET is_verified = 1, updated_at = ?2 WHERE id = ?1",
        (user.get(), at.micros()),
    )?;
    Ok(())
}

pub(super) fn complete(
    connection: &Connection,
    at: Timestamp,
    doctor: &CompleteDoctor,
) -> StoreResult<Decided<CompleteDoctorOutcome>> {
    use CompleteDoctorOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let CompleteDoctor { user: id, details } = doctor;
    let Some(user) = user_by_id(connection, *id)? else {
        return refused(Outcome::UserNotFound);
    };
    if clinics::by_id(connection, details.clinic)?.is_none() {
        return refused(Outcome::ClinicNotFound);
    }
    if user.role != Role::Doctor {
        return refused(Outcome::NotADoctor);
    }
    let has_profile = by_id(connection, *id)?.is_some();
    if user.is_verified && has_profile {
        return refused(Outcome::DoctorExists);
    }
    if licence_is_taken(connection, &details.licence_number, Some(*id))? {
        return refused(Outcome::LicenceTaken);
    }
    if has_profile {
        let values = params_from_iter(values(*id, at, details));
        change(connection, "completing a doctor's profile", UPDATE, values)?;
    } else {
        add(connection, at, *id, details)?;
    }
    verify_user(connection, at, *id)?;
    Ok(Decided::Changed(Outcome::Completed(rows::there(by_id(
        connection, *id,
    )?)?)))
}

pub(super) fn update(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
    expected: i64,
    details: &DoctorDetails,
) -> StoreResult<Decided<UpdateDoctorOutcome>> {
    use UpdateDoctorOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let Some(before) = by_id(connection, doctor)? else {
        return refused(Outcome::NotFound);
    };
    if clinics::by_id(connection, details.clinic)?.is_none() {
        return refused(Outcome::ClinicNotFound);
    }
    if before.version != expected {
        return refused(Outcome::Superseded);
    }
    if licence_is_taken(connection, &details.licence_number, Some(doctor))? {
        return refused(Outcome::LicenceTaken);
    }
    let values = params_from_iter(values(doctor, at, details));
    change(connection, "editing a doctor's profile", UPDATE, values)?;
    Ok(Decided::Changed(Outcome::Updated(rows::there(by_id(
        connection, doctor,
    )?)?)))
}

pub(super) fn verify(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
) -> StoreResult<Decided<Option<Doctor>>> {
    match by_id(connection, doctor)? {
        Some(before) if !before.is_verified => {
            verify_user(connection, at, doctor)?;
            Ok(Decided::Changed(by_id(connection, doctor)?))
        }
        unchanged => Ok(Decided::Refused(unchanged)),
    }
}
