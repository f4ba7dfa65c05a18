//! Makes an account and signs its owner in.

use std::time::Duration;

use crate::actor::{Actor, Role};
use crate::crypto::Sealed;
use crate::directory::{
    ClinicDetails, ClinicName, DailyLimit, ExperienceYears, LicenceNumber, PROFILE, PatientProfile,
    Specialty,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{ClinicId, DataKeyId, SealId};
use crate::identity::user::ADDRESS;
use crate::identity::{
    AccessToken, Address, ContactNumber, DoctorApplication, Email, FullName, Identity, Language,
    LogIn, LoginIdentifier, NewPassword, NewUser, Phone, RefreshToken, RegisterOutcome, User,
};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::time::{LocalDay, TimeZone, Timestamp};

/// An account to be made.
#[derive(Clone, Debug)]
pub struct Register {
    /// The role; a doctor's or administrator's account is made by an administrator only.
    pub role: Role,
    /// The name.
    pub full_name: FullName,
    /// The e-mail address; one of it and the telephone number must be there.
    pub email: Option<Email>,
    /// The telephone number, a login too.
    pub phone: Option<Phone>,
    /// The password.
    pub password: NewPassword,
    /// The preferred language.
    pub language: Option<Language>,
    /// A number to reach the user by.
    pub contact_number: Option<ContactNumber>,
    /// The postal address.
    pub address: Option<Address>,
    /// What a patient says about himself.
    pub profile: PatientProfile,
    /// The profile of a doctor who registers himself and waits to be verified.
    pub application: Option<ApplyAsDoctor>,
    /// Whether a refresh token is wanted.
    pub refresh: bool,
}

impl Register {
    /// An account with an e-mail address and nothing that is optional.
    #[must_use]
    pub fn new(role: Role, full_name: FullName, email: Email, password: NewPassword) -> Self {
        Self {
            role,
            full_name,
            email: Some(email),
            phone: None,
            password,
            language: None,
            contact_number: None,
            address: None,
            profile: PatientProfile::default(),
            application: None,
            refresh: false,
        }
    }
}

/// What a doctor who registers himself says about his practice.
#[derive(Clone, Debug)]
pub struct ApplyAsDoctor {
    /// The licence to practise.
    pub licence_number: LicenceNumber,
    /// The field of medicine.
    pub specialty: Specialty,
    /// Years of practice.
    pub experience_years: ExperienceYears,
    /// The clinic; without one it is the installation's first.
    pub clinic: Option<ClinicId>,
}

/// A user who is signed in.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The user.
    pub user: User,
    /// The access token.
    pub token: AccessToken,
    /// How long the access token lasts.
    pub lifetime: Duration,
    /// The refresh token, if one was wanted.
    pub refresh_token: Option<RefreshToken>,
}

