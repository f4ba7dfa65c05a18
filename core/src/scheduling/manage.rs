//! Looking at slots and appointments.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, SlotId, UserId};
use crate::journal::{EventKind, Resource, Subject};
use crate::page::{Page, PageRequest};
use crate::policy::{Action, Relation, require};
use crate::scheduling::appointment::NOTES;
use crate::scheduling::{
    Appointment, AppointmentFilter, AppointmentStatus, NamedAppointment, Notes, Scheduling, Slot,
    SlotFilter,
};

impl Scheduling<'_> {
    /// Slots that can be booked now, by time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_slots(
        &self,
        actor: &Actor,
        filter: SlotFilter,
        page: PageRequest,
    ) -> Result<Page<Slot>, Error> {
        require(actor, Action::SearchSlots, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        Ok(self
            .inner()
            .storage()
            .open_slot_page(&filter, self.engine.now(), page)
            .await?)
    }

    /// A slot, offered or not.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn slot(&self, actor: &Actor, slot: SlotId) -> Result<Slot, Error> {
        require(actor, Action::SearchSlots, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let found = self.inner().storage().slot_by_id(slot).await?;
        found.ok_or_else(|| Error::not_found(What::Slot, slot.get()))
    }

    /// An appointment.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but its parties and administrators.
    pub async fn appointment(
        &self,
        actor: &Actor,
        id: AppointmentId,
    ) -> Result<Appointment, Error> {
        let row = self.for_action(actor, id, Action::ReadAppointment).await?;
        self.open(row).await
    }

    /// An appointment with its names.
    ///
    /// # Errors
    /// As [`Scheduling::appointment`].
    pub async fn named_appointment(
        &self,
        actor: &Actor,
        id: AppointmentId,
    ) -> Result<NamedAppointment, Error> {
        let _ = self.for_action(actor, id, Action::ReadAppointment).await?;
        let row = self.inner().storage().appointment_row(id).await?;
        let row = row.ok_or_else(|| Error::not_found(What::Appointment, id.get()))?;
        let mut opened = self.open_rows(vec![row]).await?;
        opened.pop().ok_or_else(|| Error::new(Code::Internal))
    }

    /// The appointments that the actor is a party to, newest first; an administrator is shown
    /// all. The party in the filter is set here.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for doctors who are not verified.
    pub async fn own_appointments(
        &self,
        actor: &Actor,
        filter: AppointmentFilter,
        page: PageRequest,
    ) -> Result<Page<NamedAppointment>, Error> {
        require(actor, Action::ListOwnAppointments, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let Actor::User(user) = actor else {
            return Err(Error::new(Code::Forbidden));
        };
        let filter = match user.role {
            Role::Patient => AppointmentFilter {
                patient: Some(user.user),
                ..filter
            },
            Role::Doctor => AppointmentFilter {
                doctor: Some(user.user),
                ..filter
            },
            Role::Admin => filter,
        };
        let rows = self
            .inner()
            .storage()
            .appointment_page(&filter, page)
            .await?;
        Ok(Page {
            items: self.open_rows(rows.items).await?,
            total: rows.total,
        })
    }

    /// Changes the notes on an appointment; `None` empties them.
    ///
    /// # Errors
    /// As [`Scheduling::appointment`].
    pub async fn update_notes(
        &self,
        actor: &Actor,
        id: AppointmentId,
        notes: Option<Notes>,
    ) -> Result<Appointment, Error> {
        let missing = || Error::not_found(What::Appointment, id.get());
        let row = self.for_action(actor, id, Action::UpdateNotes).await?;
        let inner = self.inner();
        let parts = RequestParts::default()
            .number(id.get())
            .text(notes.as_ref().map(Notes::as_str));
        let keyed = self.command(actor, Action::UpdateNotes, parts);
        let sealed = match &notes {
            Some(notes) => Some(self.seal(&row, NOTES, notes.as_str()).await?),
            None => None,
        };
        let subject = Subject::number(Resource::Appointment, id.get());
        let mut write = inner.write(actor, self.engine.now(), Action::UpdateNotes, subject);
        self.tell(
            &mut write,
            EventKind::AppointmentUpdated,
            &row,
            row.status.as_str(),
        );
        write.idempotency = keyed.claim();
        match settle(
            inner
                .storage()
                .update_notes(&write, id, sealed.as_ref())
                .await?,
        )? {
            Settled::Now(Some(stored)) => self.open(stored).await,
            Settled::Now(None) => Err(missing()),
            Settled::Before(_) => self.open(self.stored(id).await?).await,
        }
    }

    /// The appointments of a patient, newest first.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the patient and administrators, and for a user who is
    /// no patient; [`Code::Forbidden`] for doctors.
    pub async fn patient_appointments(
        &self,
        actor: &Actor,
        patient: UserId,
        page: PageRequest,
    ) -> Result<Page<Appointment>, Error> {
        let missing = || Error::not_found(What::Patient, patient.get());
        let relation = Relation::own(actor.user_id() == Some(patient));
        require(actor, Action::ListPatientAppointments, relation, missing)?;
        let filter = AppointmentFilter {
            patient: Some(patient),
            ..AppointmentFilter::default()
        };
        let page = self.page(filter, page).await?;
        // Who has appointments is a patient.
        if page.total == 0 && relation == Relation::None {
            let patient = self.inner().storage().patient_by_id(patient).await?;
            patient.ok_or_else(missing)?;
        }
        Ok(page)
    }

    /// All appointments, newest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators.
    pub async fn appointments(
        &self,
        actor: &Actor,
        status: Option<AppointmentStatus>,
        page: PageRequest,
    ) -> Result<Page<Appointment>, Error> {
        require(actor, Action::ListAppointments, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        self.page(
            AppointmentFilter {
                status,
                ..AppointmentFilter::default()
            },
            page,
        )
        .await
    }

    async fn page(
        &self,
        filter: AppointmentFilter,
        page: PageRequest,
    ) -> Result<Page<Appointment>, Error> {
        let rows = self
            .inner()
            .storage()
            .appointment_page(&filter, page)
            .await?;
        let opened = self.open_rows(rows.items).await?.into_iter();
        Ok(Page {
            items: opened.map(|named| named.appointment).collect(),
            total: rows.total,
        })
    }
}
