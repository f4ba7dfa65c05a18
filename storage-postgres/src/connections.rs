//! The connections of a store: a bounded number, kept while they are whole.
//!
//! A connection belongs to one piece of work at a time, which runs in a task of its own and so is
//! never dropped half-way by its caller. It comes back when nothing is open on it; otherwise it is
//! closed, and the server undoes what was open. When one turns out dead, those that were made
//! before are not trusted any more: the server was restarted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use telemed_core::store::{StoreError, StoreResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

use crate::connection::{Connection, Work};
use crate::failure::{Fault, connect_error, may_pass};
use crate::options::PostgresOptions;

/// Between two attempts to connect: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The connections of a store.
pub(crate) struct Connections {
    address: PgConnectOptions,
    options: PostgresOptions,
    node: Uuid,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Lease>>,
    /// Counts the times that connections turned out dead.
    generation: AtomicU64,
}

/// A connection and the generation that it was made in.
pub(crate) struct Lease {
    /// The connection.
    pub(crate) connection: Connection,
    generation: u64,
}

/// The right to use one connection.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    deadline: Instant,
}

impl Connections {
    /// None is made before one is needed.
    pub(crate) fn new(address: PgConnectOptions, options: PostgresOptions, node: Uuid) -> Self {
        let places = options.connections.max(1) as usize;
        Self {
            address,
            options,
            node,
            places: Arc::new(Semaphore::new(places)),
            idle: Mutex::new(Vec::with_capacity(places)),
            generation: AtomicU64::new(0),
        }
    }

    /// Other connections of the same server process to the same database.
    pub(crate) fn more(&self, count: u32) -> Self {
        let options = PostgresOptions {
            connections: count,
            ..self.options.clone()
        };
        Self::new(self.address.clone(), options, self.node)
    }

    /// How connections are made.
    pub(crate) fn address(&self) -> &PgConnectOptions {
        &self.address
    }

    /// The server process, as its events name it.
    pub(crate) fn node(&self) -> Uuid {
        self.node
    }

    /// Waits for the right to use a connection.
    pub(crate) async fn place(&self) -> StoreResult<Place> {
        let deadline = Instant::now() + self.options.acquire_timeout;
        let permit = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout_at(deadline, permit).await {
            Ok(Ok(permit)) => Ok(Place {
                _permit: permit,
                deadline,
            }),
            _ => Err(StoreError::unavailable("every connection is in use")),
        }
    }

    /// A connection that was idle, or a new one.
    pub(crate) async fn lease(&self, place: &Place) -> StoreResult<Lease> {
        if let Some(lease) = self.idle() {
            return Ok(lease);
        }
        let generation = self.generation.load(Ordering::Acquire);
        let connection = self.connect(place.deadline).await?;
        Ok(Lease {
            connection,
            generation,
        })
    }

    fn idle(&self) -> Option<Lease> {
        let generation = self.generation.load(Ordering::Acquire);
        let mut idle = self.lock();
        // Those of an older generation are closed as they are dropped.
        while let Some(lease) = idle.pop() {
            if lease.generation == generation {
                return Some(lease);
            }
        }
        None
    }

    /// Connects, and tries again as long as that may help.
    pub(crate) async fn connect(&self, deadline: Instant) -> StoreResult<Connection> {
        let mut pause = PAUSES.0;
        loop {
            let open = Connection::open(&self.address, &self.options, self.node);
            let error = match tokio::time::timeout_at(deadline, open).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(StoreError::unavailable(
                        "connecting: the server does not answer",
                    ));
                }
            };
            if !may_pass(&error) || Instant::now() + pause >= deadline {
                return Err(connect_error(&error));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes a connection back, if it can be used again.
    pub(crate) fn give_back(&self, lease: Lease) {
        let is_of_today = lease.generation == self.generation.load(Ordering::Acquire);
        if is_of_today && lease.connection.is_whole() {
            self.lock().push(lease);
        }
    }

    /// Distrusts every connection that was made before this one turned out dead.
    pub(crate) fn distrust(&self, lease: Lease) {
        let next = lease.generation + 1;
        self.generation.fetch_max(next, Ordering::AcqRel);
        drop(lease);
    }

    /// Short work that changes nothing the second time. It is begun anew if its connection turns
    /// out to have been lost.
    pub(crate) async fn once<I, T>(
        &self,
        input: I,
        work: for<'c> fn(&'c mut Connection, &'c I) -> Work<'c, T>,
    ) -> StoreResult<T> {
        let place = self.place().await?;
        let mut may_be_stale = true;
        loop {
            let mut lease = self.lease(&place).await?;
            lease.connection.begin_attempt();
            let result = work(&mut lease.connection, &input).await;
            if lease.connection.fault() != Some(Fault::Lost) {
                self.give_back(lease);
                return result;
            }
            self.distrust(lease);
            if result.is_ok() || !may_be_stale {
                return result;
            }
            may_be_stale = false;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Lease>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
