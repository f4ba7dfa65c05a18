//! The way to the operations of the directory, and what they share.

use crate::error::{Code, Error};

use super::patient::PROFILE;
use super::{Directory, Patient, PatientProfile, StoredPatient};

impl Directory<'_> {
    /// A patient with the opened profile.
    pub(super) async fn open_patient(&self, stored: StoredPatient) -> Result<Patient, Error> {
        let inner = self.inner();
        let keys = inner
            .vault
            .keys_of(inner.storage(), stored.profile.iter(), &[])
            .await?;
        let text = keys.text(stored.profile.as_ref(), PROFILE, stored.seal_id)?;
        let profile = match text {
            None => PatientProfile::default(),
            Some(text) => PatientProfile::from_text(&text).ok_or_else(|| {
                Error::new(Code::Internal).message("a patient's profile cannot be read")
            })?,
        };
        Ok(Patient {
            id: stored.id,
            full_name: stored.full_name,
            profile,
            is_active: stored.is_active,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        })
    }
}

/// How often an edit that somebody else has overtaken is decided anew.
pub(super) const ATTEMPTS: u32 = 5;
