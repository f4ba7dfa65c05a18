//! How a refusal travels from a handler to its surface, and how a surface writes it.
//!
//! A handler and an extractor fail with a [`Refusal`]; they do not know in which shape their
//! surface answers. The surface takes the refusal out of the response and has its [`Family`]
//! write it, so that every surface shares the same extractors and handlers' helpers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemed_core::error::{Code, Error, Kind};
use telemed_core::identity::Language;
use telemed_core::time::Timestamp;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

/// Which part of a request a wrong field stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The body.
    Body,
    /// The query.
    Query,
    /// The path.
    Path,
    /// A header.
    Header,
}

impl Place {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

/// The refusals that a surface may answer with, for its document: what each status stands for.
pub(crate) fn refusals(
    schema: &str,
    statuses: &[(&str, &str)],
) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let response = |(status, description): &(&str, &str)| {
        let body = Ref::from_schema_name(schema);
        let content = ContentBuilder::new().schema(Some(body)).build();
        let response = ResponseBuilder::new()
            .description(*description)
            .content("application/json", content)
            .build();
        ((*status).to_owned(), RefOr::T(response))
    };
    statuses.iter().map(response).collect()
}

/// A refused request: the engine's error and the part of the request that it is about.
#[derive(Debug)]
pub struct Refusal {
    /// What the engine, or an extractor, refused it with.
    pub error: Error,
    /// Where the fields of the error's issues stand.
    pub place: Place,
}

impl Refusal {
    /// A refusal about this part of the request.
    #[must_use]
    pub fn new(place: Place, error: Error) -> Self {
        Self { error, place }
    }

    /// A refusal with the text of its code.
    #[must_use]
    pub fn code(code: Code) -> Self {
        Error::new(code).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            place: Place::Body,
        }
    }
}

impl IntoResponse for Refusal {
    /// An answer with the code's status and no body, which the surface replaces.
    fn into_response(self) -> Response {
        let mut response = status_of(self.error.code).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The shape in which one family of surfaces writes what it refuses.
pub trait Family: Send + Sync + 'static {
    /// The status and the JSON body of a refusal, with its texts in this language.
    fn render(&self, refusal: &Refusal, at: Timestamp, language: Language) -> Response;
}

/// Writes a refusal in its family's shape, with the headers that every family shares.
pub(crate) fn render(
    family: &dyn Family,
    refusal: &Refusal,
    at: Timestamp,
    language: Language,
) -> Response {
    let mut response = family.render(refusal, at, language);
    let headers = response.headers_mut();
    match refusal.error.kind() {
        Kind::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Kind::RateLimited | Kind::Unavailable => {
            let wait = refusal.error.retry_after.unwrap_or(Duration::from_secs(1));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        _ => {}
    }
    if refusal.error.code == Code::RequestTimeout {
        // The rest of the body may still arrive: this connection cannot carry another request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Seconds, rounded up, at least one: a client that waits this long is not refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The HTTP status of a code, as core's table has it.
pub(crate) fn status_of(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, Json(body)).into_response()
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1500)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(60)), 60);
    }

    #[test]
    fn a_refusal_keeps_its_error_for_the_surface() {
        let response = Refusal::code(Code::SlotFull).into_response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let refusal = response.extensions().get::<Arc<Refusal>>();
        assert!(refusal.is_some_and(|refusal| refusal.error.code == Code::SlotFull));
    }

    #[test]
    fn every_code_has_a_status_that_http_knows() {
        for code in Code::ALL {
            assert_eq!(status_of(*code).as_u16(), code.status(), "{code}");
        }
    }
}
