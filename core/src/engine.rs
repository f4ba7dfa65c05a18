//! The engine: everything that the operations share, and the way to the slices.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::actor::Actor;
use crate::calls::{CallSettings, Calls, IceSettings, Relay};
use crate::crypto::{Fingerprint, KeyProvider, KeyProviderError, Vault};
use crate::directory::Directory;
use crate::env::{Clock, Entropy, UuidSource};
use crate::error::{Code, Error};
use crate::id::{AuditId, EventId, JobId};
use crate::identity::{GuessingLimits, Identity, PasswordHasher, TokenSigner};
use crate::journal::{
    Audience, AuditRow, CheckpointSink, Event, EventBus, EventKind, IdempotencyKey, Job, JobKind,
    KeyClaim, Resource, Subject, Subscription, Write,
};
use crate::messaging::Messaging;
use crate::notifications::Notifier;
use crate::policy::Action;
use crate::presence::Presences;
use crate::scheduling::{ReminderHours, Scheduling};
use crate::store::{Storage, Written};
use crate::time::{TimeZone, Timestamp};

/// What an engine is made of.
pub struct EngineParts {
    /// The store. It publishes on the same bus.
    pub storage: Arc<dyn Storage>,
    /// The bus on which the store announces what it has committed.
    pub bus: Arc<dyn EventBus>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How passwords are hashed.
    pub hasher: Arc<dyn PasswordHasher>,
    /// How access tokens are signed.
    pub signer: Arc<dyn TokenSigner>,
    /// Where notifications go.
    pub notifier: Arc<dyn Notifier>,
    /// Where checkpoints of the audit trail go.
    pub checkpoints: Arc<dyn CheckpointSink>,
    /// What a host may decide.
    pub settings: Settings,
}

/// What a host may decide.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an access token and its session last, where no refresh token was asked for.
    pub access_lifetime: Duration,
    /// How long an access token lasts beside a refresh token.
    pub short_access_lifetime: Duration,
    /// How long a refresh token, and the session with it, lasts unless it is used.
    pub refresh_lifetime: Duration,
    /// The zone of the clinic that is made for the first doctor who registers himself.
    pub first_clinic_zone: TimeZone,
    /// When patients are reminded.
    pub reminders: ReminderHours,
    /// The limit on guessing passwords.
    pub guessing: GuessingLimits,
    /// How long a claimed job is left to its runner.
    pub job_lease: Duration,
    /// How many characters a message may have.
    pub message_lengths: MessageLengths,
    /// How long things of a call may take.
    pub calls: CallSettings,
    /// By which servers two devices find to each other.
    pub ice: IceSettings,
}

/// How many characters a message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLengths {
    /// On the chat surface.
    pub chat: usize,
    /// On the others.
    pub others: usize,
}

impl Default for MessageLengths {
    fn default() -> Self {
        Self {
            chat: 2000,
            others: 5000,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(7 * 24 * 3600),
            short_access_lifetime: Duration::from_secs(15 * 60),
            refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
            first_clinic_zone: TimeZone::utc(),
            reminders: ReminderHours::default(),
            guessing: GuessingLimits::default(),
            job_lease: Duration::from_secs(60),
            message_lengths: MessageLengths::default(),
            calls: CallSettings::default(),
            ice: IceSettings::default(),
        }
    }
}

/// Why an engine does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The keys cannot be had.
    #[error("the keys cannot be had: {0}")]
    Keys(#[from] KeyProviderError),
    /// The database was made with other keys.
    #[error("the keys do not match this database: it was made with others")]
    KeysDoNotMatch,
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] crate::store::StoreError),
}

/// The name under which the store keeps the check value of the keys.
pub const KEY_CHECK: &str = "key_check";

/// The engine. Copies of it are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: EngineParts,
    pub(crate) vault: Vault,
    pub(crate) relay: Relay,
    uuids: UuidSource,
}

