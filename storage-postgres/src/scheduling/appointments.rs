//! Appointments and the changes of their state.

use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, SlotId};
use telemed_core::scheduling::{
    AppointmentRow, AppointmentStatus, CancelOutcome, ChangeStatus, ChangeStatusOutcome,
    StoredAppointment,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::seats;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{change, one, single};

pub(super) async fn by_id(
    connection: &mut Connection,
    appointment: AppointmentId,
) -> StoreResult<Option<StoredAppointment>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE appointments.id = $1",
        rows::APPOINTMENT,
        rows::APPOINTMENTS
    );
    one(
        connection,
        "reading an appointment",
        &sql,
        (appointment.get(),),
        rows::appointment,
    )
    .await
}

/// An appointment with its names.
pub(super) async fn row(
    connection: &mut Connection,
    appointment: AppointmentId,
) -> StoreResult<Option<AppointmentRow>> {
    let sql = format!(
        "SELECT {}, {} FROM appointments {} WHERE appointments.id = $1",
        rows::APPOINTMENT,
        rows::APPOINTMENT_NAMES,
        rows::APPOINTMENT_JOINS
    );
    one(
        connection,
        "reading an appointment with its names",
        &sql,
        (appointment.get(),),
        rows::appointment_row,
    )
    .await
}

/// An appointment, its slot locked: nobody else changes its state or its place.
async fn lock(
    connection: &mut Connection,
    appointment: AppointmentId,
) -> StoreResult<Option<StoredAppointment>> {
    let slot = one(
        connection,
        "locking the slot of an appointment",
        "SELECT slots.id FROM appointments JOIN slots ON slots.id = appointments.slot_id
         WHERE appointments.id = $1 FOR NO KEY UPDATE OF slots",
        (appointment.get(),),
        |columns| columns.make(SlotId::from_row),
    )
    .await?;
    let Some(slot) = slot else {
        return Ok(None);
    };
    let row = by_id(connection, appointment).await?;
    if row.as_ref().is_some_and(|row| row.slot != slot) {
        // It was moved while this waited: to lock its new slot as well could be against the order.
        return Err(connection.overtaken());
    }
    Ok(row)
}

/// Writes what a change of state changes about an appointment, and gives its seat back if the new
/// state takes none.
async fn store(
    connection: &mut Connection,
    was: AppointmentStatus,
    row: StoredAppointment,
) -> StoreResult<StoredAppointment> {
    let sql = format!(
        "UPDATE appointments
         SET status = $2, status_reason = $3, cancelled_at = $4, updated_at = $5
         FROM slots
         WHERE appointments.id = $1 AND slots.id = appointments.slot_id
         RETURNING {}",
        rows::APPOINTMENT
    );
    if was.takes_seat() && !row.status.takes_seat() {
        seats::free(connection, row.updated_at, row.slot).await?;
        seats::free_of_day(connection, row.facts.doctor, row.local_day).await?;
    }
    single(
        connection,
        "changing an appointment",
        &sql,
        (
            row.id.get(),
            row.status.as_str(),
            row.status_reason.as_ref().map(Sealed::as_bytes),
            row.cancelled_at.map(Timestamp::micros),
            row.updated_at.micros(),
        ),
        rows::appointment,
    )
    .await
}

pub(super) async fn cancel(
    connection: &mut Connection,
    at: Timestamp,
    appointment: AppointmentId,
    reason: &Sealed,
) -> StoreResult<Decided<CancelOutcome>> {
    let Some(mut row) = lock(connection, appointment).await? else {
        return Ok(Decided::Refused(CancelOutcome::NotFound));
    };
    let was = row.status;
    if !matches!(
        was,
        AppointmentStatus::Pending | AppointmentStatus::Confirmed
    ) {
        return Ok(Decided::Refused(CancelOutcome::Illegal(was)));
    }
    row.status = AppointmentStatus::Cancelled;
    row.status_reason = Some(reason.clone());
    row.cancelled_at = Some(at);
    row.updated_at = at;
    let row = store(connection, was, row).await?;
    Ok(Decided::Changed(CancelOutcome::Cancelled(row)))
}

pub(super) async fn change_status(
    connection: &mut Connection,
    at: Timestamp,
    appointment: AppointmentId,
    to: &ChangeStatus,
) -> StoreResult<Decided<ChangeStatusOutcome>> {
    let Some(mut row) = lock(connection, appointment).await? else {
        return Ok(Decided::Refused(ChangeStatusOutcome::NotFound));
    };
    let was = row.status;
    if was != to.from {
        return Ok(Decided::Refused(ChangeStatusOutcome::Superseded(was)));
    }
    row.status = to.to;
    if to.reason.is_some() {
        row.status_reason.clone_from(&to.reason);
    }
    row.updated_at = at;
    let row = store(connection, was, row).await?;
    Ok(Decided::Changed(ChangeStatusOutcome::Changed(row)))
}

pub(super) async fn update_notes(
    connection: &mut Connection,
    at: Timestamp,
    appointment: AppointmentId,
    notes: Option<&Sealed>,
) -> StoreResult<Decided<Option<StoredAppointment>>> {
    let updated = change(
        connection,
        "changing the notes on an appointment",
        "UPDATE appointments SET notes = $2, updated_at = $3 WHERE id = $1",
        (appointment.get(), notes.map(Sealed::as_bytes), at.micros()),
    )
    .await?;
    Ok(if updated == 0 {
        Decided::Refused(None)
    } else {
        Decided::Changed(by_id(connection, appointment).await?)
    })
}
