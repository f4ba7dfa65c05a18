//! `/auth/me` and `/users/profile`: the own account.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::Engine;
use telemed_core::actor::{Actor, Role};
use telemed_core::directory::{Age, Biography, Gender, Patient, UpdatePatient};
use telemed_core::error::{Error, Kind};
use telemed_core::identity::{FullName, Language, Phone, User, UserEdit};
use telemed_core::time::{LocalDay, TimeZone, Timestamp};
use telemed_core::value::Checks;
use utoipa::ToSchema;

use super::Platform;
use super::auth::{date, own_id};
use super::doctors::ClinicCard;
use super::envelope::Success;
use super::reply::{Answer, Done, Refusals, Reply};
use super::words::{Fee, fee_shown};
use crate::auth::{Caller, Idempotency};
use crate::envelope::Refusal;
use crate::extract::{JsonOrForm, Whole, checked_change, present};

/// A user, as he sees himself.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct UserCard {
    /// The id; a doctor's and a patient's id is the same number.
    id: i64,
    /// `patient`, `doctor` or `admin`.
    #[schema(value_type = String, example = "patient")]
    user_type: &'static str,
    /// The e-mail address.
    email: Option<String>,
    /// The telephone number.
    phone: Option<String>,
    /// The name.
    full_name: String,
    /// `ar` or `en`.
    #[schema(value_type = Option<String>)]
    language_preference: Option<&'static str>,
    /// Whether an administrator has verified the user.
    is_verified: bool,
    /// Whether the user may sign in.
    is_active: bool,
    /// The last login.
    #[schema(format = DateTime)]
    last_login: Option<String>,
    /// When the account was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// What belongs to the role; nothing for administrators.
    profile: Option<ProfileCard>,
}

/// What belongs to a role.
#[derive(Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ProfileCard {
    /// A patient's.
    Patient(PatientCard),
    /// A doctor's.
    Doctor(PracticeCard),
}

/// What belongs to a patient.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct PatientCard {
    /// The date of birth.
    #[schema(format = Date)]
    date_of_birth: Option<String>,
    /// The age in years: by the date of birth, else as it was told.
    age: Option<u16>,
    /// `female`, `male` or `other`.
    #[schema(value_type = Option<String>)]
    gender: Option<&'static str>,
}

/// What belongs to a doctor.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct PracticeCard {
    /// The field of medicine.
    specialty: String,
    /// The licence to practise.
    license_number: String,
    /// Years of practice.
    years_of_experience: u16,
    /// What a consultation costs.
    consultation_fee: Option<f64>,
    /// What the doctor says about himself.
    bio: Option<String>,
    /// Always null for now.
    rating: Option<f64>,
    /// The clinic.
    clinic: ClinicCard,
}

/// The own account: flat, and once more as `user`.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountCard {
    #[serde(flatten)]
    flat: UserCard,
    #[serde(flatten)]
    #[schema(inline)]
    details: Option<ProfileCard>,
    /// The same.
    user: UserCard,
}

impl From<UserCard> for AccountCard {
    fn from(user: UserCard) -> Self {
        Self {
            flat: user.clone(),
            details: user.profile.clone(),
            user,
        }
    }
}

/// A user with what belongs to the role. The actor is the user.
pub(super) async fn user_card(
    engine: &Engine,
    actor: &Actor,
    user: User,
) -> Result<UserCard, Error> {
    let profile = match user.role {
        Role::Patient => {
            let patient = engine.directory().patient(actor, user.id).await?;
            Some(ProfileCard::Patient(patient_card(&patient, engine.now())))
        }
        Role::Doctor => match engine.directory().doctor(actor, user.id).await {
            Ok(doctor) => {
                let clinic = ClinicCard::of(&doctor);
                let details = doctor.details;
                Some(ProfileCard::Doctor(PracticeCard {
                    specialty: details.specialty.as_str().to_owned(),
                    license_number: details.licence_number.as_str().to_owned(),
                    years_of_experience: details.experience_years.get(),
                    consultation_fee: details.consultation_fee.map(fee_shown),
                    bio: details.biography.map(|text| text.as_str().to_owned()),
                    rating: None,
                    clinic,
                }))
            }
            // An administrator has made the account and not yet the profile.
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) => return Err(error),
        },
        Role::Admin => None,
    };
    Ok(UserCard {
        id: user.id.get(),
        user_type: user.role.as_str(),
        email: user.email.map(|email| email.as_str().to_owned()),
        phone: user.phone.map(|phone| phone.as_str().to_owned()),
        full_name: user.full_name.as_str().to_owned(),
        language_preference: user.language.map(Language::as_str),
        is_verified: user.is_verified,
        is_active: user.is_active,
        last_login: user.last_login.map(|at| at.to_string()),
        created_at: user.created_at.to_string(),
        profile,
    })
}

fn patient_card(patient: &Patient, now: Timestamp) -> PatientCard {
    let profile = &patient.profile;
    let by_birth = profile.date_of_birth.and_then(|born| age(born, now));
    PatientCard {
        date_of_birth: profile.date_of_birth.map(|day| day.to_string()),
        age: by_birth.or(profile.age.map(Age::get)),
        gender: profile.gender.map(Gender::as_str),
    }
}