impl Engine {
    /// Opens an engine over a store, and sees to it that the keys are those of the store.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(parts: EngineParts, keys: &dyn KeyProvider) -> Result<Self, OpenError> {
        let keys = keys.tenant_keys().await?;
        let check = keys.check_value();
        if parts
            .storage
            .claim_installation_value(KEY_CHECK, &check)
            .await?
            != check
        {
            return Err(OpenError::KeysDoNotMatch);
        }
        let inner = Inner {
            parts,
            vault: Vault::new(keys),
            relay: Relay::default(),
            uuids: UuidSource::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Accounts, sessions, passwords.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity::new(self)
    }

    /// Clinics, doctors, patients.
    #[must_use]
    pub fn directory(&self) -> Directory<'_> {
        Directory::new(self)
    }

    /// Slots and appointments.
    #[must_use]
    pub fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::new(self)
    }

    /// Conversations and messages.
    #[must_use]
    pub fn messaging(&self) -> Messaging<'_> {
        Messaging::new(self)
    }

    /// Calls, their signals and their quality.
    #[must_use]
    pub fn calls(&self) -> Calls<'_> {
        Calls::new(self)
    }

    /// Who can be reached.
    #[must_use]
    pub fn presence(&self) -> Presences<'_> {
        Presences::new(self)
    }

    /// What a host has decided.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.parts.settings
    }

    /// Listens to what is committed from now on.
    pub async fn subscribe(&self) -> Subscription {
        self.inner.parts.bus.subscribe().await
    }

    /// The present instant, by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.parts.clock.now()
    }

    /// Answers if the store can be read and written.
    ///
    /// # Errors
    /// [`Code::Unavailable`] and its kin.
    pub async fn ready(&self) -> Result<(), Error> {
        Ok(self.inner.parts.storage.ready().await?)
    }
}

impl Inner {
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.parts.storage
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.parts.entropy
    }

    /// A new version 7 UUID.
    pub(crate) fn uuid(&self, now: Timestamp) -> Uuid {
        self.uuids.next(now, self.entropy())
    }

    /// The beginning of a write: its time, its actor and its audit row.
    pub(crate) fn write(
        &self,
        actor: &Actor,
        now: Timestamp,
        action: Action,
        subject: Subject,
    ) -> Write {
        let session = match actor {
            Actor::User(user) => Some(user.session),
            Actor::Anonymous(_) | Actor::System(_) => None,
        };
        Write {
            at: now,
            actor: actor.reference(),
            audit: AuditRow {
                id: AuditId::new(self.uuid(now)),
                at: now,
                actor: actor.reference(),
                session,
                action: action.as_str().to_owned(),
                subject,
                data: Map::new(),
            },
            events: Vec::new(),
            drop_jobs: Vec::new(),
            jobs: Vec::new(),
            idempotency: None,
        }
    }

    /// Adds an event about the write's subject.
    pub(crate) fn announce(
        &self,
        write: &mut Write,
        kind: EventKind,
        audience: &[crate::id::UserId],
        data: Map<String, Value>,
    ) {
        write.events.push(Event {
            id: EventId::new(self.uuid(write.at)),
            kind,
            audience: audience.iter().map(|user| Audience::User(*user)).collect(),
            subject: write.audit.subject,
            at: write.at,
            actor: write.actor,
            data,
        });
    }

    /// Adds a job about the write's subject.
    pub(crate) fn schedule(
        &self,
        write: &mut Write,
        kind: JobKind,
        due_at: Timestamp,
        data: Map<String, Value>,
    ) {
        write.jobs.push(Job {
            id: JobId::new(self.uuid(write.at)),
            kind,
            subject: write.audit.subject,
            due_at,
            data,
        });
    }
}

/// The parts of a request, for the fingerprint of its idempotency key.
#[derive(Default)]
pub(crate) struct RequestParts(Vec<Vec<u8>>);

impl RequestParts {
    pub(crate) fn number(mut self, number: impl Into<i64>) -> Self {
        self.0.push(number.into().to_be_bytes().to_vec());
        self
    }

