//! Who asks: from a request's credential to the engine's actor.
//!
//! A request with an `Authorization` header has no other credential. Without one the session
//! [`cookie`] is looked at, and whether the request was made by a page that may make it
//! ([`forgery`]).

pub mod cookie;
pub mod forgery;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::net::SocketAddr;
use std::time::Duration;
use telemed_core::Engine;
use telemed_core::actor::{Actor, Origin};
use telemed_core::error::{Code, Error, Kind};
use telemed_core::identity::AccessToken;
use telemed_core::journal::IdempotencyKey;
use telemed_core::limits::LimitName;
use telemed_core::value::Issue;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::envelope::{Place, Refusal};
use crate::language::Voice;
use crate::server::Client;
use crate::surface::Shared;

/// The state of a surface, as far as the extractors here need it.
pub trait HasEngine {
    /// The engine behind the surface.
    fn engine(&self) -> &Engine;

    /// What all surfaces share.
    fn shared(&self) -> &Shared;
}

/// Anybody: a user if there is a credential, else a visitor. A token that is not good is refused
/// here too; a cookie that is not is none, since a browser sends it without being asked.
#[derive(Clone, Debug)]
pub struct Visitor(pub Actor);

/// A user who is signed in. Others are refused before their body is read.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

/// Somebody who signs in: a user if his credential is still good, else a visitor. Who signs in
/// again may hold a token that has ended.
#[derive(Clone, Debug)]
pub struct Newcomer(pub Actor);

impl<S: HasEngine + Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let (actor, token) = match bearer(&parts.headers)? {
            Some(token) => (recognize(parts, state, token).await?, Some(token)),
            None => (
                by_cookie(parts, state).await?,
                cookie::token(&parts.headers),
            ),
        };
        let token = token.map(|token| AccessToken::new(token.to_owned()));
        spend(parts, state, &actor).await?;
        if let (Actor::User(_), Some(token)) = (&actor, token) {
            let credential = Credential {
                engine: state.engine().clone(),
                token,
                origin: origin(parts),
                known_at: Instant::now(),
            };
            parts.extensions.insert(credential);
        }
        Ok(Self(actor))
    }
}

impl<S: HasEngine + Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Visitor::from_request_parts(parts, state).await?.0 {
            Actor::Anonymous(_) => Err(Refusal::code(Code::Unauthenticated)),
            actor => Ok(Self(actor)),
        }
    }
}

impl<S: HasEngine + Send + Sync> FromRequestParts<S> for Newcomer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let found = match bearer(&parts.headers) {
            Ok(Some(token)) => recognize(parts, state, token).await,
            Ok(None) => by_cookie(parts, state)
                .await
                .map_err(|refusal| refusal.error),
            Err(error) => Err(error),
        };
        let actor = match found {
            Ok(actor) => actor,
            Err(error) if error.kind() == Kind::Unauthenticated => Actor::Anonymous(origin(parts)),
            Err(error) => return Err(error.into()),
        };
        spend(parts, state, &actor).await?;
        Ok(Self(actor))
    }
}

/// The actor of a token. His language is that of the answer, unless he asks for another.
async fn recognize<S: HasEngine>(parts: &Parts, state: &S, token: &str) -> Result<Actor, Error> {
    let token = AccessToken::new(token.to_owned());
    let found = state
        .engine()
        .identity()
        .recognize(&token, origin(parts))
        .await?;
    if let (Some(voice), Some(language)) = (parts.extensions.get::<Voice>(), found.language) {
        voice.prefer(language);
    }
    Ok(found.actor)
}

/// The actor of the session cookie.
async fn by_cookie<S: HasEngine>(parts: &Parts, state: &S) -> Result<Actor, Refusal> {
    let Some(token) = cookie::token(&parts.headers) else {
        return Ok(Actor::Anonymous(origin(parts)));
    };
    match recognize(parts, state, token).await {
        Ok(actor) => {
            forgery::check(parts, state.engine(), state.shared(), &actor)?;
            Ok(actor)
        }
        Err(error) if error.kind() == Kind::Unauthenticated => Ok(Actor::Anonymous(origin(parts))),
        Err(error) => Err(error.into()),
    }
}

/// Counts a request that changes something, before its body is read.
async fn spend<S: HasEngine>(parts: &Parts, state: &S, actor: &Actor) -> Result<(), Refusal> {
    if parts.method.is_safe() {
        return Ok(());
    }
    let now = state.engine().now();
    let limits = state.shared().limits();
    Ok(limits.spend(LimitName::Writes, actor, now).await?)
}

/// For how long a credential counts as looked at just now.
const FRESH: Duration = Duration::from_millis(100);

/// The credential that decided who asks, in the extensions of its request.
#[derive(Clone)]
pub(crate) struct Credential {
    engine: Engine,
    token: AccessToken,
    origin: Origin,
    /// When it was good for the last time.
    known_at: Instant,
}

