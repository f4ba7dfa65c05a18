//! Moving an appointment to another slot.

use rusqlite::Connection;
use telemed_core::crypto::Sealed;
use telemed_core::id::AppointmentId;
use telemed_core::scheduling::{
    BookOutcome, RescheduleCommand, RescheduleOutcome, StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use super::book::{Offer, offer, refusal};
use super::{appointments, slots};
use crate::journal::{Decided, keyed};
use crate::statement::change;
use crate::writer::{Verdict, WriteContext};

pub(super) fn reschedule(
    context: &mut WriteContext<'_>,
    appointment: AppointmentId,
    command: &RescheduleCommand,
) -> StoreResult<Verdict<Written<RescheduleOutcome>>> {
    let row = appointments::by_id(context.connection(), appointment)?;
    let offer = offer(context.connection(), command.slot)?;
    let write = match (&row, &offer) {
        (Some(row), Some(offer)) => command.write_for(row, &offer.slot.facts, offer.auto_confirm),
        _ => command.write.clone(),
    };
    keyed(context, write, |connection, write| {
        decide(connection, write.at, row, offer, command)
    })
}

fn decide(
    connection: &Connection,
    at: Timestamp,
    row: Option<StoredAppointment>,
    offer: Option<Offer>,
    command: &RescheduleCommand,
) -> StoreResult<Decided<RescheduleOutcome>> {
    use RescheduleOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let Some(mut row) = row else {
        return refused(Outcome::NotFound);
    };
    if row.status != command.from {
        return refused(Outcome::Superseded(row.status));
    }
    if row.slot == command.slot {
        return refused(Outcome::Unchanged(row));
    }
    let Some(offer) = offer else {
        return refused(Outcome::Refused(BookOutcome::SlotNotFound));
    };
    if offer.slot.facts.doctor != row.facts.doctor {
        return refused(Outcome::OtherDoctor);
    }
    if let Some(refusal) = refusal(connection, at, &offer, row.patient, Some(&row))? {
        return refused(Outcome::Refused(refusal));
    }
    slots::free_seat(connection, at, row.slot)?;
    slots::take_seat(connection, at, offer.slot.id)?;
    row.status = command.status_after(row.status, offer.auto_confirm);
    row.slot = offer.slot.id;
    row.facts = offer.slot.facts;
    row.local_day = offer.slot.local_day;
    row.reschedule_reason.clone_from(&command.reason);
    row.updated_at = at;
    store(connection, &row)?;
    Ok(Decided::Changed(Outcome::Rescheduled(row)))
}

/// Writes what a move changes about an appointment.
fn store(connection: &Connection, row: &StoredAppointment) -> StoreResult<()> {
    change(
        connection,
        "moving an appointment",
        "UPDATE appointments
         SET slot_id = ?2, doctor_id = ?3, clinic_id = ?4, starts_at = ?5, ends_at = ?6,
             status = ?7, reschedule_reason = ?8, updated_at = ?9
         WHERE id = ?1",
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
    )?;
    Ok(())
}