impl Identity<'_> {
    /// Makes an account and opens a session for it.
    ///
    /// With an idempotency key a repetition makes nothing new and signs in again.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] or [`Code::Forbidden`] for a role that the actor may not make,
    /// [`Code::EmailTaken`].
    pub async fn register(&self, actor: &Actor, request: Register) -> Result<Signed, Error> {
        let action = match request.role {
            Role::Patient => Action::RegisterPatient,
            Role::Doctor if request.application.is_some() => Action::ApplyAsDoctor,
            Role::Doctor | Role::Admin => Action::RegisterStaff,
        };
        match actor {
            // To a visitor the role is refused; that somebody else may is no reason to sign in.
            Actor::Anonymous(_) if action == Action::RegisterStaff => {
                return Err(Error::new(Code::Forbidden));
            }
            _ => require(actor, action, Relation::None, || {
                Error::new(Code::Forbidden)
            })?,
        }
        if request.email.is_none() && request.phone.is_none() {
            return Err(Error::broken_rule("email", "or a phone number is required"));
        }
        let inner = self.inner();
        let now = self.engine.now();
        check_born(request.profile.date_of_birth, now)?;
        let keyed = self.command(actor, action, request.parts());
        if keyed.replay(inner).await?.is_some() {
            return self.sign_in_again(actor, &request).await;
        }
        // The store decides; this look spares the hash of a password that is not kept.
        if let Some(email) = &request.email
            && inner
                .storage()
                .account_by_email(email.folded())
                .await?
                .is_some()
        {
            return Err(taken(Code::EmailTaken, "email"));
        }
        // Only who registers himself does so from a network of his own.
        let origin = matches!(actor, Actor::Anonymous(_)).then(|| actor.origin());
        let opening = self.opening(now, origin, request.refresh);
        let user = self
            .new_user(&request, Some(opening.session.clone()))
            .await?;
        let mut write = inner.write(actor, now, action, Subject::new_row(Resource::User));
        write
            .audit
            .data
            .insert("role".into(), request.role.as_str().into());
        inner.announce(
            &mut write,
            EventKind::UserRegistered,
            &[],
            serde_json::Map::new(),
        );
        write.idempotency = keyed.claim();

        match settle(inner.storage().register_user(&write, &user).await?)? {
            Settled::Now(RegisterOutcome::Registered(stored)) => {
                self.signed(stored, opening, now).await
            }
            Settled::Now(refused) => Err(refusal(&request, &refused)),
            Settled::Before(_) => self.sign_in_again(actor, &request).await,
        }
    }

    /// What a store needs to make the account: the hash, the data key, the sealed address.
    pub(super) async fn new_user(
        &self,
        request: &Register,
        session: Option<crate::identity::NewSession>,
    ) -> Result<NewUser, Error> {
        let inner = self.inner();
        let now = self.engine.now();
        let password = inner.parts.hasher.hash(request.password.password()).await?;
        let (key, data_key) = inner
            .vault
            .generate(DataKeyId::new(inner.uuid(now)), inner.entropy())?;
        let seal_id = SealId::new(inner.uuid(now));
        let address = match &request.address {
            Some(address) => Some(Sealed::seal(
                &key,
                ADDRESS,
                seal_id,
                address.as_str().as_bytes(),
                inner.entropy(),
            )?),
            None => None,
        };
        let profile_seal_id = SealId::new(inner.uuid(now));
        let profile = if request.profile == PatientProfile::default() {
            None
        } else {
            let text = request.profile.to_text();
            Some(Sealed::seal(
                &key,
                PROFILE,
                profile_seal_id,
                text.as_bytes(),
                inner.entropy(),
            )?)
        };
        Ok(NewUser {
            role: request.role,
            email: request.email.clone(),
            phone: request.phone.clone(),
            language: request.language,
            profile,
            doctor: match &request.application {
                Some(application) => Some(self.application(application)?),
                None => None,
            },
            full_name: request.full_name.clone(),
            contact_number: request.contact_number.clone(),
            seal_id,
            profile_seal_id,
            address,
            is_verified: request.role == Role::Admin,
            password,
            data_key,
            session,
        })
    }

    fn application(&self, application: &ApplyAsDoctor) -> Result<DoctorApplication, Error> {
        let internal = |_: crate::value::ValueError| Error::new(Code::Internal);
        Ok(DoctorApplication {
            clinic: application.clinic,
            first_clinic: ClinicDetails {
                name: ClinicName::new("Clinic").map_err(internal)?,
                address: None,
                phone: None,
                email: None,
                city: None,
                state: None,
                zip_code: None,
                time_zone: self.inner().parts.settings.first_clinic_zone.clone(),
                is_active: true,
            },
            licence_number: application.licence_number.clone(),
            specialty: application.specialty.clone(),
            experience_years: application.experience_years,
            daily_limit: DailyLimit::new(10).map_err(internal)?,
        })
    }

    /// Signs in to the account that the key has made: tokens are not stored, so they cannot be
    /// given out twice. The password is not part of the key's request, which would keep a fast
    /// hash of it; it is checked here, and counted as in any login.
    async fn sign_in_again(&self, actor: &Actor, request: &Register) -> Result<Signed, Error> {
        let identifier = match (&request.email, &request.phone) {
            (Some(email), _) => LoginIdentifier::Email(email.clone()),
            (None, Some(phone)) => LoginIdentifier::Phone(phone.clone()),
            (None, None) => return Err(Error::new(Code::Internal)),
        };
        let login = LogIn {
            identifier,
            password: request.password.password().clone(),
            refresh: request.refresh,
        };
        let visitor = Actor::Anonymous(actor.origin());
        match self.log_in(&visitor, login).await {
            Err(error) if error.code == Code::InvalidCredentials => {
                Err(Error::new(Code::IdempotencyMismatch))
            }
            signed => signed,
        }
    }
}

impl Register {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .text(Some(self.role.as_str()))
            .text(Some(self.full_name.as_str()))
            .text(self.email.as_ref().map(Email::folded))
            .text(self.phone.as_ref().map(Phone::folded))
            .text(self.language.map(Language::as_str))
            .text(Some(&self.profile.to_text()))
            .text(
                self.application
                    .as_ref()
                    .map(|doctor| doctor.licence_number.as_str()),
            )
            .text(
                self.application
                    .as_ref()
                    .map(|doctor| doctor.specialty.as_str()),
            )
            .number(
                self.application
                    .as_ref()
                    .map_or(-1, |it| i64::from(it.experience_years.get())),
            )
            .number(
                self.application
                    .as_ref()
                    .and_then(|it| it.clinic)
                    .map_or(0, ClinicId::get),
            )
            .text(self.contact_number.as_ref().map(ContactNumber::as_str))
            .text(self.address.as_ref().map(Address::as_str))
    }
}

/// Refuses a date of birth that is not in the past, or longer ago than anybody has lived.
pub(crate) fn check_born(born: Option<LocalDay>, now: Timestamp) -> Result<(), Error> {
    let today = now.local_day(&TimeZone::utc());
    if born.is_some_and(|born| born >= today || born.date().year() < 1850) {
        return Err(Error::broken_rule("date_of_birth", "must be in the past"));
    }
    Ok(())
}

fn refusal(request: &Register, outcome: &RegisterOutcome) -> Error {
    match outcome {
        RegisterOutcome::EmailTaken => taken(Code::EmailTaken, "email"),
        RegisterOutcome::PhoneTaken => taken(Code::PhoneTaken, "phone"),
        RegisterOutcome::LicenceTaken => taken(Code::LicenceTaken, "license_number"),
        RegisterOutcome::ClinicNotFound => {
            let clinic = request.application.as_ref().and_then(|it| it.clinic);
            Error::not_found(What::Clinic, clinic.map_or(0, ClinicId::get))
        }
        RegisterOutcome::Registered(_) => Error::new(Code::Internal),
    }
}

/// The refusal of a value that belongs to somebody else, with its field.
pub(super) fn taken(code: Code, field: &'static str) -> Error {
    let mut error = Error::new(code);
    error
        .issues
        .push(crate::value::Issue::new(field, "is already registered"));
    error
}
