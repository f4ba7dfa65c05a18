//! The one thread that writes, and its group commit.
//!
//! A commit costs an fsync, and an fsync costs more than everything else in a booking together.
//! So commands that wait at the same time share one: the thread takes the first, runs it inside
//! `BEGIN IMMEDIATE`, runs whatever has arrived in the meantime after it, commits once, and only
//! then answers everybody. A lone caller waits for nobody: when the queue is empty after its
//! command, it is committed.
//!
//! Sharing a transaction must not mean sharing a fate. A command may refuse or fail after it has
//! written; SQLite ends the whole transaction by itself when the disk is full; a COMMIT can be
//! refused because of what one command left behind. So a command is a closure that can be run
//! again: the group is rolled back and run once more with a transaction for each command, and
//! only the culprit fails. A refusal that has written nothing, which is the ordinary one, costs
//! the group nothing. A savepoint for each command would spare the others the second run after
//! such a failure, and was measured to cost every booking in a group a sixth of its time, for
//! failures that are rare; it would be no help against a full disk.
//!
//! After an I/O error at COMMIT nothing is run again, because nobody knows what reached the disk:
//! the database is reopened and every caller of the group is told that the store is unavailable.

mod command;
mod counts;
mod group;
#[cfg(test)]
mod tests;

use std::thread::JoinHandle;

use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use tokio::sync::{mpsc, oneshot};

pub(crate) use command::{Verdict, WriteContext};
pub use counts::WriterCounts;
pub(crate) use group::GroupEnd;

use command::{Command, Waiting};
use counts::Counters;
use group::Committer;

/// Hands commands to the thread that writes. Dropping it lets the thread finish what was
/// accepted, then joins it.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
    counters: std::sync::Arc<Counters>,
}

/// Opens the connection that writes again after an error that left it in doubt.
pub(crate) type OpenConnection = Box<dyn Fn() -> StoreResult<rusqlite::Connection> + Send>;

impl Writer {
    /// Starts the thread on a connection; `open` makes another one after an error that leaves it
    /// in doubt. `queue` is how many commands may wait before a caller has to wait for a place.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        queue: usize,
        connection: rusqlite::Connection,
        open: OpenConnection,
        end: Box<dyn GroupEnd>,
    ) -> StoreResult<Self> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let counters = std::sync::Arc::new(Counters::default());
        let committer = Committer::new(connection, open, end, std::sync::Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("telemed-writer".to_owned())
            .spawn(move || committer.serve(receiver))
            .map_err(|_| StoreError::unavailable("starting the thread that writes"))?;
        Ok(Self {
            queue: Some(sender),
            thread: Some(thread),
            counters,
        })
    }

    /// Runs a command in the thread that writes and answers once it is committed, or undone.
    ///
    /// The command may be run more than once, each time on a state in which it has not run yet.
    /// A dropped future before the command has a place in the queue leaves nothing; after that
    /// the command runs to its end.
    ///
    /// # Errors
    /// What the command failed with; `Internal` when it panicked; `StorageFull` and
    /// `Unavailable` as the database says; `Unavailable` after an I/O error at COMMIT, and then
    /// the command may or may not have taken effect.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteContext<'_>) -> StoreResult<Verdict<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue
            .send(Box::new(Waiting::new(work, reply)))
            .await
            .map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What the thread has done so far.
    pub(crate) fn counts(&self) -> WriterCounts {
        self.counters.read()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A command may own the last handle to the store: then this is the thread itself, and
        // it ends when the queue is empty.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that writes had panicked");
        }
    }
}

fn gone() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "the thread that writes has ended",
    )
}
