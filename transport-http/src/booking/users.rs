//! `/users`: the administrator's view of accounts.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::actor::Role;
use telemed_core::id::UserId;
use telemed_core::identity::User;
use telemed_core::value::Checks;
use utoipa::{IntoParams, ToSchema};

use super::Booking;
use super::reply::{Answer, Refusals, asked, list as listed, shown, unless_blank};
use crate::auth::{Caller, Idempotency};
use crate::extract::{Limit, Order, Query, Skip};

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct UserView {
    /// The id; a doctor's and a patient's id is the same number.
    id: i64,
    /// The name.
    name: String,
    /// The e-mail address.
    email: Option<String>,
    /// `patient`, `doctor` or `admin`.
    #[schema(value_type = String, example = "patient")]
    role: &'static str,
    /// A number to reach the user by.
    mobile_no: Option<String>,
    /// The postal address.
    address: Option<String>,
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
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.get(),
            name: user.full_name.as_str().to_owned(),
            email: user.email.map(|email| email.as_str().to_owned()),
            role: user.role.as_str(),
            mobile_no: user.contact_number.map(|number| number.as_str().to_owned()),
            address: user.address.map(|address| address.as_str().to_owned()),
            is_verified: user.is_verified,
            is_active: user.is_active,
            last_login: user.last_login.map(|at| at.to_string()),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}

/// Which users to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Of this role: `patient`, `doctor` or `admin`.
    #[param(pattern = "^(patient|doctor|admin)$")]
    role: Option<String>,
    /// Rows to leave out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0)]
    skip: Skip,
    /// Rows to return at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// All accounts, by id. Administrators only.
#[utoipa::path(get, path = "/api/v1/users", tag = "users",
    params(UserQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "Users", body = [UserView],
        headers(("X-Total-Count" = i64, description = "How many there are in all"))), Refusals))]
pub(super) async fn list(
    State(state): State<Booking>,
    Caller(actor): Caller,
    Query(query): Query<UserQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let role = checks.optional("role", unless_blank(query.role), Role::parse);
    let (role, page) = asked(checks, role, query.skip, query.limit)?;
    let users = state.engine.identity().users(&actor, role, page).await?;
    Ok(listed(users, UserView::from))
}

/// Activates an account. Administrators only.
#[utoipa::path(post, path = "/api/v1/users/{user_id}/activate", tag = "users",
    params(("user_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = UserView), Refusals))]
pub(super) async fn activate(
    State(state): State<Booking>,
    Order {
        actor,
        id: user,
        key,
    }: Order<UserId>,
) -> Answer {
    let identity = state.engine.identity().keyed(key);
    shown::<UserView, _>(identity.activate(&actor, user)).await
}

/// Deactivates an account and ends its sessions at once. Administrators only.
#[utoipa::path(post, path = "/api/v1/users/{user_id}/deactivate", tag = "users",
    params(("user_id" = i64, Path, minimum = 1), Idempotency),
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = UserView), Refusals))]
pub(super) async fn deactivate(
    State(state): State<Booking>,
    Order {
        actor,
        id: user,
        key,
    }: Order<UserId>,
) -> Answer {
    let identity = state.engine.identity().keyed(key);
    shown::<UserView, _>(identity.deactivate(&actor, user)).await
}
