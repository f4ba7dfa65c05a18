//! Cases of the storage trait of presence.

mod leases;
mod people;

pub(super) fn cases() -> Vec<super::Case> {
    [leases::cases(), people::cases()].concat()
}
