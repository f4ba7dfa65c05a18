//! Patients.

use serde::{Deserialize, Serialize};

use super::EmergencyContact;
use crate::crypto::{Column, Sealed};
use crate::id::{SealId, UserId};
use crate::identity::FullName;
use crate::time::{LocalDay, Timestamp};
use crate::value::{number_values, text_values, words};

text_values! {
    /// What a patient does not tolerate: at most 2000 characters.
    Allergies = prose 1..=2000;
}

words! {
    /// A blood group of the ABO and Rh systems.
    BloodGroup {
        /// A, Rh positive.
        APositive = "A+",
        /// A, Rh negative.
        ANegative = "A-",
        /// B, Rh positive.
        BPositive = "B+",
        /// B, Rh negative.
        BNegative = "B-",
        /// AB, Rh positive.
        AbPositive = "AB+",
        /// AB, Rh negative.
        AbNegative = "AB-",
        /// O, Rh positive.
        OPositive = "O+",
        /// O, Rh negative.
        ONegative = "O-",
    }
}

words! {
    /// A patient's gender, as he says.
    Gender {
        /// Female.
        Female = "female",
        /// Male.
        Male = "male",
        /// Neither, or not said.
        Other = "other",
    }
}

number_values! {
    /// A patient's age in years, as he says where no date of birth is known: 0 to 150.
    Age = 0..=150;
}

/// What is known about a patient. It is sealed as a whole: none of it can be read in the
/// database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatientProfile {
    /// The date of birth.
    pub date_of_birth: Option<LocalDay>,
    /// The age as it was told, where the date of birth is not known.
    pub age: Option<Age>,
    /// The gender.
    pub gender: Option<Gender>,
    /// The blood group.
    pub blood_group: Option<BloodGroup>,
    /// What the patient does not tolerate.
    pub allergies: Option<Allergies>,
    /// Whom to call.
    pub emergency_contact: Option<EmergencyContact>,
}

/// Where [`StoredPatient::profile`] is sealed to.
pub(crate) const PROFILE: Column = Column("patients.profile");

/// The sealed form of a profile. A name here is for good: rows are read for decades.
#[derive(Serialize, Deserialize)]
struct ProfileRow {
    date_of_birth: Option<String>,
    #[serde(default)]
    age: Option<i64>,
    #[serde(default)]
    gender: Option<String>,
    blood_group: Option<String>,
    allergies: Option<String>,
    emergency_contact: Option<String>,
}

impl PatientProfile {
    /// The text that is sealed.
    pub(crate) fn to_text(&self) -> String {
        let row = ProfileRow {
            date_of_birth: self.date_of_birth.map(|day| day.to_string()),
            age: self.age.map(|age| i64::from(age.get())),
            gender: self.gender.map(|gender| gender.to_string()),
            blood_group: self.blood_group.map(|group| group.to_string()),
            allergies: self.allergies.as_ref().map(|text| text.as_str().to_owned()),
            emergency_contact: self
                .emergency_contact
                .as_ref()
                .map(|text| text.as_str().to_owned()),
        };
        serde_json::to_string(&row).unwrap_or_default()
    }

    /// The profile of a text that was sealed.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let row: ProfileRow = serde_json::from_str(text).ok()?;
        Some(Self {
            date_of_birth: match row.date_of_birth {
                Some(day) => Some(LocalDay::parse(&day)?),
                None => None,
            },
            age: match row.age {
                Some(age) => Some(Age::new(age).ok()?),
                None => None,
            },
            gender: match row.gender {
                Some(word) => Some(Gender::parse(word).ok()?),
                None => None,
            },
            blood_group: match row.blood_group {
                Some(word) => Some(BloodGroup::parse(word).ok()?),
                None => None,
            },
            allergies: row.allergies.map(Allergies::from_row),
            emergency_contact: row.emergency_contact.map(EmergencyContact::from_row),
        })
    }
}

/// A patient as rows keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPatient {
    /// The id, which is the user's.
    pub id: UserId,
    /// The user's name.
    pub full_name: FullName,
    /// Under what the profile is sealed.
    pub seal_id: SealId,
    /// The profile, sealed; nothing while nothing is known.
    pub profile: Option<Sealed>,
    /// Whether the account is active.
    pub is_active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the profile was changed last.
    pub updated_at: Timestamp,
    /// Counts the changes of the profile, from 1.
    pub version: i64,
}

/// A patient as those see it who may.
#[derive(Clone, Debug, PartialEq)]
pub struct Patient {
    /// The id, which is the user's.
    pub id: UserId,
    /// The user's name.
    pub full_name: FullName,
    /// What is known about the patient.
    pub profile: PatientProfile,
    /// Whether the account is active.
    pub is_active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the profile was changed last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_profile_survives_its_text() {
        let profile = PatientProfile {
            date_of_birth: LocalDay::parse("1990-02-28"),
            age: Some(Age::new(40).unwrap()),
            gender: Some(Gender::Female),
            blood_group: Some(BloodGroup::AbNegative),
            allergies: Some(Allergies::new("بنسلين 💊").unwrap()),
            emergency_contact: None,
        };
        assert_eq!(PatientProfile::from_text(&profile.to_text()), Some(profile));
    }
}
