//! The one shape of every answer on the platform surface.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};
use telemed_core::error::{Code, Detail, Error, Kind};
use telemed_core::identity::Language;
use telemed_core::time::Timestamp;
use utoipa::ToSchema;

use crate::envelope::{Family, Refusal, json, status_of};
use crate::language::{issue_text, refusal_text, text};

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Success<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// What was done, in the language of the request.
    #[schema(example = "Appointment booked successfully")]
    pub message: String,
    /// What was asked for.
    pub data: T,
    /// About a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<super::paging::Meta>,
    /// The HTTP status.
    #[schema(example = 200)]
    pub code: u16,
    /// The HTTP status.
    #[schema(example = 200)]
    pub status_code: u16,
    /// When it was answered.
    #[schema(format = DateTime)]
    pub timestamp: String,
}

/// A refusal: one shape for all clients of this family.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failure {
    /// Always false.
    #[schema(example = false)]
    success: bool,
    /// What is wrong, in the language of the request.
    #[schema(example = "Appointment not found")]
    message: String,
    /// The same as `message`.
    error: String,
    /// The stable code.
    #[schema(example = "APPOINTMENT_NOT_FOUND")]
    error_code: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    code: u16,
    /// The HTTP status.
    #[schema(example = 404)]
    status_code: u16,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The field again, what is wrong with each field, and ids that belong to the refusal.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>, example = json!({"appointment_id": 123}))]
    details: Map<String, Value>,
    /// When it was refused.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// Writes refusals as the platform surface does.
pub struct PlatformFamily;

impl Family for PlatformFamily {
    fn render(&self, refusal: &Refusal, at: Timestamp, language: Language) -> Response {
        let error = &refusal.error;
        let status = status(error.code);
        let message = message(language, error);
        let body = Failure {
            success: false,
            error: message.clone(),
            message,
            error_code: code_word(error),
            code: status.as_u16(),
            status_code: status.as_u16(),
            field: error
                .issues
                .first()
                .map(|issue| issue.field.clone().into_owned()),
            details: details(error),
            timestamp: at.to_string(),
        };
        json(status, &body)
    }
}

/// Here a wrong shape is a bad request as a broken rule is.
fn status(code: Code) -> StatusCode {
    match code {
        Code::WrongShape => StatusCode::BAD_REQUEST,
        other => status_of(other),
    }
}

/// Texts that stand in place of the codes' own: clients of this family look for the words
/// "already booked" and "blocked" to tell that a time is gone.
pub(crate) const PLATFORM_TEXTS: &[(Code, &str)] = &[
    (Code::AlreadyBooked, "booked-duplicate"),
    (Code::SlotFull, "booked-full"),
    (Code::PatientOverlap, "booked-overlap"),
    (Code::DailyLimitReached, "booked-day"),
    (Code::DoctorOnLeave, "blocked-leave"),
    (Code::SlotInactive, "blocked-inactive"),
    (Code::SlotPast, "blocked-past"),
];

/// What this surface says of a refusal.
pub(crate) fn message(language: Language, error: &Error) -> String {
    if let Some((_, id)) = PLATFORM_TEXTS.iter().find(|(code, _)| *code == error.code) {
        return text(language, id);
    }
    match (error.code, error.issues.first()) {
        (Code::WrongShape | Code::BrokenRule, Some(issue)) => issue_text(language, issue),
        _ => refusal_text(language, error),
    }
}

/// The word of this surface for a refusal; the engine tells more apart.
pub(crate) fn code_word(error: &Error) -> &'static str {
    match error.code {
        Code::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
        Code::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        Code::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        other => match other.kind() {
            Kind::Invalid => "VALIDATION_ERROR",
            Kind::Unauthenticated => "UNAUTHORIZED",
            Kind::Forbidden => "FORBIDDEN",
            Kind::NotFound if names_an_appointment(error) => "APPOINTMENT_NOT_FOUND",
            Kind::NotFound => "NOT_FOUND",
            Kind::Conflict => "CONFLICT",
            Kind::Gone => "GONE",
            Kind::RateLimited => "RATE_LIMITED",
            Kind::TooLarge => "PAYLOAD_TOO_LARGE",
            Kind::Unavailable => "UNAVAILABLE",
            Kind::StorageFull => "STORAGE_FULL",
            Kind::Internal => "INTERNAL_ERROR",
        },
    }
}

