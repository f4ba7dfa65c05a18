//! Clinics.

use crate::id::ClinicId;
use crate::identity::Email;
use crate::time::{TimeZone, Timestamp};
use crate::value::text_values;

text_values! {
    /// A clinic's name: 1 to 255 characters.
    ClinicName = line 1..=255;
    /// A clinic's street address: at most 500 characters.
    ClinicAddress = line 1..=500;
    /// A clinic's telephone number: at most 20 characters.
    ClinicPhone = line 1..=20;
    /// A city: at most 100 characters.
    City = line 1..=100;
    /// A state, province or governorate: at most 100 characters.
    Region = line 1..=100;
    /// A postal code: at most 10 characters.
    ZipCode = line 1..=10;
}

/// What somebody decides about a clinic.
#[derive(Clone, Debug, PartialEq)]
pub struct ClinicDetails {
    /// The name.
    pub name: ClinicName,
    /// The street address.
    pub address: Option<ClinicAddress>,
    /// The telephone number.
    pub phone: Option<ClinicPhone>,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The city; clinics are found by it without regard to case.
    pub city: Option<City>,
    /// The state, province or governorate.
    pub state: Option<Region>,
    /// The postal code.
    pub zip_code: Option<ZipCode>,
    /// The zone of its wall clocks: local days and naive times are taken in it.
    pub time_zone: TimeZone,
    /// Whether its slots can be booked.
    pub is_active: bool,
}

impl ClinicDetails {
    /// An active clinic of which no more is known.
    #[must_use]
    pub fn new(name: ClinicName, time_zone: TimeZone) -> Self {
        Self {
            name,
            address: None,
            phone: None,
            email: None,
            city: None,
            state: None,
            zip_code: None,
            time_zone,
            is_active: true,
        }
    }
}

/// A clinic.
#[derive(Clone, Debug, PartialEq)]
pub struct Clinic {
    /// The id.
    pub id: ClinicId,
    /// What was decided about it.
    pub details: ClinicDetails,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}
