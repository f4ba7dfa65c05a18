//! Blocking a time of a doctor, and freeing it again.

use crate::actor::{Actor, Role};
use crate::crypto::Sealed;
use crate::engine::{RequestParts, Settled, data, replayed_number, settle};
use crate::error::{Code, Detail, Error, What};
use crate::id::{BlockId, SealId, UserId};
use crate::journal::{EventKind, Resource, Subject};
use crate::notifications::DeliveryKind;
use crate::policy::{Action, Relation, require};
use crate::scheduling::appointment::STATUS_REASON;
use crate::scheduling::blocked_time::BLOCK_REASON;
use crate::scheduling::publish::{ATTEMPTS, is_own};
use crate::scheduling::{
    AppointmentStatus, BlockDetails, BlockOutcome, BlockedTime, CancelForBlock, LocalTime,
    Scheduling, StatusReason, StoredAppointment,
};
use crate::time::{LocalDay, TimeError};

/// A time to be blocked, by the wall clocks of the doctor's clinic.
#[derive(Clone, Debug)]
pub struct BlockTime {
    /// The doctor.
    pub doctor: UserId,
    /// The day.
    pub day: LocalDay,
    /// The beginning.
    pub start: LocalTime,
    /// The end, after the beginning.
    pub end: LocalTime,
    /// Why; those whose appointments are cancelled are told.
    pub reason: Option<StatusReason>,
    /// Whether live appointments in it are cancelled. Otherwise they refuse it.
    pub cancel_bookings: bool,
}

