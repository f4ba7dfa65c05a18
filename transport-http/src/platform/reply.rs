//! How handlers answer.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use telemed_core::Engine;
use telemed_core::identity::Language;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::Platform;
use super::envelope::Success;
use super::paging::Meta;
use crate::envelope::{Refusal, json, refusals};
use crate::language::{Voice, text};

/// What a handler answers.
pub(crate) type Answer = Result<Response, Refusal>;

/// No data.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nothing {}

macro_rules! done {
    ($($(#[$doc:meta])* $name:ident = $id:literal,)*) => {
        /// What was done, for the message of the answer.
        #[derive(Clone, Copy)]
        pub(crate) enum Done { $($(#[$doc])* $name,)* }

        impl Done {
            /// Every one.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The id in the catalogue.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

done! {
    Registered = "done-registered",
    LoggedIn = "done-logged-in",
    Refreshed = "done-refreshed",
    LoggedOut = "done-logged-out",
    PasswordChanged = "done-password-changed",
    Csrf = "done-csrf",
    Profile = "done-profile",
    ProfileUpdated = "done-profile-updated",
    Doctors = "done-doctors",
    Doctor = "done-doctor",
    Specialties = "done-specialties",
    FreeTimes = "done-free-times",
    Appointments = "done-appointments",
    Appointment = "done-appointment",
    Booked = "done-booked",
    AppointmentUpdated = "done-appointment-updated",
    Cancelled = "done-cancelled",
    Rescheduled = "done-rescheduled",
    Schedule = "done-schedule",
    ScheduleUpdated = "done-schedule-updated",
    Blocked = "done-blocked",
    Unblocked = "done-unblocked",
    Conversations = "done-conversations",
    ConversationOpened = "done-conversation-opened",
    Archived = "done-archived",
    Unarchived = "done-unarchived",
    Messages = "done-messages",
    MessageSent = "done-message-sent",
    MessagesRead = "done-messages-read",
    MessagesFound = "done-messages-found",
    Events = "done-events",
    CallBegun = "done-call-begun",
    CallAccepted = "done-call-accepted",
    CallDeclined = "done-call-declined",
    CallEnded = "done-call-ended",
    Calls = "done-calls",
    Call = "done-call",
    CallStatistics = "done-call-statistics",
    QualityRecorded = "done-quality-recorded",
    Quality = "done-quality",
    PresenceUpdated = "done-presence-updated",
    Presence = "done-presence",
    OnlineUsers = "done-online-users",
}

/// Writes the envelope, in the language of the request.
pub(crate) struct Reply {
    voice: Voice,
    engine: Engine,
}

impl FromRequestParts<Platform> for Reply {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Platform) -> Result<Self, Refusal> {
        let voice = parts.extensions.get::<Voice>().cloned();
        Ok(Self {
            voice: voice.unwrap_or_default(),
            engine: state.engine.clone(),
        })
    }
}

impl Reply {
    /// Takes the language of a user who has just signed in, unless another was asked for.
    pub(crate) fn prefer(&self, language: Option<Language>) {
        if let Some(language) = language {
            self.voice.prefer(language);
        }
    }

    /// 200.
    pub(crate) fn ok(&self, done: Done, data: impl Serialize) -> Response {
        self.write(StatusCode::OK, done, data, None)
    }

    /// 201.
    pub(crate) fn created(&self, done: Done, data: impl Serialize) -> Response {
        self.write(StatusCode::CREATED, done, data, None)
    }

    /// 200 with a page of a list.
    pub(crate) fn page(&self, done: Done, data: impl Serialize, meta: Meta) -> Response {
        self.write(StatusCode::OK, done, data, Some(meta))
    }

    fn write(
        &self,
        status: StatusCode,
        done: Done,
        data: impl Serialize,
        meta: Option<Meta>,
    ) -> Response {
        let body = Success {
            success: true,
            message: text(self.voice.language(), done.as_str()),
            data,
            meta,
            code: status.as_u16(),
            status_code: status.as_u16(),
            timestamp: self.engine.now().to_string(),
        };
        json(status, &body)
    }
}

/// The refusals that a route may answer with, for the document.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let statuses = [
            ("400", "A field is wrong, and named: VALIDATION_ERROR"),
            (
                "401",
                "No credential, or one that is not good: UNAUTHORIZED",
            ),
            (
                "403",
                "The role may not do this, or the request comes from a foreign page: FORBIDDEN",
            ),
            (
                "404",
                "Not there, or not to be seen: NOT_FOUND, APPOINTMENT_NOT_FOUND",
            ),
            ("409", "The state of things refuses it: CONFLICT"),
            ("413", "The body is larger than 1 MiB: PAYLOAD_TOO_LARGE"),
            ("415", "The body is not JSON: UNSUPPORTED_MEDIA_TYPE"),
            (
                "422",
                "The idempotency key was used with another request: IDEMPOTENCY_MISMATCH",
            ),
            ("429", "Too often; see Retry-After: RATE_LIMITED"),
            ("503", "Busy; see Retry-After: UNAVAILABLE"),
            ("507", "No space is left: STORAGE_FULL"),
        ];
        refusals("Failure", &statuses)
    }
}
