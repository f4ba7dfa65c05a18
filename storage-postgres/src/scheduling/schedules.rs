//! Weekly hours, and the slots that are published from them.

use std::collections::{BTreeMap, BTreeSet};

use telemed_core::id::UserId;
use telemed_core::scheduling::{
    Publication, PublishOutcome, Schedule, Slot, SlotFacts, WeeklyHours,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{blocked_times, slots};
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{change, one};

pub(super) async fn of_doctor(
    connection: &mut Connection,
    doctor: UserId,
) -> StoreResult<Option<Schedule>> {
    let sql = format!(
        "SELECT {} FROM schedules WHERE doctor_id = $1",
        rows::SCHEDULE
    );
    one(
        connection,
        "reading the hours of a doctor",
        &sql,
        (doctor.get(),),
        rows::schedule,
    )
    .await
}

pub(super) async fn set(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
    expected: Option<i64>,
    hours: &WeeklyHours,
    publication: &Publication,
) -> StoreResult<Decided<PublishOutcome>> {
    let Some(is_current) = lock_for(connection, doctor, publication).await? else {
        return Ok(Decided::Refused(PublishOutcome::NotFound));
    };
    let version = of_doctor(connection, doctor)
        .await?
        .map(|schedule| schedule.version);
    if version != expected || !is_current {
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
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (doctor_id) DO UPDATE
         SET hours = $2, slot_minutes = $3, capacity = $4, auto_confirm = $5, version = $6,
             updated_at = $7",
        (
            doctor.get(),
            rows::days_text(hours),
            i32::from(hours.slot_duration.get()),
            i32::from(hours.capacity.get()),
            hours.auto_confirm,
            schedule.version,
            at.micros(),
        ),
    )
    .await?;
    let published = publish_from(connection, at, schedule, publication).await?;
    Ok(Decided::Changed(published))
}

pub(super) async fn publish(
    connection: &mut Connection,
    at: Timestamp,
    doctor: UserId,
    version: i64,
    publication: &Publication,
) -> StoreResult<Decided<PublishOutcome>> {
    let is_current = lock_for(connection, doctor, publication).await?;
    let Some(schedule) = of_doctor(connection, doctor).await? else {
        return Ok(Decided::Refused(PublishOutcome::NotFound));
    };
    if schedule.version != version || is_current != Some(true) {
        return Ok(Decided::Refused(PublishOutcome::Superseded));
    }
    let published = publish_from(connection, at, schedule, publication).await?;
    Ok(Decided::Changed(published))
}

/// Locks a doctor, his hours with him, and holds his clinic; whether the publication was derived
/// for that clinic, in its zone. `None` when there is no such doctor.
async fn lock_for(
    connection: &mut Connection,
    doctor: UserId,
    publication: &Publication,
) -> StoreResult<Option<bool>> {
    let Some(clinic) = slots::lock_doctor(connection, doctor).await? else {
        return Ok(None);
    };
    let zone = slots::hold_zone(connection, clinic).await?;
    let mut facts = publication.slots.iter().map(|(facts, _)| facts);
    Ok(Some(
        zone.as_deref() == Some(publication.time_zone.name())
            && facts.all(|facts| facts.clinic == clinic),
    ))
}

/// Takes back what falls out of a publication and makes what is new in it. The doctor is locked:
/// nobody else makes slots or blocked times of his.
async fn publish_from(
    connection: &mut Connection,
    at: Timestamp,
    schedule: Schedule,
    publication: &Publication,
) -> StoreResult<PublishOutcome> {
    let doctor = schedule.doctor;
    let (from, until) = (publication.from, publication.until);
    let facts = || publication.slots.iter().map(|(facts, _)| facts);
    let times: BTreeSet<_> = facts()
        .map(|facts| (facts.clinic, facts.starts_at, facts.ends_at))
        .collect();
    // What is to be looked at: the span, and where the new slots lie.
    let first = facts().map(|facts| facts.starts_at).chain([from]).min();
    let last = facts().map(|facts| facts.ends_at).chain([until]).max();
    let (first, last) = (first.unwrap_or(from), last.unwrap_or(until));
    let falls_out = |slot: &Slot| {
        let facts = slot.facts;
        let stands = slot.capacity == publication.capacity
            && times.contains(&(facts.clinic, facts.starts_at, facts.ends_at));
        let is_in_span = (from..until).contains(&facts.starts_at);
        slot.is_published && slot.booked_count == 0 && is_in_span && !stands
    };
    let mut standing = slots::active_in(connection, doctor, first, last).await?;
    let fallen = standing.iter().filter(|slot| falls_out(slot));
    let fallen: Vec<i64> = fallen.map(|slot| slot.id.get()).collect();
    let mut retired = 0;
    if !fallen.is_empty() {
        retired = slots::take_back(connection, at, &fallen).await?;
        standing = slots::active_in(connection, doctor, first, last).await?;
    }
    let mut taken = Spans::default();
    for slot in &standing {
        taken.add(slot.facts.starts_at, slot.facts.ends_at);
    }
    let blocked = blocked_times::spans(connection, doctor, first, last).await?;
    let mut new = Vec::new();
    for (facts, local_day) in &publication.slots {
        let is_blocked = || {
            blocked
                .iter()
                .any(|&(from, until)| facts.overlaps(from, until))
        };
        if !taken.overlap(facts) && !is_blocked() {
            taken.add(facts.starts_at, facts.ends_at);
            new.push((facts, local_day.to_string()));
        }
    }
    change(
        connection,
        "publishing slots",
        "INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_published, is_active, created_at, updated_at)
         SELECT $1, clinic, begins, ends, day, $6, 0, true, true, $7, $7
         FROM unnest($2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::TEXT[])
             WITH ORDINALITY AS new (clinic, begins, ends, day, place)
         ORDER BY place",
        (
            doctor.get(),
            new.iter()
                .map(|(it, _)| it.clinic.get())
                .collect::<Vec<_>>(),
            new.iter()
                .map(|(it, _)| it.starts_at.micros())
                .collect::<Vec<_>>(),
            new.iter()
                .map(|(it, _)| it.ends_at.micros())
                .collect::<Vec<_>>(),
            new.iter().map(|(_, day)| day.as_str()).collect::<Vec<_>>(),
            i32::from(publication.capacity.get()),
            at.micros(),
        ),
    )
    .await?;
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(PublishOutcome::Published {
        schedule,
        made: count(new.len() as u64),
        retired: count(retired),
    })
}

/// Spans of time that do not share a moment, by their starts.
#[derive(Default)]
struct Spans(BTreeMap<Timestamp, Timestamp>);

impl Spans {
    fn add(&mut self, starts_at: Timestamp, ends_at: Timestamp) {
        self.0.insert(starts_at, ends_at);
    }

    /// Whether a slot shares a moment with one of them: only the last that begins before its end
    /// can.
    fn overlap(&self, facts: &SlotFacts) -> bool {
        let before = self.0.range(..facts.ends_at).next_back();
        before.is_some_and(|(_, ends_at)| *ends_at > facts.starts_at)
    }
}
