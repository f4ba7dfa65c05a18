//! Slots.

use rusqlite::Connection;
use telemed_core::id::{SlotId, UserId};
use telemed_core::scheduling::{
    Capacity, CreateSlotOutcome, DaySlot, DoctorDays, NewSlot, RetireSlotOutcome, Slot,
    SlotDuration, SlotFacts,
};
use telemed_core::store::StoreResult;
use telemed_core::time::{LocalDay, Timestamp};

use super::{LIVE, blocked_times};
use crate::journal::Decided;
use crate::rows;
use crate::statement::{all, any, change, insert, one, only};

pub(super) fn by_id(connection: &Connection, slot: SlotId) -> StoreResult<Option<Slot>> {
    let sql = format!("SELECT {} FROM slots WHERE id = ?1", rows::SLOT);
    one(connection, "reading a slot", &sql, [slot.get()], rows::slot)
}

pub(super) fn create(
    connection: &Connection,
    at: Timestamp,
    new: &NewSlot,
) -> StoreResult<Decided<CreateSlotOutcome>> {
    use CreateSlotOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let facts = new.facts;
    let works_at: Option<i64> = one(
        connection,
        "reading the clinic of a doctor",
        "SELECT clinic_id FROM doctors WHERE id = ?1",
        [facts.doctor.get()],
        only,
    )?;
    let zone: Option<String> = one(
        connection,
        "reading the zone of a clinic",
        "SELECT time_zone FROM clinics WHERE id = ?1",
        [facts.clinic.get()],
        only,
    )?;
    let Some(works_at) = works_at else {
        return refused(Outcome::DoctorNotFound);
    };
    let Some(zone) = zone else {
        return refused(Outcome::ClinicNotFound);
    };
    if works_at != facts.clinic.get() {
        return refused(Outcome::ClinicMismatch);
    }
    if zone != new.time_zone.name() {
        return refused(Outcome::ZoneChanged);
    }
    if overlaps(connection, &facts)? {
        return refused(Outcome::Overlap);
    }
    let id = add(connection, at, &facts, new.local_day, new.capacity, false)?;
    let slot = rows::there(by_id(connection, SlotId::from_row(id))?)?;
    Ok(Decided::Made(Outcome::Created(slot), id))
}

/// Whether the doctor has an active slot that shares a moment with these facts.
pub(super) fn overlaps(connection: &Connection, facts: &SlotFacts) -> StoreResult<bool> {
    // A slot that overlaps cannot have begun longer ago than the longest slot lasts.
    let earliest = facts.starts_at.minus(SlotDuration::LONGEST);
    any(
        connection,
        "looking for an overlapping slot",
        "SELECT 1 FROM slots
         WHERE doctor_id = ?1 AND is_active = 1 AND starts_at > ?2 AND starts_at < ?3
             AND ends_at > ?4
         LIMIT 1",
        (
            facts.doctor.get(),
            earliest.micros(),
            facts.ends_at.micros(),
            facts.starts_at.micros(),
        ),
    )
}

/// Makes a slot without bookings and returns its number.
pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    facts: &SlotFacts,
    local_day: LocalDay,
    capacity: Capacity,
    is_published: bool,
) -> StoreResult<i64> {
    insert(
        connection,
        "making a slot",
        "INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_published, is_active, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 1, ?8, ?8)",
        (
            facts.doctor.get(),
            facts.clinic.get(),
            facts.starts_at.micros(),
            facts.ends_at.micros(),
            local_day.to_string(),
            capacity.get(),
            is_published,
            at.micros(),
        ),
    )
}

pub(super) fn retire(
    connection: &Connection,
    at: Timestamp,
    slot: SlotId,
) -> StoreResult<Decided<RetireSlotOutcome>> {
    use RetireSlotOutcome as Outcome;
    let Some(mut row) = by_id(connection, slot)?.filter(|row| row.is_active) else {
        return Ok(Decided::Refused(Outcome::NotFound));
    };
    let sql = format!("SELECT count(*) FROM appointments WHERE slot_id = ?1 AND {LIVE}");
    let live: Option<i64> = one(
        connection,
        "counting live appointments",
        &sql,
        [slot.get()],
        only,
    )?;
    if let Some(live @ 1..) = live.and_then(|live| u64::try_from(live).ok()) {
        return Ok(Decided::Refused(Outcome::HasBookings(live)));
    }
    take_back(connection, at, slot)?;
    row.is_active = false;
    row.updated_at = at;
    Ok(Decided::Changed(Outcome::Retired(row)))
}

