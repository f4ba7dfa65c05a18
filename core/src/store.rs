//! What all storage traits share: their error, the answer of a keyed write, the sum of the
//! traits, and the macro that declares a trait together with its delegating wrapper.

use std::fmt;

use crate::error::{Code, Error};
use crate::journal::Subject;

/// The backend failed. Races and refusals are outcomes, never this.
#[derive(Debug)]
pub struct StoreError {
    /// What a caller can do about it.
    pub kind: StoreErrorKind,
    /// What the backend said, for the log; it holds no values of rows.
    pub context: String,
}

/// What a caller can do about a failure of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Busy or unreachable. Whether a write took effect may be unknown; a retry with the same
    /// idempotency key is safe.
    Unavailable,
    /// No space is left; nothing was written.
    StorageFull,
    /// What was read cannot be what was written.
    Corrupt,
    /// A fault in the adapter.
    Internal,
}

impl StoreError {
    /// An error of the given kind.
    #[must_use]
    pub fn new(kind: StoreErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
        }
    }

    /// A row that cannot be read as what it should be.
    #[must_use]
    pub fn corrupt(context: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, context)
    }

    /// The backend is busy or unreachable.
    #[must_use]
    pub fn unavailable(context: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Unavailable, context)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.context)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let code = match error.kind {
            StoreErrorKind::Unavailable => Code::Unavailable,
            StoreErrorKind::StorageFull => Code::StorageFull,
            StoreErrorKind::Corrupt | StoreErrorKind::Internal => Code::Internal,
        };
        let answer = Error::new(code).caused_by(error);
        if code == Code::Unavailable {
            answer.retry_after(std::time::Duration::from_secs(1))
        } else {
            answer
        }
    }
}

/// The answer of a store.
pub type StoreResult<T> = Result<T, StoreError>;

/// The answer of a write that may carry an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<T> {
    /// The write was decided now.
    Applied(T),
    /// The same key and request took effect before; this is what it made or changed.
    Replayed(Subject),
    /// The key was used before with another request; nothing changed.
    KeyMismatch,
}

impl<T> Written<T> {
    /// The same answer with another outcome in it.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Applied(outcome) => Written::Applied(change(outcome)),
            Self::Replayed(subject) => Written::Replayed(subject),
            Self::KeyMismatch => Written::KeyMismatch,
        }
    }
}

/// Stands between the engine and a store: sees each call by its name, and may refuse it.
///
/// This is the seam for fault injection and metrics. [`Intercepted`] implements every storage
/// trait by delegation; the delegation is made by the macro that declares the trait, so that a
/// new method cannot be forgotten.
pub trait Interceptor: Send + Sync {
    /// Called before the store; an error is answered instead of the store.
    ///
    /// # Errors
    /// What the caller is to be answered.
    fn before(&self, method: &'static str) -> StoreResult<()> {
        let _ = method;
        Ok(())
    }

    /// Called after the store has answered; an error replaces the answer, as when the
    /// connection is lost after the commit.
    ///
    /// # Errors
    /// What the caller is to be answered.
    fn after(&self, method: &'static str, succeeded: bool) -> StoreResult<()> {
        let _ = (method, succeeded);
        Ok(())
    }
}

/// A store with an interceptor before it.
pub struct Intercepted<S, I> {
    /// The store that does the work.
    pub store: S,
    /// What stands before it.
    pub interceptor: I,
}

/// Declares a storage trait and its delegating implementation for [`Intercepted`]. A method is
/// written with the type of its success; it fails with [`StoreError`].
macro_rules! store_trait {
    (
        $(#[$trait_doc:meta])*
        pub trait $Trait:ident in $wrapper:ident {
            $(
                $(#[$doc:meta])*
                async fn $method:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> $answer:ty;
            )*
        }
    ) => {
        $(#[$trait_doc])*
        #[async_trait::async_trait]
        pub trait $Trait: Send + Sync {
            $(
                $(#[$doc])*
                async fn $method(&self $(, $argument: $type)*) -> $crate::store::StoreResult<$answer>;
            )*
        }

        mod $wrapper {
            #[allow(unused_imports)]
            use super::*;

            #[async_trait::async_trait]
            impl<S, I> $Trait for $crate::store::Intercepted<S, I>
            where
                S: $Trait,
                I: $crate::store::Interceptor,
            {
                $(
                    async fn $method(&self $(, $argument: $type)*) -> $crate::store::StoreResult<$answer> {
                        self.interceptor.before(stringify!($method))?;
                        let answer = self.store.$method($($argument),*).await;
                        self.interceptor.after(stringify!($method), answer.is_ok())?;
                        answer
                    }
                )*
            }

            #[async_trait::async_trait]
            impl<S: $Trait + ?Sized> $Trait for std::sync::Arc<S> {
                $(
                    async fn $method(&self $(, $argument: $type)*) -> $crate::store::StoreResult<$answer> {
                        (**self).$method($($argument),*).await
                    }
                )*
            }
        }
    };
}

pub(crate) use store_trait;

/// Everything that the engine stores: the sum of the slices' traits.
///
/// # Behavior
/// - `a_write_leaves_behind_what_it_says`: audit row, events, jobs and key, in the transaction
///   of the effect, about the row that was made.
/// - `every_keyed_write_replays_its_key`: with the subject of its audit row; the same key with
///   another request is a mismatch. Neither changes anything, whatever else would be answered.
/// - `a_commit_is_announced`: on the bus, its events in order, once they can be read; a refusal,
///   a repetition and a mismatch announce nothing.
/// - `commits_are_announced_in_the_order_of_the_log`: whoever commits them. Who goes on from the
///   cursor of the last event that he heard misses none.
pub trait Storage:
    crate::identity::IdentityStore
    + crate::directory::DirectoryStore
    + crate::scheduling::SchedulingStore
    + crate::scheduling::AvailabilityStore
    + crate::messaging::MessagingStore
    + crate::calls::CallStore
    + crate::presence::PresenceStore
    + crate::journal::JournalStore
    + crate::journal::AuditStore
{
}

impl<S> Storage for S where
    S: crate::identity::IdentityStore
        + crate::directory::DirectoryStore
        + crate::scheduling::SchedulingStore
        + crate::scheduling::AvailabilityStore
        + crate::messaging::MessagingStore
        + crate::calls::CallStore
        + crate::presence::PresenceStore
        + crate::journal::JournalStore
        + crate::journal::AuditStore
        + ?Sized
{
}
