//! Doctors. Whether one is active and verified stands with the user.

use telemed_core::actor::Role;
use telemed_core::directory::{
    CompleteDoctor, CompleteDoctorOutcome, ConsultationFee, Doctor, DoctorDetails, LicenceNumber,
    Specialty, UpdateDoctorOutcome,
};
use telemed_core::id::UserId;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::clinics;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Params, all, any, change, one};

pub(super) async fn by_id(
    connection: &mut Connection,
    doctor: UserId,
) -> StoreResult<Option<Doctor>> {
    let sql = format!(
        "SELECT {} FROM {} {} WHERE doctors.id = $1",
        rows::DOCTOR,
        rows::DOCTORS,
        rows::CLINICS_OF_DOCTORS
    );
    one(
        connection,
        "reading a doctor",
        &sql,
        (doctor.get(),),
        rows::doctor,
    )
    .await
}

/// The doctor, the time and what was decided: the values of the statements below.
fn values(doctor: UserId, at: Timestamp, details: &DoctorDetails) -> impl Params {
    (
        doctor.get(),
        at.micros(),
        details.clinic.get(),
        details.specialty.as_str(),
        details.specialty.folded(),
        details.licence_number.as_str(),
        details.licence_number.folded(),
        details.qualifications.as_ref().map(|it| it.as_str()),
        i32::from(details.experience_years.get()),
        i32::from(details.daily_limit.get()),
        details.biography.as_ref().map(|it| it.as_str()),
        details.consultation_fee.map(ConsultationFee::hundredths),
    )
}

const INSERT: &str = "INSERT INTO doctors
         (id, created_at, updated_at, clinic_id, specialty, specialty_folded, licence_number,
          licence_folded, qualifications, experience_years, daily_limit, biography,
          consultation_fee, version)
     VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)";

const UPDATE: &str = "UPDATE doctors
     SET updated_at = $2, clinic_id = $3, specialty = $4, specialty_folded = $5,
         licence_number = $6, licence_folded = $7, qualifications = $8, experience_years = $9,
         daily_limit = $10, biography = $11, consultation_fee = $12, version = version + 1
     WHERE id = $1";

/// Whether the licence is that of a doctor, but for this one.
pub(super) async fn licence_is_taken(
    connection: &mut Connection,
    licence: &LicenceNumber,
    but: Option<UserId>,
) -> StoreResult<bool> {
    any(
        connection,
        "looking for a licence",
        "SELECT 1 FROM doctors WHERE licence_folded = $1 AND id IS DISTINCT FROM $2",
        (licence.folded(), but.map(UserId::get)),
    )
    .await
}

/// Makes a profile.
pub(super) async fn add(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
    details: &DoctorDetails,
) -> StoreResult<()> {
    let values = values(doctor, at, details);
    change(connection, "making a doctor's profile", INSERT, values).await?;
    Ok(())
}

/// The fields of medicine of listed doctors, as the doctor with the lowest id writes each.
pub(super) async fn specialties(connection: &mut Connection) -> StoreResult<Vec<Specialty>> {
    let sql = format!(
        "SELECT DISTINCT ON (doctors.specialty_folded) doctors.specialty FROM {} WHERE {}
         ORDER BY doctors.specialty_folded, doctors.id",
        rows::DOCTORS,
        rows::LISTED
    );
    all(
        connection,
        "listing fields of medicine",
        &sql,
        (),
        |columns| columns.make(Specialty::from_row),
    )
    .await
}

/// Locks a user; the role, and whether it is verified.
async fn lock_user(connection: &mut Connection, user: UserId) -> StoreResult<Option<(Role, bool)>> {
    one(
        connection,
        "locking a user",
        "SELECT role, is_verified FROM users WHERE id = $1 FOR NO KEY UPDATE",
        (user.get(),),
        |columns| {
            let role = columns.known(|word: String| Role::parse(word).ok())?;
            Ok((role, columns.next()?))
        },
    )
    .await
}

/// Locks a doctor; the version of the profile.
async fn lock(connection: &mut Connection, doctor: UserId) -> StoreResult<Option<i64>> {
    one(
        connection,
        "locking a doctor",
        "SELECT version FROM doctors WHERE id = $1 FOR NO KEY UPDATE",
        (doctor.get(),),
        |columns| columns.next(),
    )
    .await
}

/// Notes that a user is verified.
async fn verify_user(connection: &mut Connection, at: Timestamp, user: UserId) -> StoreResult<()> {
    change(
        connection,
        "verifying a doctor",
        "UPDATE users SET is_verified = true, updated_at = $2 WHERE id = $1",
        (user.get(), at.micros()),
    )
    .await?;
    Ok(())
}

pub(super) async fn complete(
    connection: &mut Connection,
    at: Timestamp,
    doctor: &CompleteDoctor,
) -> StoreResult<Decided<CompleteDoctorOutcome>> {
    use CompleteDoctorOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let CompleteDoctor { user: id, details } = doctor;
    let Some((role, is_verified)) = lock_user(connection, *id).await? else {
        return refused(Outcome::UserNotFound);
    };
    if clinics::by_id(connection, details.clinic).await?.is_none() {
        return refused(Outcome::ClinicNotFound);
    }
    if role != Role::Doctor {
        return refused(Outcome::NotADoctor);
    }
    let has_profile = lock(connection, *id).await?.is_some();
    if is_verified && has_profile {
        return refused(Outcome::DoctorExists);
    }
    if licence_is_taken(connection, &details.licence_number, Some(*id)).await? {
        return refused(Outcome::LicenceTaken);
    }
    if has_profile {
        let values = values(*id, at, details);
        change(connection, "completing a doctor's profile", UPDATE, values).await?;
    } else {
        add(connection, at, *id, details).await?;
    }
    verify_user(connection, at, *id).await?;
    let completed = rows::there(by_id(connection, *id).await?)?;
    Ok(Decided::Changed(Outcome::Completed(completed)))
}

pub(super) async fn update(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
    expected: i64,
    details: &DoctorDetails,
) -> StoreResult<Decided<UpdateDoctorOutcome>> {
    use UpdateDoctorOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let Some(version) = lock(connection, doctor).await? else {
        return refused(Outcome::NotFound);
    };
    if clinics::by_id(connection, details.clinic).await?.is_none() {
        return refused(Outcome::ClinicNotFound);
    }
    if version != expected {
        return refused(Outcome::Superseded);
    }
    if licence_is_taken(connection, &details.licence_number, Some(doctor)).await? {
        return refused(Outcome::LicenceTaken);
    }
    let values = values(doctor, at, details);
    change(connection, "editing a doctor's profile", UPDATE, values).await?;
    let updated = rows::there(by_id(connection, doctor).await?)?;
    Ok(Decided::Changed(Outcome::Updated(updated)))
}

pub(super) async fn verify(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
) -> StoreResult<Decided<Option<Doctor>>> {
    lock_user(connection, doctor).await?;
    match by_id(connection, doctor).await? {
        Some(before) if !before.is_verified => {
            verify_user(connection, at, doctor).await?;
            Ok(Decided::Changed(by_id(connection, doctor).await?))
        }
        unchanged => Ok(Decided::Refused(unchanged)),
    }
}
