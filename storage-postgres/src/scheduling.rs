//! Slots and appointments.
//!
//! Who changes something locks what it rests on, in one order for all: users, doctors, clinics,
//! patients, slots, doctor_days, each by id. What makes slots or blocked times locks the doctor and
//! shares the clinic; what changes a slot's seats, or an appointment on it, locks the slot. So
//! nobody waits for anybody who waits for him.

mod appointments;
mod availability;
mod blocked_times;
mod book;
mod coalesce;
mod days;
mod facts;
mod lines;
mod reschedule;
mod schedules;
mod seats;
mod slots;

pub(crate) use coalesce::Coalescer;
pub(crate) use days::move_local_days;
pub(crate) use facts::Facts;

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

use crate::PostgresStore;
use crate::connection::Connection;
use crate::rows;
use crate::statement::{Conditions, List, any};

/// What a live appointment is, in the words of the partial indexes.
const LIVE: &str = "appointments.status IN ('pending', 'confirmed', 'in_progress')";

async fn open_slot_page(
    connection: &mut Connection,
    filter: &SlotFilter,
    now: Timestamp,
    page: PageRequest,
) -> StoreResult<Page<Slot>> {
    let mut conditions = Conditions::new(&format!(
        "slots.is_active AND slots.booked_count < slots.capacity
         AND users.is_active AND users.is_verified AND clinics.is_active AND NOT {}",
        blocked_times::IS_BLOCKED
    ));
    conditions.and("slots.starts_at > ?", Some(now.micros()))?;
    conditions.and("slots.doctor_id = ?", filter.doctor.map(UserId::get))?;
    conditions.and("slots.clinic_id = ?", filter.clinic.map(ClinicId::get))?;
    conditions.and("slots.starts_at >= ?", filter.from.map(Timestamp::micros))?;
    conditions.and("slots.starts_at <= ?", filter.to.map(Timestamp::micros))?;
    let list = List {
        columns: rows::SLOT,
        from: "slots JOIN users ON users.id = slots.doctor_id
               JOIN clinics ON clinics.id = slots.clinic_id",
        key: "slots.id",
        joined: "",
        order: "slots.starts_at, slots.id",
    };
    conditions
        .page(connection, "listing slots", &list, page, rows::slot)
        .await
}

async fn appointment_page(
    connection: &mut Connection,
    filter: &AppointmentFilter,
    page: PageRequest,
) -> StoreResult<Page<AppointmentRow>> {
    let mut conditions = Conditions::new("true");
    let (from, to) = (filter.from, filter.to);
    let status = filter.status.map(|status| status.as_str());
    conditions.and(
        "appointments.patient_id = ?",
        filter.patient.map(UserId::get),
    )?;
    conditions.and("appointments.doctor_id = ?", filter.doctor.map(UserId::get))?;
    conditions.and("appointments.status = ?", status)?;
    conditions.and("appointments.starts_at >= ?", from.map(Timestamp::micros))?;
    conditions.and("appointments.starts_at <= ?", to.map(Timestamp::micros))?;
    let list = List {
        columns: &format!("{}, {}", rows::APPOINTMENT, rows::APPOINTMENT_NAMES),
        from: "appointments",
        key: "appointments.id",
        joined: rows::APPOINTMENT_JOINS,
        // Ids are given in the order of booking.
        order: "appointments.id DESC",
    };
    let action = "listing appointments";
    conditions
        .page(connection, action, &list, page, rows::appointment_row)
        .await
}

async fn care_relation(
    connection: &mut Connection,
    doctor: UserId,
    patient: UserId,
    ended_after: Timestamp,
) -> StoreResult<bool> {
    any(
        connection,
        "looking for a care relation",
        "SELECT 1 FROM appointments
         WHERE patient_id = $1 AND doctor_id = $2 AND ends_at > $3
             AND status NOT IN ('rejected', 'cancelled')
         LIMIT 1",
        (patient.get(), doctor.get(), ended_after.micros()),
    )
    .await
}

