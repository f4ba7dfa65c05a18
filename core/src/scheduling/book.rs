//! Books an appointment.

use crate::actor::{Actor, Role};
use crate::crypto::{Column, Sealed};
use crate::engine::{RequestParts, Settled, data, replayed_number, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, ClinicId, JobId, SealId, SlotId, UserId};
use crate::journal::{Audience, EventKind, Job, JobKind, Resource, Subject, Write};
use crate::notifications::DeliveryKind;
use crate::policy::{Action, Relation, require};
use crate::scheduling::appointment::{NOTES, REASON, SYMPTOMS};
use crate::scheduling::{
    Appointment, AppointmentKind, BookCommand, BookOutcome, Notes, ReasonForVisit, Scheduling,
    SlotFacts, Symptoms,
};

/// An appointment to be booked.
#[derive(Clone, Debug)]
pub struct Book {
    /// The patient.
    pub patient: UserId,
    /// The slot.
    pub slot: SlotId,
    /// The doctor that the caller believes the slot to be of.
    pub doctor: Option<UserId>,
    /// The clinic that the caller believes the slot to be at.
    pub clinic: Option<ClinicId>,
    /// How doctor and patient meet.
    pub kind: AppointmentKind,
    /// Why the patient comes.
    pub reason_for_visit: Option<ReasonForVisit>,
    /// What the patient feels.
    pub symptoms: Option<Symptoms>,
    /// Notes on the appointment.
    pub notes: Option<Notes>,
}

impl Book {
    /// A video appointment of a patient on a slot, without a reason.
    #[must_use]
    pub fn new(patient: UserId, slot: SlotId) -> Self {
        Self {
            patient,
            slot,
            doctor: None,
            clinic: None,
            kind: AppointmentKind::Video,
            reason_for_visit: None,
            symptoms: None,
            notes: None,
        }
    }
}

impl Scheduling<'_> {
    /// Books a seat of a slot for a patient.
    ///
    /// The store decides in one transaction, so that N callers in parallel sell exactly as many
    /// seats as there are. With an idempotency key a repetition answers with the appointment
    /// that was made.
    ///
    /// # Errors
    /// In the order of [`BookOutcome`]; before all, [`Code::Forbidden`] for anybody but the
    /// patient himself and administrators.
    pub async fn book(&self, actor: &Actor, request: Book) -> Result<Appointment, Error> {
        let is_own = matches!(actor, Actor::User(user)
            if user.role == Role::Patient && user.user == request.patient);
        require(actor, Action::Book, Relation::own(is_own), || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::Book, request.parts());
        let now = self.engine.now();
        let seal_id = SealId::new(inner.uuid(now));
        let texts = self.sealed_texts(&request, seal_id).await?;
        let mut write = inner.write(
            actor,
            now,
            Action::Book,
            Subject::new_row(Resource::Appointment),
        );
        let ids = data([
            ("slot_id", request.slot.get().into()),
            ("patient_id", request.patient.get().into()),
        ]);
        write.audit.data.clone_from(&ids);
        inner.announce(
            &mut write,
            EventKind::AppointmentBooked,
            &[request.patient],
            ids,
        );
        self.notify(&mut write, request.patient, DeliveryKind::Booked);
        write.idempotency = keyed.claim();
        let reminders = &inner.parts.settings.reminders;
        let command = BookCommand {
            write,
            patient: request.patient,
            expected_doctor: request.doctor,
            expected_clinic: request.clinic,
            kind: request.kind,
            seal_id,
            reason_for_visit: texts.reason_for_visit,
            symptoms: texts.symptoms,
            notes: texts.notes,
            reminders: reminders
                .spans()
                .map(|span| (JobId::new(inner.uuid(now)), span))
                .collect(),
        };
        let answers = inner.storage().book_many(request.slot, &[command]).await?;
        let answer = answers
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(Code::Internal))?;
        match settle(answer)? {
            Settled::Now(BookOutcome::Booked(stored)) => self.open(stored).await,
            Settled::Now(refused) => Err(refusal(&request, &refused)),
            Settled::Before(subject) => {
                let id = replayed_number(subject, Resource::Appointment)?;
                self.open(self.stored(AppointmentId::from_row(id)).await?)
                    .await
            }
        }
    }

    async fn sealed_texts(&self, request: &Book, seal_id: SealId) -> Result<SealedTexts, Error> {
        let texts = [
            (
                REASON,
                request
                    .reason_for_visit
                    .as_ref()
                    .map(ReasonForVisit::as_str),
            ),
            (SYMPTOMS, request.symptoms.as_ref().map(Symptoms::as_str)),
            (NOTES, request.notes.as_ref().map(Notes::as_str)),
        ];
        if texts.iter().all(|(_, text)| text.is_none()) {
            return Ok(SealedTexts::default());
        }
        let inner = self.inner();
        let key = inner
            .vault
            .find_key_of_user(inner.storage(), request.patient)
            .await?;
        // An unknown patient is refused by the store, in its place in the order of refusals.
        let Some(key) = key else {
            return Ok(SealedTexts::default());
        };
        let seal = |(column, text): (Column, Option<&str>)| {
            text.map(|text| Sealed::seal(&key, column, seal_id, text.as_bytes(), inner.entropy()))
                .transpose()
        };
        let [reason_for_visit, symptoms, notes] = texts;
        Ok(SealedTexts {
            reason_for_visit: seal(reason_for_visit)?,
            symptoms: seal(symptoms)?,
            notes: seal(notes)?,
        })
    }
}

