//! Cases of the storage trait of calls.

mod advancing;
mod listing;
mod quality;
mod starting;

pub(super) fn cases() -> Vec<super::Case> {
    [
        starting::cases(),
        advancing::cases(),
        listing::cases(),
        quality::cases(),
    ]
    .concat()
}