fn names_an_appointment(error: &Error) -> bool {
    error
        .details
        .iter()
        .any(|(name, _)| *name == "appointment_id")
}

/// The details of an error, as they stand in answers.
pub(crate) fn details(error: &Error) -> Map<String, Value> {
    let mut details = Map::new();
    if let Some(first) = error.issues.first() {
        details.insert("field".into(), first.field.as_ref().into());
        let errors = error.issues.iter().map(|issue| {
            serde_json::json!({"field": issue.field.as_ref(), "message": issue.message.as_ref()})
        });
        details.insert("errors".into(), errors.collect());
    }
    for (name, value) in &error.details {
        let value = match value {
            Detail::Number(number) => Value::from(*number),
            // Ids that stand in one word.
            Detail::Word(word) if name.ends_with("_ids") => word
                .split(',')
                .filter_map(|id| id.parse::<i64>().ok())
                .collect(),
            Detail::Word(word) => Value::from(word.as_str()),
        };
        details.insert((*name).to_owned(), value);
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemed_core::error::What;

    #[test]
    fn each_refusal_has_its_word_and_status() {
        for (code, word, expected) in [
            (Code::WrongShape, "VALIDATION_ERROR", 400),
            (Code::BrokenRule, "VALIDATION_ERROR", 400),
            (Code::SlotMismatch, "VALIDATION_ERROR", 400),
            (Code::Unauthenticated, "UNAUTHORIZED", 401),
            (Code::InvalidCredentials, "UNAUTHORIZED", 401),
            (Code::AccountDeactivated, "UNAUTHORIZED", 401),
            (Code::Forbidden, "FORBIDDEN", 403),
            (Code::ForeignOrigin, "FORBIDDEN", 403),
            (Code::PatientInactive, "FORBIDDEN", 403),
            (Code::NotFound, "NOT_FOUND", 404),
            (Code::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405),
            (Code::SlotFull, "CONFLICT", 409),
            (Code::AlreadyBooked, "CONFLICT", 409),
            (Code::EmailTaken, "CONFLICT", 409),
            (Code::IllegalTransition, "CONFLICT", 409),
            (Code::Gone, "GONE", 410),
            (Code::PayloadTooLarge, "PAYLOAD_TOO_LARGE", 413),
            (Code::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415),
            (Code::IdempotencyMismatch, "IDEMPOTENCY_MISMATCH", 422),
            (Code::RateLimited, "RATE_LIMITED", 429),
            (Code::Internal, "INTERNAL_ERROR", 500),
            (Code::Unavailable, "UNAVAILABLE", 503),
            (Code::StorageFull, "STORAGE_FULL", 507),
        ] {
            assert_eq!(code_word(&Error::new(code)), word, "{code}");
            assert_eq!(status(code).as_u16(), expected, "{code}");
        }
        let missing = Error::not_found(What::Appointment, 7);
        assert_eq!(code_word(&missing), "APPOINTMENT_NOT_FOUND");
        assert_eq!(details(&missing)["appointment_id"], 7);
    }

    #[test]
    fn what_keeps_a_time_from_being_booked_says_so_in_the_words_that_clients_look_for() {
        for (code, _) in PLATFORM_TEXTS {
            assert_eq!(code.status(), 409, "{code}");
            let text = message(Language::English, &Error::new(*code));
            assert!(
                text.contains("already booked") || text.contains("blocked"),
                "{code}: {text}"
            );
        }
    }

    #[test]
    fn ids_in_one_word_become_a_list() {
        let error = Error::new(Code::BlockedTimeHasBookings).detail("appointment_ids", "3,5");
        assert_eq!(
            details(&error)["appointment_ids"],
            serde_json::json!([3, 5])
        );
    }
}
