//! Cases of the storage trait of the directory.

mod clinics;
mod doctors;
mod patients;

pub(super) fn cases() -> Vec<super::Case> {
    [clinics::cases(), doctors::cases(), patients::cases()].concat()
}
