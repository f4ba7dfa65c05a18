//! Cases of the storage trait of identity.

mod accounts;
mod guessing;
mod profiles;
mod refreshing;
mod sessions;

pub(super) fn cases() -> Vec<super::Case> {
    [
        accounts::cases(),
        profiles::cases(),
        guessing::cases(),
        sessions::cases(),
        refreshing::cases(),
    ]
    .concat()
}
