//! The store itself: opening, reading, writing.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use telemed_core::journal::{EventBus, LoggedEvent, Write};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult, Written};
use tokio::time::Instant;
use uuid::Uuid;

use crate::bus::PostgresBus;
use crate::connection::{Connection, Work, address};
use crate::connections::{Connections, Lease, Place};
use crate::failure::Fault;
use crate::journal::{self, Decided, Unknown, Verdict};
use crate::limiter::PostgresLimiter;
use crate::migrate::{MIGRATIONS, OpenError, migrate};
use crate::options::PostgresOptions;
use crate::scheduling::{Coalescer, Facts};

/// How often work is done anew because another transaction came between.
const MOST_CONFLICTS: u32 = 12;

/// How often work is done anew because its connection was lost.
const MOST_LOSSES: u32 = 4;

/// Whether work may be done again when nobody knows whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or the second time nothing more.
    Always,
    /// Only if it certainly was not.
    IfUndone,
}

impl Repeat {
    /// Whether this write may be done again: a repetition finds its key, if the first one took
    /// effect.
    pub(crate) fn of(write: &Write) -> Self {
        match write.idempotency {
            Some(_) => Self::Always,
            None => Self::IfUndone,
        }
    }
}

/// Every storage trait of `telemed-core` on one PostgreSQL database.
///
/// Any number of servers may use the database at the same time. Dropping the store lets what it
/// has begun come to its end; copies are the same store.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Arc<Connections>,
    bus: Arc<dyn EventBus>,
    /// A cursor below those of all events to come.
    reached: AtomicI64,
    coalescer: Coalescer,
    slot_facts: Facts,
}

impl Shared {
    /// Announces what was committed.
    fn announce(&self, events: &[LoggedEvent]) {
        if let Some(last) = events.last() {
            let reached = i64::try_from(last.seq).unwrap_or(0);
            self.reached.fetch_max(reached, Ordering::AcqRel);
            self.bus.publish(events);
        }
    }

    /// Announces what may have been committed, once it is known that it was.
    fn announce_later(self: &Arc<Self>, unknown: Unknown) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let events = journal::committed(&shared.connections, unknown).await;
            shared.announce(&events);
        });
    }
}

impl PostgresStore {
    /// Opens the database at this URL and brings its schema up to date. Commits, those of other
    /// servers too, are announced on [`PostgresStore::bus`].
    ///
    /// # Errors
    /// [`OpenError`]: the database is newer than this program, is another's, or cannot be
    /// reached.
    pub async fn open(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let (connections, reached) = connect(url, options).await?;
        let bus = PostgresBus::start(&connections).await?;
        Ok(Self::of(connections, reached, Arc::new(bus)))
    }

