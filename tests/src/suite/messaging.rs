//! Cases of the storage trait of messaging.

mod conversations;
mod marks;
mod messages;
mod searching;

pub(super) fn cases() -> Vec<super::Case> {
    [
        conversations::cases(),
        messages::cases(),
        marks::cases(),
        searching::cases(),
    ]
    .concat()
}
