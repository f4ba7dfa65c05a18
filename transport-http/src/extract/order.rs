//! What most changes begin with.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use telemed_core::actor::Actor;
use telemed_core::journal::IdempotencyKey;

use super::fields::PathValue;
use super::path::PathId;
use crate::auth::{Caller, HasEngine, Idempotency};
use crate::envelope::Refusal;

/// An order about one thing: who gives it, about which, and under which key.
///
/// # Errors
/// As [`Caller`], [`PathId`] and [`Idempotency`], in this order.
#[derive(Clone, Debug)]
pub struct Order<T> {
    /// Who gives it.
    pub actor: Actor,
    /// About which thing.
    pub id: T,
    /// Under which idempotency key.
    pub key: Option<IdempotencyKey>,
}

impl<S, T> FromRequestParts<S> for Order<T>
where
    S: HasEngine + Send + Sync,
    T: PathValue,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let PathId(id) = PathId::from_request_parts(parts, state).await?;
        let Idempotency(key) = Idempotency::from_request_parts(parts, state).await?;
        Ok(Self { actor, id, key })
    }
}
