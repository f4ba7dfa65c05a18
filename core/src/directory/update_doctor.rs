//! Changes a doctor's profile.

use crate::actor::Actor;
use crate::directory::service::ATTEMPTS;
use crate::directory::{
    Biography, ConsultationFee, DailyLimit, Directory, Doctor, DoctorDetails, ExperienceYears,
    LicenceNumber, Qualifications, Specialty, UpdateDoctorOutcome,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{ClinicId, UserId};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

/// A change of a doctor's profile: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateDoctor {
    /// The clinic; slots that are there already stay where they are.
    pub clinic: Option<ClinicId>,
    /// The field of medicine.
    pub specialty: Option<Specialty>,
    /// The licence to practise.
    pub licence_number: Option<LicenceNumber>,
    /// Degrees and certificates; an inner `None` empties the field.
    pub qualifications: Option<Option<Qualifications>>,
    /// Years of practice.
    pub experience_years: Option<ExperienceYears>,
    /// Patients on one clinic-local day.
    pub daily_limit: Option<DailyLimit>,
    /// What the doctor says about himself; an inner `None` empties the field.
    pub biography: Option<Option<Biography>>,
    /// What a consultation costs; an inner `None` empties the field.
    pub consultation_fee: Option<Option<ConsultationFee>>,
}

impl UpdateDoctor {
    fn onto(&self, details: &DoctorDetails) -> DoctorDetails {
        let was = details.clone();
        let change = self.clone();
        DoctorDetails {
            clinic: change.clinic.unwrap_or(was.clinic),
            specialty: change.specialty.unwrap_or(was.specialty),
            licence_number: change.licence_number.unwrap_or(was.licence_number),
            qualifications: change.qualifications.unwrap_or(was.qualifications),
            experience_years: change.experience_years.unwrap_or(was.experience_years),
            daily_limit: change.daily_limit.unwrap_or(was.daily_limit),
            biography: change.biography.unwrap_or(was.biography),
            consultation_fee: change.consultation_fee.unwrap_or(was.consultation_fee),
        }
    }

    fn parts(&self, doctor: UserId) -> RequestParts {
        RequestParts::default()
            .number(doctor.get())
            .number(self.clinic.map_or(0, ClinicId::get))
            .text(self.specialty.as_ref().map(Specialty::as_str))
            .text(self.licence_number.as_ref().map(LicenceNumber::as_str))
            .number(i64::from(self.qualifications.is_some()))
            .text(
                self.qualifications
                    .iter()
                    .flatten()
                    .next()
                    .map(Qualifications::as_str),
            )
            .number(
                self.experience_years
                    .map_or(-1, |years| i64::from(years.get())),
            )
            .number(self.daily_limit.map_or(-1, |limit| i64::from(limit.get())))
            .number(i64::from(self.biography.is_some()))
            .text(
                self.biography
                    .iter()
                    .flatten()
                    .next()
                    .map(Biography::as_str),
            )
            .number(i64::from(self.consultation_fee.is_some()))
            .number(
                self.consultation_fee
                    .flatten()
                    .map_or(-1, ConsultationFee::hundredths),
            )
    }
}

impl Directory<'_> {
    /// Changes a doctor's profile.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators; [`Code::NotFound`] for the doctor or
    /// the clinic; [`Code::LicenceTaken`].
    pub async fn update_doctor(
        &self,
        actor: &Actor,
        doctor: UserId,
        change: UpdateDoctor,
    ) -> Result<Doctor, Error> {
        require(actor, Action::UpdateDoctor, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let doctor = self
            .change_doctor(actor, Action::UpdateDoctor, doctor, &change)
            .await?;
        if change.clinic.is_some() {
            // His weekly hours are kept at the clinic where he works now.
            self.engine.scheduling().publish_by_job(doctor.id).await?;
        }
        Ok(doctor)
    }

    /// Changes what a doctor says about himself, by himself.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but doctors; [`Code::NotFound`] for one without a profile.
    pub async fn update_own_practice(
        &self,
        actor: &Actor,
        biography: Option<Option<Biography>>,
        consultation_fee: Option<Option<ConsultationFee>>,
    ) -> Result<Doctor, Error> {
        require(actor, Action::UpdateOwnPractice, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let doctor = actor
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let change = UpdateDoctor {
            biography,
            consultation_fee,
            ..UpdateDoctor::default()
        };
        self.change_doctor(actor, Action::UpdateOwnPractice, doctor, &change)
            .await
    }

    async fn change_doctor(
        &self,
        actor: &Actor,
        action: Action,
        doctor: UserId,
        change: &UpdateDoctor,
    ) -> Result<Doctor, Error> {
        let inner = self.inner();
        let parts = change.parts(doctor);
        let keyed = self.command(actor, action, parts);
        let subject = Subject::number(Resource::Doctor, doctor.get());
        for _ in 0..ATTEMPTS {
            let found = self.any_doctor(doctor).await?;
            let details = change.onto(&found.details);
            let clinic = details.clinic;
            let mut write = inner.write(actor, self.engine.now(), action, subject);
            inner.announce(
                &mut write,
                EventKind::DoctorUpdated,
                &[doctor],
                serde_json::Map::new(),
            );
            write.idempotency = keyed.claim();
            let updated = inner
                .storage()
                .update_doctor(&write, doctor, found.version, &details)
                .await?;
            match settle(updated)? {
                Settled::Now(UpdateDoctorOutcome::Updated(doctor)) => return Ok(doctor),
                Settled::Now(UpdateDoctorOutcome::NotFound) => {
                    return Err(Error::not_found(What::Doctor, doctor.get()));
                }
                Settled::Now(UpdateDoctorOutcome::ClinicNotFound) => {
                    return Err(Error::not_found(What::Clinic, clinic.get()));
                }
                Settled::Now(UpdateDoctorOutcome::LicenceTaken) => {
                    return Err(Error::new(Code::LicenceTaken));
                }
                Settled::Now(UpdateDoctorOutcome::Superseded) => {}
                Settled::Before(_) => return Ok(found),
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}