impl Credential {
    /// Looks at the credential again if time has passed, as while a body came slowly: its session
    /// may have ended and its user may have been turned away since.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub(crate) async fn still_good(self) -> Result<(), Error> {
        if self.known_at.elapsed() < FRESH {
            return Ok(());
        }
        let identity = self.engine.identity();
        identity.authenticate(&self.token, self.origin).await?;
        Ok(())
    }
}

/// The actor of an access token.
///
/// # Errors
/// [`Code::Unauthenticated`].
pub async fn authenticate(engine: &Engine, token: &str, origin: Origin) -> Result<Actor, Error> {
    engine
        .identity()
        .authenticate(&AccessToken::new(token.to_owned()), origin)
        .await
}

/// Where a request comes from: what [`crate::server::serve`] found out, or the peer that another
/// host's server put into the extensions.
#[must_use]
pub fn origin(parts: &Parts) -> Origin {
    let client = parts
        .extensions
        .get::<Client>()
        .map(|client| client.address);
    let peer = || {
        parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    };
    Origin {
        address: client.or_else(peer),
    }
}

/// The access token of the `Authorization` header: `None` without the header.
///
/// # Errors
/// [`Code::Unauthenticated`] when the header is there and is not exactly one `Bearer` with a
/// token: a credential that cannot be read is a bad one, never the same as none.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bad = || Error::new(Code::Unauthenticated);
    if values.next().is_some() {
        return Err(bad());
    }
    let text = value.to_str().map_err(|_| bad())?;
    let (scheme, token) = text.trim().split_once(' ').ok_or_else(bad)?;
    let token = token.trim_start();
    // A host may bring a signer of its own, so any visible characters may be a token.
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if scheme.eq_ignore_ascii_case("bearer") && is_token {
        Ok(Some(token))
    } else {
        Err(bad())
    }
}

/// The `Idempotency-Key` header, if there is one.
///
/// # Errors
/// A wrong shape when there are several, or the one is not 1 to 255 visible characters.
#[derive(Clone, Debug)]
pub struct Idempotency(pub Option<IdempotencyKey>);

impl Idempotency {
    const NAME: &str = "Idempotency-Key";
}

impl IntoParams for Idempotency {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = SchemaType::from_iter([Type::String, Type::Null]);
        let schema = ObjectBuilder::new()
            .schema_type(text)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[!-~]+$"))
            .build();
        let parameter = ParameterBuilder::new()
            .name(Self::NAME)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("Makes a repetition take effect once"))
            .schema(Some(schema))
            .build();
        vec![parameter]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(Self::NAME).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let key = value
            .to_str()
            .ok()
            .and_then(|text| IdempotencyKey::new(text).ok());
        match (key, values.next()) {
            (Some(key), None) => Ok(Self(Some(key))),
            _ => {
                let issue =
                    Issue::new(Self::NAME, "must be one key of 1 to 255 visible characters");
                Err(Refusal::new(Place::Header, Error::wrong_shape(vec![issue])))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::{HeaderValue, Request};

    fn with(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn no_header_is_no_credential() {
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn the_scheme_has_no_case() {
        for value in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER   a.b-c_d "] {
            assert_eq!(bearer(&with(&[value])).unwrap(), Some("a.b-c_d"), "{value}");
        }
    }

    #[test]
    fn anything_else_is_a_bad_credential() {
        for values in [
            &[""][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearera.b"],
            &["Basic YTpi"],
            &["Bearer a b"],
            &["Bearer a, Bearer b"],
            &["Bearer a", "Bearer a"],
        ] {
            let error = bearer(&with(values)).unwrap_err();
            assert_eq!(error.code, Code::Unauthenticated, "{values:?}");
        }
    }

    async fn key(values: &[&str]) -> Result<Option<IdempotencyKey>, Refusal> {
        let mut request = Request::post("/");
        for value in values {
            request = request.header("idempotency-key", *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Idempotency::from_request_parts(&mut parts, &())
            .await
            .map(|Idempotency(key)| key)
    }

    #[tokio::test]
    async fn one_key_or_none() {
        assert!(key(&[]).await.unwrap().is_none());
        assert_eq!(key(&["a-1"]).await.unwrap().unwrap().as_str(), "a-1");
        for values in [&[""][..], &["a", "a"], &["é"], &[&"x".repeat(256)]] {
            let refusal = key(values).await.unwrap_err();
            assert_eq!(
                (refusal.error.code, refusal.place),
                (Code::WrongShape, Place::Header)
            );
        }
    }

    #[test]
    fn the_server_knows_the_client_better_than_the_peer_does() {
        let (mut parts, ()) = Request::new(()).into_parts();
        assert_eq!(origin(&parts).address, None);
        let peer: SocketAddr = "10.0.0.1:9".parse().unwrap();
        parts.extensions.insert(ConnectInfo(peer));
        assert_eq!(origin(&parts).address, Some(peer.ip()));
        let address = "203.0.113.7".parse().unwrap();
        parts.extensions.insert(Client {
            address,
            secure: true,
            host: None,
        });
        assert_eq!(origin(&parts).address, Some(address));
    }
}
