//! Whether a request was made by a page that may make it.
//!
//! A browser sends the cookie with whatever request any page makes it send. A request that
//! changes something and has no other credential therefore shows that its page could read an
//! answer of ours (the token of `GET /api/auth/csrf`), or comes from an origin that is the
//! server's own or on the list.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use telemed_core::Engine;
use telemed_core::actor::Actor;
use telemed_core::error::Code;

use super::{HasEngine, cookie};
use crate::envelope::Refusal;
use crate::extract::collect_early;
use crate::server::Client;
use crate::surface::Shared;

/// The headers in which pages send the token.
const TOKEN_HEADERS: [&str; 2] = ["x-csrftoken", "x-csrf-token"];
/// The field in which forms send it.
const TOKEN_FIELD: &str = "csrf_token";

/// A route that needs no token and refuses other pages: those who sign in, register or refresh
/// have no token yet, and must not be signed in by a page that is not ours. It stands before the
/// extractor of the actor.
///
/// # Errors
/// [`Code::ForeignOrigin`].
#[derive(Clone, Copy, Debug)]
pub struct OwnPage;

impl<S: HasEngine + Send + Sync> FromRequestParts<S> for OwnPage {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        if page_of(parts, state.shared()) == Page::Foreign {
            return Err(Refusal::code(Code::ForeignOrigin));
        }
        parts.extensions.insert(Self);
        Ok(Self)
    }
}

/// What the `Origin` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Nothing: no browser, or an old one.
    Unknown,
    /// The server's own origin, or one on the list.
    Known,
    /// Any other.
    Foreign,
}

/// Refuses what another page has made a browser send with the cookie alone.
///
/// # Errors
/// [`Code::ForeignOrigin`].
pub(super) fn check(
    parts: &Parts,
    engine: &Engine,
    shared: &Shared,
    actor: &Actor,
) -> Result<(), Refusal> {
    let is_free = parts.method.is_safe() || parts.extensions.get::<OwnPage>().is_some();
    if is_free || page_of(parts, shared) == Page::Known {
        return Ok(());
    }
    let by_header = TOKEN_HEADERS
        .iter()
        .filter_map(|name| parts.headers.get(*name)?.to_str().ok());
    let by_form = parts.extensions.get::<FormToken>();
    let by_form = by_form.map(|token| token.0.as_str());
    let identity = engine.identity();
    if by_header
        .chain(by_form)
        .any(|token| identity.is_csrf_token(actor, token))
    {
        return Ok(());
    }
    Err(Refusal::code(Code::ForeignOrigin))
}

/// The page that a request was made by.
pub(crate) fn page_of(parts: &Parts, shared: &Shared) -> Page {
    let mut values = parts.headers.get_all(header::ORIGIN).iter();
    let Some(value) = values.next() else {
        return Page::Unknown;
    };
    match (value.to_str(), values.next()) {
        (Ok(origin), None) if is_own(origin, parts) || shared.cors().allows(origin) => Page::Known,
        _ => Page::Foreign,
    }
}

/// Whether an origin is that which the request was sent to. Inside another host's server the
/// scheme is not known, and either is taken.
fn is_own(origin: &str, parts: &Parts) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let client = parts.extensions.get::<Client>();
    let scheme_fits = match client {
        Some(client) if client.secure => scheme == "https",
        Some(_) => scheme == "http",
        None => matches!(scheme, "http" | "https"),
    };
    let forwarded = client.and_then(|client| client.host.as_deref());
    let asked = forwarded.or_else(|| host(&parts.headers));
    let asked = asked.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(own_port)
            .map_or(text.clone(), str::to_owned)
    };
    scheme_fits && asked.is_some_and(|host| !host.is_empty() && bare(host) == bare(authority))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::HOST).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// The token that a form has sent among its fields.
#[derive(Clone)]
struct FormToken(String);

/// Reads the token out of a form whose request would be refused without it. Any other request is
/// passed on unread.
///
/// # Errors
/// What reading the body fails with.
pub(crate) async fn with_form_token(request: Request) -> Result<Request, Refusal> {
    let headers = request.headers();
    let form = Form::of(headers);
    let needs_token = !request.method().is_safe()
        && !headers.contains_key(header::AUTHORIZATION)
        && cookie::token(headers).is_some();
    let (Some(form), true) = (form, needs_token) else {
        return Ok(request);
    };
    let (mut parts, body) = request.into_parts();
    let budget = parts.extensions.get().cloned();
    let bytes = collect_early(budget, body).await?;
    if let Some(token) = form.token(&bytes).await {
        parts.extensions.insert(FormToken(token));
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// How a form is written.
enum Form {
    UrlEncoded,
    /// With the boundary between its parts (RFC 7578).
    Multipart(String),
}

impl Form {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = kind.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Some(Self::UrlEncoded)
        } else if headers.contains_key(header::ORIGIN) {
            // An upload may be large, and its origin decides without it.
            None
        } else {
            multer::parse_boundary(kind).ok().map(Self::Multipart)
        }
    }

    /// The field that holds the token; nothing in a form that cannot be read.
    async fn token(self, bytes: &Bytes) -> Option<String> {
        match self {
            Self::UrlEncoded => form_urlencoded::parse(bytes)
                .find(|(name, _)| name == TOKEN_FIELD)
                .map(|(_, value)| value.into_owned()),
            Self::Multipart(boundary) => {
                let stream = Body::from(bytes.clone()).into_data_stream();
                let mut form = multer::Multipart::new(stream, boundary);
                while let Ok(Some(field)) = form.next_field().await {
                    if field.name() == Some(TOKEN_FIELD) {
                        return field.text().await.ok();
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts(host: &str, client: Option<Client>) -> Parts {
        let request = Request::builder().uri("/api/x").header("host", host);
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(client) = client {
            parts.extensions.insert(client);
        }
        parts
    }

    fn client(secure: bool, host: Option<&str>) -> Option<Client> {
        Some(Client {
            address: "203.0.113.7".parse().unwrap(),
            secure,
            host: host.map(str::to_owned),
        })
    }

    #[test]
    fn the_own_origin_is_scheme_host_and_port() {
        for (origin, host, client, own) in [
            ("http://a.example", "a.example", client(false, None), true),
            (
                "http://A.example",
                "a.example:80",
                client(false, None),
                true,
            ),
            (
                "https://a.example",
                "a.example:443",
                client(true, None),
                true,
            ),
            (
                "http://a.example:81",
                "a.example",
                client(false, None),
                false,
            ),
            ("https://a.example", "a.example", client(false, None), false),
            ("http://a.example", "a.example", client(true, None), false),
            (
                "https://a.example.evil",
                "a.example",
                client(true, None),
                false,
            ),
            (
                "https://app.example",
                "inner:5000",
                client(true, Some("app.example")),
                true,
            ),
            (
                "https://inner:5000",
                "inner:5000",
                client(true, Some("app.example")),
                false,
            ),
            ("https://a.example", "a.example", None, true),
            ("http://a.example", "a.example", None, true),
            ("ftp://a.example", "a.example", None, false),
            ("null", "a.example", None, false),
            ("", "", None, false),
            ("http://", "", None, false),
        ] {
            assert_eq!(
                is_own(origin, &parts(host, client)),
                own,
                "{origin} at {host}"
            );
        }
    }
}
