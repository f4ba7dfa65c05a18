//! The in-memory store of the directory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    Clinic, ClinicDetails, CompleteDoctor, CompleteDoctorOutcome, DirectoryStore, Doctor,
    DoctorDetails, DoctorFilter, Edited, LicenceNumber, Specialty, StoredPatient,
    UpdateDoctorOutcome,
};
use crate::actor::Role;
use crate::crypto::Sealed;
use crate::id::{ClinicId, SealId, UserId};
use crate::identity::{DoctorApplication, RegisterOutcome};
use crate::journal::Write;
use crate::memory::{Decided, MemoryStorage, State, next, page_of};
use crate::page::{Page, PageRequest};
use crate::store::{StoreResult, Written};
use crate::time::Timestamp;

/// What the directory keeps.
#[derive(Default)]
pub(crate) struct DirectoryState {
    last_clinic: i64,
    clinics: BTreeMap<ClinicId, Clinic>,
    doctors: BTreeMap<UserId, DoctorRow>,
    patients: BTreeMap<UserId, PatientRow>,
}

struct DoctorRow {
    details: DoctorDetails,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

struct PatientRow {
    seal_id: SealId,
    profile: Option<Sealed>,
    updated_at: Timestamp,
    version: i64,
}

impl DirectoryState {
    /// The doctor's field of medicine, if the user has a doctor's profile.
    pub(crate) fn specialty_of(&self, user: UserId) -> Option<Specialty> {
        self.doctors
            .get(&user)
            .map(|row| row.details.specialty.clone())
    }

    pub(crate) fn clinic(&self, clinic: ClinicId) -> Option<&Clinic> {
        self.clinics.get(&clinic)
    }

    /// Adds the profile of a new patient.
    pub(crate) fn add_patient(
        &mut self,
        patient: UserId,
        seal_id: SealId,
        profile: Option<Sealed>,
        at: Timestamp,
    ) {
        let row = PatientRow {
            seal_id,
            profile,
            updated_at: at,
            version: 1,
        };
        self.patients.insert(patient, row);
    }

    /// Why a doctor's application is refused, if it is.
    pub(crate) fn refuses(&self, application: &DoctorApplication) -> Option<RegisterOutcome> {
        if application
            .clinic
            .is_some_and(|clinic| self.clinic(clinic).is_none())
        {
            return Some(RegisterOutcome::ClinicNotFound);
        }
        self.licence_is_taken(&application.licence_number, None)
            .then_some(RegisterOutcome::LicenceTaken)
    }

    /// Adds the profile of a doctor who registers himself, and the first clinic if he names none
    /// and there is none.
    pub(crate) fn add_applicant(
        &mut self,
        doctor: UserId,
        application: &DoctorApplication,
        at: Timestamp,
    ) {
        let first = self.clinics.keys().next().copied();
        let clinic = match application.clinic.or(first) {
            Some(clinic) => clinic,
            None => self.add_clinic(&application.first_clinic, at).id,
        };
        let mut details = DoctorDetails::new(
            clinic,
            application.specialty.clone(),
            application.licence_number.clone(),
        );
        details.experience_years = application.experience_years;
        details.daily_limit = application.daily_limit;
        self.doctors.insert(doctor, DoctorRow::new(details, at));
    }

    fn add_clinic(&mut self, details: &ClinicDetails, at: Timestamp) -> Clinic {
        let clinic = Clinic {
            id: ClinicId::from_row(next(&mut self.last_clinic)),
            details: details.clone(),
            created_at: at,
            updated_at: at,
            version: 1,
        };
        self.clinics.insert(clinic.id, clinic.clone());
        clinic
    }

