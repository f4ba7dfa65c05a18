//! Changes a clinic.

use crate::actor::Actor;
use crate::directory::service::ATTEMPTS;
use crate::directory::{
    City, Clinic, ClinicAddress, ClinicDetails, ClinicName, ClinicPhone, Directory, Edited, Region,
    ZipCode,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::ClinicId;
use crate::identity::Email;
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::time::TimeZone;

/// A change of a clinic: what is `None` stays as it is; an inner `None` empties a field.
#[derive(Clone, Debug, Default)]
pub struct UpdateClinic {
    /// The name.
    pub name: Option<ClinicName>,
    /// The street address.
    pub address: Option<Option<ClinicAddress>>,
    /// The telephone number.
    pub phone: Option<Option<ClinicPhone>>,
    /// The e-mail address.
    pub email: Option<Option<Email>>,
    /// The city.
    pub city: Option<Option<City>>,
    /// The state, province or governorate.
    pub state: Option<Option<Region>>,
    /// The postal code.
    pub zip_code: Option<Option<ZipCode>>,
    /// The zone; the local days of the clinic's slots follow it.
    pub time_zone: Option<TimeZone>,
    /// Whether its slots can be booked.
    pub is_active: Option<bool>,
}

impl UpdateClinic {
    fn onto(&self, details: &ClinicDetails) -> ClinicDetails {
        let was = details.clone();
        let change = self.clone();
        ClinicDetails {
            name: change.name.unwrap_or(was.name),
            address: change.address.unwrap_or(was.address),
            phone: change.phone.unwrap_or(was.phone),
            email: change.email.unwrap_or(was.email),
            city: change.city.unwrap_or(was.city),
            state: change.state.unwrap_or(was.state),
            zip_code: change.zip_code.unwrap_or(was.zip_code),
            time_zone: change.time_zone.unwrap_or(was.time_zone),
            is_active: change.is_active.unwrap_or(was.is_active),
        }
    }
}

impl Directory<'_> {
    /// Changes a clinic. With a new time zone the local day of each of its slots and
    /// appointments is derived again; their instants stay.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators, [`Code::NotFound`].
    pub async fn update_clinic(
        &self,
        actor: &Actor,
        clinic: ClinicId,
        change: UpdateClinic,
    ) -> Result<Clinic, Error> {
        require(actor, Action::UpdateClinic, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let missing = || Error::not_found(What::Clinic, clinic.get());
        let parts = change.parts(clinic);
        let keyed = self.command(actor, Action::UpdateClinic, parts);
        let subject = Subject::number(Resource::Clinic, clinic.get());
        for _ in 0..ATTEMPTS {
            let found = inner
                .storage()
                .clinic_by_id(clinic)
                .await?
                .ok_or_else(missing)?;
            let details = change.onto(&found.details);
            let mut write = inner.write(actor, self.engine.now(), Action::UpdateClinic, subject);
            inner.announce(
                &mut write,
                EventKind::ClinicUpdated,
                &[],
                serde_json::Map::new(),
            );
            write.idempotency = keyed.claim();
            let edited = inner
                .storage()
                .update_clinic(&write, clinic, found.version, &details)
                .await?;
            match settle(edited)? {
                Settled::Now(Edited::Updated(clinic)) => return Ok(clinic),
                Settled::Now(Edited::NotFound) => return Err(missing()),
                Settled::Now(Edited::Superseded) => {}
                Settled::Before(_) => return Ok(found),
            }
        }
        Err(Error::new(Code::VersionConflict))
    }
}

impl UpdateClinic {
    fn parts(&self, clinic: ClinicId) -> RequestParts {
        fn field<T>(
            parts: RequestParts,
            change: Option<&Option<T>>,
            text: impl Fn(&T) -> &str,
        ) -> RequestParts {
            parts
                .number(i64::from(change.is_some()))
                .text(change.and_then(Option::as_ref).map(text))
        }
        let mut parts = RequestParts::default()
            .number(clinic.get())
            .text(self.name.as_ref().map(ClinicName::as_str))
            .text(self.time_zone.as_ref().map(TimeZone::name))
            .number(self.is_active.map_or(-1, i64::from));
        parts = field(parts, self.address.as_ref(), ClinicAddress::as_str);
        parts = field(parts, self.phone.as_ref(), ClinicPhone::as_str);
        parts = field(parts, self.email.as_ref(), Email::as_str);
        parts = field(parts, self.city.as_ref(), City::as_str);
        parts = field(parts, self.state.as_ref(), Region::as_str);
        field(parts, self.zip_code.as_ref(), ZipCode::as_str)
    }
}
