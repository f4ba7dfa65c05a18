//! Looking at clinics, doctors and patients, and verifying a doctor.

use crate::actor::{Actor, Role};
use crate::directory::{Clinic, Directory, Doctor, DoctorFilter, Patient};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{ClinicId, UserId};
use crate::journal::{EventKind, Resource, Subject};
use crate::page::{Page, PageRequest};
use crate::policy::{Action, Relation, require};
use crate::scheduling::care_relation;

use super::{City, Specialty};

impl Directory<'_> {
    /// A clinic.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn clinic(&self, actor: &Actor, clinic: ClinicId) -> Result<Clinic, Error> {
        require(actor, Action::ReadClinics, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let found = self.inner().storage().clinic_by_id(clinic).await?;
        found.ok_or_else(|| Error::not_found(What::Clinic, clinic.get()))
    }

    /// Active clinics by id, of one city (without regard to case) or of all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn clinics(
        &self,
        actor: &Actor,
        city: Option<City>,
        page: PageRequest,
    ) -> Result<Page<Clinic>, Error> {
        require(actor, Action::ReadClinics, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let city = city.map(|city| city.as_str().to_lowercase());
        Ok(self
            .inner()
            .storage()
            .clinic_page(city.as_deref(), page)
            .await?)
    }

    /// A listed doctor; administrators and the doctor himself see one who is not listed too.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn doctor(&self, actor: &Actor, doctor: UserId) -> Result<Doctor, Error> {
        require(actor, Action::ReadDoctors, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let found = self.any_doctor(doctor).await?;
        let sees_unlisted = match actor {
            Actor::User(user) => user.role == Role::Admin || user.user == doctor,
            Actor::System(_) => true,
            Actor::Anonymous(_) => false,
        };
        if found.is_listed() || sees_unlisted {
            Ok(found)
        } else {
            Err(Error::not_found(What::Doctor, doctor.get()))
        }
    }

    /// Listed doctors by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn doctors(
        &self,
        actor: &Actor,
        filter: DoctorFilter,
        page: PageRequest,
    ) -> Result<Page<Doctor>, Error> {
        require(actor, Action::ReadDoctors, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        Ok(self.inner().storage().doctor_page(&filter, page).await?)
    }

    /// The fields of medicine of listed doctors, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn specialties(&self, actor: &Actor) -> Result<Vec<Specialty>, Error> {
        require(actor, Action::ReadDoctors, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        Ok(self.inner().storage().specialties().await?)
    }

    /// Verifies a doctor, who is listed and may act from then on.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators, [`Code::NotFound`].
    pub async fn verify_doctor(&self, actor: &Actor, doctor: UserId) -> Result<Doctor, Error> {
        require(actor, Action::VerifyDoctor, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let parts = RequestParts::default().number(doctor.get());
        let keyed = self.command(actor, Action::VerifyDoctor, parts);
        let subject = Subject::number(Resource::Doctor, doctor.get());
        let mut write = inner.write(actor, self.engine.now(), Action::VerifyDoctor, subject);
        inner.announce(
            &mut write,
            EventKind::DoctorVerified,
            &[doctor],
            serde_json::Map::new(),
        );
        write.idempotency = keyed.claim();
        match settle(inner.storage().verify_doctor(&write, doctor).await?)? {
            Settled::Now(Some(doctor)) => Ok(doctor),
            Settled::Now(None) => Err(Error::not_found(What::Doctor, doctor.get())),
            Settled::Before(_) => self.any_doctor(doctor).await,
        }
    }

    /// A patient's profile. A read by another person leaves an audit row.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the patient, a doctor with a care relation and
    /// administrators.
    pub async fn patient(&self, actor: &Actor, patient: UserId) -> Result<Patient, Error> {
        let missing = || Error::not_found(What::Patient, patient.get());
        let inner = self.inner();
        let is_own = actor.user_id() == Some(patient);
        let relation = match actor {
            Actor::User(user) if user.role == Role::Doctor => {
                care_relation(inner, user.user, patient, self.engine.now()).await?
            }
            _ => Relation::own(is_own),
        };
        require(actor, Action::ReadPatient, relation, missing)?;
        let stored = inner
            .storage()
            .patient_by_id(patient)
            .await?
            .ok_or_else(missing)?;
        if !is_own {
            let subject = Subject::number(Resource::Patient, patient.get());
            let write = inner.write(actor, self.engine.now(), Action::ReadPatient, subject);
            inner.storage().record(&write).await?;
        }
        self.open_patient(stored).await
    }
}