fn age(born: LocalDay, now: Timestamp) -> Option<u16> {
    let (born, today) = (born.date(), now.local_day(&TimeZone::utc()).date());
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    u16::try_from(today.year() - born.year() - i16::from(!had_birthday)).ok()
}

/// The own account.
#[utoipa::path(get, path = "/api/auth/me", tag = "platform-auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The account", body = Success<AccountCard>), Refusals))]
pub(super) async fn me(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
) -> Answer {
    own_account(&state, &actor, &reply, Done::Profile).await
}

/// The own account.
#[utoipa::path(get, path = "/api/users/profile", tag = "platform-users",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The account", body = Success<AccountCard>), Refusals))]
pub(super) async fn profile(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
) -> Answer {
    own_account(&state, &actor, &reply, Done::Profile).await
}

async fn own_account(state: &Platform, actor: &Actor, reply: &Reply, done: Done) -> Answer {
    let user = state.engine.identity().own_user(actor).await?;
    let card = user_card(&state.engine, actor, user).await?;
    Ok(reply.ok(done, AccountCard::from(card)))
}

/// A change of the own account: what is absent stays as it is, `null` empties a field.
#[derive(Deserialize, ToSchema)]
pub(super) struct ProfileBody {
    /// The name.
    #[schema(min_length = 1, max_length = 150)]
    full_name: Option<String>,
    /// The telephone number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 40)]
    phone: Option<Option<String>>,
    /// `ar` or `en`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^(ar|en)$")]
    language_preference: Option<Option<String>>,
    /// A patient's date of birth, not in the future.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Date, example = "1990-01-15")]
    date_of_birth: Option<Option<String>>,
    /// A patient's age, where the date of birth is not known.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 150)]
    age: Option<Option<Whole>>,
    /// A patient's gender: `female`, `male` or `other`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^(female|male|other)$")]
    gender: Option<Option<String>>,
    /// What a doctor says about himself.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    bio: Option<Option<String>>,
    /// What a doctor's consultation costs, with two decimals at most.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1_000_000)]
    consultation_fee: Option<Option<Fee>>,
}

/// Changes the own account.
#[utoipa::path(put, path = "/api/users/profile", tag = "platform-users",
    request_body = ProfileBody,
    params(Idempotency),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The account", body = Success<AccountCard>), Refusals))]
pub(super) async fn update(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<ProfileBody>,
) -> Answer {
    let (is_edit, is_patients, is_doctors) = (
        body.full_name.is_some() || body.phone.is_some() || body.language_preference.is_some(),
        body.date_of_birth.is_some() || body.age.is_some() || body.gender.is_some(),
        body.bio.is_some() || body.consultation_fee.is_some(),
    );
    let change = body.checked()?;
    let role = match &actor {
        Actor::User(user) => Some(user.role),
        Actor::Anonymous(_) | Actor::System(_) => None,
    };
    let own = own_id(&actor)?;
    let (identity, directory) = (state.engine.identity(), state.engine.directory());
    if is_edit {
        let identity = identity.keyed(key.clone());
        identity.update_profile(&actor, change.edit).await?;
    }
    if is_patients && role == Some(Role::Patient) {
        let directory = state.engine.directory().keyed(key.clone());
        directory
            .update_patient(&actor, own, change.patient)
            .await?;
    }
    if is_doctors && role == Some(Role::Doctor) {
        directory
            .keyed(key)
            .update_own_practice(&actor, change.biography, change.fee)
            .await?;
    }
    own_account(&state, &actor, &reply, Done::ProfileUpdated).await
}

struct Change {
    edit: UserEdit,
    patient: UpdatePatient,
    biography: Option<Option<Biography>>,
    fee: Option<Option<telemed_core::directory::ConsultationFee>>,
}

impl ProfileBody {
    fn checked(self) -> Result<Change, Refusal> {
        let mut checks = Checks::new();
        let edit = UserEdit {
            full_name: checks.optional("full_name", self.full_name, FullName::new),
            phone: checked_change(&mut checks, "phone", self.phone, Phone::new),
            language: checked_change(
                &mut checks,
                "language_preference",
                self.language_preference,
                Language::parse,
            ),
        };
        let patient = UpdatePatient {
            date_of_birth: checked_change(&mut checks, "date_of_birth", self.date_of_birth, date),
            age: self
                .age
                .map(|age| age.and_then(|age| checks.check("age", Age::new(age.get())))),
            gender: checked_change(&mut checks, "gender", self.gender, Gender::parse),
            ..UpdatePatient::default()
        };
        let biography = checked_change(&mut checks, "bio", self.bio, Biography::new);
        let fee = self
            .consultation_fee
            .map(|fee| fee.and_then(|fee| checks.check("consultation_fee", fee.checked())));
        let change = Change {
            edit,
            patient,
            biography,
            fee,
        };
        Ok(checks.finish(Some(change))?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_age_is_in_whole_years() {
        let now = Timestamp::parse("2030-03-01T00:00:00Z", &TimeZone::utc()).unwrap();
        for (born, years) in [
            ("2000-03-01", Some(30)),
            ("2000-03-02", Some(29)),
            ("2000-02-29", Some(30)),
            ("2030-03-01", Some(0)),
            ("2031-01-01", None),
        ] {
            assert_eq!(age(LocalDay::parse(born).unwrap(), now), years, "{born}");
        }
    }
}
