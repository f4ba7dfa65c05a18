//! Answers that several resources share: lists, cached reads, messages, and the list of refusals
//! in the document.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::page::{Page, PageLimit, PageRequest, PageSkip};
use telemed_core::value::Checks;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use crate::envelope::{Place, Refusal, json, refusals};
use crate::extract::{Limit, Skip};
pub(super) use crate::extract::{checked_change, unless_blank};

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Strangers may keep what they have read about doctors and clinics for a minute. Who is signed
/// in may be about to change it, and asks each time.
const FOR_STRANGERS: &str = "public, max-age=60";
const FOR_USERS: &str = "private, no-cache";

/// A sentence that says what was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    /// The sentence.
    message: &'static str,
}

/// 200 with a view.
pub(super) fn ok(view: &impl Serialize) -> Response {
    json(StatusCode::OK, view)
}

/// 200 with the view of what an operation answers.
pub(super) async fn shown<V: From<T> + Serialize, T>(
    operation: impl Future<Output = Result<T, Error>>,
) -> Answer {
    Ok(ok(&V::from(operation.await?)))
}

/// 201 with a view.
pub(super) fn created(view: &impl Serialize) -> Response {
    json(StatusCode::CREATED, view)
}

/// 200 with a sentence.
pub(super) fn message(message: &'static str) -> Response {
    ok(&Message { message })
}

/// 200 with the rows of a page and, in a header, how many there are in all.
pub(super) fn list<T, V: Serialize>(page: Page<T>, view: impl FnMut(T) -> V) -> Response {
    let total = page.total;
    let mut response = ok(&page.items.into_iter().map(view).collect::<Vec<_>>());
    response
        .headers_mut()
        .insert(TOTAL_COUNT, HeaderValue::from(total));
    response
}

/// 200 with a list that may be kept, or 304 if the client has it.
pub(super) fn cached_list<T, V: Serialize>(
    actor: &Actor,
    asked: &HeaderMap,
    page: Page<T>,
    view: impl FnMut(T) -> V,
) -> Answer {
    let total = page.total;
    let views = page.items.into_iter().map(view).collect::<Vec<_>>();
    let mut response = cached(actor, asked, &(total, &views), &views)?;
    response
        .headers_mut()
        .insert(TOTAL_COUNT, HeaderValue::from(total));
    Ok(response)
}

/// 200 with a view that may be kept, or 304 if the client has it.
pub(super) fn cached_one(actor: &Actor, asked: &HeaderMap, view: &impl Serialize) -> Answer {
    cached(actor, asked, view, view)
}

fn cached(
    actor: &Actor,
    asked: &HeaderMap,
    identity: &impl Serialize,
    view: &impl Serialize,
) -> Answer {
    let tag = entity_tag(&bytes(identity)?);
    let is_known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| {
            known == "*" || known.trim_start_matches("W/") == tag.trim_start_matches("W/")
        });
    let mut response = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty()).into_response()
    } else {
        let kind = [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )];
        (kind, bytes(view)?).into_response()
    };
    let policy = match actor {
        Actor::Anonymous(_) => FOR_STRANGERS,
        Actor::User(_) | Actor::System(_) => FOR_USERS,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
    headers.append(
        header::VARY,
        HeaderValue::from_static("Authorization, Cookie"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// A weak tag: the same rows compressed are the same.
fn entity_tag(bytes: &[u8]) -> String {
    // Without keys, so that all servers of an installation agree. Nobody gains by a collision.
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("W/\"{:016x}\"", hasher.finish())
}

fn bytes(view: &impl Serialize) -> Result<Bytes, Refusal> {
    let bytes = serde_json::to_vec(view);
    bytes
        .map(Bytes::from)
        .map_err(|error| Error::new(Code::Internal).caused_by(error).into())
}

/// The filter of a list, once it is checked, and the part that a query asks for.
pub(super) fn asked<F>(
    checks: Checks,
    filter: F,
    skip: Skip,
    limit: Limit,
) -> Result<(F, PageRequest), Refusal> {
    let filter = checks.finish(Some(filter)).map_err(in_query)?;
    Ok((filter, page(skip, limit)?))
}

/// The part of a list that a query asks for.
pub(super) fn page(skip: Skip, limit: Limit) -> Result<PageRequest, Refusal> {
    let mut checks = Checks::new();
    let skip = checks.check("skip", PageSkip::new(skip.get()));
    let limit = checks.check("limit", PageLimit::new(limit.get()));
    let page = skip
        .zip(limit)
        .map(|(skip, limit)| PageRequest::new(skip, limit));
    checks.finish(page).map_err(in_query)
}

/// A refusal whose fields stand in the query.
pub(super) fn in_query(error: Error) -> Refusal {
    Refusal::new(Place::Query, error)
}

/// The refusals that a route may answer with, for the document.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let statuses = [
            (
                "400",
                "A rule is broken, or doctor and clinic are not the slot's: VALIDATION_ERROR, APPOINTMENT_ERROR",
            ),
            (
                "401",
                "No credential, or one that is not good: AUTHENTICATION_ERROR",
            ),
            ("403", "The role may not do this: AUTHORIZATION_ERROR"),
            ("404", "Not there, or not to be seen: RESOURCE_NOT_FOUND"),
            (
                "409",
                "The state of things refuses it: CONFLICT, SLOT_UNAVAILABLE, DUPLICATE_BOOKING, EMAIL_ALREADY_EXISTS",
            ),
            ("413", "The body is larger than 1 MiB: PAYLOAD_TOO_LARGE"),
            ("415", "The body is not JSON: UNSUPPORTED_MEDIA_TYPE"),
            (
                "422",
                "A field has a wrong shape, or the idempotency key was used with another request: VALIDATION_ERROR, IDEMPOTENCY_MISMATCH",
            ),
            ("429", "Too often; see Retry-After: RATE_LIMITED"),
            ("503", "Busy; see Retry-After: UNAVAILABLE"),
            ("507", "No space is left: STORAGE_FULL"),
        ];
        refusals("ErrorBody", &statuses)
    }
}
