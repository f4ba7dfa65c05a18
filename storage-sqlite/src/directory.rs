//! Clinics, doctors and patients.

pub(crate) mod applications;
mod clinics;
mod doctors;

use async_trait::async_trait;
use rusqlite::Connection;
use telemed_core::crypto::Sealed;
use telemed_core::directory::{
    Clinic, ClinicDetails, CompleteDoctor, CompleteDoctorOutcome, DirectoryStore, Doctor,
    DoctorDetails, DoctorFilter, Edited, Specialty, StoredPatient, UpdateDoctorOutcome,
};
use telemed_core::id::{ClinicId, UserId};
use telemed_core::journal::Write;
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Conditions, List, change, one};

fn patient_by_id(connection: &Connection, patient: UserId) -> StoreResult<Option<StoredPatient>> {
    let sql = format!(
        "SELECT {} FROM patients JOIN users ON users.id = patients.id WHERE patients.id = ?1",
        rows::PATIENT
    );
    one(
        connection,
        "reading a patient",
        &sql,
        [patient.get()],
        rows::patient,
    )
}

fn update_patient(
    connection: &Connection,
    at: Timestamp,
    patient: UserId,
    expected: i64,
    profile: &Sealed,
) -> StoreResult<Decided<Edited<StoredPatient>>> {
    let updated = change(
        connection,
        "editing a patient's profile",
        "UPDATE patients SET profile = ?3, updated_at = ?4, version = version + 1
         WHERE id = ?1 AND version = ?2",
        (patient.get(), expected, profile.as_bytes(), at.micros()),
    )?;
    Ok(match (patient_by_id(connection, patient)?, updated) {
        (None, _) => Decided::Refused(Edited::NotFound),
        (Some(_), 0) => Decided::Refused(Edited::Superseded),
        (Some(patient), _) => Decided::Changed(Edited::Updated(patient)),
    })
}

#[async_trait]
impl DirectoryStore for SqliteStore {
    async fn create_clinic(
        &self,
        write: &Write,
        details: &ClinicDetails,
    ) -> StoreResult<Written<Clinic>> {
        let details = details.clone();
        self.keyed(write, move |connection, write| {
            clinics::create(connection, write.at, &details)
        })
        .await
    }

    async fn clinic_by_id(&self, clinic: ClinicId) -> StoreResult<Option<Clinic>> {
        self.read(move |connection| clinics::by_id(connection, clinic))
            .await
    }

    async fn clinic_page(
        &self,
        city_folded: Option<&str>,
        page: PageRequest,
    ) -> StoreResult<Page<Clinic>> {
        let city = city_folded.map(str::to_owned);
        self.read(move |connection| {
            let mut conditions = Conditions::new("is_active = 1");
            conditions.and("city_folded = ?", city);
            let list = List {
                columns: rows::CLINIC,
                from: "clinics",
                key: "id",
                joined: "",
                order: "id",
            };
            conditions.page(connection, "listing clinics", &list, page, rows::clinic)
        })
        .await
    }

    async fn update_clinic(
        &self,
        write: &Write,
        clinic: ClinicId,
        expected: i64,
        details: &ClinicDetails,
    ) -> StoreResult<Written<Edited<Clinic>>> {
        let details = details.clone();
        self.keyed(write, move |connection, write| {
            clinics::update(connection, write.at, clinic, expected, &details)
        })
        .await
    }

    async fn complete_doctor(
        &self,
        write: &Write,
        doctor: &CompleteDoctor,
    ) -> StoreResult<Written<CompleteDoctorOutcome>> {
        let doctor = doctor.clone();
        self.keyed(write, move |connection, write| {
            doctors::complete(connection, write.at, &doctor)
        })
        .await
    }

    async fn verify_doctor(
        &self,
        write: &Write,
        doctor: UserId,
    ) -> StoreResult<Written<Option<Doctor>>> {
        self.keyed(write, move |connection, write| {
            doctors::verify(connection, write.at, doctor)
        })
        .await
    }

    async fn doctor_by_id(&self, doctor: UserId) -> StoreResult<Option<Doctor>> {
        self.read(move |connection| doctors::by_id(connection, doctor))
            .await
    }

    async fn doctor_page(
        &self,
        filter: &DoctorFilter,
        page: PageRequest,
    ) -> StoreResult<Page<Doctor>> {
        let specialty = filter
            .specialty
            .as_ref()
            .map(|specialty| specialty.folded());
        let clinic = filter.clinic.map(ClinicId::get);
        self.read(move |connection| {
            let (from, key) = if specialty.is_some() || clinic.is_some() {
                (rows::DOCTORS, "doctors.id")
            } else {
                (rows::LISTED_DOCTORS, "users.id")
            };
            let mut conditions = Conditions::new(rows::LISTED);
            conditions.and("doctors.specialty_folded = ?", specialty);
            conditions.and("doctors.clinic_id = ?", clinic);
            let list = List {
                columns: rows::DOCTOR,
                from,
                key,
                joined: rows::CLINICS_OF_DOCTORS,
                order: key,
            };
            conditions.page(connection, "listing doctors", &list, page, rows::doctor)
        })
        .await
    }

    async fn specialties(&self) -> StoreResult<Vec<Specialty>> {
        self.read(doctors::specialties).await
    }

    async fn update_doctor(
        &self,
        write: &Write,
        doctor: UserId,
        expected: i64,
        details: &DoctorDetails,
    ) -> StoreResult<Written<UpdateDoctorOutcome>> {
        let details = details.clone();
        self.keyed(write, move |connection, write| {
            doctors::update(connection, write.at, doctor, expected, &details)
        })
        .await
    }

    async fn patient_by_id(&self, patient: UserId) -> StoreResult<Option<StoredPatient>> {
        self.read(move |connection| patient_by_id(connection, patient))
            .await
    }

    async fn update_patient(
        &self,
        write: &Write,
        patient: UserId,
        expected: i64,
        profile: &Sealed,
    ) -> StoreResult<Written<Edited<StoredPatient>>> {
        let profile = profile.clone();
        self.keyed(write, move |connection, write| {
            update_patient(connection, write.at, patient, expected, &profile)
        })
        .await
    }
}
