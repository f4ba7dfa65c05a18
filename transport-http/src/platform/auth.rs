//! `/auth`: accounts and sessions.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use telemed_core::actor::{Actor, Role};
use telemed_core::directory::{
    Age, ExperienceYears, Gender, LicenceNumber, PatientProfile, Specialty,
};
use telemed_core::error::{Code, Error};
use telemed_core::identity::{
    ApplyAsDoctor, ChangePassword, Email, FullName, Language, LogIn, LoginIdentifier, NewPassword,
    Password, Phone, RefreshToken, Register, Signed,
};
use telemed_core::time::LocalDay;
use telemed_core::value::Checks;
use utoipa::ToSchema;

use super::Platform;
use super::envelope::Success;
use super::reply::{Answer, Done, Nothing, Refusals, Reply};
use super::users::{UserCard, user_card};
use crate::auth::forgery::OwnPage;
use crate::auth::{Caller, Idempotency, Newcomer, cookie};
use crate::envelope::Refusal;
use crate::extract::{Id, JsonOrForm, Whole, unless_blank};

/// An account to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct AccountBody {
    /// The name, of any script.
    #[schema(value_type = String, required, min_length = 1, max_length = 150, example = "Ahmed Ali")]
    full_name: Option<String>,
    /// The e-mail address, unique without regard to case; it or `phone` must be there.
    #[schema(max_length = 254, format = Email, example = "ahmed@example.org")]
    email: Option<String>,
    /// The telephone number, unique, a login as the e-mail address is.
    #[schema(max_length = 40, example = "+249 91 234 5678")]
    phone: Option<String>,
    /// The password.
    #[schema(value_type = String, required, min_length = 8, max_length = 128, format = Password, example = "correct horse battery")]
    password: Option<String>,
    /// `patient` if absent, or `doctor`.
    #[schema(pattern = "^(patient|doctor)$", example = "patient")]
    user_type: Option<String>,
    /// `ar` or `en`.
    #[schema(pattern = "^(ar|en)$", example = "ar")]
    language_preference: Option<String>,
    /// A patient's age, where the date of birth is not known.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 150)]
    age: Option<Whole>,
    /// A patient's gender: `female`, `male` or `other`.
    #[schema(pattern = "^(female|male|other)$")]
    gender: Option<String>,
    /// A patient's date of birth, not in the future.
    #[schema(format = Date, example = "1990-01-15")]
    date_of_birth: Option<String>,
    /// A doctor's licence to practise, unique.
    #[schema(max_length = 50, example = "LIC123456")]
    license_number: Option<String>,
    /// A doctor's field of medicine.
    #[schema(max_length = 100, example = "Cardiology")]
    specialty: Option<String>,
    /// A doctor's years of practice.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 80)]
    years_of_experience: Option<Whole>,
    /// A doctor's clinic; the installation's first if absent.
    #[schema(value_type = Option<i64>, minimum = 1)]
    clinic_id: Option<Id>,
    /// Whether a refresh token is wanted; the access token is a short one then.
    refresh: Option<bool>,
}

impl AccountBody {
    fn checked(self) -> Result<Register, Refusal> {
        let mut checks = Checks::new();
        let role = checks.optional("user_type", unless_blank(self.user_type), Role::parse);
        let role = role.unwrap_or(Role::Patient);
        let full_name = checks.required("full_name", self.full_name, FullName::new);
        let email = checks.optional("email", unless_blank(self.email), Email::new);
        let phone = checks.optional("phone", unless_blank(self.phone), Phone::new);
        let password = checks.required("password", self.password, NewPassword::new);
        let language = unless_blank(self.language_preference);
        let language = checks.optional("language_preference", language, Language::parse);
        let mut profile = PatientProfile::default();
        let mut application = None;
        match role {
            Role::Patient => {
                profile.age = checks.optional("age", self.age, |age| Age::new(age.get()));
                profile.gender =
                    checks.optional("gender", unless_blank(self.gender), Gender::parse);
                let born = unless_blank(self.date_of_birth);
                profile.date_of_birth = checks.optional("date_of_birth", born, date);
            }
            Role::Doctor => {
                let licence = unless_blank(self.license_number);
                let licence = checks.required("license_number", licence, LicenceNumber::new);
                let specialty = unless_blank(self.specialty);
                let specialty = checks.required("specialty", specialty, Specialty::new);
                let years = self.years_of_experience.map_or(0, Whole::get);
                let years = checks.check("years_of_experience", ExperienceYears::new(years));
                let clinic = checks.optional("clinic_id", self.clinic_id, Id::typed);
                if let (Some(licence_number), Some(specialty), Some(experience_years)) =
                    (licence, specialty, years)
                {
                    application = Some(ApplyAsDoctor {
                        licence_number,
                        specialty,
                        experience_years,
                        clinic,
                    });
                }
            }
            // Nobody becomes an administrator here, whoever asks.
            Role::Admin => return Err(Refusal::code(Code::Forbidden)),
        }
        let register = full_name
            .zip(password)
            .map(|(full_name, password)| Register {
                role,
                full_name,
                email,
                phone,
                password,
                language,
                contact_number: None,
                address: None,
                profile,
                application,
                refresh: self.refresh.unwrap_or(false),
            });
        Ok(checks.finish(register)?)
    }
}

