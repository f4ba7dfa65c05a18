//! Weekly hours, and the slots that are published from them.

use std::collections::BTreeSet;

use rusqlite::Connection;
use telemed_core::id::UserId;
use telemed_core::scheduling::{Publication, PublishOutcome, Schedule, WeeklyHours};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{blocked_times, slots};
use crate::journal::Decided;
use crate::rows;
use crate::statement::{any, change, one};

pub(super) fn of_doctor(connection: &Connection, doctor: UserId) -> StoreResult<Option<Schedule>> {
    let sql = format!(
        "SELECT {} FROM schedules WHERE doctor_id = ?1",
        rows::SCHEDULE
    );
    one(
        connection,
        "reading the hours of a doctor",
        &sql,
        [doctor.get()],
        rows::schedule,
    )
}

pub(super) fn set(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
    expected: Option<i64>,
    hours: &WeeklyHours,
    publication: &Publication,
) -> StoreResult<Decided<PublishOutcome>> {
    if !is_doctor(connection, doctor)? {
        return Ok(Decided::Refused(PublishOutcome::NotFound));
    }
    let version = of_doctor(connection, doctor)?.map(|schedule| schedule.version);
    if version != expected || !is_current(connection, doctor, publication)? {
        return Ok(Decided::Refused(PublishOutcome::Superseded));
    }
    let schedule = Schedule {
        doctor,
        hours: hours.clone(),
        version: version.map_or(1, |version| version + 1),
        updated_at: at,
    };
    change(
        connection,
        "setting the hours of a doctor",
        "INSERT INTO schedules (doctor_id, hours, slot_minutes, capacity, auto_confirm, version,
                                updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (doctor_id) DO UPDATE
         SET hours = ?2, slot_minutes = ?3, capacity = ?4, auto_confirm = ?5, version = ?6,
             updated_at = ?7",
        (
            doctor.get(),
            rows::days_text(hours),
            hours.slot_duration.get(),
            hours.capacity.get(),
            hours.auto_confirm,
            schedule.version,
            at.micros(),
        ),
    )?;
    publish_from(connection, at, schedule, publication).map(Decided::Changed)
}

pub(super) fn publish(
    connection: &Connection,
    at: Timestamp,
    doctor: UserId,
    version: i64,
    publication: &Publication,
) -> StoreResult<Decided<PublishOutcome>> {
    let Some(schedule) = of_doctor(connection, doctor)? else {
        return Ok(Decided::Refused(PublishOutcome::NotFound));
    };
    if schedule.version != version || !is_current(connection, doctor, publication)? {
        return Ok(Decided::Refused(PublishOutcome::Superseded));
    }
    publish_from(connection, at, schedule, publication).map(Decided::Changed)
}

/// Whether the user has a doctor's profile.
pub(super) fn is_doctor(connection: &Connection, doctor: UserId) -> StoreResult<bool> {
    any(
        connection,
        "looking for a doctor",
        "SELECT 1 FROM doctors WHERE id = ?1",
        [doctor.get()],
    )
}

/// Whether the publication was derived for the clinic where the doctor works now, in its zone.
fn is_current(
    connection: &Connection,
    doctor: UserId,
    publication: &Publication,
) -> StoreResult<bool> {
    let clinic: Option<(i64, String)> = one(
        connection,
        "reading the clinic of a doctor and its zone",
        "SELECT clinics.id, clinics.time_zone
         FROM doctors CROSS JOIN clinics ON clinics.id = doctors.clinic_id
         WHERE doctors.id = ?1",
        [doctor.get()],
        |columns| Ok((columns.next()?, columns.next()?)),
    )?;
    Ok(clinic.is_some_and(|(clinic, zone)| {
        let mut facts = publication.slots.iter().map(|(facts, _)| facts);
        zone == publication.time_zone.name() && facts.all(|facts| facts.clinic.get() == clinic)
    }))
}

/// Takes back what falls out of a publication and makes what is new in it.
fn publish_from(
    connection: &Connection,
    at: Timestamp,
    schedule: Schedule,
    publication: &Publication,
) -> StoreResult<PublishOutcome> {
    let (from, until) = (publication.from, publication.until);
    let times: BTreeSet<_> = publication
        .slots
        .iter()
        .map(|(facts, _)| (facts.clinic, facts.starts_at, facts.ends_at))
        .collect();
    let (mut made, mut retired) = (0, 0);
    let mut standing = BTreeSet::new();
    for slot in slots::active_in(connection, schedule.doctor, from, until)? {
        let time = (slot.facts.clinic, slot.facts.starts_at, slot.facts.ends_at);
        let stands = slot.capacity == publication.capacity && times.contains(&time);
        if slot.is_published && slot.booked_count == 0 && !stands {
            slots::take_back(connection, at, slot.id)?;
            retired += 1;
        } else {
            standing.insert(time);
        }
    }
    for (facts, local_day) in &publication.slots {
        // Most of them are there already: only the others are worth a look into the tables.
        let is_there = standing.contains(&(facts.clinic, facts.starts_at, facts.ends_at));
        if !is_there
            && !slots::overlaps(connection, facts)?
            && !blocked_times::overlaps(connection, facts)?
        {
            let capacity = publication.capacity;
            slots::add(connection, at, facts, *local_day, capacity, true)?;
            made += 1;
        }
    }
    Ok(PublishOutcome::Published {
        schedule,
        made,
        retired,
    })
}
