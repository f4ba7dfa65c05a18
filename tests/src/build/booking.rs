//! Builders of slots and appointments.

use telemed_core::id::{ClinicId, SealId, SlotId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::scheduling::{
    AppointmentKind, AppointmentStatus, BookCommand, BookOutcome, Capacity, ChangeStatus,
    ChangeStatusOutcome, CreateSlotOutcome, NewSlot, Slot, SlotFacts, StoredAppointment,
};
use telemed_core::store::Written;
use telemed_core::time::{TimeZone, Timestamp};

use super::{NOW, World, applied, at, sealed};

impl World {
    /// A slot of half an hour, to begin so many minutes after [`NOW`] at a clinic in UTC.
    #[must_use]
    pub fn new_slot(&self, doctor: UserId, clinic: ClinicId, start: i64, seats: i64) -> NewSlot {
        let facts = SlotFacts {
            doctor,
            clinic,
            starts_at: at(start),
            ends_at: at(start + 30),
        };
        NewSlot {
            facts,
            time_zone: TimeZone::utc(),
            local_day: facts.starts_at.local_day(&TimeZone::utc()),
            capacity: Capacity::new(seats).unwrap(),
        }
    }

    /// Makes this slot.
    pub async fn make_slot(&self, slot: &NewSlot) -> Slot {
        let write = self.makes(Resource::Slot);
        match applied(self.storage.create_slot(&write, slot).await.unwrap()) {
            CreateSlotOutcome::Created(slot) => slot,
            other => panic!("the slot was refused: {other:?}"),
        }
    }

    /// Makes a slot as [`World::new_slot`] describes it.
    pub async fn slot(&self, doctor: UserId, clinic: ClinicId, start: i64, seats: i64) -> SlotId {
        self.make_slot(&self.new_slot(doctor, clinic, start, seats))
            .await
            .id
    }

    /// The slot with this id.
    pub async fn slot_now(&self, slot: SlotId) -> Slot {
        self.storage.slot_by_id(slot).await.unwrap().unwrap()
    }

    /// A booking at [`NOW`] that expects nothing of the slot and reminds of nothing.
    pub fn booking(&self, patient: UserId) -> BookCommand {
        self.booking_at(NOW, patient)
    }

    /// A booking at a time.
    pub fn booking_at(&self, at: Timestamp, patient: UserId) -> BookCommand {
        BookCommand {
            write: self.write_at(at, Subject::new_row(Resource::Appointment)),
            patient,
            expected_doctor: None,
            expected_clinic: None,
            kind: AppointmentKind::Video,
            seal_id: SealId::new(self.uuid()),
            reason_for_visit: Some(sealed("reason")),
            symptoms: None,
            notes: None,
            reminders: vec![],
        }
    }

    /// Books, whatever comes of it.
    pub async fn try_book(&self, slot: SlotId, command: &BookCommand) -> Written<BookOutcome> {
        let commands = std::slice::from_ref(command);
        let mut answers = self.storage.book_many(slot, commands).await.unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    /// Books for a patient, whatever comes of it.
    pub async fn outcome(&self, slot: SlotId, patient: UserId) -> BookOutcome {
        applied(self.try_book(slot, &self.booking(patient)).await)
    }

    /// Books for a patient.
    pub async fn book(&self, slot: SlotId, patient: UserId) -> StoredAppointment {
        match self.outcome(slot, patient).await {
            BookOutcome::Booked(appointment) => appointment,
            other => panic!("the booking was refused: {other:?}"),
        }
    }

    /// Changes the state of an appointment.
    pub async fn become_status(&self, appointment: &StoredAppointment, path: &[AppointmentStatus]) {
        let mut from = appointment.status;
        for to in path {
            let write = self.changes(Resource::Appointment, appointment.id.get());
            let change = ChangeStatus {
                from,
                to: *to,
                reason: None,
            };
            let id = appointment.id;
            let outcome = self
                .storage
                .change_status(&write, id, &change)
                .await
                .unwrap();
            assert!(matches!(applied(outcome), ChangeStatusOutcome::Changed(_)));
            from = *to;
        }
    }
}