/// Reads a date.
pub(super) fn date(text: String) -> Result<LocalDay, telemed_core::value::ValueError> {
    LocalDay::parse(text.trim()).ok_or("must be a date such as 1990-01-15".into())
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionCard {
    /// The user.
    user: UserCard,
    /// What to send as `Authorization: Bearer …` from now on.
    access_token: String,
    /// What to exchange for a new pair of tokens, once; only if it was asked for.
    refresh_token: Option<String>,
    /// How the access token is sent.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    expires_in: u64,
}

/// Makes an account and signs it in. A doctor waits to be verified by an administrator.
#[utoipa::path(post, path = "/api/auth/register", tag = "platform-auth",
    request_body(content(
        (AccountBody = "application/json"),
        (AccountBody = "application/x-www-form-urlencoded"),
    )),
    params(Idempotency),
    responses((status = 201, description = "The account and its first session; the session cookie is set", body = Success<SessionCard>), Refusals))]
pub(super) async fn register(
    State(state): State<Platform>,
    _: OwnPage,
    // Old clients send whatever token they kept, also where a new account is made.
    Newcomer(actor): Newcomer,
    reply: Reply,
    Idempotency(key): Idempotency,
    JsonOrForm(body): JsonOrForm<AccountBody>,
) -> Answer {
    let request = body.checked()?;
    let identity = state.engine.identity().keyed(key);
    let signed = identity.register(&actor, request).await?;
    reply.prefer(signed.user.language);
    // Who registers somebody else keeps his own session.
    let is_own = matches!(actor, Actor::Anonymous(_));
    let (card, token) = session(&state, &actor, signed).await?;
    let mut response = reply.created(Done::Registered, card);
    if is_own {
        let (token, lifetime) = token;
        cookie::set(&state.shared, &mut response, &token, lifetime);
    }
    Ok(response)
}

type Token = (telemed_core::identity::AccessToken, std::time::Duration);

async fn session(
    state: &Platform,
    actor: &Actor,
    signed: Signed,
) -> Result<(SessionCard, Token), Refusal> {
    let identity = state.engine.identity();
    let owner = identity.authenticate(&signed.token, actor.origin()).await?;
    let card = SessionCard {
        user: user_card(&state.engine, &owner, signed.user).await?,
        access_token: signed.token.as_str().to_owned(),
        refresh_token: signed
            .refresh_token
            .as_ref()
            .map(|token| token.as_str().to_owned()),
        token_type: "bearer",
        expires_in: signed.lifetime.as_secs(),
    };
    Ok((card, (signed.token, signed.lifetime)))
}

/// Answers a session that was opened or renewed, and sets its cookie.
async fn opened(
    state: &Platform,
    actor: &Actor,
    reply: &Reply,
    done: Done,
    signed: Signed,
) -> Answer {
    reply.prefer(signed.user.language);
    let (card, (token, lifetime)) = session(state, actor, signed).await?;
    let mut response = reply.ok(done, card);
    cookie::set(&state.shared, &mut response, &token, lifetime);
    Ok(response)
}

/// A login.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignInBody {
    /// The e-mail address or the telephone number.
    #[schema(value_type = String, required, example = "ahmed@example.org")]
    login_identifier: Option<String>,
    /// Taken if `login_identifier` is absent.
    email: Option<String>,
    /// The password.
    #[schema(value_type = String, required, format = Password, example = "correct horse battery")]
    password: Option<String>,
    /// Whether a refresh token is wanted; the access token is a short one then.
    refresh: Option<bool>,
}

/// Opens a session.
#[utoipa::path(post, path = "/api/auth/login", tag = "platform-auth",
    request_body(content(
        (SignInBody = "application/json"),
        (SignInBody = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, description = "The session; its cookie is set", body = Success<SessionCard>), Refusals))]
