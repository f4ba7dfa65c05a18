//! Slots.

use telemed_core::id::{ClinicId, SlotId, UserId};
use telemed_core::scheduling::{
    CreateSlotOutcome, DaySlot, DoctorDays, NewSlot, RetireSlotOutcome, Slot, SlotDuration,
    SlotFacts,
};
use telemed_core::store::StoreResult;
use telemed_core::time::{LocalDay, Timestamp};

use super::{LIVE, blocked_times};
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{all, any, change, one, only, single};

pub(super) async fn by_id(connection: &mut Connection, slot: SlotId) -> StoreResult<Option<Slot>> {
    let sql = format!("SELECT {} FROM slots WHERE id = $1", rows::SLOT);
    one(
        connection,
        "reading a slot",
        &sql,
        (slot.get(),),
        rows::slot,
    )
    .await
}

/// Locks a doctor against other slots and blocked times that are being made; the clinic where he
/// works.
pub(super) async fn lock_doctor(
    connection: &mut Connection,
    doctor: UserId,
) -> StoreResult<Option<ClinicId>> {
    one(
        connection,
        "locking a doctor",
        "SELECT clinic_id FROM doctors WHERE id = $1 FOR NO KEY UPDATE",
        (doctor.get(),),
        |columns| columns.make(ClinicId::from_row),
    )
    .await
}

/// The zone of a clinic, which keeps it until this transaction ends.
pub(super) async fn hold_zone(
    connection: &mut Connection,
    clinic: ClinicId,
) -> StoreResult<Option<String>> {
    one(
        connection,
        "holding the zone of a clinic",
        "SELECT time_zone FROM clinics WHERE id = $1 FOR SHARE",
        (clinic.get(),),
        only,
    )
    .await
}

pub(super) async fn create(
    connection: &mut Connection,
    at: Timestamp,
    new: &NewSlot,
) -> StoreResult<Decided<CreateSlotOutcome>> {
    use CreateSlotOutcome as Outcome;
    let refused = |outcome| Ok(Decided::Refused(outcome));
    let facts = new.facts;
    let Some(works_at) = lock_doctor(connection, facts.doctor).await? else {
        return refused(Outcome::DoctorNotFound);
    };
    let Some(zone) = hold_zone(connection, facts.clinic).await? else {
        return refused(Outcome::ClinicNotFound);
    };
    if works_at != facts.clinic {
        return refused(Outcome::ClinicMismatch);
    }
    if zone != new.time_zone.name() {
        return refused(Outcome::ZoneChanged);
    }
    if overlaps(connection, &facts).await? {
        return refused(Outcome::Overlap);
    }
    let sql = format!(
        "INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_published, is_active, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, false, true, $7, $7)
         RETURNING {}",
        rows::SLOT
    );
    let slot = single(
        connection,
        "making a slot",
        &sql,
        (
            facts.doctor.get(),
            facts.clinic.get(),
            facts.starts_at.micros(),
            facts.ends_at.micros(),
            new.local_day.to_string(),
            i32::from(new.capacity.get()),
            at.micros(),
        ),
        rows::slot,
    )
    .await?;
    let number = slot.id.get();
    Ok(Decided::Made(Outcome::Created(slot), number))
}

/// Whether the doctor has an active slot that shares a moment with these facts.
async fn overlaps(connection: &mut Connection, facts: &SlotFacts) -> StoreResult<bool> {
    // A slot that overlaps cannot have begun longer ago than the longest slot lasts.
    let earliest = facts.starts_at.minus(SlotDuration::LONGEST);
    any(
        connection,
        "looking for an overlapping slot",
        "SELECT 1 FROM slots
         WHERE doctor_id = $1 AND is_active AND starts_at > $2 AND starts_at < $3 AND ends_at > $4
         LIMIT 1",
        (
            facts.doctor.get(),
            earliest.micros(),
            facts.ends_at.micros(),
            facts.starts_at.micros(),
        ),
    )
    .await
}

