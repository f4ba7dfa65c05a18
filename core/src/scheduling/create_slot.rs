//! Offers a slot.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, data, replayed_number, settle};
use crate::error::{Code, Error, What};
use crate::id::{ClinicId, SlotId, UserId};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::scheduling::{
    Capacity, CreateSlotOutcome, NewSlot, Scheduling, Slot, SlotDuration, SlotFacts,
};
use crate::time::Timestamp;

/// A slot to be offered.
#[derive(Clone, Debug)]
pub struct CreateSlot {
    /// The doctor.
    pub doctor: UserId,
    /// The clinic.
    pub clinic: ClinicId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// How long it is.
    pub duration: SlotDuration,
    /// How many patients it takes.
    pub capacity: Capacity,
}

impl CreateSlot {
    /// A slot for one patient.
    #[must_use]
    pub fn new(
        doctor: UserId,
        clinic: ClinicId,
        starts_at: Timestamp,
        duration: SlotDuration,
    ) -> Self {
        Self {
            doctor,
            clinic,
            starts_at,
            duration,
            capacity: Capacity::ONE,
        }
    }
}

/// How often a slot is tried anew when the clinic's zone changes under it.
const ATTEMPTS: u32 = 3;

impl Scheduling<'_> {
    /// Offers a slot.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the doctor himself and administrators;
    /// [`Code::BrokenRule`] at `starts_at` for a start that is not ahead, at `clinic_id` for a
    /// clinic that is not the doctor's; [`Code::NotFound`] for the doctor or the clinic;
    /// [`Code::SlotOverlap`].
    pub async fn create_slot(&self, actor: &Actor, request: CreateSlot) -> Result<Slot, Error> {
        let is_own = matches!(actor, Actor::User(user)
            if user.role == Role::Doctor && user.user == request.doctor);
        require(actor, Action::CreateSlot, Relation::own(is_own), || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::CreateSlot, request.parts());
        if let Some(subject) = keyed.replay(inner).await? {
            return self.made_slot(subject).await;
        }
        let now = self.engine.now();
        if request.starts_at <= now {
            return Err(Error::broken_rule("starts_at", "must be in the future"));
        }
        let facts = SlotFacts {
            doctor: request.doctor,
            clinic: request.clinic,
            starts_at: request.starts_at,
            ends_at: request.starts_at.plus(request.duration.span()),
        };
        for _ in 0..ATTEMPTS {
            // The doctor comes first in the order of refusals, so an unknown clinic is left to
            // the store; any zone serves to ask it.
            let clinic = inner.storage().clinic_by_id(request.clinic).await?;
            let time_zone = clinic.map_or_else(crate::time::TimeZone::utc, |clinic| {
                clinic.details.time_zone
            });
            let slot = NewSlot {
                facts,
                local_day: facts.starts_at.local_day(&time_zone),
                time_zone,
                capacity: request.capacity,
            };
            let subject = Subject::new_row(Resource::Slot);
            let mut write = inner.write(actor, now, Action::CreateSlot, subject);
            write.audit.data = data([("doctor_id", request.doctor.get().into())]);
            inner.announce(
                &mut write,
                EventKind::SlotCreated,
                &[request.doctor],
                data([("doctor_id", request.doctor.get().into())]),
            );
            write.idempotency = keyed.claim();
            match settle(inner.storage().create_slot(&write, &slot).await?)? {
                Settled::Before(subject) => return self.made_slot(subject).await,
                Settled::Now(CreateSlotOutcome::Created(slot)) => return Ok(slot),
                Settled::Now(CreateSlotOutcome::ZoneChanged) => {}
                Settled::Now(refused) => return Err(refusal(&request, &refused)),
            }
        }
        Err(Error::new(Code::VersionConflict))
    }

    async fn made_slot(&self, subject: Subject) -> Result<Slot, Error> {
        let id = replayed_number(subject, Resource::Slot)?;
        let found = self
            .inner()
            .storage()
            .slot_by_id(SlotId::from_row(id))
            .await?;
        found.ok_or_else(|| Error::not_found(What::Slot, id))
    }
}

impl CreateSlot {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .number(self.doctor.get())
            .number(self.clinic.get())
            .number(self.starts_at.micros())
            .number(self.duration.get())
            .number(self.capacity.get())
    }
}

fn refusal(request: &CreateSlot, outcome: &CreateSlotOutcome) -> Error {
    match outcome {
        CreateSlotOutcome::DoctorNotFound => Error::not_found(What::Doctor, request.doctor.get()),
        CreateSlotOutcome::ClinicNotFound => Error::not_found(What::Clinic, request.clinic.get()),
        CreateSlotOutcome::ClinicMismatch => {
            Error::broken_rule("clinic_id", "must be the clinic of the doctor")
        }
        CreateSlotOutcome::Overlap => Error::new(Code::SlotOverlap),
        CreateSlotOutcome::ZoneChanged | CreateSlotOutcome::Created(_) => {
            Error::new(Code::VersionConflict)
        }
    }
}
