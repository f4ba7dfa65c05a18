//! Ids in paths.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use telemed_core::error::Error;
use telemed_core::value::Issue;

use super::fields::PathValue;
use crate::envelope::{Place, Refusal};

/// The id in the path of a route with one id.
///
/// # Errors
/// A wrong shape that names the parameter as the route's template does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: PathValue> FromRequestParts<S> for PathId<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |name: String| {
            let issue = Issue::new(name, T::EXPECTED);
            Refusal::new(Place::Path, Error::wrong_shape(vec![issue]))
        };
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| refuse("id".to_owned()))?;
        // A host may nest us below parameters of its own; the route's own one comes last.
        let (name, text) = params
            .iter()
            .last()
            .ok_or_else(|| refuse("id".to_owned()))?;
        T::from_path(text)
            .map(Self)
            .ok_or_else(|| refuse(name.to_owned()))
    }
}
