//! Makes a doctor's profile, or completes that of a doctor who waits to be verified.

use crate::actor::Actor;
use crate::directory::{
    CompleteDoctor, CompleteDoctorOutcome, Directory, Doctor, DoctorDetails, LicenceNumber,
    Qualifications,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::UserId;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

/// A doctor's profile to be made.
#[derive(Clone, Debug)]
pub struct CreateDoctor {
    /// The user who is the doctor.
    pub user: UserId,
    /// What is decided about the doctor.
    pub details: DoctorDetails,
}

impl Directory<'_> {
    /// Makes or completes a doctor's profile; the doctor is verified by that.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators; [`Code::NotFound`] for the user or
    /// the clinic; [`Code::BrokenRule`] at `user_id` when the user is no doctor;
    /// [`Code::DoctorExists`], [`Code::LicenceTaken`].
    pub async fn create_doctor(
        &self,
        actor: &Actor,
        request: CreateDoctor,
    ) -> Result<Doctor, Error> {
        require(actor, Action::CreateDoctor, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let user = request.user;
        let clinic = request.details.clinic;
        let parts = request.details.parts().number(user.get());
        let keyed = self.command(actor, Action::CreateDoctor, parts);
        let subject = Subject::number(Resource::Doctor, user.get());
        let mut write = inner.write(actor, self.engine.now(), Action::CreateDoctor, subject);
        inner.announce(
            &mut write,
            EventKind::DoctorCreated,
            &[user],
            serde_json::Map::new(),
        );
        write.idempotency = keyed.claim();
        let command = CompleteDoctor {
            user,
            details: request.details,
        };
        match settle(inner.storage().complete_doctor(&write, &command).await?)? {
            Settled::Now(outcome) => match outcome {
                CompleteDoctorOutcome::UserNotFound => {
                    Err(Error::not_found(What::User, user.get()))
                }
                CompleteDoctorOutcome::ClinicNotFound => {
                    Err(Error::not_found(What::Clinic, clinic.get()))
                }
                CompleteDoctorOutcome::NotADoctor => Err(Error::broken_rule(
                    "user_id",
                    "must be a user with the role doctor",
                )),
                CompleteDoctorOutcome::DoctorExists => Err(Error::new(Code::DoctorExists)),
                CompleteDoctorOutcome::LicenceTaken => Err(Error::new(Code::LicenceTaken)),
                CompleteDoctorOutcome::Completed(doctor) => Ok(doctor),
            },
            Settled::Before(_) => self.any_doctor(user).await,
        }
    }

    /// A doctor, listed or not.
    pub(super) async fn any_doctor(&self, doctor: UserId) -> Result<Doctor, Error> {
        let found = self.inner().storage().doctor_by_id(doctor).await?;
        found.ok_or_else(|| Error::not_found(What::Doctor, doctor.get()))
    }
}

impl DoctorDetails {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .number(self.clinic.get())
            .text(Some(self.specialty.as_str()))
            .text(Some(LicenceNumber::as_str(&self.licence_number)))
            .text(self.qualifications.as_ref().map(Qualifications::as_str))
            .number(self.experience_years.get())
            .number(self.daily_limit.get())
    }
}
