//! How much memory the bodies of all requests together may take.

use std::sync::Arc;
use std::time::Duration;

use telemed_core::error::{Code, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What bodies of one installation may hold at one time, in bytes.
pub(crate) const BODY_BUDGET: usize = 256 * 1024 * 1024;
/// When to come back: slow bodies are given up in about this time.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The bytes that bodies of all connections may still hold. Every surface puts it into the
/// extensions of its requests.
#[derive(Clone, Debug)]
pub(crate) struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }
}

/// What one body has of the budget, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Option<BodyBudget>,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Nothing so far. Without a budget there is no bound.
    pub(super) fn of(budget: Option<BodyBudget>) -> Self {
        Self { budget, held: None }
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when they are not there.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(BodyBudget(left)) = &self.budget else {
            return Ok(());
        };
        let none_left = || Error::new(Code::Unavailable).retry_after(RETRY_AFTER);
        let bytes = u32::try_from(bytes).map_err(|_| none_left())?;
        let more = Arc::clone(left)
            .try_acquire_many_owned(bytes)
            .map_err(|_| none_left().caused_by("bodies take all the memory that they may"))?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}
