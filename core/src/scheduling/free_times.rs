//! A doctor's free times, and the slot that a date stands for.

use crate::actor::Actor;
use crate::error::{Code, Error, What};
use crate::id::{SlotId, UserId};
use crate::policy::{Action, Relation, require};
use crate::scheduling::{DaySlot, Scheduling};
use crate::time::{LocalDay, TimeZone, Timestamp};

/// The most days that are asked for at once.
pub const MOST_DAYS: u32 = 62;

/// A time of a doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeTime {
    /// The slot.
    pub slot: DaySlot,
    /// Whether it can be booked now.
    pub is_available: bool,
}

/// The times of a doctor on some days.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeTimes {
    /// The times, by local day and start.
    pub times: Vec<FreeTime>,
    /// The zone of the clinic's wall clocks.
    pub time_zone: TimeZone,
}

impl Scheduling<'_> {
    /// The times of a listed doctor from one clinic-local day to another, both included, whether
    /// they can be booked or not.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::BrokenRule`] at `to` for an end before the start or a span of
    /// more than [`MOST_DAYS`] days.
    pub async fn free_times(
        &self,
        actor: &Actor,
        doctor: UserId,
        from: LocalDay,
        to: LocalDay,
    ) -> Result<FreeTimes, Error> {
        require(actor, Action::SearchSlots, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        if to < from {
            return Err(Error::broken_rule("to", "must not be before from"));
        }
        let days = from
            .date()
            .until(to.date())
            .map(|span| span.get_days())
            .unwrap_or(i32::MAX);
        if days >= i32::try_from(MOST_DAYS).unwrap_or(i32::MAX) {
            return Err(Error::broken_rule(
                "to",
                format!("must be within {MOST_DAYS} days"),
            ));
        }
        let days = self.inner().storage();
        let days = days.days_of_listed_doctor(doctor, from, to).await?;
        let days = days.ok_or_else(|| Error::not_found(What::Doctor, doctor.get()))?;
        let now = self.engine.now();
        let times = days
            .slots
            .into_iter()
            .map(|slot| FreeTime {
                is_available: slot.is_clinic_active
                    && !slot.is_blocked
                    && !slot.is_day_full
                    && slot.slot.free_seats() > 0
                    && slot.slot.facts.starts_at > now,
                slot,
            })
            .collect();
        Ok(FreeTimes {
            times,
            time_zone: days.time_zone,
        })
    }

    /// The zone of the wall clocks of a listed doctor's clinic: in it his patients' naive times
    /// are taken.
    ///
    /// # Errors
    /// [`Code::BrokenRule`] at `doctor_id` for a doctor who is not listed.
    pub async fn zone_of_listed_doctor(&self, doctor: UserId) -> Result<TimeZone, Error> {
        match self.doctor_and_clinic(doctor).await? {
            Some((doctor, clinic)) if doctor.is_listed() => Ok(clinic.details.time_zone),
            _ => Err(Error::broken_rule("doctor_id", "Doctor not found")),
        }
    }

    /// The slot of a doctor that begins at an instant.
    ///
    /// # Errors
    /// [`Code::DoctorOnLeave`] in a blocked time; [`Code::BrokenRule`] at `appointment_date`
    /// outside of the doctor's hours.
    pub async fn slot_of_start(&self, doctor: UserId, start: Timestamp) -> Result<SlotId, Error> {
        let store = self.inner().storage();
        if let Some(slot) = store.slot_at(doctor, start).await? {
            return Ok(slot.id);
        }
        let moment = start.plus(std::time::Duration::from_micros(1));
        if store
            .blocks_of_doctor(doctor, start, moment)
            .await?
            .is_empty()
        {
            Err(Error::broken_rule(
                "appointment_date",
                "is outside the doctor's hours",
            ))
        } else {
            Err(Error::new(Code::DoctorOnLeave))
        }
    }
}
