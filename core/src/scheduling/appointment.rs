//! Appointments and their states.

use crate::crypto::{Column, Sealed, WrappedDataKey};
use crate::directory::Specialty;
use crate::id::{AppointmentId, ClinicId, SealId, SlotId, UserId};
use crate::identity::FullName;
use crate::scheduling::SlotFacts;
use crate::time::{LocalDay, TimeZone, Timestamp};
use crate::value::{text_values, words};

text_values! {
    /// Why a patient comes: at most 500 characters.
    ReasonForVisit = prose 1..=500;
    /// What a patient feels: at most 2000 characters.
    Symptoms = prose 1..=2000;
    /// Notes on an appointment: at most 2000 characters.
    Notes = prose 1..=2000;
    /// Why an appointment was cancelled, rejected or moved: 1 to 500 characters.
    StatusReason = prose 1..=500;
}

words! {
    /// The state of an appointment.
    AppointmentStatus {
        /// Booked, and waiting for the doctor's word.
        Pending = "pending",
        /// The doctor expects the patient.
        Confirmed = "confirmed",
        /// The doctor declined it.
        Rejected = "rejected",
        /// Called off by the patient, the doctor or an administrator.
        Cancelled = "cancelled",
        /// It takes place.
        InProgress = "in_progress",
        /// It took place.
        Completed = "completed",
        /// The patient did not come.
        NoShow = "no_show",
    }
}

words! {
    /// How doctor and patient meet.
    AppointmentKind {
        /// By video call.
        Video = "video",
        /// By voice call.
        Audio = "audio",
        /// By text.
        Chat = "chat",
        /// At the clinic.
        InPerson = "in_person",
    }
}

/// By whose hand a state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionBy {
    /// The patient of the appointment.
    Patient,
    /// The doctor of the appointment.
    Doctor,
    /// An administrator.
    Administrator,
}

impl AppointmentStatus {
    /// Whether it lies ahead or takes place: pending, confirmed or in progress.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Confirmed | Self::InProgress)
    }

    /// Whether it takes a seat of its slot and counts for the doctor's day: all but rejected
    /// and cancelled.
    #[must_use]
    pub const fn takes_seat(self) -> bool {
        !matches!(self, Self::Rejected | Self::Cancelled)
    }

    /// Whether this state may become `to` by that hand; `has_begun` says whether the
    /// appointment's start has come.
    ///
    /// Cancelled and rejected are final. Completed and no-show correct each other, by an
    /// administrator only. What took place or was missed can only be said after the start.
    #[must_use]
    pub const fn may_become(self, to: Self, by: TransitionBy, has_begun: bool) -> bool {
        use AppointmentStatus as S;
        let for_doctor = matches!(by, TransitionBy::Doctor | TransitionBy::Administrator);
        match (self, to) {
            (S::Pending | S::Confirmed, S::Cancelled) => true,
            (S::Pending, S::Confirmed | S::Rejected) | (S::InProgress, S::Completed) => for_doctor,
            (S::Confirmed, S::Completed | S::NoShow) => for_doctor && has_begun,
            (S::Completed, S::NoShow) | (S::NoShow, S::Completed) => {
                matches!(by, TransitionBy::Administrator)
            }
            _ => false,
        }
    }
}

/// Where the texts of an appointment are sealed to.
pub(crate) const REASON: Column = Column("appointments.reason_for_visit");
pub(crate) const SYMPTOMS: Column = Column("appointments.symptoms");
pub(crate) const NOTES: Column = Column("appointments.notes");
pub(crate) const STATUS_REASON: Column = Column("appointments.status_reason");
pub(crate) const RESCHEDULE_REASON: Column = Column("appointments.reschedule_reason");

/// An appointment as rows keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAppointment {
    /// The id.
    pub id: AppointmentId,
    /// The patient.
    pub patient: UserId,
    /// The slot.
    pub slot: SlotId,
    /// What the slot says: doctor, clinic, start and end.
    pub facts: SlotFacts,
    /// The day of its start in the clinic's zone.
    pub local_day: LocalDay,
    /// How doctor and patient meet.
    pub kind: AppointmentKind,
    /// The state.
    pub status: AppointmentStatus,
    /// Under what the row's texts are sealed.
    pub seal_id: SealId,
    /// Why the patient comes, sealed.
    pub reason_for_visit: Option<Sealed>,
    /// What the patient feels, sealed.
    pub symptoms: Option<Sealed>,
    /// Notes on it, sealed.
    pub notes: Option<Sealed>,
    /// Why it was cancelled or rejected, sealed.
    pub status_reason: Option<Sealed>,
    /// Why it was moved the last time, sealed.
    pub reschedule_reason: Option<Sealed>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// When it was booked.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// An appointment as those see it who may.
