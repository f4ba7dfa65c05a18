//! Takes a slot back.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, data, settle};
use crate::error::{Code, Error, What};
use crate::id::SlotId;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::scheduling::{RetireSlotOutcome, Scheduling};

impl Scheduling<'_> {
    /// Takes a slot back; it is kept and is not offered any more.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for patients; [`Code::NotFound`] for another doctor's slot;
    /// [`Code::SlotHasBookings`].
    pub async fn retire_slot(&self, actor: &Actor, slot: SlotId) -> Result<(), Error> {
        let missing = || Error::not_found(What::Slot, slot.get());
        let inner = self.inner();
        let found = inner.storage().slot_by_id(slot).await?;
        let is_own = matches!((actor, &found), (Actor::User(user), Some(slot))
            if user.role == Role::Doctor && user.user == slot.facts.doctor);
        require(actor, Action::RetireSlot, Relation::own(is_own), missing)?;
        let found = found.ok_or_else(missing)?;
        let parts = RequestParts::default().number(slot.get());
        let keyed = self.command(actor, Action::RetireSlot, parts);
        let subject = Subject::number(Resource::Slot, slot.get());
        let mut write = inner.write(actor, self.engine.now(), Action::RetireSlot, subject);
        let doctor = found.facts.doctor;
        inner.announce(
            &mut write,
            EventKind::SlotRetired,
            &[doctor],
            data([("doctor_id", doctor.get().into())]),
        );
        write.idempotency = keyed.claim();
        match settle(inner.storage().retire_slot(&write, slot).await?)? {
            Settled::Before(_) | Settled::Now(RetireSlotOutcome::Retired(_)) => Ok(()),
            Settled::Now(RetireSlotOutcome::NotFound) => Err(missing()),
            Settled::Now(RetireSlotOutcome::HasBookings(count)) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                Err(Error::new(Code::SlotHasBookings).detail("live_bookings", count))
            }
        }
    }
}
