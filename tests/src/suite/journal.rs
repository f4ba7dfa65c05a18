//! Cases of the storage traits of the journal.

mod audit;
mod jobs;
mod purging;
mod records;

pub(in crate::suite) use purging::nothing;

pub(super) fn cases() -> Vec<super::Case> {
    [
        records::cases(),
        jobs::cases(),
        purging::cases(),
        audit::cases(),
    ]
    .concat()
}
