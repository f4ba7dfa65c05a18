//! Clinics, doctors and patients.

pub(crate) mod applications;
mod clinics;
mod doctors;

use async_trait::async_trait;
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

use crate::PostgresStore;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Conditions, List, can_be_stored, change, one};

async fn patient_by_id(
    connection: &mut Connection,
    patient: UserId,
) -> StoreResult<Option<StoredPatient>> {
    let sql = format!(
        "SELECT {} FROM patients JOIN users ON users.id = patients.id WHERE patients.id = $1",
        rows::PATIENT
    );
    one(
        connection,
        "reading a patient",
        &sql,
        (patient.get(),),
        rows::patient,
    )
    .await
}

async fn update_patient(
    connection: &mut Connection,
    at: Timestamp,
    patient: UserId,
    expected: i64,
    profile: &Sealed,
) -> StoreResult<Decided<Edited<StoredPatient>>> {
    let updated = change(
        connection,
        "editing a patient's profile",
        "UPDATE patients SET profile = $3, updated_at = $4, version = version + 1
         WHERE id = $1 AND version = $2",
        (patient.get(), expected, profile.as_bytes(), at.micros()),
    )
    .await?;
    let patient = patient_by_id(connection, patient).await?;
    Ok(match (patient, updated) {
        (None, _) => Decided::Refused(Edited::NotFound),
        (Some(_), 0) => Decided::Refused(Edited::Superseded),
        (Some(patient), _) => Decided::Changed(Edited::Updated(patient)),
    })
}

async fn clinic_page(
    connection: &mut Connection,
    city_folded: Option<&str>,
    page: PageRequest,
) -> StoreResult<Page<Clinic>> {
    if !city_folded.is_none_or(can_be_stored) {
        return Ok(Page {
            items: Vec::new(),
            total: 0,
        });
    }
    let mut conditions = Conditions::new("is_active");
    conditions.and("city_folded = ?", city_folded)?;
    let list = List {
        columns: rows::CLINIC,
        from: "clinics",
        key: "id",
        joined: "",
        order: "id",
    };
    conditions
        .page(connection, "listing clinics", &list, page, rows::clinic)
        .await
}

async fn doctor_page(
    connection: &mut Connection,
    filter: &DoctorFilter,
    page: PageRequest,
) -> StoreResult<Page<Doctor>> {
    let specialty = filter.specialty.as_ref().map(Specialty::folded);
    let mut conditions = Conditions::new(rows::LISTED);
    conditions.and("doctors.specialty_folded = ?", specialty)?;
    conditions.and("doctors.clinic_id = ?", filter.clinic.map(ClinicId::get))?;
    let list = List {
        columns: rows::DOCTOR,
        from: rows::DOCTORS,
        key: "doctors.id",
        joined: rows::CLINICS_OF_DOCTORS,
        order: "doctors.id",
    };
    conditions
        .page(connection, "listing doctors", &list, page, rows::doctor)
        .await
}

#[async_trait]
impl DirectoryStore for PostgresStore {
    async fn create_clinic(
        &self,
        write: &Write,
        details: &ClinicDetails,
    ) -> StoreResult<Written<Clinic>> {
        self.keyed(write, details.clone(), |connection, write, details| {
            Box::pin(clinics::create(connection, write.at, details))
        })
        .await
    }

    async fn clinic_by_id(&self, clinic: ClinicId) -> StoreResult<Option<Clinic>> {
        self.read(clinic, |connection, clinic| {
            Box::pin(clinics::by_id(connection, *clinic))
        })
        .await
    }

    async fn clinic_page(
        &self,
        city_folded: Option<&str>,
        page: PageRequest,
    ) -> StoreResult<Page<Clinic>> {
        let city = city_folded.map(str::to_owned);
        self.read((city, page), |connection, (city, page)| {
            Box::pin(clinic_page(connection, city.as_deref(), *page))
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
        let input = (clinic, expected, details.clone());
        self.keyed(write, input, |connection, write, input| {
            let (clinic, expected, details) = input;
            let at = write.at;
            Box::pin(clinics::update(connection, at, *clinic, *expected, details))
        })
        .await
    }

    async fn complete_doctor(
        &self,
        write: &Write,
        doctor: &CompleteDoctor,
    ) -> StoreResult<Written<CompleteDoctorOutcome>> {
        self.keyed(write, doctor.clone(), |connection, write, doctor| {
            Box::pin(doctors::complete(connection, write.at, doctor))
        })
        .await
    }

    async fn verify_doctor(
        &self,
        write: &Write,
        doctor: UserId,
    ) -> StoreResult<Written<Option<Doctor>>> {
        self.keyed(write, doctor, |connection, write, doctor| {
            Box::pin(doctors::verify(connection, write.at, *doctor))
        })
        .await
    }

    async fn doctor_by_id(&self, doctor: UserId) -> StoreResult<Option<Doctor>> {
        self.read(doctor, |connection, doctor| {
            Box::pin(doctors::by_id(connection, *doctor))
        })
        .await
    }

    async fn doctor_page(
        &self,
        filter: &DoctorFilter,
        page: PageRequest,
    ) -> StoreResult<Page<Doctor>> {
        self.read((filter.clone(), page), |connection, (filter, page)| {
            Box::pin(doctor_page(connection, filter, *page))
        })
        .await
    }

    async fn specialties(&self) -> StoreResult<Vec<Specialty>> {
        self.read((), |connection, ()| {
            Box::pin(doctors::specialties(connection))
        })
        .await
    }

    async fn update_doctor(
        &self,
        write: &Write,
        doctor: UserId,
        expected: i64,
        details: &DoctorDetails,
    ) -> StoreResult<Written<UpdateDoctorOutcome>> {
        let input = (doctor, expected, details.clone());
        self.keyed(write, input, |connection, write, input| {
            let (doctor, expected, details) = input;
            let at = write.at;
            Box::pin(doctors::update(connection, at, *doctor, *expected, details))
        })
        .await
    }

    async fn patient_by_id(&self, patient: UserId) -> StoreResult<Option<StoredPatient>> {
        self.read(patient, |connection, patient| {
            Box::pin(patient_by_id(connection, *patient))
        })
        .await
    }

    async fn update_patient(
        &self,
        write: &Write,
        patient: UserId,
        expected: i64,
        profile: &Sealed,
    ) -> StoreResult<Written<Edited<StoredPatient>>> {
        let input = (patient, expected, profile.clone());
        self.keyed(write, input, |connection, write, input| {
            let (patient, expected, profile) = input;
            let at = write.at;
            Box::pin(update_patient(connection, at, *patient, *expected, profile))
        })
        .await
    }
}
