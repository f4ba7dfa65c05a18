//! Where care is given and by whom: clinics, doctors, patients.

mod clinic;
mod create_clinic;
mod create_doctor;
mod doctor;
mod manage;
pub(crate) mod memory;
mod patient;
mod service;
mod store;
mod update_clinic;
mod update_doctor;
mod update_patient;

pub use clinic::{
    City, Clinic, ClinicAddress, ClinicDetails, ClinicName, ClinicPhone, Region, ZipCode,
};
pub use create_doctor::CreateDoctor;
pub use doctor::{
    Biography, ConsultationFee, DailyLimit, Doctor, DoctorDetails, DoctorFilter, ExperienceYears,
    LicenceNumber, Qualifications, Specialty,
};
pub(crate) use patient::PROFILE;
pub use patient::{Age, Allergies, BloodGroup, Gender, Patient, PatientProfile, StoredPatient};
pub use store::{
    CompleteDoctor, CompleteDoctorOutcome, DirectoryStore, Edited, UpdateDoctorOutcome,
};
pub use update_clinic::UpdateClinic;
pub use update_doctor::UpdateDoctor;
pub use update_patient::{EmergencyContact, UpdatePatient};

crate::engine::operations! {
    /// Clinics, doctors, patients.
    Directory
}