#[derive(Clone, Debug, PartialEq)]
pub struct Appointment {
    /// The id.
    pub id: AppointmentId,
    /// The patient.
    pub patient: UserId,
    /// The slot.
    pub slot: SlotId,
    /// The doctor.
    pub doctor: UserId,
    /// The clinic.
    pub clinic: ClinicId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How doctor and patient meet.
    pub kind: AppointmentKind,
    /// The state.
    pub status: AppointmentStatus,
    /// Why the patient comes.
    pub reason_for_visit: Option<String>,
    /// What the patient feels.
    pub symptoms: Option<String>,
    /// Notes on it.
    pub notes: Option<String>,
    /// Why it was cancelled or rejected.
    pub status_reason: Option<String>,
    /// Why it was moved the last time.
    pub reschedule_reason: Option<String>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// When it was booked.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Which appointments to list, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppointmentFilter {
    /// Of this patient.
    pub patient: Option<UserId>,
    /// Of this doctor.
    pub doctor: Option<UserId>,
    /// In this state.
    pub status: Option<AppointmentStatus>,
    /// That begin at this time or later.
    pub from: Option<Timestamp>,
    /// That begin at this time or earlier.
    pub to: Option<Timestamp>,
}

/// An appointment with what a list shows of others and what opens its texts, joined in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct AppointmentRow {
    /// The appointment.
    pub appointment: StoredAppointment,
    /// The names that belong to it.
    pub names: AppointmentNames,
    /// Its patient's data key; none when it was destroyed.
    pub patient_key: Option<WrappedDataKey>,
}

/// The names that belong to an appointment.
#[derive(Clone, Debug, PartialEq)]
pub struct AppointmentNames {
    /// The patient's name.
    pub patient: FullName,
    /// The doctor's name.
    pub doctor: FullName,
    /// The doctor's field of medicine.
    pub specialty: Specialty,
    /// The zone of the clinic's wall clocks.
    pub time_zone: TimeZone,
}

/// An appointment as those see it who may, with its names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedAppointment {
    /// The appointment.
    pub appointment: Appointment,
    /// Its names.
    pub names: AppointmentNames,
}

#[cfg(test)]
mod tests {
    use super::AppointmentStatus::{self as S, *};
    use super::TransitionBy::{self, *};

    /// The whole machine, written out: everything that is not here is refused.
    fn listed(from: S, to: S, by: TransitionBy, begun: bool) -> bool {
        let doctor_or_administrator = by != Patient;
        match (from, to) {
            (Pending, Cancelled) | (Confirmed, Cancelled) => true,
            (Pending, Confirmed) | (Pending, Rejected) => doctor_or_administrator,
            (Confirmed, Completed) | (Confirmed, NoShow) => doctor_or_administrator && begun,
            (InProgress, Completed) => doctor_or_administrator,
            (Completed, NoShow) | (NoShow, Completed) => by == Administrator,
            _ => false,
        }
    }

    #[test]
    fn every_transition_is_as_listed() {
        let mut allowed = 0;
        for &from in S::ALL {
            for &to in S::ALL {
                for by in [Patient, Doctor, Administrator] {
                    for begun in [false, true] {
                        assert_eq!(
                            from.may_become(to, by, begun),
                            listed(from, to, by, begun),
                            "{from} to {to} by {by:?}, begun: {begun}"
                        );
                        allowed += usize::from(listed(from, to, by, begun));
                    }
                }
            }
        }
        assert_eq!(allowed, 32);
    }

    #[test]
    fn what_was_given_up_stays_given_up() {
        for from in [Cancelled, Rejected] {
            for &to in S::ALL {
                assert!(!from.may_become(to, Administrator, true));
            }
        }
    }
}