    pub(crate) fn text(mut self, text: Option<&str>) -> Self {
        // Nothing and an empty text are two requests.
        self.0
            .push(text.map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat()));
        self
    }
}

impl RequestParts {
    /// The keyed fingerprint of the request for a purpose.
    pub(crate) fn fingerprint(&self, inner: &Inner, purpose: &str) -> Fingerprint {
        let parts: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        inner.vault.fingerprint(purpose, &parts)
    }
}

/// A keyed command on its way: where it is looked up before anything is decided, and what the
/// store is told.
pub(crate) struct Keyed {
    claim: Option<KeyClaim>,
}

impl Keyed {
    /// The claim of a key by this actor for this operation with this request.
    pub(crate) fn new(
        inner: &Inner,
        key: Option<&IdempotencyKey>,
        actor: &Actor,
        action: Action,
        request: RequestParts,
    ) -> Self {
        let claim = key.map(|key| {
            let who = match actor.reference().user_id() {
                Some(user) => user.to_string(),
                None => actor.reference().kind().to_owned(),
            };
            KeyClaim {
                scope: format!("{who} {action}"),
                key: key.clone(),
                fingerprint: request.fingerprint(inner, action.as_str()),
            }
        });
        Self { claim }
    }

    /// What the key has done before, if it has.
    pub(crate) async fn replay(&self, inner: &Inner) -> Result<Option<Subject>, Error> {
        let Some(claim) = &self.claim else {
            return Ok(None);
        };
        match inner.storage().key_record(&claim.scope, &claim.key).await? {
            None => Ok(None),
            Some(record) if record.fingerprint == claim.fingerprint => Ok(Some(record.subject)),
            Some(_) => Err(Error::new(Code::IdempotencyMismatch)),
        }
    }

    /// The claim for the write.
    pub(crate) fn claim(&self) -> Option<KeyClaim> {
        self.claim.clone()
    }
}

/// The outcome of a write, or the subject that an earlier one with the same key has made.
pub(crate) enum Settled<T> {
    Now(T),
    Before(Subject),
}

/// Turns a used key into its error.
pub(crate) fn settle<T>(written: Written<T>) -> Result<Settled<T>, Error> {
    match written {
        Written::Applied(outcome) => Ok(Settled::Now(outcome)),
        Written::Replayed(subject) => Ok(Settled::Before(subject)),
        Written::KeyMismatch => Err(Error::new(Code::IdempotencyMismatch)),
    }
}

/// A JSON object of ids and words.
pub(crate) fn data<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The number of a replayed subject.
pub(crate) fn replayed_number(subject: Subject, resource: Resource) -> Result<i64, Error> {
    match (subject.resource == resource, subject.as_number()) {
        (true, Some(number)) => Ok(number),
        _ => Err(Error::new(Code::Internal).message("an idempotency key names another resource")),
    }
}

/// Declares the handle through which the operations of a slice are called: the engine, and the
/// idempotency key of the next command.
macro_rules! operations {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<'e> {
            engine: &'e $crate::engine::Engine,
            key: Option<$crate::journal::IdempotencyKey>,
        }

        impl<'e> $name<'e> {
            pub(crate) fn new(engine: &'e $crate::engine::Engine) -> Self {
                Self { engine, key: None }
            }

            /// The same, with an idempotency key for the next command.
            #[must_use]
            pub fn keyed(mut self, key: Option<$crate::journal::IdempotencyKey>) -> Self {
                self.key = key;
                self
            }

            fn inner(&self) -> &'e $crate::engine::Inner {
                &self.engine.inner
            }

            /// A command of this actor, with the key that was given for it.
            fn command(
                &self,
                actor: &$crate::actor::Actor,
                action: $crate::policy::Action,
                request: $crate::engine::RequestParts,
            ) -> $crate::engine::Keyed {
                $crate::engine::Keyed::new(self.inner(), self.key.as_ref(), actor, action, request)
            }
        }
    };
}

pub(crate) use operations;
