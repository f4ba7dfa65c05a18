//! The store itself: opening, reading, writing.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use telemed_core::journal::{EventBus, Write};
use telemed_core::store::{StoreResult, Written};

use crate::connection::{open_reader, open_unset, open_writer, set_writer};
use crate::journal::{self, Decided, Sealer};
use crate::migrate::{MIGRATIONS, OpenError, check, migrate};
use crate::options::SqliteOptions;
use crate::reader::{OpenReader, Readers};
use crate::writer::{Verdict, WriteContext, Writer, WriterCounts};

/// Every storage trait of `telemed-core` on one SQLite database.
///
/// One process should own the database: others may open it too (the command line does), but
/// their events do not reach this one's bus. Dropping the store lets the thread that writes
/// finish what it has accepted; nothing that was acknowledged is ever lost.
pub struct SqliteStore {
    // Dropped in this order: the last connection to close is the one that writes, and it copies
    // the write-ahead log into the database.
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the database at this path, makes it if there is none, and brings its schema up to
    /// date. Committed events are announced on the bus.
    ///
    /// # Errors
    /// [`OpenError`]: the database is newer than this program, is another's, or cannot be
    /// reached.
    pub fn open(
        path: impl AsRef<Path>,
        options: &SqliteOptions,
        bus: Arc<dyn EventBus>,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        let connection = open_unset(&path, options)?;
        check(&connection, MIGRATIONS)?;
        set_writer(&connection, options)?;
        migrate(&connection, MIGRATIONS)?;
        let open = {
            let (path, options) = (path.clone(), options.clone());
            Box::new(move || open_writer(&path, &options))
        };
        let writer = Writer::start(options.queue, connection, open, Box::new(Sealer::new(bus)))?;
        let open: OpenReader = {
            let options = options.clone();
            Arc::new(move || open_reader(&path, &options))
        };
        let readers = Readers::start(options.readers, options.queue, &open)?;
        Ok(Self { readers, writer })
    }

    /// What the thread that writes has done so far.
    #[must_use]
    pub fn writer_counts(&self) -> WriterCounts {
        self.writer.counts()
    }

    /// Reads in one of the threads that read.
    pub(crate) async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
    {
        self.readers.read(work).await
    }

    /// Runs a command in the thread that writes.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteContext<'_>) -> StoreResult<Verdict<T>> + Send + 'static,
    {
        self.writer.write(work).await
    }

    /// A write that may carry an idempotency key.
    pub(crate) async fn keyed<T, F>(&self, write: &Write, mut decide: F) -> StoreResult<Written<T>>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &Write) -> StoreResult<Decided<T>> + Send + 'static,
    {
        let write = write.clone();
        self.write(move |context| journal::keyed(context, write.clone(), &mut decide))
            .await
    }

    /// A write that is never keyed.
    pub(crate) async fn unkeyed<T, F>(&self, write: &Write, mut decide: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &Write) -> StoreResult<Decided<T>> + Send + 'static,
    {
        let write = write.clone();
        self.write(move |context| journal::unkeyed(context, write.clone(), &mut decide))
            .await
    }
}
