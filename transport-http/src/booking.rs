//! The booking surface, `/api/v1`: accounts, patients, doctors, clinics, slots, appointments.
//!
//! Success is a bare object or a bare array (with `X-Total-Count`); refusals have the shape of
//! `{detail, error_code, timestamp}`. Each file holds the routes of one resource: the body it reads, the view it
//! answers, and handlers that do nothing but read, call the engine and write.

mod appointments;
mod auth;
mod clinics;
mod doctors;
pub(crate) mod envelope;
mod patients;
mod reply;
mod slots;
mod users;

use std::sync::Arc;

use telemed_core::Engine;
use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::auth::HasEngine;
use crate::surface::{Mount, Shared, Surface};
use envelope::BookingFamily;

/// What a host decides about this surface.
#[derive(Clone, Copy, Debug, Default)]
pub struct BookingConfig {
    /// Whether `GET /auth/profile` takes its token from the query too, as old clients send it. A
    /// token in a URL ends up in logs and histories, so this is off by default.
    pub allow_query_token: bool,
}

/// What the handlers share.
#[derive(Clone)]
struct Booking {
    engine: Engine,
    config: BookingConfig,
    shared: Arc<Shared>,
}

impl HasEngine for Booking {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// The surface over this engine.
#[must_use]
pub fn booking(engine: &Engine, config: BookingConfig, shared: &Arc<Shared>) -> Mount {
    Surface::new("/api/v1", BookingFamily, Arc::clone(shared))
        .post("/auth/register", auth::register)
        .post("/auth/login", auth::login)
        .get("/auth/profile", auth::profile)
        .post("/auth/logout", auth::logout)
        .get("/users", users::list)
        .post("/users/{user_id}/activate", users::activate)
        .post("/users/{user_id}/deactivate", users::deactivate)
        .get("/patients/me", patients::own)
        .get("/patients/{patient_id}", patients::one)
        .put("/patients/{patient_id}", patients::update)
        .get(
            "/patients/{patient_id}/appointments",
            patients::appointments,
        )
        .get("/doctors", doctors::list)
        .post("/doctors", doctors::create)
        .get("/doctors/{doctor_id}", doctors::one)
        .put("/doctors/{doctor_id}", doctors::update)
        .post("/doctors/{doctor_id}/verify", doctors::verify)
        .get("/clinics", clinics::list)
        .post("/clinics", clinics::create)
        .get("/clinics/{clinic_id}", clinics::one)
        .put("/clinics/{clinic_id}", clinics::update)
        .get("/clinics/{clinic_id}/doctors", clinics::doctors)
        .get("/slots", slots::list)
        .post("/slots", slots::create)
        .delete("/slots/{slot_id}", slots::retire)
        .get("/appointments", appointments::list)
        .post("/appointments/book", appointments::book)
        .get("/appointments/{appointment_id}", appointments::one)
        .post(
            "/appointments/{appointment_id}/cancel",
            appointments::cancel,
        )
        .post(
            "/appointments/{appointment_id}/confirm",
            appointments::confirm,
        )
        .post(
            "/appointments/{appointment_id}/reject",
            appointments::reject,
        )
        .post(
            "/appointments/{appointment_id}/complete",
            appointments::complete,
        )
        .post(
            "/appointments/{appointment_id}/no-show",
            appointments::no_show,
        )
        .build(Booking {
            engine: engine.clone(),
            config,
            shared: Arc::clone(shared),
        })
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
        auth::profile,
        auth::logout,
        users::list,
        users::activate,
        users::deactivate,
        patients::own,
        patients::one,
        patients::update,
        patients::appointments,
        doctors::list,
        doctors::create,
        doctors::one,
        doctors::update,
        doctors::verify,
        clinics::list,
        clinics::create,
        clinics::one,
        clinics::update,
        clinics::doctors,
        slots::list,
        slots::create,
        slots::retire,
        appointments::list,
        appointments::book,
        appointments::one,
        appointments::cancel,
        appointments::confirm,
        appointments::reject,
        appointments::complete,
        appointments::no_show,
    ),
    components(schemas(envelope::ErrorBody, envelope::FieldError)),
    modifiers(&BearerScheme),
    tags(
        (name = "auth", description = "Accounts and sessions"),
        (name = "users", description = "The administrator's view of accounts"),
        (name = "patients", description = "Patients' profiles"),
        (name = "doctors", description = "Doctors"),
        (name = "clinics", description = "Clinics"),
        (name = "slots", description = "Times that doctors offer"),
        (name = "appointments", description = "Bookings and what becomes of them"),
    )
)]
struct Described;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The access token of login or register"))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

#[cfg(test)]
mod tests;
