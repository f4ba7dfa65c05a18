//! When a patient sees a doctor: slots, appointments, and the rules that keep a seat from being
//! sold twice.

mod appointment;
mod availability_memory;
mod availability_store;
mod block_time;
mod blocked_time;
mod book;
mod cancel;
mod change_status;
mod create_slot;
mod free_times;
mod manage;
pub(crate) mod memory;
mod publish;
mod reminder;
mod reschedule;
mod retire_slot;
mod schedule;
mod service;
mod set_schedule;
mod slot;
mod store;

pub use appointment::{
    Appointment, AppointmentFilter, AppointmentKind, AppointmentNames, AppointmentRow,
    AppointmentStatus, NamedAppointment, Notes, ReasonForVisit, StatusReason, StoredAppointment,
    Symptoms, TransitionBy,
};
pub use availability_store::{
    AvailabilityStore, BlockOutcome, CancelForBlock, DaySlot, DoctorDays, PublishOutcome,
    RescheduleCommand, RescheduleOutcome,
};
pub use block_time::BlockTime;
pub use blocked_time::{BlockDetails, BlockedTime};
pub use book::Book;
pub use cancel::Cancel;

pub use create_slot::CreateSlot;
pub use free_times::{FreeTime, FreeTimes, MOST_DAYS};
pub use reminder::ReminderHours;
pub use reschedule::{MoveTo, Reschedule};
pub use schedule::{DAYS_AHEAD, LocalTime, Publication, Schedule, WeeklyHours, Window};
pub(crate) use service::{CARE, care_relation};
pub use set_schedule::{Hours, SetSchedule};
pub use slot::{Capacity, Slot, SlotDuration, SlotFacts, SlotFilter};
pub use store::{
    BookCommand, BookOutcome, CancelOutcome, ChangeStatus, ChangeStatusOutcome, CreateSlotOutcome,
    NewSlot, RetireSlotOutcome, SchedulingStore,
};

crate::engine::operations! {
    /// Slots and appointments.
    Scheduling
}
