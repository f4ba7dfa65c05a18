//! Slots and appointments.

mod appointments;
mod availability;
mod blocked_times;
mod book;
mod reschedule;
mod schedules;
mod slots;

use async_trait::async_trait;
use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, ClinicId, SlotId, UserId};
use telemed_core::journal::Write;
use telemed_core::page::{Page, PageRequest};
use telemed_core::scheduling::{
    AppointmentFilter, AppointmentRow, BookCommand, BookOutcome, CancelOutcome, ChangeStatus,
    ChangeStatusOutcome, CreateSlotOutcome, NewSlot, RetireSlotOutcome, SchedulingStore, Slot,
    SlotFilter, StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::rows;
use crate::statement::{Conditions, List, any};

/// What a live appointment is, in the words of the partial indexes.
const LIVE: &str = "(status = 'pending' OR status = 'confirmed' OR status = 'in_progress')";

#[async_trait]
impl SchedulingStore for SqliteStore {
    async fn create_slot(
        &self,
        write: &Write,
        slot: &NewSlot,
    ) -> StoreResult<Written<CreateSlotOutcome>> {
        let slot = slot.clone();
        self.keyed(write, move |connection, write| {
            slots::create(connection, write.at, &slot)
        })
        .await
    }

    async fn slot_by_id(&self, slot: SlotId) -> StoreResult<Option<Slot>> {
        self.read(move |connection| slots::by_id(connection, slot))
            .await
    }

    async fn open_slot_page(
        &self,
        filter: &SlotFilter,
        now: Timestamp,
        page: PageRequest,
    ) -> StoreResult<Page<Slot>> {
        let filter = *filter;
        self.read(move |connection| {
            let mut conditions = Conditions::new(&format!(
                "slots.is_active = 1 AND slots.booked_count < slots.capacity
                 AND users.is_active = 1 AND users.is_verified = 1 AND clinics.is_active = 1
                 AND NOT {}",
                blocked_times::IS_BLOCKED
            ));
            conditions.and("slots.starts_at > ?", Some(now.micros()));
            conditions.and("slots.doctor_id = ?", filter.doctor.map(UserId::get));
            conditions.and("slots.clinic_id = ?", filter.clinic.map(ClinicId::get));
            conditions.and("slots.starts_at >= ?", filter.from.map(Timestamp::micros));
            conditions.and("slots.starts_at <= ?", filter.to.map(Timestamp::micros));
            let list = List {
                columns: rows::SLOT,
                from: "slots JOIN users ON users.id = slots.doctor_id
                       JOIN clinics ON clinics.id = slots.clinic_id",
                key: "slots.id",
                joined: "",
                order: "slots.starts_at, slots.id",
            };
            conditions.page(connection, "listing slots", &list, page, rows::slot)
        })
        .await
    }

    async fn retire_slot(
        &self,
        write: &Write,
        slot: SlotId,
    ) -> StoreResult<Written<RetireSlotOutcome>> {
        self.keyed(write, move |connection, write| {
            slots::retire(connection, write.at, slot)
        })
        .await
    }

    async fn book_many(
        &self,
        slot: SlotId,
        commands: &[BookCommand],
    ) -> StoreResult<Vec<Written<BookOutcome>>> {
        let commands = commands.to_vec();
        self.write(move |context| book::book_many(context, slot, &commands))
            .await
    }

    async fn cancel(
        &self,
        write: &Write,
        appointment: AppointmentId,
        reason: &Sealed,
    ) -> StoreResult<Written<CancelOutcome>> {
        let reason = reason.clone();
        self.keyed(write, move |connection, write| {
            appointments::cancel(connection, write.at, appointment, &reason)
        })
        .await
    }

    async fn change_status(
        &self,
        write: &Write,
        appointment: AppointmentId,
        change: &ChangeStatus,
    ) -> StoreResult<Written<ChangeStatusOutcome>> {
        let change = change.clone();
        self.keyed(write, move |connection, write| {
            appointments::change_status(connection, write.at, appointment, &change)
        })
        .await
    }

    async fn appointment_by_id(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<StoredAppointment>> {
        self.read(move |connection| appointments::by_id(connection, appointment))
            .await
    }

    async fn update_notes(
        &self,
        write: &Write,
        appointment: AppointmentId,
        notes: Option<&Sealed>,
    ) -> StoreResult<Written<Option<StoredAppointment>>> {
        let notes = notes.cloned();
        self.keyed(write, move |connection, write| {
            appointments::update_notes(connection, write.at, appointment, notes.as_ref())
        })
        .await
    }

    async fn appointment_row(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<AppointmentRow>> {
        self.read(move |connection| appointments::row(connection, appointment))
            .await
    }

    async fn appointment_page(
        &self,
        filter: &AppointmentFilter,
        page: PageRequest,
    ) -> StoreResult<Page<AppointmentRow>> {
        let filter = *filter;
        self.read(move |connection| {
            let mut conditions = Conditions::new("true");
            let patient = filter.patient.map(UserId::get);
            let doctor = filter.doctor.map(UserId::get);
            let status = filter.status.map(|status| status.as_str().to_owned());
            // The plus signs keep SQLite from walking everybody's appointments in a state, or a
            // doctor's long list for a patient's short one.
            let (of_doctor, in_state) = match (patient, doctor) {
                (Some(_), _) => ("+appointments.doctor_id = ?", "+appointments.status = ?"),
                (None, Some(_)) => ("appointments.doctor_id = ?", "+appointments.status = ?"),
                (None, None) => ("appointments.doctor_id = ?", "appointments.status = ?"),
            };
            conditions.and("appointments.patient_id = ?", patient);
            conditions.and(of_doctor, doctor);
            conditions.and(in_state, status);
            let (from, to) = (filter.from, filter.to);
            conditions.and("appointments.starts_at >= ?", from.map(Timestamp::micros));
            conditions.and("appointments.starts_at <= ?", to.map(Timestamp::micros));
            let list = List {
                columns: &format!("{}, {}", rows::APPOINTMENT, rows::APPOINTMENT_NAMES),
                from: "appointments",
                key: "appointments.id",
                joined: rows::APPOINTMENT_JOINS,
                // Ids are given in the order of booking.
                order: "appointments.id DESC",
            };
            let action = "listing appointments";
            conditions.page(connection, action, &list, page, rows::appointment_row)
        })
        .await
    }

    async fn care_relation(
        &self,
        doctor: UserId,
        patient: UserId,
        ended_after: Timestamp,
    ) -> StoreResult<bool> {
        self.read(move |connection| {
            any(
                connection,
                "looking for a care relation",
                "SELECT 1 FROM appointments
                 WHERE patient_id = ?1 AND +doctor_id = ?2 AND ends_at > ?3
                     AND status NOT IN ('rejected', 'cancelled')
                 LIMIT 1",
                (patient.get(), doctor.get(), ended_after.micros()),
            )
        })
        .await
    }
}