    /// As [`PostgresStore::open`], on a bus that the host brings. The store announces its own
    /// commits there; how other servers hear of them is up to the bus.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_with_bus(
        url: &str,
        options: &PostgresOptions,
        bus: Arc<dyn EventBus>,
    ) -> Result<Self, OpenError> {
        let (connections, reached) = connect(url, options).await?;
        Ok(Self::of(connections, reached, bus))
    }

    fn of(connections: Connections, reached: i64, bus: Arc<dyn EventBus>) -> Self {
        let shared = Arc::new(Shared {
            connections: Arc::new(connections),
            bus,
            reached: reached.into(),
            coalescer: Coalescer::default(),
            slot_facts: Facts::default(),
        });
        Self { shared }
    }

    /// The bookings that wait.
    pub(crate) fn coalescer(&self) -> &Coalescer {
        &self.shared.coalescer
    }

    /// What is remembered of slots.
    pub(crate) fn slot_facts(&self) -> &Facts {
        &self.shared.slot_facts
    }

    /// A limiter whose counts all servers on this database share.
    #[must_use]
    pub fn limiter(&self) -> PostgresLimiter {
        PostgresLimiter::new(Arc::clone(&self.shared.connections))
    }

    /// The bus on which commits are announced.
    #[must_use]
    pub fn bus(&self) -> Arc<dyn EventBus> {
        Arc::clone(&self.shared.bus)
    }

    /// Reads: statements that change nothing, each in a snapshot of its own.
    pub(crate) async fn read<I, T>(
        &self,
        input: I,
        work: for<'c> fn(&'c mut Connection, &'c I) -> Work<'c, T>,
    ) -> StoreResult<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.call(Repeat::Always, input, work).await
    }

    /// Statements that each commit by themselves. What they are to announce, they give to
    /// [`Connection::announce`].
    pub(crate) async fn call<I, T>(
        &self,
        repeat: Repeat,
        input: I,
        work: for<'c> fn(&'c mut Connection, &'c I) -> Work<'c, T>,
    ) -> StoreResult<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        let mut tries = Tries::new(&self.shared, repeat).await?;
        in_a_task(async move {
            loop {
                let mut lease = tries.lease().await?;
                let result = work(&mut lease.connection, &input).await;
                if let Some(answer) = tries.conclude(lease, result).await {
                    return answer;
                }
            }
        })
        .await
    }

    /// One transaction. What it leaves behind, it gives to [`Connection::leave`].
    pub(crate) async fn write<I, T>(
        &self,
        repeat: Repeat,
        input: I,
        work: for<'c> fn(&'c mut Connection, &'c I) -> Work<'c, Verdict<T>>,
    ) -> StoreResult<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        let mut tries = Tries::new(&self.shared, repeat).await?;
        in_a_task(async move {
            loop {
                let mut lease = tries.lease().await?;
                let connection = &mut lease.connection;
                let result = match connection.begin().await {
                    Ok(()) => {
                        let verdict = work(connection, &input).await;
                        end_transaction(connection, verdict).await
                    }
                    Err(error) => Err(error),
                };
                if let Some(answer) = tries.conclude(lease, result).await {
                    return answer;
                }
            }
        })
        .await
    }

    /// A write that may carry an idempotency key: the key is looked at before anything else.
    pub(crate) async fn keyed<I, T>(
        &self,
        write: &Write,
        input: I,
        decide: for<'c> fn(&'c mut Connection, &'c Write, &'c I) -> Work<'c, Decided<T>>,
    ) -> StoreResult<Written<T>>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write(
            Repeat::of(write),
            (write.clone(), input, decide),
            |connection, (write, input, decide)| {
                Box::pin(async move {
                    if let Some(answer) = journal::repeated(connection, write).await? {
                        return Ok(Verdict::Undo(answer));
                    }
                    let decided = decide(connection, write, input).await?;
                    let verdict = journal::settle(connection, write, decided);
                    Ok(verdict.map(Written::Applied))
                })
            },
        )
        .await
    }

    /// A write that is never keyed.
    pub(crate) async fn unkeyed<I, T>(
        &self,
        write: &Write,
        input: I,
        decide: for<'c> fn(&'c mut Connection, &'c Write, &'c I) -> Work<'c, Decided<T>>,
    ) -> StoreResult<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write(
            Repeat::IfUndone,
            (write.clone(), input, decide),
            |connection, (write, input, decide)| {
                Box::pin(async move {
                    let decided = decide(connection, write, input).await?;
                    Ok(journal::settle(connection, write, decided))
                })
            },
        )
        .await
    }
}

/// Connects, brings the schema up to date, and says how far the log has come.
async fn connect(url: &str, options: &PostgresOptions) -> Result<(Connections, i64), OpenError> {
    let address = address(url, options)?;
    #[allow(
        clippy::disallowed_methods,
        reason = "it tells server processes apart, and the engine knows nothing of it"
    )]
    let node = Uuid::new_v4();
    let connections = Connections::new(address, options.clone(), node);
    let deadline = Instant::now() + options.acquire_timeout;
    // Closed at the end: it has no time limits any more.
    let mut connection = connections.connect(deadline).await?;
    migrate(&mut connection, MIGRATIONS, options.create).await?;
    journal::raise_base(&mut connection).await?;
    let reached = journal::horizon(&mut connection).await? - 1;
    Ok((connections, reached))
}