#[derive(Default)]
struct SealedTexts {
    reason_for_visit: Option<Sealed>,
    symptoms: Option<Sealed>,
    notes: Option<Sealed>,
}

impl BookCommand {
    /// The whole write, once the slot is known: the doctor hears of it, too, and reminders are
    /// due before the start; those whose time has passed already are left out.
    #[must_use]
    pub fn write_for(&self, slot: &SlotFacts) -> Write {
        let mut write = self.write.clone();
        let doctor = slot.doctor.get();
        write.audit.data.insert("doctor_id".into(), doctor.into());
        for event in &mut write.events {
            event.audience.push(Audience::User(slot.doctor));
            event.data.insert("doctor_id".into(), doctor.into());
        }
        remind(&mut write, self.patient, slot, &self.reminders);
        write
    }
}

/// Adds the reminders that are still ahead.
pub(super) fn remind(
    write: &mut Write,
    patient: UserId,
    slot: &SlotFacts,
    reminders: &[(JobId, std::time::Duration)],
) {
    for (id, span) in reminders {
        let due_at = slot.starts_at.minus(*span);
        if due_at <= write.at {
            continue;
        }
        write.jobs.push(Job {
            id: *id,
            kind: JobKind::AppointmentReminder,
            subject: write.audit.subject,
            due_at,
            data: data([
                ("recipient", patient.get().into()),
                ("hours", (span.as_secs() / 3600).into()),
            ]),
        });
    }
}

impl Book {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .number(self.patient.get())
            .number(self.slot.get())
            .number(self.doctor.map_or(0, UserId::get))
            .number(self.clinic.map_or(0, ClinicId::get))
            .text(Some(self.kind.as_str()))
            .text(self.reason_for_visit.as_ref().map(ReasonForVisit::as_str))
            .text(self.symptoms.as_ref().map(Symptoms::as_str))
            .text(self.notes.as_ref().map(Notes::as_str))
    }
}

fn refusal(request: &Book, outcome: &BookOutcome) -> Error {
    refused(request.slot, request.patient, outcome)
}

/// The error of a slot that refuses a patient.
pub(super) fn refused(slot: SlotId, patient: UserId, outcome: &BookOutcome) -> Error {
    match outcome {
        BookOutcome::SlotNotFound => Error::not_found(What::Slot, slot.get()),
        BookOutcome::SlotMismatch => Error::new(Code::SlotMismatch),
        BookOutcome::PatientNotFound => Error::not_found(What::Patient, patient.get()),
        BookOutcome::PatientInactive => Error::new(Code::PatientInactive),
        BookOutcome::SlotInactive => Error::new(Code::SlotInactive),
        BookOutcome::SlotPast => Error::new(Code::SlotPast),
        BookOutcome::AlreadyBooked => Error::new(Code::AlreadyBooked),
        BookOutcome::PatientOverlap => Error::new(Code::PatientOverlap),
        BookOutcome::SlotFull => Error::new(Code::SlotFull),
        BookOutcome::OnLeave => Error::new(Code::DoctorOnLeave),
        BookOutcome::DailyLimit => Error::new(Code::DailyLimitReached),
        BookOutcome::Booked(_) => Error::new(Code::Internal),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::actor::ActorReference;
    use crate::id::AuditId;
    use crate::journal::AuditRow;
    use crate::time::Timestamp;
    use uuid::Uuid;

    #[test]
    fn reminders_whose_time_has_passed_are_left_out() {
        let now = Timestamp::from_micros(1_900_000_000_000_000);
        let subject = Subject::new_row(Resource::Appointment);
        let user = |id| UserId::new(id).unwrap();
        let write = Write {
            at: now,
            actor: ActorReference::User(user(1)),
            audit: AuditRow {
                id: AuditId::new(Uuid::nil()),
                at: now,
                actor: ActorReference::User(user(1)),
                session: None,
                action: Action::Book.to_string(),
                subject,
                data: serde_json::Map::new(),
            },
            events: vec![],
            drop_jobs: vec![],
            jobs: vec![],
            idempotency: None,
        };
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let command = BookCommand {
            write,
            patient: user(1),
            expected_doctor: None,
            expected_clinic: None,
            kind: AppointmentKind::Video,
            seal_id: SealId::new(Uuid::nil()),
            reason_for_visit: None,
            symptoms: None,
            notes: None,
            reminders: vec![
                (JobId::new(Uuid::nil()), hours(24)),
                (JobId::new(Uuid::max()), hours(1)),
            ],
        };
        let slot = |starts_at: Timestamp| SlotFacts {
            doctor: user(2),
            clinic: ClinicId::new(1).unwrap(),
            starts_at,
            ends_at: starts_at.plus(hours(1)),
        };
        let due = |starts_at| -> Vec<Timestamp> {
            command
                .write_for(&slot(starts_at))
                .jobs
                .iter()
                .map(|job| job.due_at)
                .collect()
        };
        assert_eq!(
            due(now.plus(hours(48))),
            [now.plus(hours(24)), now.plus(hours(47))]
        );
        assert_eq!(due(now.plus(hours(5))), [now.plus(hours(4))]);
        assert!(due(now.plus(hours(1))).is_empty());
    }
}
