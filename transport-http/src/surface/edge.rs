//! What happens around every handler, whatever router it is mounted in.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use telemed_core::error::Code;
use tokio::time::Instant;
use tracing::Instrument;

use super::Shared;
use crate::auth::forgery::with_form_token;
use crate::cors::is_preflight;
use crate::envelope::{Family, Refusal, empty, render};
use crate::language::Voice;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What one path needs around its handlers.
pub(super) struct Edge {
    family: Arc<dyn Family>,
    shared: Arc<Shared>,
    /// The route's template: what logs and metrics may name. Paths hold ids, queries hold more.
    template: Arc<String>,
    allow: HeaderValue,
    /// Whether there is something at this path.
    known: bool,
}

impl Edge {
    pub(super) fn new(
        family: &Arc<dyn Family>,
        shared: &Arc<Shared>,
        template: &str,
        allow: HeaderValue,
        known: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            family: Arc::clone(family),
            shared: Arc::clone(shared),
            template: Arc::new(template.to_owned()),
            allow,
            known,
        })
    }

    fn options(&self, headers: &HeaderMap) -> Response {
        let mut response = empty(StatusCode::NO_CONTENT);
        let answer = response.headers_mut();
        answer.insert(header::ALLOW, self.allow.clone());
        if is_preflight(&Method::OPTIONS, headers) {
            self.shared
                .cors
                .preflight(headers.get(header::ORIGIN), &self.allow, answer);
        } else {
            self.shared
                .cors
                .decorate(headers.get(header::ORIGIN), answer);
        }
        response
    }

    /// Replaces the placeholder of a refusal by the family's answer.
    fn rendered(&self, mut response: Response, voice: &Voice) -> Response {
        let Some(refusal) = response.extensions_mut().remove::<Arc<Refusal>>() else {
            return response;
        };
        if response.status().is_server_error() {
            report(&refusal);
        }
        let at = self.shared.clock.now();
        let mut answer = render(self.family.as_ref(), &refusal, at, voice.language());
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            answer
                .headers_mut()
                .insert(header::ALLOW, self.allow.clone());
        }
        answer
    }
}

/// Runs a request through a route: preflights, the handler, the family's error shape, headers,
/// one line in the log, one count.
pub(super) async fn pass(
    State(edge): State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = known_method(request.method());
    let request_id = edge.shared.request_ids.next();
    let span = tracing::info_span!("request", method, route = %edge.template, request_id);
    let answers_options = request.method() == Method::OPTIONS
        && (edge.known || is_preflight(request.method(), request.headers()));
    let mut response = if answers_options {
        edge.options(request.headers())
    } else {
        let origin = request.headers().get(header::ORIGIN).cloned();
        request.extensions_mut().insert(edge.shared.bodies.clone());
        let voice = Voice::asked_for(request.headers());
        let handled = handled(request, &voice, next)
            .instrument(span.clone())
            .await;
        let mut response = span.in_scope(|| edge.rendered(handled, &voice));
        edge.shared
            .cors
            .decorate(origin.as_ref(), response.headers_mut());
        response
    };
    protect(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    edge.shared
        .metrics
        .count(method, &edge.template, status, took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status, micros, "answered"));
    response
}

/// Runs the handler, with what the extractors look for put into the request.
async fn handled(mut request: Request, voice: &Voice, next: Next) -> Response {
    request.extensions_mut().insert(voice.clone());
    match with_form_token(request).await {
        Ok(request) => shielded(next.run(request)).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Answers a handler that panics as a fault of ours, so that its connection and its neighbours
/// live on.
async fn shielded(future: impl Future<Output = Response>) -> Response {
    let mut future = pin!(future);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).unwrap_or_else(|_| {
            tracing::error!("a handler panicked");
            std::task::Poll::Ready(Refusal::code(Code::Internal).into_response())
        })
    })
    .await
}

/// Logs what lay beneath a fault of ours. Causes hold no values of rows.
fn report(refusal: &Refusal) {
    let code = refusal.error.code.as_str();
    match refusal.error.source.as_deref() {
        Some(source) => tracing::error!(code, cause = %source, "refused"),
        None => tracing::error!(code, "refused"),
    }
}

/// Headers that every answer of ours carries unless its handler has said otherwise.
fn protect(headers: &mut HeaderMap) {
    let defaults = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in defaults {
        if let header::Entry::Vacant(entry) = headers.entry(name) {
            entry.insert(HeaderValue::from_static(value));
        }
    }
}

/// The method as a word for logs and metrics; a client cannot make new ones up.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Names requests, so that a person can tell us which one failed. The names mean nothing and are
/// never taken from a client.
pub(super) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        // The standard library seeds its hashers from the system's randomness.
        Self {
            process: RandomState::new().build_hasher().finish(),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        format!(
            "{:016x}-{:x}",
            self.process,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }
}