impl Scheduling<'_> {
    /// Blocks a time. Its slots cannot be booked until it is freed.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the doctor and administrators; [`Code::NotFound`];
    /// [`Code::BrokenRule`] at `start_time` or `end_time`; [`Code::BlockedTimeHasBookings`] with
    /// the ids of the appointments.
    pub async fn block_time(
        &self,
        actor: &Actor,
        request: BlockTime,
    ) -> Result<BlockedTime, Error> {
        let doctor = request.doctor;
        let relation = Relation::own(is_own(actor, doctor));
        require(actor, Action::BlockTime, relation, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::BlockTime, request.parts());
        if let Some(subject) = keyed.replay(inner).await? {
            return self.made_block(subject).await;
        }
        let (_, clinic) = self.known_doctor(doctor).await?;
        let zone = clinic.details.time_zone;
        let wrong = |field: &'static str| {
            move |error: TimeError| Error::broken_rule(field, error.to_string())
        };
        if request.end <= request.start {
            return Err(Error::broken_rule("end_time", "must be after start_time"));
        }
        let starts_at = request
            .start
            .on(request.day, &zone)
            .map_err(wrong("start_time"))?;
        let ends_at = request
            .end
            .on(request.day, &zone)
            .map_err(wrong("end_time"))?;
        let now = self.engine.now();
        if ends_at <= now {
            return Err(Error::broken_rule("date", "must not be over"));
        }
        let seal_id = SealId::new(inner.uuid(now));
        let reason = match &request.reason {
            Some(reason) => {
                let key = inner.vault.key_of_user(inner.storage(), doctor).await?;
                let text = reason.as_str().as_bytes();
                Some(Sealed::seal(
                    &key,
                    BLOCK_REASON,
                    seal_id,
                    text,
                    inner.entropy(),
                )?)
            }
            None => None,
        };
        let details = BlockDetails {
            doctor,
            starts_at,
            ends_at,
            day: request.day,
            start: request.start,
            end: request.end,
            time_zone: zone.name().to_owned(),
            seal_id,
            reason,
        };
        let mut refusal = None;
        for _ in 0..ATTEMPTS {
            let cancel = self.cancellations(actor, &request, &details).await?;
            let subject = Subject::new_row(Resource::BlockedTime);
            let mut write = inner.write(actor, now, Action::BlockTime, subject);
            let ids = data([("doctor_id", doctor.get().into())]);
            write.audit.data.clone_from(&ids);
            inner.announce(&mut write, EventKind::TimeBlocked, &[doctor], ids);
            write.idempotency = keyed.claim();
            match settle(
                inner
                    .storage()
                    .block_time(&write, &details, &cancel)
                    .await?,
            )? {
                Settled::Before(subject) => return self.made_block(subject).await,
                Settled::Now(BlockOutcome::Blocked { block, .. }) => return Ok(block),
                Settled::Now(BlockOutcome::DoctorNotFound) => {
                    return Err(Error::not_found(What::Doctor, doctor.get()));
                }
                Settled::Now(BlockOutcome::HasBookings(ids)) => {
                    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                    let error = Error::new(Code::BlockedTimeHasBookings)
                        .detail("appointment_ids", Detail::Word(ids.join(",")));
                    // With leave to cancel, one that was booked in between is cancelled, too.
                    if !request.cancel_bookings {
                        return Err(error);
                    }
                    refusal = Some(error);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| Error::new(Code::VersionConflict)))
    }

    /// Frees a blocked time; slots that the weekly hours offer there are published at once.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the doctor and administrators; [`Code::Forbidden`] for
    /// patients.
    pub async fn unblock_time(&self, actor: &Actor, block: BlockId) -> Result<(), Error> {
        let missing = || Error::not_found(What::BlockedTime, block.get());
        let inner = self.inner();
        let parts = RequestParts::default().number(block.get());
        let keyed = self.command(actor, Action::UnblockTime, parts);
        // Once it is freed nothing says any more whose it was.
        if keyed.replay(inner).await?.is_some() {
            return Ok(());
        }
        let found = inner.storage().block_by_id(block).await?;
        let doctor = found.map(|block| block.details.doctor);
        let relation = Relation::own(doctor.is_some_and(|doctor| is_own(actor, doctor)));
        require(actor, Action::UnblockTime, relation, missing)?;
        let doctor = doctor.ok_or_else(missing)?;
        let subject = Subject::number(Resource::BlockedTime, block.get());
        let mut write = inner.write(actor, self.engine.now(), Action::UnblockTime, subject);
        let ids = data([("doctor_id", doctor.get().into())]);
        inner.announce(&mut write, EventKind::TimeUnblocked, &[doctor], ids);
        self.publish_soon(&mut write, doctor);
        write.idempotency = keyed.claim();
        match settle(inner.storage().unblock_time(&write, doctor, block).await?)? {
            Settled::Now(false) => Err(missing()),
            Settled::Now(true) | Settled::Before(_) => self.publish(actor, doctor).await,
        }
    }

    /// Why a time is blocked.
    ///
    /// # Errors
    /// When the reason does not open.
    pub async fn block_reasons(
        &self,
        blocks: &[BlockedTime],
    ) -> Result<Vec<Option<String>>, Error> {
        let inner = self.inner();
        let sealed = blocks
            .iter()
            .filter_map(|block| block.details.reason.as_ref());
        let keys = inner.vault.keys_of(inner.storage(), sealed, &[]).await?;
        blocks
            .iter()
            .map(|block| {
                let details = &block.details;
                keys.text(details.reason.as_ref(), BLOCK_REASON, details.seal_id)
            })
            .collect()
    }

    async fn made_block(&self, subject: Subject) -> Result<BlockedTime, Error> {
        let id = replayed_number(subject, Resource::BlockedTime)?;
        let found = self
            .inner()
            .storage()
            .block_by_id(BlockId::from_row(id))
            .await?;
        found.ok_or_else(|| Error::not_found(What::BlockedTime, id))
    }

    /// The cancellations of what can be cancelled in the time; none without leave to cancel.
    async fn cancellations(
        &self,
        actor: &Actor,
        request: &BlockTime,
        details: &BlockDetails,
    ) -> Result<Vec<CancelForBlock>, Error> {
        if !request.cancel_bookings {
            return Ok(Vec::new());
        }
        let text = request
            .reason
            .as_ref()
            .map_or("The doctor is away", StatusReason::as_str);
        let live = self
            .inner()
            .storage()
            .live_bookings(details.doctor, details.starts_at, details.ends_at)
            .await?;
        let mut cancel = Vec::with_capacity(live.len());
        for row in live
            .iter()
            .filter(|row| row.status != AppointmentStatus::InProgress)
        {
            cancel.push(CancelForBlock {
                appointment: row.id,
                write: self.cancelling(actor, row),
                reason: self.seal(row, STATUS_REASON, text).await?,
            });
        }
        Ok(cancel)
    }

    /// What a cancellation leaves behind: the event, no more reminders, and a notice to whoever
    /// did not do it himself.
    pub(super) fn cancelling(
        &self,
        actor: &Actor,
        row: &StoredAppointment,
    ) -> crate::journal::Write {
        let subject = Subject::number(Resource::Appointment, row.id.get());
        let mut write = self
            .inner()
            .write(actor, self.engine.now(), Action::Cancel, subject);
        let word = AppointmentStatus::Cancelled.as_str();
        self.tell(&mut write, EventKind::AppointmentCancelled, row, word);
        Self::drop_jobs(&mut write);
        for (user, role) in [
            (row.patient, Role::Patient),
            (row.facts.doctor, Role::Doctor),
        ] {
            let is_own_doing = matches!(actor, Actor::User(actor) if actor.role == role);
            if !is_own_doing {
                self.notify(&mut write, user, DeliveryKind::Cancelled);
            }
        }
        write
    }
}

impl BlockTime {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .number(self.doctor.get())
            .text(Some(&self.day.to_string()))
            .number(self.start.minutes())
            .number(self.end.minutes())
            .text(self.reason.as_ref().map(StatusReason::as_str))
            .number(i64::from(self.cancel_bookings))
    }
}