    /// Whether the licence is that of a doctor, but for this one.
    fn licence_is_taken(&self, licence: &LicenceNumber, but: Option<UserId>) -> bool {
        let folded = licence.folded();
        self.doctors
            .iter()
            .any(|(id, row)| Some(*id) != but && row.details.licence_number.folded() == folded)
    }
}

impl DoctorRow {
    /// A new profile.
    fn new(details: DoctorDetails, at: Timestamp) -> Self {
        Self {
            details,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }
}

impl State {
    pub(crate) fn doctor(&self, doctor: UserId) -> Option<Doctor> {
        let row = self.directory.doctors.get(&doctor)?;
        let user = self.identity.user(doctor)?;
        let clinic = self.directory.clinic(row.details.clinic)?;
        Some(Doctor {
            id: doctor,
            full_name: user.full_name.clone(),
            details: row.details.clone(),
            clinic_name: clinic.details.name.clone(),
            is_active: user.is_active,
            is_verified: user.is_verified,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }

    pub(crate) fn patient(&self, patient: UserId) -> Option<StoredPatient> {
        let row = self.directory.patients.get(&patient)?;
        let user = self.identity.user(patient)?;
        Some(StoredPatient {
            id: patient,
            full_name: user.full_name.clone(),
            seal_id: row.seal_id,
            profile: row.profile.clone(),
            is_active: user.is_active,
            created_at: user.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

fn update_clinic(
    state: &mut State,
    at: Timestamp,
    clinic: ClinicId,
    expected: i64,
    details: &ClinicDetails,
) -> Decided<Edited<Clinic>> {
    let Some(row) = state.directory.clinics.get_mut(&clinic) else {
        return Decided::Refused(Edited::NotFound);
    };
    if row.version != expected {
        return Decided::Refused(Edited::Superseded);
    }
    let moved = row.details.time_zone != details.time_zone;
    row.details = details.clone();
    row.updated_at = at;
    row.version += 1;
    let updated = row.clone();
    if moved {
        state.scheduling.move_local_days(clinic, &details.time_zone);
    }
    Decided::Changed(Edited::Updated(updated))
}

fn complete_doctor(
    state: &mut State,
    at: Timestamp,
    doctor: &CompleteDoctor,
) -> Decided<CompleteDoctorOutcome> {
    use CompleteDoctorOutcome as Outcome;
    let Some(user) = state.identity.user(doctor.user) else {
        return Decided::Refused(Outcome::UserNotFound);
    };
    if state.directory.clinic(doctor.details.clinic).is_none() {
        return Decided::Refused(Outcome::ClinicNotFound);
    }
    if user.role != Role::Doctor {
        return Decided::Refused(Outcome::NotADoctor);
    }
    if user.is_verified && state.directory.doctors.contains_key(&doctor.user) {
        return Decided::Refused(Outcome::DoctorExists);
    }
    if state
        .directory
        .licence_is_taken(&doctor.details.licence_number, Some(doctor.user))
    {
        return Decided::Refused(Outcome::LicenceTaken);
    }
    let details = doctor.details.clone();
    match state.directory.doctors.get_mut(&doctor.user) {
        Some(row) => {
            row.details = details;
            row.updated_at = at;
            row.version += 1;
        }
        None => {
            let row = DoctorRow::new(details, at);
            state.directory.doctors.insert(doctor.user, row);
        }
    }
    state.identity.verify(doctor.user, at);
    match state.doctor(doctor.user) {
        Some(doctor) => Decided::Changed(Outcome::Completed(doctor)),
        None => Decided::Refused(Outcome::UserNotFound),
    }
}

fn update_doctor(
    state: &mut State,
    at: Timestamp,
    doctor: UserId,
    expected: i64,
    details: &DoctorDetails,
) -> Decided<UpdateDoctorOutcome> {
    use UpdateDoctorOutcome as Outcome;
    let Some(row) = state.directory.doctors.get(&doctor) else {
        return Decided::Refused(Outcome::NotFound);
    };
    if state.directory.clinic(details.clinic).is_none() {
        return Decided::Refused(Outcome::ClinicNotFound);
    }
    if row.version != expected {
        return Decided::Refused(Outcome::Superseded);
    }
    if state
        .directory
        .licence_is_taken(&details.licence_number, Some(doctor))
    {
        return Decided::Refused(Outcome::LicenceTaken);
    }
    if let Some(row) = state.directory.doctors.get_mut(&doctor) {
        row.details = details.clone();
        row.updated_at = at;
        row.version += 1;
    }
    match state.doctor(doctor) {
        Some(doctor) => Decided::Changed(Outcome::Updated(doctor)),
        None => Decided::Refused(Outcome::NotFound),
    }
}

#[async_trait]
impl DirectoryStore for MemoryStorage {
    async fn create_clinic(
        &self,
        write: &Write,
        details: &ClinicDetails,
    ) -> StoreResult<Written<Clinic>> {
        Ok(self.keyed(write, |state| {
            let clinic = state.directory.add_clinic(details, write.at);
            let number = clinic.id.get();
            Decided::Made(clinic, number)
        }))
    }

    async fn clinic_by_id(&self, clinic: ClinicId) -> StoreResult<Option<Clinic>> {
        Ok(self.read(|state| state.directory.clinic(clinic).cloned()))
    }

    async fn clinic_page(
        &self,
        city_folded: Option<&str>,
        page: PageRequest,
    ) -> StoreResult<Page<Clinic>> {
        let is_there = |clinic: &Clinic| {
            let city = clinic
                .details
                .city
                .as_ref()
                .map(|city| city.as_str().to_lowercase());
            city_folded.is_none_or(|wanted| city.as_deref() == Some(wanted))
        };
        Ok(self.read(|state| {
            let clinics = state.directory.clinics.values();
            let active = clinics.filter(|clinic| clinic.details.is_active);
            page_of(active.filter(|clinic| is_there(clinic)).cloned(), page)
        }))
    }

    async fn update_clinic(
        &self,
        write: &Write,
        clinic: ClinicId,
        expected: i64,
        details: &ClinicDetails,
    ) -> StoreResult<Written<Edited<Clinic>>> {
        Ok(self.keyed(write, |state| {
            update_clinic(state, write.at, clinic, expected, details)
        }))
    }

    async fn complete_doctor(
        &self,
        write: &Write,
        doctor: &CompleteDoctor,
    ) -> StoreResult<Written<CompleteDoctorOutcome>> {
        Ok(self.keyed(write, |state| complete_doctor(state, write.at, doctor)))
    }

    async fn verify_doctor(
        &self,
        write: &Write,
        doctor: UserId,
    ) -> StoreResult<Written<Option<Doctor>>> {
        Ok(self.keyed(write, |state| match state.doctor(doctor) {
            Some(before) if !before.is_verified => {
                state.identity.verify(doctor, write.at);
                Decided::Changed(state.doctor(doctor))
            }
            unchanged => Decided::Refused(unchanged),
        }))
    }

    async fn doctor_by_id(&self, doctor: UserId) -> StoreResult<Option<Doctor>> {
        Ok(self.read(|state| state.doctor(doctor)))
    }

    async fn doctor_page(
        &self,
        filter: &DoctorFilter,
        page: PageRequest,
    ) -> StoreResult<Page<Doctor>> {
        let specialty = filter.specialty.as_ref().map(super::Specialty::folded);
        let is_wanted = |doctor: &Doctor| {
            let details = &doctor.details;
            doctor.is_listed()
                && specialty
                    .as_ref()
                    .is_none_or(|wanted| details.specialty.folded() == *wanted)
                && filter.clinic.is_none_or(|wanted| details.clinic == wanted)
        };
        Ok(self.read(|state| {
            let ids = state.directory.doctors.keys();
            page_of(
                ids.filter_map(|id| state.doctor(*id)).filter(is_wanted),
                page,
            )
        }))
    }

    async fn specialties(&self) -> StoreResult<Vec<Specialty>> {
        Ok(self.read(|state| {
            let mut by_folded = BTreeMap::new();
            let ids = state.directory.doctors.keys();
            for doctor in ids.filter_map(|id| state.doctor(*id)) {
                if doctor.is_listed() {
                    let specialty = doctor.details.specialty;
                    by_folded.entry(specialty.folded()).or_insert(specialty);
                }
            }
            by_folded.into_values().collect()
        }))
    }

    async fn update_doctor(
        &self,
        write: &Write,
        doctor: UserId,
        expected: i64,
        details: &DoctorDetails,
    ) -> StoreResult<Written<UpdateDoctorOutcome>> {
        Ok(self.keyed(write, |state| {
            update_doctor(state, write.at, doctor, expected, details)
        }))
    }

    async fn patient_by_id(&self, patient: UserId) -> StoreResult<Option<StoredPatient>> {
        Ok(self.read(|state| state.patient(patient)))
    }

    async fn update_patient(
        &self,
        write: &Write,
        patient: UserId,
        expected: i64,
        profile: &Sealed,
    ) -> StoreResult<Written<Edited<StoredPatient>>> {
        Ok(self.keyed(write, |state| {
            let Some(row) = state.directory.patients.get_mut(&patient) else {
                return Decided::Refused(Edited::NotFound);
            };
            if row.version != expected {
                return Decided::Refused(Edited::Superseded);
            }
            row.profile = Some(profile.clone());
            row.updated_at = write.at;
            row.version += 1;
            match state.patient(patient) {
                Some(patient) => Decided::Changed(Edited::Updated(patient)),
                None => Decided::Refused(Edited::NotFound),
            }
        }))
    }
}
