//! Moving an appointment to another slot.

use std::cmp::Ordering;

use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::scheduling::{
    BookOutcome, RescheduleCommand, RescheduleOutcome, StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use super::book::{Offer, offer};
use super::{appointments, seats};
use crate::connection::Connection;
use crate::journal::{Decided, Verdict, repeated, settle};
use crate::statement::{any, change, one};

pub(super) async fn reschedule(
    connection: &mut Connection,
    appointment: AppointmentId,
    command: &RescheduleCommand,
) -> StoreResult<Verdict<Written<RescheduleOutcome>>> {
    if let Some(answer) = repeated(connection, &command.write).await? {
        return Ok(Verdict::Undo(answer));
    }
    let refused = |outcome| Ok(Verdict::Undo(Written::Applied(outcome)));
    let Some(row) = lock(connection, appointment, command).await? else {
        return refused(RescheduleOutcome::NotFound);
    };
    let at = command.write.at;
    let offer = offer(connection, command.slot, row.patient, at, appointment).await?;
    let write = match &offer {
        Some(offer) => command.write_for(&row, &offer.facts, offer.auto_confirm),
        None => command.write.clone(),
    };
    let decided = decide(connection, at, row, offer, command).await?;
    Ok(settle(connection, &write, decided).map(Written::Applied))
}

/// An appointment, its patient and both slots locked.
async fn lock(
    connection: &mut Connection,
    appointment: AppointmentId,
    command: &RescheduleCommand,
) -> StoreResult<Option<StoredAppointment>> {
    // An appointment is never another patient's, and nobody moves it while its patient is locked.
    let patient = one(
        connection,
        "locking the patient of an appointment",
        "SELECT patients.id FROM appointments
         JOIN patients ON patients.id = appointments.patient_id
         WHERE appointments.id = $1 FOR NO KEY UPDATE OF patients",
        (appointment.get(),),
        |columns| columns.make(UserId::from_row),
    )
    .await?;
    if patient.is_none() {
        return Ok(None);
    }
    any(
        connection,
        "locking the slots of a move",
        "SELECT 1 FROM slots
         WHERE id IN ($2, (SELECT slot_id FROM appointments WHERE id = $1))
         ORDER BY id FOR NO KEY UPDATE",
        (appointment.get(), command.slot.get()),
    )
    .await?;
    appointments::by_id(connection, appointment).await
}

async fn decide(
    connection: &mut Connection,
    at: Timestamp,
    mut row: StoredAppointment,
    offer: Option<Offer>,
    command: &RescheduleCommand,
) -> StoreResult<Decided<RescheduleOutcome>> {
    use RescheduleOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    if row.status != command.from {
        return refused(Outcome::Superseded(row.status));
    }
    if row.slot == command.slot {
        return refused(Outcome::Unchanged(row));
    }
    let Some(offer) = offer else {
        return refused(Outcome::Refused(BookOutcome::SlotNotFound));
    };
    if offer.facts.doctor != row.facts.doctor {
        return refused(Outcome::OtherDoctor);
    }
    if let Some(refusal) = offer.refusal {
        return refused(Outcome::Refused(refusal));
    }
    if !change_days(connection, &row, &offer).await? {
        return refused(Outcome::Refused(BookOutcome::DailyLimit));
    }
    seats::free(connection, at, row.slot).await?;
    seats::take(connection, at, command.slot).await?;
    row.status = command.status_after(row.status, offer.auto_confirm);
    row.slot = command.slot;
    row.facts = offer.facts;
    row.local_day = offer.local_day;
    row.reschedule_reason.clone_from(&command.reason);
    row.updated_at = at;
    store(connection, &row).await?;
    Ok(Decided::Changed(Outcome::Rescheduled(row)))
}

/// Moves a seat of the doctor from the one day to the other, which are locked in their order;
/// `false` when the limit of the new one is reached.
async fn change_days(
    connection: &mut Connection,
    row: &StoredAppointment,
    offer: &Offer,
) -> StoreResult<bool> {
    let (doctor, limit) = (row.facts.doctor, offer.daily_limit);
    let (old, new) = (row.local_day, offer.local_day);
    match old.cmp(&new) {
        Ordering::Equal => {
            let is_full = seats::day_is_full_without_one(connection, doctor, new, limit).await?;
            Ok(!is_full)
        }
        Ordering::Less => {
            seats::free_of_day(connection, doctor, old).await?;
            seats::take_of_day(connection, doctor, new, limit).await
        }
        Ordering::Greater => {
            let is_taken = seats::take_of_day(connection, doctor, new, limit).await?;
            seats::free_of_day(connection, doctor, old).await?;
            Ok(is_taken)
        }
    }
}

/// Writes what a move changes about an appointment.
async fn store(connection: &mut Connection, row: &StoredAppointment) -> StoreResult<()> {
    change(
        connection,
        "moving an appointment",
        "UPDATE appointments
         SET slot_id = $2, doctor_id = $3, clinic_id = $4, starts_at = $5, ends_at = $6,
             status = $7, reschedule_reason = $8, updated_at = $9
         WHERE id = $1",
        (
            row.id.get(),
            row.slot.get(),
            row.facts.doctor.get(),
            row.facts.clinic.get(),
            row.facts.starts_at.micros(),
            row.facts.ends_at.micros(),
            row.status.as_str(),
            row.reschedule_reason.as_ref().map(Sealed::as_bytes),
            row.updated_at.micros(),
        ),
    )
    .await?;
    Ok(())
}
