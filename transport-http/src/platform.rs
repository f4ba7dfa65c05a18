//! The platform surface, `/api`: accounts, doctors and their hours, appointments by date.
//!
//! Everything is in one envelope (`platform/envelope.rs`), success and refusal alike. The texts are in the
//! language that is asked for. Besides the `Authorization` header a session cookie is taken,
//! which login and register set. Each file holds the routes of one resource.

mod appointments;
mod auth;
mod availability;
mod changes;
mod doctors;
pub(crate) mod envelope;
pub(crate) mod paging;
pub(crate) mod reply;
mod users;
pub(crate) mod words;

use std::sync::Arc;

use telemed_core::Engine;
use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use crate::auth::HasEngine;
use crate::auth::cookie::SESSION_COOKIE;
use crate::surface::{Mount, Shared, Surface};
#[cfg(test)]
pub(crate) use envelope::PLATFORM_TEXTS;
use envelope::PlatformFamily;
#[cfg(test)]
pub(crate) use reply::Done;

/// What the handlers under `/api` share.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) shared: Arc<Shared>,
}

impl Platform {
    pub(crate) fn new(engine: &Engine, shared: &Arc<Shared>) -> Self {
        Self {
            engine: engine.clone(),
            shared: Arc::clone(shared),
        }
    }
}

impl HasEngine for Platform {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// The surface over this engine. Everything under `/api` is its own but what another surface has
/// a longer prefix for.
#[must_use]
pub fn platform(engine: &Engine, shared: &Arc<Shared>) -> Mount {
    Surface::new("/api", PlatformFamily, Arc::clone(shared))
        .post("/auth/register", auth::register)
        .post("/auth/login", auth::login)
        .post("/auth/refresh", auth::refresh)
        .post("/auth/logout", auth::logout)
        .post("/auth/change-password", auth::change_password)
        .get("/auth/csrf", auth::csrf)
        .get("/auth/me", users::me)
        .get("/users/profile", users::profile)
        .put("/users/profile", users::update)
        .get("/users/doctors", doctors::list)
        .get("/users/doctors/{doctor_id}", doctors::one)
        .get("/users/specialties", doctors::specialties)
        .get("/appointments/doctors", doctors::list_to_book)
        .get(
            "/appointments/doctors/{doctor_id}/availability",
            doctors::availability,
        )
        .get("/appointments", appointments::list)
        .post("/appointments", appointments::book)
        .get("/appointments/{appointment_id}", appointments::one)
        .put("/appointments/{appointment_id}", changes::update)
        .delete("/appointments/{appointment_id}", changes::delete)
        .put("/appointments/{appointment_id}/cancel", changes::cancel)
        .put(
            "/appointments/{appointment_id}/reschedule",
            changes::reschedule,
        )
        .get("/availability/schedule", availability::schedule)
        .put("/availability/schedule", availability::set_schedule)
        .post("/availability/block-time", availability::block)
        .delete(
            "/availability/unblock-time/{block_id}",
            availability::unblock,
        )
        .build(Platform::new(engine, shared))
}

/// The OpenAPI description of these routes.
#[must_use]
pub fn openapi() -> OpenApi {
    Described::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        auth::register,
        auth::login,
        auth::refresh,
        auth::logout,
        auth::change_password,
        auth::csrf,
        users::me,
        users::profile,
        users::update,
        doctors::list,
        doctors::one,
        doctors::specialties,
        doctors::list_to_book,
        doctors::availability,
        appointments::list,
        appointments::book,
        appointments::one,
        changes::update,
        changes::delete,
        changes::cancel,
        changes::reschedule,
        availability::schedule,
        availability::set_schedule,
        availability::block,
        availability::unblock,
    ),
    components(schemas(envelope::Failure)),
    modifiers(&CookieScheme),
    tags(
        (name = "platform-auth", description = "Accounts and sessions of the platform"),
        (name = "platform-users", description = "The own account, and who there is to see"),
        (name = "platform-appointments", description = "Appointments by date"),
        (name = "platform-availability", description = "Doctors' weekly hours and blocked times"),
    )
)]
struct Described;

struct CookieScheme;

impl Modify for CookieScheme {
    fn modify(&self, document: &mut OpenApi) {
        let cookie = ApiKeyValue::with_description(
            SESSION_COOKIE,
            "The session cookie of login and register. With it alone, a request that changes \
             something also needs the token of GET /api/auth/csrf in X-CSRFToken, or an Origin \
             that is the server's own or allowed",
        );
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

#[cfg(test)]
mod tests;
