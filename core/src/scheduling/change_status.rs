//! What a doctor says of an appointment: confirmed, rejected, completed, no-show.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::AppointmentId;
use crate::journal::{EventKind, Resource, Subject};
use crate::notifications::DeliveryKind;
use crate::policy::Action;
use crate::scheduling::appointment::STATUS_REASON;
use crate::scheduling::service::{hand, illegal};
use crate::scheduling::{
    Appointment, AppointmentStatus, ChangeStatus, ChangeStatusOutcome, Scheduling, StatusReason,
};

/// How often a change that another has overtaken is decided anew.
const ATTEMPTS: u32 = 5;

impl Scheduling<'_> {
    /// Confirms a pending appointment; the patient is told.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for patients; [`Code::NotFound`] for another doctor's;
    /// [`Code::IllegalTransition`].
    pub async fn confirm(&self, actor: &Actor, id: AppointmentId) -> Result<Appointment, Error> {
        self.change(actor, id, AppointmentStatus::Confirmed, None)
            .await
    }

    /// Rejects a pending appointment: its seat is free again, and the patient is told.
    ///
    /// # Errors
    /// As [`Scheduling::confirm`].
    pub async fn reject(
        &self,
        actor: &Actor,
        id: AppointmentId,
        reason: StatusReason,
    ) -> Result<Appointment, Error> {
        self.change(actor, id, AppointmentStatus::Rejected, Some(reason))
            .await
    }

    /// Says that an appointment took place: one in progress, or a confirmed one after its start.
    /// An administrator corrects a no-show by it.
    ///
    /// # Errors
    /// As [`Scheduling::confirm`].
    pub async fn complete(&self, actor: &Actor, id: AppointmentId) -> Result<Appointment, Error> {
        self.change(actor, id, AppointmentStatus::Completed, None)
            .await
    }

    /// Says that the patient did not come to a confirmed appointment, after its start. An
    /// administrator corrects a completed one by it.
    ///
    /// # Errors
    /// As [`Scheduling::confirm`].
    pub async fn no_show(&self, actor: &Actor, id: AppointmentId) -> Result<Appointment, Error> {
        self.change(actor, id, AppointmentStatus::NoShow, None)
            .await
    }

    async fn change(
        &self,
        actor: &Actor,
        id: AppointmentId,
        to: AppointmentStatus,
        reason: Option<StatusReason>,
    ) -> Result<Appointment, Error> {
        let (action, notice) = match to {
            AppointmentStatus::Confirmed => (Action::Confirm, Some(DeliveryKind::Confirmed)),
            AppointmentStatus::Rejected => (Action::Reject, Some(DeliveryKind::Rejected)),
            AppointmentStatus::Completed => (Action::Complete, None),
            AppointmentStatus::NoShow => (Action::NoShow, None),
            _ => return Err(Error::new(Code::Internal)),
        };
        let inner = self.inner();
        let subject = Subject::number(Resource::Appointment, id.get());
        let parts = RequestParts::default()
            .number(id.get())
            .text(reason.as_ref().map(StatusReason::as_str));
        let keyed = self.command(actor, action, parts);
        for _ in 0..ATTEMPTS {
            let row = self.for_action(actor, id, action).await?;
            if keyed.replay(inner).await?.is_some() {
                return self.open(row).await;
            }
            let now = self.engine.now();
            if !row
                .status
                .may_become(to, hand(actor), row.facts.starts_at <= now)
            {
                return Err(illegal(id, row.status));
            }
            let sealed = match &reason {
                Some(reason) => Some(self.seal(&row, STATUS_REASON, reason.as_str()).await?),
                None => None,
            };
            let mut write = inner.write(actor, now, action, subject);
            self.tell(&mut write, EventKind::AppointmentUpdated, &row, to.as_str());
            if !to.takes_seat() {
                Self::drop_jobs(&mut write);
            }
            if let Some(notice) = notice {
                self.notify(&mut write, row.patient, notice);
            }
            write.idempotency = keyed.claim();
            let change = ChangeStatus {
                from: row.status,
                to,
                reason: sealed,
            };
            match settle(inner.storage().change_status(&write, id, &change).await?)? {
                Settled::Now(ChangeStatusOutcome::Changed(stored)) => {
                    return self.open(stored).await;
                }
                Settled::Now(ChangeStatusOutcome::Superseded(_)) => {}
                Settled::Now(ChangeStatusOutcome::NotFound) => {
                    return Err(Error::not_found(What::Appointment, id.get()));
                }
                Settled::Before(_) => return self.open(self.stored(id).await?).await,
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}
