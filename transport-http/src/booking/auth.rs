//! `/auth`: accounts and sessions.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use telemed_core::actor::{Actor, Role};
use telemed_core::identity::{
    Address, ContactNumber, Email, FullName, LogIn, LoginIdentifier, NewPassword, Password,
    Register, Signed,
};
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::reply::{Answer, Message, Refusals, created, message, shown, unless_blank};
use super::users::UserView;
use crate::auth::forgery::OwnPage;
use crate::auth::{Caller, Idempotency, Newcomer, Visitor, authenticate, bearer, cookie, origin};
use crate::envelope::Refusal;
use crate::extract::{Json, JsonOrForm, Query};

/// An account to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct RegisterBody {
    /// The name, of any script.
    #[schema(value_type = String, required, min_length = 1, max_length = 150, example = "Maryam Haddad")]
    name: Option<String>,
    /// The e-mail address, unique without regard to case.
    #[schema(value_type = String, required, max_length = 254, format = Email, example = "maryam@example.org")]
    email: Option<String>,
    /// The password.
    #[schema(value_type = String, required, min_length = 8, max_length = 128, format = Password, example = "correct horse battery")]
    password: Option<String>,
    /// The role; a doctor's or administrator's account needs an administrator's token.
    #[schema(example = "patient", pattern = "^(patient|doctor|admin)$")]
    role: Option<String>,
    /// A number to reach the user by.
    #[schema(max_length = 20, example = "+20 100 000 0000")]
    mobile_no: Option<String>,
    /// The postal address.
    #[schema(max_length = 500)]
    address: Option<String>,
}

/// A login.
#[derive(Deserialize, ToSchema)]
pub(super) struct LoginBody {
    /// The e-mail address; forms may call it `username`.
    #[serde(alias = "username")]
    #[schema(value_type = String, required, example = "maryam@example.org")]
    email: Option<String>,
    /// The password.
    #[schema(value_type = String, required, format = Password, example = "correct horse battery")]
    password: Option<String>,
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedView {
    /// What to send as `Authorization: Bearer …` from now on.
    access_token: String,
    /// How the token is sent.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds for which the token is good.
    expires_in: u64,
    /// The user.
    user: UserView,
}

impl From<Signed> for SignedView {
    fn from(signed: Signed) -> Self {
        Self {
            access_token: signed.token.as_str().to_owned(),
            token_type: "bearer",
            expires_in: signed.lifetime.as_secs(),
            user: signed.user.into(),
        }
    }
}

/// Makes an account and signs it in. Anybody may register as a patient.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth",
    request_body = RegisterBody,
    params(Idempotency),
    security((), ("bearer" = [])),
    responses((status = 201, description = "The account and its first session", body = SignedView), Refusals))]
pub(super) async fn register(
    State(state): State<Booking>,
    _: OwnPage,
    Visitor(actor): Visitor,
    Idempotency(key): Idempotency,
    Json(body): Json<RegisterBody>,
) -> Answer {
    let request = body.checked()?;
    let signed = state
        .engine
        .identity()
        .keyed(key)
        .register(&actor, request)
        .await?;
    Ok(created(&SignedView::from(signed)))
}

impl RegisterBody {
    fn checked(self) -> Result<Register, Refusal> {
        let mut checks = Checks::new();
        let role = checks.optional("role", unless_blank(self.role), Role::parse);
        let full_name = checks.required("name", self.name, FullName::new);
        let email = checks.required("email", self.email, Email::new);
        let password = checks.required("password", self.password, NewPassword::new);
        let contact_number = checks.optional(
            "mobile_no",
            unless_blank(self.mobile_no),
            ContactNumber::new,
        );
        let address = checks.optional("address", unless_blank(self.address), Address::new);
        let register = full_name
            .zip(email)
            .zip(password)
            .map(|((full_name, email), password)| {
                let role = role.unwrap_or(Role::Patient);
                Register {
                    contact_number,
                    address,
                    ..Register::new(role, full_name, email, password)
                }
            });
        Ok(checks.finish(register)?)
    }
}

/// Opens a session.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth",
    request_body(content(
        (LoginBody = "application/json"),
        (LoginBody = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, description = "The session", body = SignedView), Refusals))]
pub(super) async fn login(
    State(state): State<Booking>,
    _: OwnPage,
    Newcomer(actor): Newcomer,
    JsonOrForm(body): JsonOrForm<LoginBody>,
) -> Answer {
    let mut checks = Checks::new();
    let identifier = checks.required("email", body.email, |text| {
        Ok(LoginIdentifier::parse(&text))
    });
    let password = checks.required("password", body.password, |text| Ok(Password::typed(text)));
    let request = identifier
        .zip(password)
        .map(|(identifier, password)| LogIn {
            identifier,
            password,
            refresh: false,
        });
    let request = checks.finish(request)?;
    let identity = state.engine.identity();
    shown::<SignedView, _>(identity.log_in(&actor, request)).await
}

/// How old clients send their token.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TokenQuery {
    /// The access token; only where the installation allows tokens in URLs.
    token: Option<String>,
}

/// The own account.
#[utoipa::path(get, path = "/api/v1/auth/profile", tag = "auth",
    params(TokenQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = UserView), Refusals))]
pub(super) async fn profile(
    State(state): State<Booking>,
    ProfileOwner(actor): ProfileOwner,
) -> Answer {
    let identity = state.engine.identity();
    shown::<UserView, _>(identity.own_user(&actor)).await
}

/// A user who is signed in, by the query where that is allowed.
pub(super) struct ProfileOwner(Actor);

impl FromRequestParts<Booking> for ProfileOwner {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Booking) -> Result<Self, Refusal> {
        if state.config.allow_query_token && bearer(&parts.headers)?.is_none() {
            let Query(query) = Query::<TokenQuery>::from_request_parts(parts, state).await?;
            if let Some(token) = query.token {
                return Ok(Self(
                    authenticate(&state.engine, &token, origin(parts)).await?,
                ));
            }
        }
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        Ok(Self(actor))
    }
}

/// Ends the own session at once.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth",
    security(("bearer" = [])),
    responses((status = 200, description = "The session is over", body = Message), Refusals))]
pub(super) async fn logout(
    State(state): State<Booking>,
    Caller(actor): Caller,
) -> Result<Response, Refusal> {
    state.engine.identity().log_out(&actor).await?;
    let mut response = message("Logged out successfully");
    cookie::clear(&state.shared, &mut response);
    Ok(response)
}
