//! The threads that read.
//!
//! Each has a connection of its own that cannot write, and takes the next read from one queue.
//! A read sees one snapshot from its first statement to its last, and everything that was
//! acknowledged before it was asked for. Readers never wait for the writer (WAL).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use tokio::sync::{Semaphore, oneshot};

use crate::failure::During;

/// Opens a connection that reads, at the start and again after an error that put it in doubt.
pub(crate) type OpenReader = Arc<dyn Fn() -> StoreResult<Connection> + Send + Sync>;

/// Hands reads to the threads that read. Dropping it answers what was accepted, then joins them.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// How many more reads may be put in the queue.
    places: Semaphore,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Read>>,
    idle: usize,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next read; `None` when the queue is closed and empty.
    fn next(&self) -> Option<Box<dyn Read>> {
        let mut queue = self.lock();
        loop {
            if let Some(read) = queue.waiting.pop_front() {
                drop(queue);
                self.places.add_permits(1);
                return Some(read);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

impl Readers {
    /// Starts that many threads, at least one. `queue` is how many reads may wait.
    ///
    /// # Errors
    /// The database cannot be opened, or the system gives no thread.
    pub(crate) fn start(count: usize, queue: usize, open: &OpenReader) -> StoreResult<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            places: Semaphore::new(queue.clamp(1, Semaphore::MAX_PERMITS)),
        });
        // Dropping an incomplete pool ends the threads it has.
        let mut readers = Self {
            shared,
            threads: Vec::new(),
        };
        for _ in 0..count.max(1) {
            let connection = open()?;
            let (shared, open) = (Arc::clone(&readers.shared), Arc::clone(open));
            let thread = std::thread::Builder::new()
                .name("telemed-reader".to_owned())
                .spawn(move || serve(&shared, connection, &open))
                .map_err(|_| StoreError::unavailable("starting a thread that reads"))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs a read in one of the threads, in a transaction that sees one snapshot.
    ///
    /// # Errors
    /// What the read failed with; `Internal` when it panicked; `Unavailable` when the database
    /// cannot be reached.
    pub(crate) async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
    {
        // The thread gives the place back when it takes the read.
        self.shared
            .places
            .acquire()
            .await
            .map_err(|_| gone())?
            .forget();
        let (reply, answer) = oneshot::channel();
        let idle = {
            let mut queue = self.shared.lock();
            queue.waiting.push_back(Box::new(Waiting { work, reply }));
            queue.idle
        };
        if idle > 0 {
            self.shared.arrived.notify_one();
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread that reads had panicked");
            }
        }
    }
}

fn serve(shared: &Shared, connection: Connection, open: &OpenReader) {
    let mut connection = Some(connection);
    while let Some(read) = shared.next() {
        let usable = match connection.take() {
            Some(connection) => Ok(connection),
            None => open(),
        };
        match usable {
            Ok(opened) => {
                if read.run(&opened) && opened.is_autocommit() {
                    connection = Some(opened);
                }
            }
            Err(error) => read.refuse(error),
        }
    }
}

/// A read in the queue, whatever it answers.
trait Read: Send {
    /// Reads, ends the transaction, and answers. Whether the connection can be used again.
    fn run(self: Box<Self>, connection: &Connection) -> bool;

    fn refuse(self: Box<Self>, error: StoreError);
}

struct Waiting<T, F> {
    work: F,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Read for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> StoreResult<T> + Send,
{
    fn run(self: Box<Self>, connection: &Connection) -> bool {
        if self.reply.is_closed() {
            return true;
        }
        let Self { work, reply } = *self;
        let answer = catch_unwind(AssertUnwindSafe(|| snapshot(connection, work)))
            .unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Internal, "a read panicked")));
        if !connection.is_autocommit() {
            // A connection that cannot end its snapshot is not used again.
            let _ = execute(connection, "ROLLBACK");
        }
        let usable = !matches!(
            &answer,
            Err(error)
                if matches!(error.kind, StoreErrorKind::Unavailable | StoreErrorKind::Corrupt)
        );
        let _ = reply.send(answer);
        usable
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> StoreResult<T>,
) -> StoreResult<T> {
    execute(connection, "BEGIN").during("beginning to read")?;
    let answer = work(connection)?;
    execute(connection, "COMMIT").during("ending a read")?;
    Ok(answer)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn gone() -> StoreError {
    StoreError::unavailable("the threads that read have ended")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::connection::{open_reader, open_writer};
    use crate::options::SqliteOptions;

    struct Pool {
        readers: Readers,
        writer: Connection,
        opened: Arc<AtomicUsize>,
        _folder: tempfile::TempDir,
    }

    fn pool(count: usize) -> Pool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let options = SqliteOptions::default();
        let writer = open_writer(&path, &options).unwrap();
        writer
            .execute_batch("CREATE TABLE t (n INTEGER) STRICT")
            .unwrap();
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        let open: OpenReader = Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            open_reader(&path, &options)
        });
        Pool {
            readers: Readers::start(count, 8, &open).unwrap(),
            writer,
            opened,
            _folder: folder,
        }
    }

    fn count(connection: &Connection) -> StoreResult<i64> {
        connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .during("counting")
    }

    #[tokio::test]
    async fn a_read_sees_one_snapshot_and_the_next_one_sees_what_was_committed() {
        let pool = pool(1);
        let (first_read, wait) = std::sync::mpsc::channel();
        let (go_on, written) = std::sync::mpsc::channel();
        let both = pool.readers.read(move |connection| {
            let before = count(connection)?;
            first_read.send(()).unwrap();
            written.recv().unwrap();
            Ok((before, count(connection)?))
        });
        let write = async {
            tokio::task::yield_now().await;
            wait.recv().unwrap();
            pool.writer.execute("INSERT INTO t VALUES (1)", []).unwrap();
            go_on.send(()).unwrap();
        };
        let (both, ()) = tokio::join!(both, write);
        assert_eq!(both.unwrap(), (0, 0));
        assert_eq!(pool.readers.read(count).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_panic_or_an_error_in_a_read_hurts_no_other() {
        let pool = pool(1);
        let panicked = pool
            .readers
            .read(|connection| -> StoreResult<()> {
                let _ = count(connection);
                panic!("on purpose")
            })
            .await;
        assert_eq!(panicked.unwrap_err().kind, StoreErrorKind::Internal);
        let failed = pool
            .readers
            .read(|connection| {
                connection
                    .execute("INSERT INTO t VALUES (1)", [])
                    .during("x")
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(pool.readers.read(count).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_connection_in_doubt_is_opened_again() {
        let pool = pool(1);
        assert_eq!(pool.opened.load(Ordering::Relaxed), 1);
        let failed = pool
            .readers
            .read(|_| -> StoreResult<()> { Err(StoreError::corrupt("x")) })
            .await;
        assert!(failed.is_err());
        assert_eq!(pool.readers.read(count).await.unwrap(), 0);
        assert_eq!(pool.opened.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn more_reads_than_places_are_all_answered() {
        let pool = pool(3);
        let readers = Arc::new(pool.readers);
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let readers = Arc::clone(&readers);
                tokio::spawn(async move { readers.read(move |_| Ok(n)).await.unwrap() })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), n);
        }
    }
}
