//! Doctors.

use crate::directory::ClinicName;
use crate::id::{ClinicId, UserId};
use crate::identity::FullName;
use crate::time::Timestamp;
use crate::value::{number_values, text_values};

text_values! {
    /// A field of medicine: 1 to 100 characters; doctors are found by it without regard to case.
    Specialty = line 1..=100;
    /// The number of a licence to practise: 1 to 50 characters, unique without regard to case.
    LicenceNumber = line 1..=50;
    /// Degrees and certificates: at most 2000 characters.
    Qualifications = prose 1..=2000;
    /// What a doctor says about himself: at most 2000 characters.
    Biography = prose 1..=2000;
}

/// What a consultation costs, in hundredths of the installation's currency: 0 to a million whole
/// units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsultationFee(i64);

impl ConsultationFee {
    /// The fee in hundredths.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn from_hundredths(hundredths: i64) -> Result<Self, crate::value::ValueError> {
        crate::value::within(hundredths, 0, 100_000_000)
            .map(Self)
            .map_err(|_| "must be from 0 to 1000000, with two decimals at most".into())
    }

    /// The fee of a row that a store has read.
    #[must_use]
    pub const fn from_row(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// The fee in hundredths.
    #[must_use]
    pub const fn hundredths(self) -> i64 {
        self.0
    }
}

impl LicenceNumber {
    /// The number in lower case: by this it is unique.
    #[must_use]
    pub fn folded(&self) -> String {
        self.as_str().to_lowercase()
    }
}

impl Specialty {
    /// The specialty in lower case: by this doctors are found.
    #[must_use]
    pub fn folded(&self) -> String {
        self.as_str().to_lowercase()
    }
}

number_values! {
    /// Years of practice: 0 to 80.
    ExperienceYears = 0..=80;
    /// How many patients a doctor sees on one clinic-local day: 1 to 100.
    DailyLimit = 1..=100;
}

/// What somebody decides about a doctor.
#[derive(Clone, Debug, PartialEq)]
pub struct DoctorDetails {
    /// The clinic that the doctor works at.
    pub clinic: ClinicId,
    /// The field of medicine.
    pub specialty: Specialty,
    /// The licence to practise.
    pub licence_number: LicenceNumber,
    /// Degrees and certificates.
    pub qualifications: Option<Qualifications>,
    /// Years of practice.
    pub experience_years: ExperienceYears,
    /// Patients on one clinic-local day.
    pub daily_limit: DailyLimit,
    /// What the doctor says about himself.
    pub biography: Option<Biography>,
    /// What a consultation costs.
    pub consultation_fee: Option<ConsultationFee>,
}

impl DoctorDetails {
    /// A doctor of whom no more is known: no years of practice, ten patients a day.
    #[must_use]
    pub fn new(clinic: ClinicId, specialty: Specialty, licence_number: LicenceNumber) -> Self {
        Self {
            clinic,
            specialty,
            licence_number,
            qualifications: None,
            experience_years: ExperienceYears(0),
            daily_limit: DailyLimit(10),
            biography: None,
            consultation_fee: None,
        }
    }
}

/// A doctor, with what belongs to his account.
#[derive(Clone, Debug, PartialEq)]
pub struct Doctor {
    /// The id, which is the user's.
    pub id: UserId,
    /// The user's name.
    pub full_name: FullName,
    /// What was decided about the doctor.
    pub details: DoctorDetails,
    /// The name of the clinic.
    pub clinic_name: ClinicName,
    /// Whether the account is active.
    pub is_active: bool,
    /// Whether an administrator has verified the doctor.
    pub is_verified: bool,
    /// When the profile was made.
    pub created_at: Timestamp,
    /// When the profile was changed last.
    pub updated_at: Timestamp,
    /// Counts the changes of the profile, from 1.
    pub version: i64,
}

impl Doctor {
    /// Whether patients find the doctor: active and verified.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.is_active && self.is_verified
    }
}

/// Which doctors to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DoctorFilter {
    /// Of this field of medicine, without regard to case.
    pub specialty: Option<Specialty>,
    /// Of this clinic.
    pub clinic: Option<ClinicId>,
}
