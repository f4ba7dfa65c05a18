//! Makes a clinic.

use crate::actor::Actor;
use crate::directory::{Clinic, ClinicDetails, Directory};
use crate::engine::{RequestParts, Settled, replayed_number, settle};
use crate::error::{Code, Error, What};
use crate::id::ClinicId;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

impl Directory<'_> {
    /// Makes a clinic.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators.
    pub async fn create_clinic(
        &self,
        actor: &Actor,
        details: ClinicDetails,
    ) -> Result<Clinic, Error> {
        require(actor, Action::CreateClinic, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::CreateClinic, details.parts());
        let now = self.engine.now();
        let subject = Subject::new_row(Resource::Clinic);
        let mut write = inner.write(actor, now, Action::CreateClinic, subject);
        inner.announce(
            &mut write,
            EventKind::ClinicCreated,
            &[],
            serde_json::Map::new(),
        );
        write.idempotency = keyed.claim();
        match settle(inner.storage().create_clinic(&write, &details).await?)? {
            Settled::Now(clinic) => Ok(clinic),
            Settled::Before(subject) => {
                let id = replayed_number(subject, Resource::Clinic)?;
                let found = inner.storage().clinic_by_id(ClinicId::from_row(id)).await?;
                found.ok_or_else(|| Error::not_found(What::Clinic, id))
            }
        }
    }
}

impl ClinicDetails {
    /// The parts of a request that says all of this.
    pub(super) fn parts(&self) -> RequestParts {
        RequestParts::default()
            .text(Some(self.name.as_str()))
            .text(self.address.as_ref().map(super::ClinicAddress::as_str))
            .text(self.phone.as_ref().map(super::ClinicPhone::as_str))
            .text(self.email.as_ref().map(crate::identity::Email::as_str))
            .text(self.city.as_ref().map(super::City::as_str))
            .text(self.state.as_ref().map(super::Region::as_str))
            .text(self.zip_code.as_ref().map(super::ZipCode::as_str))
            .text(Some(self.time_zone.name()))
            .number(i64::from(self.is_active))
    }
}