#[async_trait]
impl SchedulingStore for PostgresStore {
    async fn create_slot(
        &self,
        write: &Write,
        slot: &NewSlot,
    ) -> StoreResult<Written<CreateSlotOutcome>> {
        let made = self.keyed(write, slot.clone(), |connection, write, slot| {
            Box::pin(slots::create(connection, write.at, slot))
        });
        let made = made.await?;
        if let Written::Applied(CreateSlotOutcome::Created(slot)) = &made {
            self.slot_facts().remember(std::iter::once(slot));
        }
        Ok(made)
    }

    async fn slot_by_id(&self, slot: SlotId) -> StoreResult<Option<Slot>> {
        let slot = self.read(slot, |connection, slot| {
            Box::pin(slots::by_id(connection, *slot))
        });
        let slot = slot.await?;
        self.slot_facts().remember(&slot);
        Ok(slot)
    }

    async fn open_slot_page(
        &self,
        filter: &SlotFilter,
        now: Timestamp,
        page: PageRequest,
    ) -> StoreResult<Page<Slot>> {
        let input = (*filter, now, page);
        let page = self.read(input, |connection, (filter, now, page)| {
            Box::pin(open_slot_page(connection, filter, *now, *page))
        });
        let page = page.await?;
        self.slot_facts().remember(&page.items);
        Ok(page)
    }

    async fn retire_slot(
        &self,
        write: &Write,
        slot: SlotId,
    ) -> StoreResult<Written<RetireSlotOutcome>> {
        self.keyed(write, slot, |connection, write, slot| {
            Box::pin(slots::retire(connection, write.at, *slot))
        })
        .await
    }

    async fn book_many(
        &self,
        slot: SlotId,
        commands: &[BookCommand],
    ) -> StoreResult<Vec<Written<BookOutcome>>> {
        coalesce::book(self, slot, commands).await
    }

    async fn cancel(
        &self,
        write: &Write,
        appointment: AppointmentId,
        reason: &Sealed,
    ) -> StoreResult<Written<CancelOutcome>> {
        let input = (appointment, reason.clone());
        self.keyed(write, input, |connection, write, (appointment, reason)| {
            Box::pin(appointments::cancel(
                connection,
                write.at,
                *appointment,
                reason,
            ))
        })
        .await
    }

    async fn change_status(
        &self,
        write: &Write,
        appointment: AppointmentId,
        change: &ChangeStatus,
    ) -> StoreResult<Written<ChangeStatusOutcome>> {
        let input = (appointment, change.clone());
        self.keyed(write, input, |connection, write, (appointment, change)| {
            let at = write.at;
            Box::pin(appointments::change_status(
                connection,
                at,
                *appointment,
                change,
            ))
        })
        .await
    }

    async fn appointment_by_id(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<StoredAppointment>> {
        self.read(appointment, |connection, appointment| {
            Box::pin(appointments::by_id(connection, *appointment))
        })
        .await
    }

    async fn update_notes(
        &self,
        write: &Write,
        appointment: AppointmentId,
        notes: Option<&Sealed>,
    ) -> StoreResult<Written<Option<StoredAppointment>>> {
        let input = (appointment, notes.cloned());
        self.keyed(write, input, |connection, write, (appointment, notes)| {
            let (at, notes) = (write.at, notes.as_ref());
            Box::pin(appointments::update_notes(
                connection,
                at,
                *appointment,
                notes,
            ))
        })
        .await
    }

    async fn appointment_row(
        &self,
        appointment: AppointmentId,
    ) -> StoreResult<Option<AppointmentRow>> {
        self.read(appointment, |connection, appointment| {
            Box::pin(appointments::row(connection, *appointment))
        })
        .await
    }

    async fn appointment_page(
        &self,
        filter: &AppointmentFilter,
        page: PageRequest,
    ) -> StoreResult<Page<AppointmentRow>> {
        self.read((*filter, page), |connection, (filter, page)| {
            Box::pin(appointment_page(connection, filter, *page))
        })
        .await
    }

    async fn care_relation(
        &self,
        doctor: UserId,
        patient: UserId,
        ended_after: Timestamp,
    ) -> StoreResult<bool> {
        let input = (doctor, patient, ended_after);
        self.read(input, |connection, (doctor, patient, ended_after)| {
            Box::pin(care_relation(connection, *doctor, *patient, *ended_after))
        })
        .await
    }
}
