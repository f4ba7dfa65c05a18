//! Cases of the storage traits of scheduling and of doctors' hours.

mod appointments;
mod blocking;
mod booking;
mod confirming;
mod days;
mod moving;
mod names;
mod publishing;
mod slots;

pub(super) fn cases() -> Vec<super::Case> {
    [
        slots::cases(),
        booking::cases(),
        confirming::cases(),
        appointments::cases(),
        names::cases(),
        publishing::cases(),
        days::cases(),
        blocking::cases(),
        moving::cases(),
    ]
    .concat()
}