/// Commits what is to be kept, with what it leaves behind, and undoes everything else.
async fn end_transaction<T>(
    connection: &mut Connection,
    verdict: StoreResult<Verdict<T>>,
) -> StoreResult<T> {
    let ended = match verdict {
        Ok(Verdict::Undo(outcome)) => {
            connection.roll_back().await;
            return Ok(outcome);
        }
        Ok(Verdict::Keep(outcome)) => match journal::apply_left(connection).await {
            Ok(()) => connection.commit().await.map(|()| outcome),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if ended.is_err() {
        connection.roll_back().await;
    }
    ended
}

/// Runs work to its end, whether or not its caller waits for it.
pub(crate) async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = StoreResult<T>> + Send + 'static,
) -> StoreResult<T> {
    match tokio::spawn(work).await {
        Ok(answer) => answer,
        Err(stopped) if stopped.is_cancelled() => {
            Err(StoreError::unavailable("the program is shutting down"))
        }
        Err(_) => Err(StoreError::new(
            StoreErrorKind::Internal,
            "the store has panicked",
        )),
    }
}

/// The attempts at one piece of work.
struct Tries {
    shared: Arc<Shared>,
    place: Place,
    repeat: Repeat,
    /// How far the log had come before.
    reached: i64,
    conflicts: u32,
    losses: u32,
}

impl Tries {
    async fn new(shared: &Arc<Shared>, repeat: Repeat) -> StoreResult<Self> {
        Ok(Self {
            place: shared.connections.place().await?,
            reached: shared.reached.load(Ordering::Acquire),
            shared: Arc::clone(shared),
            repeat,
            conflicts: 0,
            losses: 0,
        })
    }

    async fn lease(&self) -> StoreResult<Lease> {
        let mut lease = self.shared.connections.lease(&self.place).await?;
        lease.connection.begin_attempt();
        Ok(lease)
    }

    /// What the caller is answered; `None` when the work is to be done again.
    async fn conclude<T>(
        &mut self,
        mut lease: Lease,
        result: StoreResult<T>,
    ) -> Option<StoreResult<T>> {
        let connections = &self.shared.connections;
        let error = match result {
            Ok(answer) => {
                let events = lease.connection.take_announced();
                connections.give_back(lease);
                self.shared.announce(&events);
                return Some(Ok(answer));
            }
            Err(error) => error,
        };
        match lease.connection.fault() {
            Some(Fault::Conflict) => {
                connections.give_back(lease);
                self.conflicts += 1;
                if self.conflicts > MOST_CONFLICTS {
                    return Some(Err(error));
                }
                // Not at once, and not all at the same time.
                tokio::time::sleep(pause(self.conflicts)).await;
                None
            }
            Some(Fault::Lost) => {
                let may_be_done = lease.connection.may_have_committed();
                if let Some((backend, events)) = lease.connection.take_unknown() {
                    let after = self.reached;
                    self.shared.announce_later(Unknown {
                        backend,
                        events,
                        after,
                    });
                }
                connections.distrust(lease);
                self.losses += 1;
                if self.losses > MOST_LOSSES || (may_be_done && self.repeat == Repeat::IfUndone) {
                    return Some(Err(error));
                }
                None
            }
            Some(Fault::Refused) | None => {
                connections.give_back(lease);
                Some(Err(error))
            }
        }
    }
}

/// A random time, longer the more often it was needed.
fn pause(times: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let most = (1000_u64 << times.min(7)).min(100_000);
    // The keys of a new one are random.
    let random = std::hash::RandomState::new().build_hasher().finish();
    Duration::from_micros(500 + random % most)
}
