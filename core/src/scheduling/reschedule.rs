//! Moves an appointment to another time.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, JobId, SlotId};
use crate::journal::{EventKind, Resource, Subject};
use crate::notifications::DeliveryKind;
use crate::policy::Action;
use crate::scheduling::appointment::RESCHEDULE_REASON;
use crate::scheduling::book::refused;
use crate::scheduling::service::illegal;
use crate::scheduling::{
    Appointment, AppointmentStatus, RescheduleCommand, RescheduleOutcome, Scheduling, StatusReason,
    StoredAppointment,
};
use crate::time::Timestamp;

/// How often a move that another change has overtaken is decided anew.
const ATTEMPTS: u32 = 5;

/// Where an appointment is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveTo {
    /// This slot.
    Slot(SlotId),
    /// The slot of the same doctor that begins at this instant.
    Start(Timestamp),
}

/// A move.
#[derive(Clone, Debug)]
pub struct Reschedule {
    /// Where to.
    pub to: MoveTo,
    /// Why.
    pub reason: Option<StatusReason>,
}

impl Scheduling<'_> {
    /// Moves a pending or confirmed appointment to another slot of the same doctor: the new seat
    /// is gained or nothing changes. A confirmed appointment that its patient moves has to be
    /// confirmed again, unless the doctor confirms without his word.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but its parties and administrators;
    /// [`Code::IllegalTransition`]; [`Code::SlotMismatch`] for another doctor's slot; else as
    /// [`Scheduling::book`].
    pub async fn reschedule(
        &self,
        actor: &Actor,
        id: AppointmentId,
        request: Reschedule,
    ) -> Result<Appointment, Error> {
        let inner = self.inner();
        let subject = Subject::number(Resource::Appointment, id.get());
        let Reschedule { to, reason } = request;
        let parts = match to {
            MoveTo::Slot(slot) => RequestParts::default().number(id.get()).number(slot.get()),
            MoveTo::Start(start) => RequestParts::default()
                .number(id.get())
                .number(0)
                .number(start.micros()),
        };
        let reason = reason.as_ref().map(StatusReason::as_str);
        let parts = parts.text(reason);
        let keyed = self.command(actor, Action::Reschedule, parts);
        for _ in 0..ATTEMPTS {
            let row = self.for_action(actor, id, Action::Reschedule).await?;
            if keyed.replay(inner).await?.is_some() {
                return self.open(row).await;
            }
            if !matches!(
                row.status,
                AppointmentStatus::Pending | AppointmentStatus::Confirmed
            ) {
                return Err(illegal(id, row.status));
            }
            let slot = match to {
                MoveTo::Slot(slot) => slot,
                MoveTo::Start(start) => self.slot_of_start(row.facts.doctor, start).await?,
            };
            let now = self.engine.now();
            let mut write = inner.write(actor, now, Action::Reschedule, subject);
            let moved = StoredAppointment {
                slot,
                ..row.clone()
            };
            self.tell(
                &mut write,
                EventKind::AppointmentRescheduled,
                &moved,
                row.status.as_str(),
            );
            Self::drop_jobs(&mut write);
            self.notify(&mut write, row.patient, DeliveryKind::Rescheduled);
            write.idempotency = keyed.claim();
            let by_patient = matches!(actor, Actor::User(user) if user.role == Role::Patient);
            let reminders = &inner.parts.settings.reminders;
            let command = RescheduleCommand {
                write,
                slot,
                from: row.status,
                confirm_again: by_patient,
                reason: match reason {
                    Some(reason) => Some(self.seal(&row, RESCHEDULE_REASON, reason).await?),
                    None => None,
                },
                reminders: reminders
                    .spans()
                    .map(|span| (JobId::new(inner.uuid(now)), span))
                    .collect(),
            };
            match settle(inner.storage().reschedule(id, &command).await?)? {
                Settled::Now(outcome) => match outcome {
                    RescheduleOutcome::Rescheduled(stored)
                    | RescheduleOutcome::Unchanged(stored) => return self.open(stored).await,
                    RescheduleOutcome::Superseded(_) => {}
                    RescheduleOutcome::NotFound => {
                        return Err(Error::not_found(What::Appointment, id.get()));
                    }
                    RescheduleOutcome::OtherDoctor => return Err(Error::new(Code::SlotMismatch)),
                    RescheduleOutcome::Refused(outcome) => {
                        return Err(refused(slot, row.patient, &outcome));
                    }
                },
                Settled::Before(_) => return self.open(self.stored(id).await?).await,
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}
