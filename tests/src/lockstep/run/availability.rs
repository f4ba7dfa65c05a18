//! Steps of doctors' hours, blocked times, notes and moves.

use telemed_core::id::{AppointmentId, BlockId, ClinicId, JobId, SlotId, UserId};
use telemed_core::journal::{JobKind, JobSelector, Resource, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, CancelForBlock, Capacity, Publication, RescheduleCommand, SlotFacts,
};

use super::{Pair, ZONES};
use crate::build::{at, hours, minutes, sealed, user_id, zone};
use crate::lockstep::operation::{Operation, Publishing, Step};

impl Pair {
    /// The slots that are to be published for a doctor.
    async fn publication(&mut self, doctor: UserId, plan: &Publishing) -> Publication {
        let (mut clinic, mut time_zone) = (ClinicId::from_row(1), zone(ZONES[0]));
        if let Some(found) = both!(self, doctor_by_id(doctor))
            && plan.is_settled
        {
            clinic = found.details.clinic;
            if let Some(clinic) = both!(self, clinic_by_id(clinic)) {
                time_zone = clinic.details.time_zone;
            }
        }
        let slot = |place: i64| {
            let start = plan.start + place * plan.step;
            let facts = SlotFacts {
                doctor,
                clinic,
                starts_at: at(start),
                ends_at: at(start + 30),
            };
            (facts, facts.starts_at.local_day(&time_zone))
        };
        Publication {
            slots: (0..plan.count).map(slot).collect(),
            time_zone,
            from: self.at(),
            until: at(self.now + plan.span),
            capacity: Capacity::new(plan.seats).unwrap(),
        }
    }

    pub(super) async fn availability(&mut self, step: &Step) {
        match &step.operation {
            Operation::Notes {
                appointment,
                is_empty,
            } => {
                let notes = (!is_empty).then(|| sealed(&format!("{}", self.world.number())));
                let subject = Subject::number(Resource::Appointment, *appointment);
                let write = self.write("notes", subject, step.key);
                let id = AppointmentId::from_row(*appointment);
                both!(self, update_notes(&write, id, notes.as_ref()));
            }
            Operation::SetHours {
                doctor,
                is_current,
                auto_confirm,
                publishing,
            } => {
                let id = user_id(*doctor);
                let publication = self.publication(id, publishing).await;
                let now = both!(self, schedule_of_doctor(id));
                let version = now.map(|schedule| schedule.version);
                let expected = if *is_current { version } else { Some(77) };
                let weekly = hours(publishing.seats, *auto_confirm);
                let subject = Subject::number(Resource::Schedule, *doctor);
                let write = self.write("hours", subject, step.key);
                both!(
                    self,
                    set_schedule(&write, id, expected, &weekly, &publication)
                );
            }
            Operation::Publish {
                doctor,
                is_current,
                publishing,
            } => {
                let id = user_id(*doctor);
                let publication = self.publication(id, publishing).await;
                let now = both!(self, schedule_of_doctor(id));
                let version = now.map_or(1, |schedule| schedule.version);
                let version = if *is_current { version } else { version + 1 };
                let subject = Subject::number(Resource::Schedule, *doctor);
                let write = self.write("publish", subject, None);
                both!(self, publish_slots(&write, id, version, &publication));
            }
            Operation::Block {
                doctor,
                from,
                length,
                cancel,
            } => {
                let details = self
                    .world
                    .block_details(user_id(*doctor), *from, from + length);
                let (from, until) = (details.starts_at, details.ends_at);
                let live = both!(self, live_bookings(details.doctor, from, until));
                let mut given = Vec::new();
                if *cancel {
                    given.extend(live.iter().map(|one| self.cancellation(one.id)));
                }
                let subject = Subject::new_row(Resource::BlockedTime);
                let write = self.write("block", subject, step.key);
                both!(self, block_time(&write, &details, &given));
            }
            Operation::Unblock { doctor, block } => {
                let subject = Subject::number(Resource::BlockedTime, *block);
                let write = self.write("unblock", subject, step.key);
                let block = BlockId::from_row(*block);
                both!(self, unblock_time(&write, user_id(*doctor), block));
            }
            Operation::Move {
                appointment,
                is_current,
                slot,
                confirm_again,
            } => {
                let id = AppointmentId::from_row(*appointment);
                let now = both!(self, appointment_by_id(id));
                let status = now.map_or(AppointmentStatus::Pending, |one| one.status);
                // Core moves only what lies ahead.
                let from = match status {
                    AppointmentStatus::Pending | AppointmentStatus::Confirmed if *is_current => {
                        status
                    }
                    AppointmentStatus::Pending => AppointmentStatus::Confirmed,
                    _ => AppointmentStatus::Pending,
                };
                let subject = Subject::number(Resource::Appointment, *appointment);
                let mut write = self.write("move", subject, step.key);
                write.drop_jobs.push(reminders_of(subject));
                let command = RescheduleCommand {
                    write,
                    slot: SlotId::from_row(*slot),
                    from,
                    confirm_again: *confirm_again,
                    reason: confirm_again.then(|| sealed("busy")),
                    reminders: [60, 120]
                        .map(|span| (JobId::new(self.world.uuid()), minutes(span)))
                        .into(),
                };
                both!(self, reschedule(id, &command));
            }
            _ => {}
        }
    }

    fn cancellation(&self, appointment: AppointmentId) -> CancelForBlock {
        let subject = Subject::number(Resource::Appointment, appointment.get());
        let mut write = self.write("cancel for a block", subject, None);
        write.drop_jobs.push(reminders_of(subject));
        CancelForBlock {
            appointment,
            write,
            reason: sealed("away"),
        }
    }
}

fn reminders_of(subject: Subject) -> JobSelector {
    JobSelector {
        kind: JobKind::AppointmentReminder,
        subject,
    }
}