/// Offers a slot no more.
pub(super) fn take_back(connection: &Connection, at: Timestamp, slot: SlotId) -> StoreResult<()> {
    change(
        connection,
        "taking a slot back",
        "UPDATE slots SET is_active = 0, updated_at = ?2 WHERE id = ?1",
        (slot.get(), at.micros()),
    )?;
    Ok(())
}

/// The doctor's active slots that begin in a span, its end left out, by start.
pub(super) fn active_in(
    connection: &Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<Slot>> {
    let sql = format!(
        "SELECT {} FROM slots
         WHERE doctor_id = ?1 AND is_active = 1 AND starts_at >= ?2 AND starts_at < ?3
         ORDER BY starts_at",
        rows::SLOT
    );
    all(
        connection,
        "reading the active slots of a doctor",
        &sql,
        (doctor.get(), from.micros(), until.micros()),
        rows::slot,
    )
}

/// The active slot of a doctor that begins at an instant.
pub(super) fn at(
    connection: &Connection,
    doctor: UserId,
    starts_at: Timestamp,
) -> StoreResult<Option<Slot>> {
    let sql = format!(
        "SELECT {} FROM slots WHERE doctor_id = ?1 AND starts_at = ?2 AND is_active = 1",
        rows::SLOT
    );
    one(
        connection,
        "reading the slot of a time",
        &sql,
        (doctor.get(), starts_at.micros()),
        rows::slot,
    )
}

/// A listed doctor's active slots of some local days, with what decides whether each can be
/// booked.
pub(super) fn of_days(
    connection: &Connection,
    doctor: UserId,
    from: LocalDay,
    to: LocalDay,
) -> StoreResult<Option<DoctorDays>> {
    let listed = one(
        connection,
        "reading the zone of a listed doctor",
        "SELECT clinics.time_zone, doctors.daily_limit FROM users
         CROSS JOIN doctors ON doctors.id = users.id
         CROSS JOIN clinics ON clinics.id = doctors.clinic_id
         WHERE users.id = ?1 AND users.is_active = 1 AND users.is_verified = 1",
        [doctor.get()],
        |columns| Ok((rows::time_zone(columns)?, columns.next::<i64>()?)),
    )?;
    let Some((time_zone, daily_limit)) = listed else {
        return Ok(None);
    };
    // The days that are full are found once and not for each slot.
    let sql = format!(
        "SELECT {}, {},
             slots.local_day IN (
                 SELECT local_day FROM slots AS taken
                 WHERE doctor_id = ?1 AND local_day BETWEEN ?2 AND ?3
                 GROUP BY local_day HAVING sum(booked_count) >= ?4),
             (SELECT is_active FROM clinics WHERE clinics.id = slots.clinic_id)
         FROM slots
         WHERE doctor_id = ?1 AND local_day BETWEEN ?2 AND ?3 AND is_active = 1
         ORDER BY local_day, starts_at LIMIT 2000",
        rows::SLOT,
        blocked_times::IS_BLOCKED
    );
    let slots = all(
        connection,
        "reading the times of a doctor",
        &sql,
        (doctor.get(), from.to_string(), to.to_string(), daily_limit),
        |columns| {
            Ok(DaySlot {
                slot: rows::slot(columns)?,
                is_blocked: columns.next()?,
                is_day_full: columns.next()?,
                is_clinic_active: columns.next()?,
            })
        },
    )?;
    Ok(Some(DoctorDays { time_zone, slots }))
}

/// Takes a seat.
pub(super) fn take_seat(connection: &Connection, at: Timestamp, slot: SlotId) -> StoreResult<()> {
    change(
        connection,
        "taking a seat",
        "UPDATE slots SET booked_count = booked_count + 1, updated_at = ?2 WHERE id = ?1",
        (slot.get(), at.micros()),
    )?;
    Ok(())
}

/// Gives a seat back.
pub(super) fn free_seat(connection: &Connection, at: Timestamp, slot: SlotId) -> StoreResult<()> {
    change(
        connection,
        "giving a seat back",
        "UPDATE slots SET booked_count = max(booked_count - 1, 0), updated_at = ?2
         WHERE id = ?1",
        (slot.get(), at.micros()),
    )?;
    Ok(())
}
