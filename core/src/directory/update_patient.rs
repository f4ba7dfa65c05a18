//! Changes a patient's profile.

use crate::actor::Actor;
use crate::crypto::Sealed;
use crate::directory::PROFILE;
use crate::directory::service::ATTEMPTS;
use crate::directory::{
    Age, Allergies, BloodGroup, Directory, Edited, Gender, Patient, PatientProfile,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::UserId;
use crate::identity::check_born;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::time::LocalDay;
use crate::value::text_values;

text_values! {
    /// Whom to call in an emergency: at most 20 characters.
    EmergencyContact = line 1..=20;
}

/// A change of a patient's profile: what is `None` stays as it is; an inner `None` empties a
/// field.
#[derive(Clone, Debug, Default)]
pub struct UpdatePatient {
    /// The date of birth, in the past.
    pub date_of_birth: Option<Option<LocalDay>>,
    /// The age, where no date of birth is known.
    pub age: Option<Option<Age>>,
    /// The gender.
    pub gender: Option<Option<Gender>>,
    /// The blood group.
    pub blood_group: Option<Option<BloodGroup>>,
    /// What the patient does not tolerate.
    pub allergies: Option<Option<Allergies>>,
    /// Whom to call.
    pub emergency_contact: Option<Option<EmergencyContact>>,
}

impl UpdatePatient {
    fn onto(&self, was: PatientProfile) -> PatientProfile {
        let change = self.clone();
        PatientProfile {
            date_of_birth: change.date_of_birth.unwrap_or(was.date_of_birth),
            age: change.age.unwrap_or(was.age),
            gender: change.gender.unwrap_or(was.gender),
            blood_group: change.blood_group.unwrap_or(was.blood_group),
            allergies: change.allergies.unwrap_or(was.allergies),
            emergency_contact: change.emergency_contact.unwrap_or(was.emergency_contact),
        }
    }

    fn parts(&self, patient: UserId) -> RequestParts {
        let change = self.clone();
        let whole = PatientProfile {
            date_of_birth: change.date_of_birth.flatten(),
            age: change.age.flatten(),
            gender: change.gender.flatten(),
            blood_group: change.blood_group.flatten(),
            allergies: change.allergies.flatten(),
            emergency_contact: change.emergency_contact.flatten(),
        };
        RequestParts::default()
            .number(patient.get())
            .number(i64::from(self.date_of_birth.is_some()))
            .number(i64::from(self.age.is_some()))
            .number(i64::from(self.gender.is_some()))
            .number(i64::from(self.blood_group.is_some()))
            .number(i64::from(self.allergies.is_some()))
            .number(i64::from(self.emergency_contact.is_some()))
            .text(Some(&whole.to_text()))
    }
}

impl Directory<'_> {
    /// Changes a patient's profile.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the patient and administrators (doctors are
    /// [`Code::Forbidden`]); [`Code::BrokenRule`] at `date_of_birth` for a day that is not past.
    pub async fn update_patient(
        &self,
        actor: &Actor,
        patient: UserId,
        change: UpdatePatient,
    ) -> Result<Patient, Error> {
        let missing = || Error::not_found(What::Patient, patient.get());
        let relation = Relation::own(actor.user_id() == Some(patient));
        require(actor, Action::UpdatePatient, relation, missing)?;
        let now = self.engine.now();
        check_born(change.date_of_birth.flatten(), now)?;
        let inner = self.inner();
        let parts = change.parts(patient);
        let keyed = self.command(actor, Action::UpdatePatient, parts);
        let subject = Subject::number(Resource::Patient, patient.get());
        for _ in 0..ATTEMPTS {
            let stored = inner
                .storage()
                .patient_by_id(patient)
                .await?
                .ok_or_else(missing)?;
            let (seal_id, version) = (stored.seal_id, stored.version);
            let was = self.open_patient(stored).await?;
            let profile = change.onto(was.profile.clone());
            let key = inner.vault.key_of_user(inner.storage(), patient).await?;
            let text = profile.to_text();
            let sealed = Sealed::seal(&key, PROFILE, seal_id, text.as_bytes(), inner.entropy())?;
            let mut write = inner.write(actor, now, Action::UpdatePatient, subject);
            inner.announce(
                &mut write,
                EventKind::PatientUpdated,
                &[patient],
                serde_json::Map::new(),
            );
            write.idempotency = keyed.claim();
            let edited = inner
                .storage()
                .update_patient(&write, patient, version, &sealed)
                .await?;
            match settle(edited)? {
                Settled::Now(Edited::Updated(stored)) => return self.open_patient(stored).await,
                Settled::Now(Edited::NotFound) => return Err(missing()),
                Settled::Now(Edited::Superseded) => {}
                Settled::Before(_) => return Ok(was),
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}
