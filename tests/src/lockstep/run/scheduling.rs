//! Steps of scheduling.

use telemed_core::id::{AppointmentId, ClinicId, JobId, SlotId};
use telemed_core::journal::{JobKind, JobSelector, Resource, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, BookCommand, Capacity, ChangeStatus, NewSlot, SlotFacts, TransitionBy,
};

use super::{Pair, ZONES};
use crate::build::{at, minutes, sealed, user_id, zone};
use crate::lockstep::operation::{Booking, Operation, Step};

impl Pair {
    pub(super) async fn scheduling(&mut self, step: &Step) {
        match &step.operation {
            Operation::CreateSlot {
                doctor,
                clinic,
                zone: place,
                start,
                length,
                seats,
            } => {
                let facts = SlotFacts {
                    doctor: user_id(*doctor),
                    clinic: ClinicId::from_row(*clinic),
                    starts_at: at(*start),
                    ends_at: at(start + length),
                };
                let time_zone = zone(ZONES[usize::from(*place)]);
                let local_day = facts.starts_at.local_day(&time_zone);
                let capacity = Capacity::new(*seats).unwrap();
                let slot = NewSlot {
                    facts,
                    time_zone,
                    local_day,
                    capacity,
                };
                let write = self.write("slot", Subject::new_row(Resource::Slot), step.key);
                both!(self, create_slot(&write, &slot));
            }
            Operation::RetireSlot { slot } => {
                let write = self.write("retire", Subject::number(Resource::Slot, *slot), step.key);
                both!(self, retire_slot(&write, SlotId::from_row(*slot)));
            }
            Operation::Book { slot, bookings } => {
                let commands: Vec<_> = bookings.iter().map(|one| self.booking(one)).collect();
                both!(self, book_many(SlotId::from_row(*slot), &commands));
            }
            Operation::Cancel { appointment } => {
                let id = AppointmentId::from_row(*appointment);
                let subject = Subject::number(Resource::Appointment, *appointment);
                let mut write = self.write("cancel", subject, step.key);
                write.drop_jobs.push(JobSelector {
                    kind: JobKind::AppointmentReminder,
                    subject,
                });
                let reason = sealed("ill");
                both!(self, cancel(&write, id, &reason));
            }
            Operation::ChangeStatus {
                appointment,
                is_current,
                to,
            } => {
                let id = AppointmentId::from_row(*appointment);
                let now = both!(self, appointment_by_id(id));
                let status = now.map_or(AppointmentStatus::Pending, |one| one.status);
                let from = match (is_current, status) {
                    (true, status) => status,
                    (false, AppointmentStatus::Pending) => AppointmentStatus::Confirmed,
                    (false, _) => AppointmentStatus::Pending,
                };
                // Core asks only for what the state machine allows.
                let begins = *to == AppointmentStatus::InProgress
                    && matches!(
                        from,
                        AppointmentStatus::Pending | AppointmentStatus::Confirmed
                    );
                let is_allowed = from.may_become(*to, TransitionBy::Administrator, true);
                if !(begins || is_allowed) || *to == AppointmentStatus::Cancelled {
                    return;
                }
                let reason = (*to == AppointmentStatus::Rejected).then(|| sealed("away"));
                let change = ChangeStatus {
                    from,
                    to: *to,
                    reason,
                };
                let subject = Subject::number(Resource::Appointment, *appointment);
                let write = self.write("status", subject, step.key);
                both!(self, change_status(&write, id, &change));
            }
            _ => {}
        }
    }

    fn booking(&self, booking: &Booking) -> BookCommand {
        let mut command = self.world.booking_at(self.at(), user_id(booking.patient));
        command.write = self.write("book", Subject::new_row(Resource::Appointment), booking.key);
        command.expected_doctor = booking.doctor.map(user_id);
        command.reminders = [60, 120]
            .map(|span| (JobId::new(self.world.uuid()), minutes(span)))
            .into();
        command
    }
}