pub(super) async fn retire(
    connection: &mut Connection,
    at: Timestamp,
    slot: SlotId,
) -> StoreResult<Decided<RetireSlotOutcome>> {
    use RetireSlotOutcome as Outcome;
    let is_active = one(
        connection,
        "locking a slot",
        "SELECT is_active FROM slots WHERE id = $1 FOR NO KEY UPDATE",
        (slot.get(),),
        only,
    )
    .await?;
    if is_active != Some(true) {
        return Ok(Decided::Refused(Outcome::NotFound));
    }
    let sql = format!("SELECT count(*) FROM appointments WHERE slot_id = $1 AND {LIVE}");
    let live: i64 = single(
        connection,
        "counting live appointments",
        &sql,
        (slot.get(),),
        only,
    )
    .await?;
    if let Ok(live @ 1..) = u64::try_from(live) {
        return Ok(Decided::Refused(Outcome::HasBookings(live)));
    }
    let sql = format!(
        "UPDATE slots SET is_active = false, updated_at = $2 WHERE id = $1 RETURNING {}",
        rows::SLOT
    );
    let retired = single(
        connection,
        "taking a slot back",
        &sql,
        (slot.get(), at.micros()),
        rows::slot,
    )
    .await?;
    Ok(Decided::Changed(Outcome::Retired(retired)))
}

/// Offers the slots no more that nobody has booked until now; how many those are.
pub(super) async fn take_back(
    connection: &mut Connection,
    at: Timestamp,
    slots: &[i64],
) -> StoreResult<u64> {
    let unbooked: Vec<i64> = all(
        connection,
        "locking slots",
        "SELECT id FROM slots WHERE id = ANY ($1) AND is_active AND booked_count = 0
         ORDER BY id FOR NO KEY UPDATE",
        (slots,),
        only,
    )
    .await?;
    change(
        connection,
        "taking slots back",
        "UPDATE slots SET is_active = false, updated_at = $2 WHERE id = ANY ($1)",
        (unbooked, at.micros()),
    )
    .await
}

/// The doctor's active slots that share a moment with a span, by start.
pub(super) async fn active_in(
    connection: &mut Connection,
    doctor: UserId,
    from: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<Slot>> {
    let earliest = from.minus(SlotDuration::LONGEST);
    let sql = format!(
        "SELECT {} FROM slots
         WHERE doctor_id = $1 AND is_active AND starts_at > $2 AND starts_at < $3 AND ends_at > $4
         ORDER BY starts_at",
        rows::SLOT
    );
    all(
        connection,
        "reading the active slots of a doctor",
        &sql,
        (
            doctor.get(),
            earliest.micros(),
            until.micros(),
            from.micros(),
        ),
        rows::slot,
    )
    .await
}

/// The active slot of a doctor that begins at an instant.
pub(super) async fn at(
    connection: &mut Connection,
    doctor: UserId,
    starts_at: Timestamp,
) -> StoreResult<Option<Slot>> {
    let sql = format!(
        "SELECT {} FROM slots WHERE doctor_id = $1 AND starts_at = $2 AND is_active",
        rows::SLOT
    );
    one(
        connection,
        "reading the slot of a time",
        &sql,
        (doctor.get(), starts_at.micros()),
        rows::slot,
    )
    .await
}

/// A listed doctor's active slots of some local days, with what decides whether each can be
/// booked.
pub(super) async fn of_days(
    connection: &mut Connection,
    doctor: UserId,
    from: LocalDay,
    to: LocalDay,
) -> StoreResult<Option<DoctorDays>> {
    let listed = one(
        connection,
        "reading the zone of a listed doctor",
        "SELECT clinics.time_zone, doctors.daily_limit
         FROM doctors JOIN users ON users.id = doctors.id
         JOIN clinics ON clinics.id = doctors.clinic_id
         WHERE doctors.id = $1 AND users.is_active AND users.is_verified",
        (doctor.get(),),
        |columns| Ok((rows::time_zone(columns)?, columns.next::<i32>()?)),
    )
    .await?;
    let Some((time_zone, daily_limit)) = listed else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {}, {}, coalesce(doctor_days.taken, 0) >= $4, clinics.is_active
         FROM slots JOIN clinics ON clinics.id = slots.clinic_id
         LEFT JOIN doctor_days ON doctor_days.doctor_id = slots.doctor_id
             AND doctor_days.local_day = slots.local_day
         WHERE slots.doctor_id = $1 AND slots.local_day BETWEEN $2 AND $3 AND slots.is_active
         ORDER BY slots.local_day, slots.starts_at LIMIT 2000",
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
    )
    .await?;
    Ok(Some(DoctorDays { time_zone, slots }))
}
