//! Queries.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use telemed_core::error::Error;

use super::expectation::form_issue;
use crate::envelope::{Place, Refusal};

/// The query as a value; fields that `T` does not have are ignored.
///
/// # Errors
/// A wrong shape that names the field.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(text.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Self)
            .map_err(|error| {
                Refusal::new(Place::Query, Error::wrong_shape(vec![form_issue(&error)]))
            })
    }
}
