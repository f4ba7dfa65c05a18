//! Running jobs that are due.

use std::time::Duration;

use serde_json::Value;

use crate::engine::Engine;
use crate::error::Error;
use crate::id::{AppointmentId, CallId, UserId};
use crate::journal::{ClaimedJob, Job, JobEnd, JobKind, Retention};
use crate::notifications::{Delivery, DeliveryKind, DeliverySubject, Receipt, Recipient};
use crate::scheduling::AppointmentStatus;
use crate::time::Timestamp;

/// How many jobs one call claims.
const BATCH: u32 = 64;
/// After this many attempts a delivery is given up.
const ATTEMPTS: u32 = 8;
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What one call of [`Engine::run_due`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Jobs that are done, those included that had become pointless.
    pub done: u32,
    /// Jobs that are tried again later.
    pub retried: u32,
    /// Jobs that were given up.
    pub dead: u32,
    /// When the next job is due, or the next lease of presence lapses, if there is one.
    pub next_due: Option<Timestamp>,
    /// Whether there are leases: one can end earlier than it was to, and no event tells of that.
    pub has_leases: bool,
}

impl Engine {
    /// Runs what is due now, at most a batch, and says when to call again. The host calls it;
    /// several hosts on one database share the work.
    ///
    /// A job that stops in its middle is claimed again when its lease has ended: what it does
    /// happens at least once.
    ///
    /// # Errors
    /// When the store fails; jobs that were claimed wait for the end of their lease.
    pub async fn run_due(&self) -> Result<RunReport, Error> {
        let now = self.now();
        let lease_until = now.plus(self.inner.parts.settings.job_lease);
        let store = self.inner.storage();
        let mut report = RunReport::default();
        for claimed in store.claim_jobs(now, lease_until, BATCH).await? {
            let end = match self.run(&claimed).await {
                Ok(end) => end,
                Err(error) => {
                    tracing::warn!(job = %claimed.job.id, kind = %claimed.job.kind, %error, "a job failed");
                    again(&claimed, now, Duration::ZERO)
                }
            };
            store
                .finish_job(claimed.job.id, claimed.lease_until, end)
                .await?;
            match end {
                JobEnd::Done => report.done += 1,
                JobEnd::Retry(_) => report.retried += 1,
                JobEnd::Dead => report.dead += 1,
            }
        }
        // After the jobs, which must not wait for a lease that cannot be looked at.
        self.presence().sweep().await?;
        let lapse = store.next_lease_lapse().await?;
        report.has_leases = lapse.is_some();
        report.next_due = store.next_job_due().await?.into_iter().chain(lapse).min();
        Ok(report)
    }

