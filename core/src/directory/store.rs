//! The storage trait of the directory.

use super::{Clinic, ClinicDetails, Doctor, DoctorDetails, DoctorFilter, Specialty, StoredPatient};
use crate::crypto::Sealed;
use crate::id::{ClinicId, UserId};
use crate::journal::Write;
use crate::page::{Page, PageRequest};
use crate::store::{Written, store_trait};

/// What became of an edit of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Edited<T> {
    /// There is no such row.
    NotFound,
    /// The row has another version than the expected one.
    Superseded,
    /// The row after the edit.
    Updated(T),
}

/// A doctor's profile to be made, or to be completed if it is there and not verified. Either
/// way the doctor is verified then.
#[derive(Clone, Debug)]
pub struct CompleteDoctor {
    /// The user who is the doctor.
    pub user: UserId,
    /// What was decided about the doctor.
    pub details: DoctorDetails,
}

/// What became of it, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum CompleteDoctorOutcome {
    /// There is no such user.
    UserNotFound,
    /// There is no such clinic.
    ClinicNotFound,
    /// The user's role is another.
    NotADoctor,
    /// The user has a verified profile.
    DoctorExists,
    /// The licence belongs to another doctor.
    LicenceTaken,
    /// The profile is there, verified.
    Completed(Doctor),
}

/// What became of a change of a doctor's profile, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum UpdateDoctorOutcome {
    /// There is no such doctor.
    NotFound,
    /// There is no such clinic.
    ClinicNotFound,
    /// The profile has another version than the expected one.
    Superseded,
    /// The licence belongs to another doctor.
    LicenceTaken,
    /// The doctor after the change.
    Updated(Doctor),
}

store_trait! {
    /// Clinics, doctors and patients.
    pub trait DirectoryStore in directory_delegation {
        /// Makes a clinic.
        ///
        /// # Behavior
        /// - `a_clinic_comes_back_as_it_was_made`
        async fn create_clinic(&self, write: &Write, details: &ClinicDetails) -> Written<Clinic>;

        /// The clinic with this id.
        ///
        /// # Behavior
        /// - `an_unknown_clinic_is_none`
        async fn clinic_by_id(&self, clinic: ClinicId) -> Option<Clinic>;

        /// Active clinics by id, of one city (in lower case) or of all.
        ///
        /// # Behavior
        /// - `clinics_are_found_by_city_without_regard_to_case`
        async fn clinic_page(&self, city_folded: Option<&str>, page: PageRequest) -> Page<Clinic>;

        /// Replaces what was decided about a clinic.
        ///
        /// # Behavior
        /// - `a_clinic_is_edited_at_its_version`
        /// - `a_new_zone_moves_local_days`: the local day of each of the clinic's slots and
        ///   appointments is derived again from the new zone.
        async fn update_clinic(&self, write: &Write, clinic: ClinicId, expected: i64, details: &ClinicDetails) -> Written<Edited<Clinic>>;

        /// Makes or completes a doctor's profile and verifies the doctor.
        ///
        /// # Behavior
        /// - `a_doctor_is_refused_in_order`: the outcomes in the order of
        ///   [`CompleteDoctorOutcome`]; a refusal writes nothing.
        /// - `a_completed_doctor_is_verified`: the user too.
        async fn complete_doctor(&self, write: &Write, doctor: &CompleteDoctor) -> Written<CompleteDoctorOutcome>;

        /// Verifies a doctor; `None` when the user has no doctor's profile. A doctor who is
        /// verified comes back unchanged, and nothing is written.
        ///
        /// # Behavior
        /// - `verification_is_idempotent`
        async fn verify_doctor(&self, write: &Write, doctor: UserId) -> Written<Option<Doctor>>;

        /// The doctor with this id, listed or not.
        ///
        /// # Behavior
        /// - `an_unlisted_doctor_is_found_by_id`
        async fn doctor_by_id(&self, doctor: UserId) -> Option<Doctor>;

        /// Listed doctors by id.
        ///
        /// # Behavior
        /// - `only_listed_doctors_are_listed`
        /// - `doctors_are_found_by_specialty_and_clinic`
        async fn doctor_page(&self, filter: &DoctorFilter, page: PageRequest) -> Page<Doctor>;

        /// The fields of medicine of listed doctors, each once, in the order of their lower case.
        ///
        /// # Behavior
        /// - `specialties_of_listed_doctors_are_listed_once`: two that differ in case only are one,
        ///   as the doctor with the lowest id writes it.
        async fn specialties(&self) -> Vec<Specialty>;

        /// Replaces what was decided about a doctor.
        ///
        /// # Behavior
        /// - `a_doctor_is_edited_at_his_version`
        /// - `a_licence_stays_unique`
        async fn update_doctor(&self, write: &Write, doctor: UserId, expected: i64, details: &DoctorDetails) -> Written<UpdateDoctorOutcome>;

        /// The patient with this id.
        ///
        /// # Behavior
        /// - `only_patients_have_a_profile`
        async fn patient_by_id(&self, patient: UserId) -> Option<StoredPatient>;

        /// Replaces a patient's profile.
        ///
        /// # Behavior
        /// - `a_profile_is_edited_at_its_version`
        async fn update_patient(&self, write: &Write, patient: UserId, expected: i64, profile: &Sealed) -> Written<Edited<StoredPatient>>;
    }
}
