//! Cancels an appointment.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Error, What};
use crate::id::AppointmentId;
use crate::policy::{Action, require};
use crate::scheduling::appointment::STATUS_REASON;
use crate::scheduling::service::{illegal, relation};
use crate::scheduling::{Appointment, CancelOutcome, Scheduling, StatusReason};

/// A cancellation.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Why.
    pub reason: StatusReason,
}

impl Scheduling<'_> {
    /// Cancels a pending or confirmed appointment. Its seat can be booked again at once, its
    /// reminders are dropped, and the other party is told.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but its parties and administrators;
    /// [`crate::Code::IllegalTransition`].
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: AppointmentId,
        request: Cancel,
    ) -> Result<Appointment, Error> {
        let row = self.for_action(actor, id, Action::Cancel).await?;
        let inner = self.inner();
        let parts = RequestParts::default()
            .number(id.get())
            .text(Some(request.reason.as_str()));
        let keyed = self.command(actor, Action::Cancel, parts);
        let reason = self
            .seal(&row, STATUS_REASON, request.reason.as_str())
            .await?;
        let mut write = self.cancelling(actor, &row);
        write.idempotency = keyed.claim();
        match settle(inner.storage().cancel(&write, id, &reason).await?)? {
            Settled::Now(CancelOutcome::Cancelled(stored)) => self.open(stored).await,
            Settled::Now(CancelOutcome::Illegal(status)) => Err(illegal(id, status)),
            Settled::Now(CancelOutcome::NotFound) => {
                Err(Error::not_found(What::Appointment, id.get()))
            }
            Settled::Before(_) => self.open(self.stored(id).await?).await,
        }
    }

    /// The appointment, if the actor may do this with it. Whether it exists does not show to
    /// somebody who may not: his role is looked at first.
    pub(super) async fn for_action(
        &self,
        actor: &Actor,
        id: AppointmentId,
        action: Action,
    ) -> Result<crate::scheduling::StoredAppointment, Error> {
        let missing = || Error::not_found(What::Appointment, id.get());
        let found = self.inner().storage().appointment_by_id(id).await?;
        let standing = found
            .as_ref()
            .map_or(crate::policy::Relation::None, |row| relation(actor, row));
        require(actor, action, standing, missing)?;
        found.ok_or_else(missing)
    }
}
