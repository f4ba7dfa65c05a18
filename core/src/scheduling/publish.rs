//! Publishing slots from a doctor's weekly hours.

use std::time::Duration;

use crate::actor::{Actor, Role, SystemActor};
use crate::directory::{Clinic, Doctor};
use crate::engine::data;
use crate::error::{Code, Error, What};
use crate::id::{JobId, UserId};
use crate::journal::{EventKind, Job, JobKind, JobSelector, Resource, Subject, Write};
use crate::policy::{Action, Relation, require};
use crate::scheduling::schedule::{DAYS_AHEAD, horizon};
use crate::scheduling::{Publication, PublishOutcome, Scheduling, SlotFacts, WeeklyHours};
use crate::time::Timestamp;

/// How often hours are published anew when something changes under them.
pub(super) const ATTEMPTS: u32 = 5;
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Scheduling<'_> {
    /// Publishes a doctor's slots 60 days ahead of now, and the job that does it again tomorrow.
    /// A doctor without hours has nothing to publish.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the doctor, administrators and the job driver.
    pub async fn publish(&self, actor: &Actor, doctor: UserId) -> Result<(), Error> {
        let relation = Relation::own(is_own(actor, doctor));
        require(actor, Action::PublishSlots, relation, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        for _ in 0..ATTEMPTS {
            let Some(schedule) = inner.storage().schedule_of_doctor(doctor).await? else {
                return Ok(());
            };
            let Some((doctor_row, clinic)) = self.doctor_and_clinic(doctor).await? else {
                return Ok(());
            };
            let now = self.engine.now();
            let publication = publication(&doctor_row, &clinic, &schedule.hours, now);
            let write = self.publishing(actor, Action::PublishSlots, doctor, now);
            let outcome = inner
                .storage()
                .publish_slots(&write, doctor, schedule.version, &publication)
                .await?;
            match outcome {
                PublishOutcome::Published { .. } | PublishOutcome::NotFound => return Ok(()),
                PublishOutcome::Superseded => {}
            }
        }
        Err(Error::new(Code::VersionConflict))
    }

    /// What the job driver calls.
    pub(crate) async fn publish_by_job(&self, doctor: UserId) -> Result<(), Error> {
        self.publish(&Actor::System(SystemActor::Jobs), doctor)
            .await
    }

    /// Adds the job that publishes a doctor's slots at once, for when whoever makes this write
    /// does not come to it.
    pub(super) fn publish_soon(&self, write: &mut Write, doctor: UserId) {
        let subject = Subject::number(Resource::Schedule, doctor.get());
        write.drop_jobs.push(JobSelector {
            kind: JobKind::PublishSlots,
            subject,
        });
        write.jobs.push(Job {
            id: JobId::new(self.inner().uuid(write.at)),
            kind: JobKind::PublishSlots,
            subject,
            due_at: write.at,
            data: serde_json::Map::new(),
        });
    }

    /// A write about a doctor's hours, with the job that publishes them again tomorrow.
    pub(super) fn publishing(
        &self,
        actor: &Actor,
        action: Action,
        doctor: UserId,
        now: Timestamp,
    ) -> Write {
        let inner = self.inner();
        let subject = Subject::number(Resource::Schedule, doctor.get());
        let mut write = inner.write(actor, now, action, subject);
        let ids = data([("doctor_id", doctor.get().into())]);
        inner.announce(&mut write, EventKind::SlotsPublished, &[doctor], ids);
        write.drop_jobs.push(JobSelector {
            kind: JobKind::PublishSlots,
            subject,
        });
        inner.schedule(
            &mut write,
            JobKind::PublishSlots,
            now.plus(DAY),
            serde_json::Map::new(),
        );
        write
    }

    /// A doctor, listed or not, and the clinic he works at.
    pub(super) async fn doctor_and_clinic(
        &self,
        doctor: UserId,
    ) -> Result<Option<(Doctor, Clinic)>, Error> {
        let store = self.inner().storage();
        let Some(doctor) = store.doctor_by_id(doctor).await? else {
            return Ok(None);
        };
        let clinic = store.clinic_by_id(doctor.details.clinic).await?;
        Ok(clinic.map(|clinic| (doctor, clinic)))
    }

    /// As [`Scheduling::doctor_and_clinic`], for who named the doctor.
    pub(super) async fn known_doctor(&self, doctor: UserId) -> Result<(Doctor, Clinic), Error> {
        let found = self.doctor_and_clinic(doctor).await?;
        found.ok_or_else(|| Error::not_found(What::Doctor, doctor.get()))
    }
}

/// The slots that hours give from now on, up to the horizon.
pub(super) fn publication(
    doctor: &Doctor,
    clinic: &Clinic,
    hours: &WeeklyHours,
    now: Timestamp,
) -> Publication {
    let zone = &clinic.details.time_zone;
    let slots = hours
        .slots(now.local_day(zone), DAYS_AHEAD + 1, zone, now)
        .into_iter()
        .map(|(starts_at, ends_at)| {
            let facts = SlotFacts {
                doctor: doctor.id,
                clinic: clinic.id,
                starts_at,
                ends_at,
            };
            (facts, starts_at.local_day(zone))
        })
        .collect();
    Publication {
        time_zone: zone.clone(),
        from: now,
        until: horizon(now),
        capacity: hours.capacity,
        slots,
    }
}

/// Whether the actor is this doctor.
pub(super) fn is_own(actor: &Actor, doctor: UserId) -> bool {
    matches!(actor, Actor::User(user) if user.role == Role::Doctor && user.user == doctor)
}
