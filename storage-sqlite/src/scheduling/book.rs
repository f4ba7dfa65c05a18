//! Booking.
//!
//! Every rule is read inside the transaction that writes, so nobody can come between; the
//! constraints of the schema stand beneath it.

use rusqlite::Connection;
use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, SlotId, UserId};
use telemed_core::journal::Write;
use telemed_core::scheduling::{
    AppointmentStatus, BookCommand, BookOutcome, Slot, SlotDuration, StoredAppointment,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::{LocalDay, Timestamp};

use super::{LIVE, blocked_times, slots};
use crate::journal::{Decided, keyed};
use crate::rows;
use crate::statement::{all, insert, one, only};
use crate::writer::{Verdict, WriteContext};

/// A slot with what else decides whether it can be booked.
pub(super) struct Offer {
    /// The slot.
    pub(super) slot: Slot,
    daily_limit: i64,
    /// Whether the slot, its doctor and its clinic are active and the doctor is verified.
    is_open: bool,
    /// Whether it lies in a blocked time of the doctor, if only in part.
    is_blocked: bool,
    /// Whether the doctor's bookings are confirmed without his word.
    pub(super) auto_confirm: bool,
}

/// Books each command by itself, in order; each sees what the ones before it took.
pub(super) fn book_many(
    context: &mut WriteContext<'_>,
    slot: SlotId,
    commands: &[BookCommand],
) -> StoreResult<Verdict<Vec<Written<BookOutcome>>>> {
    let mut any_kept = false;
    let mut answers = Vec::with_capacity(commands.len());
    for command in commands {
        let offer = offer(context.connection(), slot)?;
        let write = match &offer {
            Some(offer) => command.write_for(&offer.slot.facts),
            None => command.write.clone(),
        };
        let decide =
            |connection: &Connection, write: &Write| book(connection, write.at, offer, command);
        let (is_kept, answer) = match keyed(context, write, decide)? {
            Verdict::Keep(answer) => (true, answer),
            // A refusal has written nothing: what was kept before it stays.
            Verdict::Undo(answer) => (false, answer),
        };
        any_kept |= is_kept;
        answers.push(answer);
    }
    Ok(if any_kept {
        Verdict::Keep(answers)
    } else {
        Verdict::Undo(answers)
    })
}

/// Reads a slot as [`refusal`] needs it.
pub(super) fn offer(connection: &Connection, slot: SlotId) -> StoreResult<Option<Offer>> {
    let sql = format!(
        "SELECT {}, doctors.daily_limit,
                slots.is_active AND users.is_active AND users.is_verified AND clinics.is_active,
                {}, coalesce(schedules.auto_confirm, 0)
         FROM slots
         JOIN doctors ON doctors.id = slots.doctor_id
         JOIN users ON users.id = slots.doctor_id
         JOIN clinics ON clinics.id = slots.clinic_id
         LEFT JOIN schedules ON schedules.doctor_id = slots.doctor_id
         WHERE slots.id = ?1",
        rows::SLOT,
        blocked_times::IS_BLOCKED
    );
    one(
        connection,
        "reading a slot to book",
        &sql,
        [slot.get()],
        |columns| {
            Ok(Offer {
                slot: rows::slot(columns)?,
                daily_limit: columns.next()?,
                is_open: columns.next()?,
                is_blocked: columns.next()?,
                auto_confirm: columns.next()?,
            })
        },
    )
}

fn book(
    connection: &Connection,
    at: Timestamp,
    offer: Option<Offer>,
    command: &BookCommand,
) -> StoreResult<Decided<BookOutcome>> {
    let Some(offer) = offer else {
        return Ok(Decided::Refused(BookOutcome::SlotNotFound));
    };
    let facts = offer.slot.facts;
    let is_as_believed = command.expected_doctor.is_none_or(|it| it == facts.doctor)
        && command.expected_clinic.is_none_or(|it| it == facts.clinic);
    if !is_as_believed {
        return Ok(Decided::Refused(BookOutcome::SlotMismatch));
    }
    if let Some(refusal) = refusal(connection, at, &offer, command.patient, None)? {
        return Ok(Decided::Refused(refusal));
    }
    let appointment = make_appointment(connection, at, &offer, command)?;
    let id = appointment.id.get();
    Ok(Decided::Made(BookOutcome::Booked(appointment), id))
}

/// Why a slot refuses a patient, if it does: the rules in their order. An appointment that is to
/// be moved to the slot is left aside itself.
pub(super) fn refusal(
    connection: &Connection,
    at: Timestamp,
    offer: &Offer,
    patient: UserId,
    aside: Option<&StoredAppointment>,
) -> StoreResult<Option<BookOutcome>> {
    let slot = &offer.slot;
    let is_active: Option<bool> = one(
        connection,
        "reading the patient of a booking",
        "SELECT users.is_active FROM patients JOIN users ON users.id = patients.id
         WHERE patients.id = ?1",
        [patient.get()],
        only,
    )?;
    match is_active {
        None => return Ok(Some(BookOutcome::PatientNotFound)),
        Some(false) => return Ok(Some(BookOutcome::PatientInactive)),
        Some(true) => {}
    }
    if !offer.is_open {
        return Ok(Some(BookOutcome::SlotInactive));
    }
    if slot.facts.starts_at <= at {
        return Ok(Some(BookOutcome::SlotPast));
    }
    let meanwhile = slots_of_patient_meanwhile(connection, patient, slot, aside)?;
    if meanwhile.contains(&slot.id) {
        return Ok(Some(BookOutcome::AlreadyBooked));
    }
    if !meanwhile.is_empty() {
        return Ok(Some(BookOutcome::PatientOverlap));
    }
    if slot.free_seats() == 0 {
        return Ok(Some(BookOutcome::SlotFull));
    }
    if offer.is_blocked {
        return Ok(Some(BookOutcome::OnLeave));
    }
    let counts_already = aside.is_some_and(|own| {
        let is_same_day = own.facts.doctor == slot.facts.doctor && own.local_day == slot.local_day;
        is_same_day && own.status.takes_seat()
    });
    let seats = seats_of_day(connection, slot.facts.doctor, slot.local_day)?;
    if seats - i64::from(counts_already) >= offer.daily_limit {
        return Ok(Some(BookOutcome::DailyLimit));
    }
    Ok(None)
}

/// The slots of the patient's live appointments that share a moment with this slot; an
/// appointment on this slot is one of them.
fn slots_of_patient_meanwhile(
    connection: &Connection,
    patient: UserId,
    slot: &Slot,
    aside: Option<&StoredAppointment>,
) -> StoreResult<Vec<SlotId>> {
    // One that overlaps cannot have begun longer ago than the longest slot lasts.
    let earliest = slot.facts.starts_at.minus(SlotDuration::LONGEST);
    let sql = format!(
        "SELECT slot_id FROM appointments
         WHERE patient_id = ?1 AND starts_at > ?2 AND starts_at < ?3 AND ends_at > ?4
             AND id IS NOT ?5 AND {LIVE}"
    );
    all(
        connection,
        "looking for overlapping appointments",
        &sql,
        (
            patient.get(),
            earliest.micros(),
            slot.facts.ends_at.micros(),
            slot.facts.starts_at.micros(),
            aside.map(|own| own.id.get()),
        ),
        |columns| columns.make(SlotId::from_row),
    )
}

/// The seats taken in all of the doctor's slots of a day, whether they are offered or not.
fn seats_of_day(connection: &Connection, doctor: UserId, day: LocalDay) -> StoreResult<i64> {
    let seats = one(
        connection,
        "counting the appointments of a day",
        "SELECT coalesce(sum(booked_count), 0) FROM slots
         WHERE doctor_id = ?1 AND local_day = ?2",
        (doctor.get(), day.to_string()),
        only,
    )?;
    Ok(seats.unwrap_or(0))
}

fn make_appointment(
    connection: &Connection,
    at: Timestamp,
    offer: &Offer,
    command: &BookCommand,
) -> StoreResult<StoredAppointment> {
    let slot = &offer.slot;
    let facts = slot.facts;
    let status = if offer.auto_confirm {
        AppointmentStatus::Confirmed
    } else {
        AppointmentStatus::Pending
    };
    let texts = [&command.reason_for_visit, &command.symptoms, &command.notes];
    let [reason, symptoms, notes] = texts.map(|text| text.as_ref().map(Sealed::as_bytes));
    let id = insert(
        connection,
        "making an appointment",
        "INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at,
                                   kind, status, seal_id, reason_for_visit, symptoms, notes,
                                   created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
        (
            command.patient.get(),
            slot.id.get(),
            facts.doctor.get(),
            facts.clinic.get(),
            facts.starts_at.micros(),
            facts.ends_at.micros(),
            command.kind.as_str(),
            status.as_str(),
            command.seal_id.get().as_bytes(),
            reason,
            symptoms,
            notes,
            at.micros(),
        ),
    )?;
    slots::take_seat(connection, at, slot.id)?;
    Ok(StoredAppointment {
        id: AppointmentId::from_row(id),
        patient: command.patient,
        slot: slot.id,
        facts,
        local_day: slot.local_day,
        kind: command.kind,
        status,
        seal_id: command.seal_id,
        reason_for_visit: command.reason_for_visit.clone(),
        symptoms: command.symptoms.clone(),
        notes: command.notes.clone(),
        status_reason: None,
        reschedule_reason: None,
        cancelled_at: None,
        created_at: at,
        updated_at: at,
    })
}
