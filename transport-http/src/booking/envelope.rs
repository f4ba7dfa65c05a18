//! The shape of refusals on the booking surface: `{detail, error_code, timestamp}`, with `errors`
//! beside it when fields are wrong.

use axum::response::Response;
use serde::Serialize;
use telemed_core::error::{Code, Kind};
use telemed_core::identity::Language;
use telemed_core::time::Timestamp;
use telemed_core::value::Issue;
use utoipa::ToSchema;

use crate::envelope::{Family, Place, Refusal, json, status_of};
use crate::language::refusal_text;

/// A refusal, as the booking surface writes it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What is wrong, in a sentence.
    #[schema(example = "The slot is already booked")]
    detail: String,
    /// The stable code.
    #[schema(example = "SLOT_UNAVAILABLE")]
    error_code: &'static str,
    /// When it was refused.
    #[schema(format = DateTime)]
    timestamp: String,
    /// What is wrong with which field; only with `VALIDATION_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

/// What is wrong with one field. The input is never repeated.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The part of the request and the field in it.
    #[schema(example = json!(["body", "slot_id"]))]
    loc: Vec<String>,
    /// What was expected.
    #[schema(example = "must be a positive whole number")]
    msg: String,
}

/// Writes refusals as the booking surface does.
pub struct BookingFamily;

impl Family for BookingFamily {
    fn render(&self, refusal: &Refusal, at: Timestamp, language: Language) -> Response {
        let error = &refusal.error;
        let has_fields = matches!(error.code, Code::WrongShape | Code::BrokenRule);
        let errors = has_fields.then(|| {
            error
                .issues
                .iter()
                .map(|issue| field_error(refusal.place, issue))
                .collect()
        });
        let body = ErrorBody {
            detail: refusal_text(language, error),
            error_code: code_word(error.code),
            timestamp: at.to_string(),
            errors,
        };
        json(status_of(error.code), &body)
    }
}

fn field_error(place: Place, issue: &Issue) -> FieldError {
    let place_word = place.as_str();
    let mut loc = vec![place_word.to_owned()];
    // An issue with the whole body names the body itself.
    if issue.field != place_word {
        loc.push(issue.field.clone().into_owned());
    }
    FieldError {
        loc,
        msg: issue.message.clone().into_owned(),
    }
}

/// The word of this surface for a code of the engine, which tells more apart.
fn code_word(code: Code) -> &'static str {
    match code {
        Code::WrongShape | Code::BrokenRule | Code::RequestTimeout => "VALIDATION_ERROR",
        Code::SlotMismatch => "APPOINTMENT_ERROR",
        Code::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
        Code::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        Code::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Code::EmailTaken => "EMAIL_ALREADY_EXISTS",
        Code::AlreadyBooked => "DUPLICATE_BOOKING",
        Code::SlotInactive
        | Code::SlotPast
        | Code::SlotFull
        | Code::DoctorOnLeave
        | Code::DailyLimitReached => "SLOT_UNAVAILABLE",
        other => kind_word(other.kind()),
    }
}

/// The word for codes that this surface does not tell apart within their kind.
fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "VALIDATION_ERROR",
        Kind::Unauthenticated => "AUTHENTICATION_ERROR",
        Kind::Forbidden => "AUTHORIZATION_ERROR",
        Kind::NotFound => "RESOURCE_NOT_FOUND",
        Kind::Conflict => "CONFLICT",
        Kind::Gone => "GONE",
        Kind::RateLimited => "RATE_LIMITED",
        Kind::TooLarge => "PAYLOAD_TOO_LARGE",
        Kind::Unavailable => "UNAVAILABLE",
        Kind::StorageFull => "STORAGE_FULL",
        Kind::Internal => "INTERNAL_ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_word_and_status() {
        for (code, word, status_code) in [
            (Code::WrongShape, "VALIDATION_ERROR", 422),
            (Code::BrokenRule, "VALIDATION_ERROR", 400),
            (Code::Unauthenticated, "AUTHENTICATION_ERROR", 401),
            (Code::InvalidCredentials, "AUTHENTICATION_ERROR", 401),
            (Code::AccountDeactivated, "AUTHENTICATION_ERROR", 401),
            (Code::Forbidden, "AUTHORIZATION_ERROR", 403),
            (Code::PatientInactive, "AUTHORIZATION_ERROR", 403),
            (Code::NotFound, "RESOURCE_NOT_FOUND", 404),
            (Code::SlotMismatch, "APPOINTMENT_ERROR", 400),
            (Code::SlotInactive, "SLOT_UNAVAILABLE", 409),
            (Code::SlotPast, "SLOT_UNAVAILABLE", 409),
            (Code::SlotFull, "SLOT_UNAVAILABLE", 409),
            (Code::DoctorOnLeave, "SLOT_UNAVAILABLE", 409),
            (Code::DailyLimitReached, "SLOT_UNAVAILABLE", 409),
            (Code::AlreadyBooked, "DUPLICATE_BOOKING", 409),
            (Code::EmailTaken, "EMAIL_ALREADY_EXISTS", 409),
            (Code::PatientOverlap, "CONFLICT", 409),
            (Code::IllegalTransition, "CONFLICT", 409),
            (Code::SlotOverlap, "CONFLICT", 409),
            (Code::LicenceTaken, "CONFLICT", 409),
            (Code::DoctorExists, "CONFLICT", 409),
            (Code::SlotHasBookings, "CONFLICT", 409),
            (Code::VersionConflict, "CONFLICT", 409),
            (Code::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405),
            (Code::Gone, "GONE", 410),
            (Code::PayloadTooLarge, "PAYLOAD_TOO_LARGE", 413),
            (Code::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415),
            (Code::IdempotencyMismatch, "IDEMPOTENCY_MISMATCH", 422),
            (Code::RateLimited, "RATE_LIMITED", 429),
            (Code::Internal, "INTERNAL_ERROR", 500),
            (Code::Unavailable, "UNAVAILABLE", 503),
            (Code::StorageFull, "STORAGE_FULL", 507),
        ] {
            assert_eq!(code_word(code), word, "{code}");
            assert_eq!(status_of(code).as_u16(), status_code, "{code}");
        }
    }

    #[test]
    fn a_field_is_named_with_its_place() {
        let issue = Issue::new("slot_id", "is required");
        assert_eq!(field_error(Place::Path, &issue).loc, ["path", "slot_id"]);
        let whole = Issue::new("body", "must be an object");
        assert_eq!(field_error(Place::Body, &whole).loc, ["body"]);
    }
}
