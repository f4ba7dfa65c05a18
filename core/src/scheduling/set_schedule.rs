//! Reading and setting a doctor's weekly hours.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::UserId;
use crate::journal::EventKind;
use crate::policy::{Action, Relation, require};
use crate::scheduling::publish::{ATTEMPTS, is_own, publication};
use crate::scheduling::{BlockedTime, PublishOutcome, Schedule, Scheduling, WeeklyHours};
use crate::time::{TimeZone, Timestamp};

/// A doctor's hours with what belongs to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// The weekly hours; a doctor without them has no slots but those made one by one.
    pub schedule: Option<Schedule>,
    /// The zone of the clinic's wall clocks.
    pub time_zone: TimeZone,
    /// Blocked times that are not over.
    pub blocked: Vec<BlockedTime>,
}

/// Weekly hours to be set.
#[derive(Clone, Debug)]
pub struct SetSchedule {
    /// The doctor.
    pub doctor: UserId,
    /// The hours.
    pub hours: WeeklyHours,
    /// The zone that the caller believes the clinic to be in.
    pub time_zone: Option<TimeZone>,
}

impl Scheduling<'_> {
    /// A doctor's weekly hours and blocked times.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the doctor and administrators; [`Code::NotFound`].
    pub async fn hours(&self, actor: &Actor, doctor: UserId) -> Result<Hours, Error> {
        let relation = Relation::own(is_own(actor, doctor));
        require(actor, Action::ReadSchedule, relation, || {
            Error::new(Code::Forbidden)
        })?;
        let (_, clinic) = self.known_doctor(doctor).await?;
        let store = self.inner().storage();
        let schedule = store.schedule_of_doctor(doctor).await?;
        let end_of_time = Timestamp::from_micros(i64::MAX);
        let blocked = store
            .blocks_of_doctor(doctor, self.engine.now(), end_of_time)
            .await?;
        Ok(Hours {
            schedule,
            time_zone: clinic.details.time_zone,
            blocked,
        })
    }

    /// Sets a doctor's weekly hours, and publishes his slots from them at once: unbooked slots
    /// that fall out of the hours are taken back, booked ones are never touched.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the doctor and administrators; [`Code::NotFound`];
    /// [`Code::BrokenRule`] at `timezone` when it is not the clinic's.
    pub async fn set_schedule(
        &self,
        actor: &Actor,
        request: SetSchedule,
    ) -> Result<Schedule, Error> {
        let doctor = request.doctor;
        let relation = Relation::own(is_own(actor, doctor));
        require(actor, Action::SetSchedule, relation, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::SetSchedule, request.parts());
        for _ in 0..ATTEMPTS {
            let (doctor_row, clinic) = self.known_doctor(doctor).await?;
            if request
                .time_zone
                .as_ref()
                .is_some_and(|zone| *zone != clinic.details.time_zone)
            {
                return Err(Error::broken_rule(
                    "timezone",
                    "must be the clinic's time zone",
                ));
            }
            let before = inner.storage().schedule_of_doctor(doctor).await?;
            let now = self.engine.now();
            let publication = publication(&doctor_row, &clinic, &request.hours, now);
            let mut write = self.publishing(actor, Action::SetSchedule, doctor, now);
            let nothing = serde_json::Map::new();
            inner.announce(&mut write, EventKind::ScheduleSet, &[doctor], nothing);
            write.idempotency = keyed.claim();
            let expected = before.as_ref().map(|schedule| schedule.version);
            let set = inner
                .storage()
                .set_schedule(&write, doctor, expected, &request.hours, &publication)
                .await?;
            match settle(set)? {
                Settled::Now(PublishOutcome::Published { schedule, .. }) => return Ok(schedule),
                Settled::Now(PublishOutcome::NotFound) => {
                    return Err(Error::not_found(What::Doctor, doctor.get()));
                }
                Settled::Now(PublishOutcome::Superseded) => {}
                Settled::Before(_) => return before.ok_or_else(|| Error::new(Code::Internal)),
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}

impl SetSchedule {
    fn parts(&self) -> RequestParts {
        let mut parts = RequestParts::default()
            .number(self.doctor.get())
            .number(self.hours.slot_duration.get())
            .number(self.hours.capacity.get())
            .number(i64::from(self.hours.auto_confirm))
            .text(self.time_zone.as_ref().map(TimeZone::name));
        for (day, windows) in (0i64..).zip(self.hours.days()) {
            for window in windows {
                parts = parts
                    .number(day)
                    .number(window.start.minutes())
                    .number(window.end.minutes());
            }
        }
        parts
    }
}
