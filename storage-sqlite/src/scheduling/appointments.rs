//! Appointments and the changes of their state.

use rusqlite::Connection;
use telemed_core::crypto::Sealed;
use telemed_core::id::AppointmentId;
use telemed_core::scheduling::{
    AppointmentRow, AppointmentStatus, CancelOutcome, ChangeStatus, ChangeStatusOutcome,
    StoredAppointment,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::slots;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{change, one};

pub(super) fn by_id(
    connection: &Connection,
    appointment: AppointmentId,
) -> StoreResult<Option<StoredAppointment>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE appointments.id = ?1",
        rows::APPOINTMENT,
        rows::APPOINTMENTS
    );
    one(
        connection,
        "reading an appointment",
        &sql,
        [appointment.get()],
        rows::appointment,
    )
}

/// An appointment with its names.
pub(super) fn row(
    connection: &Connection,
    appointment: AppointmentId,
) -> StoreResult<Option<AppointmentRow>> {
    let sql = format!(
        "SELECT {}, {} FROM appointments {} WHERE appointments.id = ?1",
        rows::APPOINTMENT,
        rows::APPOINTMENT_NAMES,
        rows::APPOINTMENT_JOINS
    );
    one(
        connection,
        "reading an appointment with its names",
        &sql,
        [appointment.get()],
        rows::appointment_row,
    )
}

/// Writes what a change of state changes about an appointment.
fn store(connection: &Connection, row: &StoredAppointment) -> StoreResult<()> {
    change(
        connection,
        "changing an appointment",
        "UPDATE appointments
         SET status = ?2, status_reason = ?3, cancelled_at = ?4, updated_at = ?5
         WHERE id = ?1",
        (
            row.id.get(),
            row.status.as_str(),
            row.status_reason.as_ref().map(|reason| reason.as_bytes()),
            row.cancelled_at.map(Timestamp::micros),
            row.updated_at.micros(),
        ),
    )?;
    Ok(())
}

pub(super) fn cancel(
    connection: &Connection,
    at: Timestamp,
    appointment: AppointmentId,
    reason: &Sealed,
) -> StoreResult<Decided<CancelOutcome>> {
    let Some(mut row) = by_id(connection, appointment)? else {
        return Ok(Decided::Refused(CancelOutcome::NotFound));
    };
    if !matches!(
        row.status,
        AppointmentStatus::Pending | AppointmentStatus::Confirmed
    ) {
        return Ok(Decided::Refused(CancelOutcome::Illegal(row.status)));
    }
    row.status = AppointmentStatus::Cancelled;
    row.status_reason = Some(reason.clone());
    row.cancelled_at = Some(at);
    row.updated_at = at;
    store(connection, &row)?;
    slots::free_seat(connection, at, row.slot)?;
    Ok(Decided::Changed(CancelOutcome::Cancelled(row)))
}

pub(super) fn change_status(
    connection: &Connection,
    at: Timestamp,
    appointment: AppointmentId,
    change: &ChangeStatus,
) -> StoreResult<Decided<ChangeStatusOutcome>> {
    let Some(mut row) = by_id(connection, appointment)? else {
        return Ok(Decided::Refused(ChangeStatusOutcome::NotFound));
    };
    if row.status != change.from {
        return Ok(Decided::Refused(ChangeStatusOutcome::Superseded(
            row.status,
        )));
    }
    row.status = change.to;
    if change.reason.is_some() {
        row.status_reason.clone_from(&change.reason);
    }
    row.updated_at = at;
    store(connection, &row)?;
    if change.from.takes_seat() && !change.to.takes_seat() {
        slots::free_seat(connection, at, row.slot)?;
    }
    Ok(Decided::Changed(ChangeStatusOutcome::Changed(row)))
}

pub(super) fn update_notes(
    connection: &Connection,
    at: Timestamp,
    appointment: AppointmentId,
    notes: Option<&Sealed>,
) -> StoreResult<Decided<Option<StoredAppointment>>> {
    let updated = change(
        connection,
        "changing the notes on an appointment",
        "UPDATE appointments SET notes = ?2, updated_at = ?3 WHERE id = ?1",
        (appointment.get(), notes.map(Sealed::as_bytes), at.micros()),
    )?;
    Ok(if updated == 0 {
        Decided::Refused(None)
    } else {
        Decided::Changed(by_id(connection, appointment)?)
    })
}