    /// Drops what the journal need not keep any longer: events after 30 days, keys after 48
    /// hours, and what is left of failed logins and ended sessions. Returns how many rows went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self) -> Result<u64, Error> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let now = self.now();
        let retention = Retention {
            events_before: now.minus(30 * DAY),
            keys_before: now.minus(2 * DAY),
            dead_jobs_before: now.minus(30 * DAY),
            login_failures_before: now.minus(self.inner.parts.settings.guessing.window),
            // Longer than a session lasts: by old sessions the owner's networks are known.
            sessions_before: now.minus(90 * DAY),
        };
        let lapsed = self.presence().drop_lapsed().await?;
        Ok(lapsed + self.inner.storage().purge(&retention).await?)
    }

    async fn run(&self, claimed: &ClaimedJob) -> Result<JobEnd, Error> {
        match claimed.job.kind {
            JobKind::PublishSlots => {
                if let Some(doctor) = claimed.job.subject.as_number().and_then(UserId::new) {
                    self.scheduling().publish_by_job(doctor).await?;
                }
                return Ok(JobEnd::Done);
            }
            JobKind::CallRingDeadline
            | JobKind::CallAssumeConnected
            | JobKind::CallConnectDeadline
            | JobKind::CallMaximum
            | JobKind::CallGrace => return self.calls().run_job(claimed).await,
            JobKind::AppointmentNotice
            | JobKind::AppointmentReminder
            | JobKind::CallMissedNotice => {}
        }
        let Some(delivery) = self.delivery(claimed).await? else {
            return Ok(JobEnd::Done);
        };
        let now = self.now();
        Ok(match self.inner.parts.notifier.deliver(&delivery).await {
            Receipt::Delivered => JobEnd::Done,
            Receipt::Retry(wait) => again(claimed, now, wait),
            Receipt::Dead => JobEnd::Dead,
        })
    }

    /// What the job has to tell; `None` when that has become pointless.
    async fn delivery(&self, claimed: &ClaimedJob) -> Result<Option<Delivery>, Error> {
        let job = &claimed.job;
        let recipient = job.data.get("recipient").and_then(Value::as_i64);
        let Some(recipient) = recipient.and_then(UserId::new) else {
            return Ok(None);
        };
        let told = match job.kind {
            JobKind::CallMissedNotice => self.missed_call(job).await?,
            _ => self.appointment_told(job).await?,
        };
        let Some((kind, about)) = told else {
            return Ok(None);
        };
        let user = self.inner.storage().user_by_id(recipient).await?;
        Ok(user.filter(|user| user.is_active).map(|user| Delivery {
            job: job.id,
            attempt: claimed.attempt,
            kind,
            recipient: Recipient {
                user: user.id,
                full_name: user.full_name,
                email: user.email,
                contact_number: user.contact_number,
            },
            about,
        }))
    }

    async fn missed_call(
        &self,
        job: &Job,
    ) -> Result<Option<(DeliveryKind, DeliverySubject)>, Error> {
        let Some(id) = job.subject.as_uuid().map(CallId::new) else {
            return Ok(None);
        };
        let found = self.inner.storage().call_by_id(id).await?;
        Ok(found.map(|call| {
            let about = DeliverySubject::Call {
                id,
                caller: call.caller.name,
                initiated_at: call.initiated_at,
            };
            (DeliveryKind::MissedCall, about)
        }))
    }

    async fn appointment_told(
        &self,
        job: &Job,
    ) -> Result<Option<(DeliveryKind, DeliverySubject)>, Error> {
        let store = self.inner.storage();
        let Some(id) = job.subject.as_number().and_then(AppointmentId::new) else {
            return Ok(None);
        };
        let Some(appointment) = store.appointment_by_id(id).await? else {
            return Ok(None);
        };
        let kind = if job.kind == JobKind::AppointmentReminder {
            let is_ahead = appointment.status == AppointmentStatus::Pending
                || appointment.status == AppointmentStatus::Confirmed;
            if !is_ahead || appointment.facts.starts_at <= self.now() {
                return Ok(None);
            }
            DeliveryKind::Reminder
        } else {
            let word = job.data.get("notice").and_then(Value::as_str);
            match word.map(DeliveryKind::parse) {
                Some(Ok(kind)) => kind,
                _ => return Ok(None),
            }
        };
        let Some(clinic) = store.clinic_by_id(appointment.facts.clinic).await? else {
            return Ok(None);
        };
        let hours = job.data.get("hours").and_then(Value::as_i64);
        let about = DeliverySubject::Appointment {
            id,
            starts_at: appointment.facts.starts_at,
            time_zone: clinic.details.time_zone,
            hours_before: hours.and_then(|hours| u32::try_from(hours).ok()),
        };
        Ok(Some((kind, about)))
    }
}

/// The next attempt: after the channel's own wait, or after one that doubles.
fn again(claimed: &ClaimedJob, now: Timestamp, asked: Duration) -> JobEnd {
    // Without this job nobody would publish a doctor's slots any more, and a call would go on for
    // ever: such are never given up.
    let is_delivery = matches!(
        claimed.job.kind,
        JobKind::AppointmentNotice | JobKind::AppointmentReminder | JobKind::CallMissedNotice
    );
    if claimed.attempt >= ATTEMPTS && is_delivery {
        return JobEnd::Dead;
    }
    let doubled = Duration::from_secs(5 << claimed.attempt.min(10));
    JobEnd::Retry(now.plus(asked.max(doubled).min(LONGEST_WAIT)))
}
