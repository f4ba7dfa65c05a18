//! The way to the operations of scheduling, and what they share.

use std::time::Duration;

use crate::actor::{Actor, Role};
use crate::crypto::{Column, Sealed, WrappedDataKey};
use crate::engine::{Inner, data};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, UserId};
use crate::journal::{EventKind, JobKind, JobSelector, Write};
use crate::notifications::DeliveryKind;
use crate::policy::Relation;
use crate::scheduling::appointment::{NOTES, REASON, RESCHEDULE_REASON, STATUS_REASON, SYMPTOMS};
use crate::scheduling::{
    Appointment, AppointmentRow, NamedAppointment, Scheduling, StoredAppointment, TransitionBy,
};
use crate::time::Timestamp;

/// How long after its end an appointment keeps up the care relation.
pub(crate) const CARE: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a doctor stands to a patient.
pub(crate) async fn care_relation(
    inner: &Inner,
    doctor: UserId,
    patient: UserId,
    now: Timestamp,
) -> Result<Relation, Error> {
    let cares = inner
        .storage()
        .care_relation(doctor, patient, now.minus(CARE))
        .await?;
    Ok(if cares {
        Relation::Care
    } else {
        Relation::None
    })
}

impl Scheduling<'_> {
    /// An appointment as its row has it.
    pub(super) async fn stored(&self, id: AppointmentId) -> Result<StoredAppointment, Error> {
        let found = self.inner().storage().appointment_by_id(id).await?;
        found.ok_or_else(|| Error::not_found(What::Appointment, id.get()))
    }

    /// An appointment with its texts opened.
    pub(super) async fn open(&self, stored: StoredAppointment) -> Result<Appointment, Error> {
        let mut opened = self.open_all(vec![stored], &[]).await?;
        opened.pop().ok_or_else(|| Error::new(Code::Internal))
    }

    /// Appointments with their names and their texts opened: their keys came with them.
    pub(super) async fn open_rows(
        &self,
        rows: Vec<AppointmentRow>,
    ) -> Result<Vec<NamedAppointment>, Error> {
        let mut names = Vec::with_capacity(rows.len());
        let mut keys = Vec::with_capacity(rows.len());
        let mut stored = Vec::with_capacity(rows.len());
        for row in rows {
            names.push(row.names);
            keys.extend(row.patient_key);
            stored.push(row.appointment);
        }
        let opened = self.open_all(stored, &keys).await?.into_iter();
        Ok(opened
            .zip(names)
            .map(|(appointment, names)| NamedAppointment { appointment, names })
            .collect())
    }

    /// Appointments with their texts opened: one look-up at most for the keys that are not
    /// at hand.
    async fn open_all(
        &self,
        stored: Vec<StoredAppointment>,
        at_hand: &[WrappedDataKey],
    ) -> Result<Vec<Appointment>, Error> {
        let inner = self.inner();
        let sealed = stored.iter().flat_map(|row| {
            [
                &row.reason_for_visit,
                &row.symptoms,
                &row.notes,
                &row.status_reason,
                &row.reschedule_reason,
            ]
            .into_iter()
            .flatten()
        });
        let keys = inner
            .vault
            .keys_of(inner.storage(), sealed, at_hand)
            .await?;
        stored
            .into_iter()
            .map(|row| {
                let text = |sealed: &Option<Sealed>, column: Column| {
                    keys.text(sealed.as_ref(), column, row.seal_id)
                };
                Ok(Appointment {
                    reason_for_visit: text(&row.reason_for_visit, REASON)?,
                    symptoms: text(&row.symptoms, SYMPTOMS)?,
                    notes: text(&row.notes, NOTES)?,
                    status_reason: text(&row.status_reason, STATUS_REASON)?,
                    reschedule_reason: text(&row.reschedule_reason, RESCHEDULE_REASON)?,
                    id: row.id,
                    patient: row.patient,
                    slot: row.slot,
                    doctor: row.facts.doctor,
                    clinic: row.facts.clinic,
                    starts_at: row.facts.starts_at,
                    ends_at: row.facts.ends_at,
                    kind: row.kind,
                    status: row.status,
                    cancelled_at: row.cancelled_at,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                })
            })
            .collect()
    }

    /// Seals a text of an appointment with its patient's key.
    pub(super) async fn seal(
        &self,
        appointment: &StoredAppointment,
        column: Column,
        text: &str,
    ) -> Result<Sealed, Error> {
        let inner = self.inner();
        let key = inner
            .vault
            .key_of_user(inner.storage(), appointment.patient)
            .await?;
        Sealed::seal(
            &key,
            column,
            appointment.seal_id,
            text.as_bytes(),
            inner.entropy(),
        )
    }

    /// Adds the event of a change to its write, told to the patient and the doctor.
    pub(super) fn tell(
        &self,
        write: &mut Write,
        kind: EventKind,
        row: &StoredAppointment,
        status: &str,
    ) {
        let told = [row.patient, row.facts.doctor];
        write.audit.data.insert("status".into(), status.into());
        self.inner().announce(
            write,
            kind,
            &told,
            data([
                ("slot_id", row.slot.get().into()),
                ("patient_id", row.patient.get().into()),
                ("doctor_id", row.facts.doctor.get().into()),
                ("status", status.into()),
            ]),
        );
    }

    /// Adds a notice that goes out at once.
    pub(super) fn notify(&self, write: &mut Write, recipient: UserId, notice: DeliveryKind) {
        let at = write.at;
        self.inner().schedule(
            write,
            JobKind::AppointmentNotice,
            at,
            data([
                ("recipient", recipient.get().into()),
                ("notice", notice.as_str().into()),
            ]),
        );
    }

    /// Drops what is still to be told about an appointment that is given up.
    pub(super) fn drop_jobs(write: &mut Write) {
        let subject = write.audit.subject;
        for kind in [JobKind::AppointmentNotice, JobKind::AppointmentReminder] {
            write.drop_jobs.push(JobSelector { kind, subject });
        }
    }
}

/// How the actor stands to an appointment.
pub(super) fn relation(actor: &Actor, row: &StoredAppointment) -> Relation {
    let is_party = match actor {
        Actor::User(user) => match user.role {
            Role::Patient => user.user == row.patient,
            Role::Doctor => user.user == row.facts.doctor,
            Role::Admin => false,
        },
        Actor::Anonymous(_) | Actor::System(_) => false,
    };
    Relation::own(is_party)
}

/// By whose hand the actor changes an appointment that the policy lets him change.
pub(super) fn hand(actor: &Actor) -> TransitionBy {
    match actor {
        Actor::User(user) if user.role == Role::Patient => TransitionBy::Patient,
        Actor::User(user) if user.role == Role::Doctor => TransitionBy::Doctor,
        _ => TransitionBy::Administrator,
    }
}

/// The refusal of a change that the state does not allow.
pub(super) fn illegal(id: AppointmentId, status: crate::scheduling::AppointmentStatus) -> Error {
    Error::new(Code::IllegalTransition)
        .message(format!("The appointment is {status}"))
        .detail("appointment_id", id.get())
        .detail("status", status.as_str())
}