pub(super) async fn login(
    State(state): State<Platform>,
    _: OwnPage,
    Newcomer(actor): Newcomer,
    reply: Reply,
    JsonOrForm(body): JsonOrForm<SignInBody>,
) -> Answer {
    let mut checks = Checks::new();
    let typed = unless_blank(body.login_identifier).or(unless_blank(body.email));
    let identifier = checks.required("login_identifier", typed, |text| {
        Ok(LoginIdentifier::parse(&text))
    });
    let password = checks.required("password", body.password, |text| Ok(Password::typed(text)));
    let refresh = body.refresh.unwrap_or(false);
    let request = identifier
        .zip(password)
        .map(|(identifier, password)| LogIn {
            identifier,
            password,
            refresh,
        });
    let request = checks.finish(request)?;
    let signed = state.engine.identity().log_in(&actor, request).await?;
    opened(&state, &actor, &reply, Done::LoggedIn, signed).await
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub(super) struct RefreshBody {
    /// The refresh token that was given last.
    #[schema(value_type = String, required)]
    refresh_token: Option<String>,
}

/// Exchanges a refresh token for a new pair of tokens. A second use of one ends the session.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "platform-auth",
    request_body = RefreshBody,
    responses((status = 200, description = "The session with its new tokens", body = Success<SessionCard>), Refusals))]
pub(super) async fn refresh(
    State(state): State<Platform>,
    _: OwnPage,
    Newcomer(actor): Newcomer,
    reply: Reply,
    JsonOrForm(body): JsonOrForm<RefreshBody>,
) -> Answer {
    let mut checks = Checks::new();
    let token = checks.required("refresh_token", unless_blank(body.refresh_token), |text| {
        Ok(RefreshToken::new(text))
    });
    let token = checks.finish(token)?;
    let signed = state.engine.identity().refresh(&actor, &token).await?;
    opened(&state, &actor, &reply, Done::Refreshed, signed).await
}

/// Ends the own session at once, and takes its cookie back.
#[utoipa::path(post, path = "/api/auth/logout", tag = "platform-auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The session is over", body = Success<Nothing>), Refusals))]
pub(super) async fn logout(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
) -> Result<Response, Refusal> {
    state.engine.identity().log_out(&actor).await?;
    let mut response = reply.ok(Done::LoggedOut, Nothing {});
    cookie::clear(&state.shared, &mut response);
    Ok(response)
}

/// A change of the own password.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasswordBody {
    /// The password as it is.
    #[schema(value_type = String, required, format = Password)]
    current_password: Option<String>,
    /// The password as it shall be.
    #[schema(value_type = String, required, min_length = 8, max_length = 128, format = Password)]
    new_password: Option<String>,
}

/// Changes the own password, and ends the user's other sessions.
#[utoipa::path(post, path = "/api/auth/change-password", tag = "platform-auth",
    request_body = PasswordBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "It is changed", body = Success<Nothing>), Refusals))]
pub(super) async fn change_password(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    JsonOrForm(body): JsonOrForm<PasswordBody>,
) -> Answer {
    let mut checks = Checks::new();
    let current = checks.required("current_password", body.current_password, |text| {
        Ok(Password::typed(text))
    });
    let new = checks.required("new_password", body.new_password, NewPassword::new);
    let request = current
        .zip(new)
        .map(|(current, new)| ChangePassword { current, new });
    let request = checks.finish(request)?;
    let identity = state.engine.identity();
    identity.change_password(&actor, request).await?;
    Ok(reply.ok(Done::PasswordChanged, Nothing {}))
}

/// The token against forged requests.
#[derive(Serialize, ToSchema)]
pub(super) struct CsrfCard {
    /// What to send as `X-CSRFToken` with requests that change something.
    csrf_token: String,
}

/// The token that pages send beside the session cookie.
#[utoipa::path(get, path = "/api/auth/csrf", tag = "platform-auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The token", body = Success<CsrfCard>), Refusals))]
pub(super) async fn csrf(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
) -> Answer {
    let csrf_token = state.engine.identity().csrf_token(&actor)?;
    Ok(reply.ok(Done::Csrf, CsrfCard { csrf_token }))
}

/// The user who asks.
///
/// # Errors
/// [`Code::Unauthenticated`] if it is no user.
pub(super) fn own_id(actor: &Actor) -> Result<telemed_core::id::UserId, Error> {
    actor
        .user_id()
        .ok_or_else(|| Error::new(Code::Unauthenticated))
}
