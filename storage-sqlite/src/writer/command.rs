//! A command, what it is given, and what it leaves for the end of the group.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use telemed_core::journal::{AuditRow, LoggedEvent};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use tokio::sync::oneshot;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    /// Commit what the command wrote, and answer this.
    Keep(T),
    /// Roll back what the command wrote, and answer this: a refusal.
    Undo(T),
}

impl<T> Verdict<T> {
    /// The same verdict with another answer.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Keep(answer) => Verdict::Keep(change(answer)),
            Self::Undo(answer) => Verdict::Undo(change(answer)),
        }
    }
}

/// What the commands of a group leave for its end.
#[derive(Default)]
pub(crate) struct Left {
    /// Rows for the audit log, in order; they get their numbers right before COMMIT.
    pub(crate) audit: Vec<AuditRow>,
    /// What is announced after COMMIT, in order.
    pub(crate) events: Vec<LoggedEvent>,
    #[cfg(test)]
    pub(super) fault: Option<CommitFault>,
}

/// What a test can order to happen at COMMIT, as result codes of SQLite.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(super) enum CommitFault {
    /// The error, and no COMMIT.
    Instead(i32),
    /// The error, although COMMIT succeeded.
    After(i32),
}

/// A place in [`Left`] to fall back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    audit: usize,
    events: usize,
}

impl Left {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            audit: self.audit.len(),
            events: self.events.len(),
        }
    }

    pub(super) fn fall_back(&mut self, mark: Mark) {
        self.audit.truncate(mark.audit);
        self.events.truncate(mark.events);
    }

    pub(super) fn clear(&mut self) {
        self.audit.clear();
        self.events.clear();
        #[cfg(test)]
        {
            self.fault = None;
        }
    }
}

/// What a command works with: the open transaction, and the place where it leaves its audit rows
/// and events. Beginning and ending transactions is the writer's business, never a command's.
pub(crate) struct WriteContext<'c> {
    connection: &'c Connection,
    left: &'c mut Left,
}

impl<'c> WriteContext<'c> {
    pub(super) fn new(connection: &'c Connection, left: &'c mut Left) -> Self {
        Self { connection, left }
    }

    /// The connection, for functions that readers use too.
    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Leaves a row for the audit log. It is numbered, chained and stored right before COMMIT,
    /// unless the command is undone.
    pub(crate) fn audit(&mut self, row: AuditRow) {
        self.left.audit.push(row);
    }

    /// Leaves an event to be announced after COMMIT, unless the command is undone.
    pub(crate) fn announce(&mut self, event: LoggedEvent) {
        self.left.events.push(event);
    }

    /// Orders a failure of the COMMIT that ends this group.
    #[cfg(test)]
    pub(super) fn fail_commit(&mut self, fault: CommitFault) {
        self.left.fault = Some(fault);
    }
}

/// How a run of a command ended, as far as the group is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    Keep,
    Undo,
    Failed(StoreErrorKind),
}

/// A command in the queue, whatever it answers.
pub(super) trait Command: Send {
    /// Runs the command once and remembers its outcome. A panic is an outcome as well.
    fn run(&mut self, context: &mut WriteContext<'_>) -> Ran;

    /// Answers the caller, if he still waits, with the outcome of the last run.
    fn answer(self: Box<Self>);

    /// Answers the caller, if he still waits, with an error instead of the outcome.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// A command together with the caller who waits for it.
pub(super) struct Waiting<T, F> {
    work: F,
    outcome: Option<StoreResult<T>>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Waiting<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<StoreResult<T>>) -> Self {
        Self {
            work,
            outcome: None,
            reply,
        }
    }
}

impl<T, F> Command for Waiting<T, F>
where
    T: Send,
    F: FnMut(&mut WriteContext<'_>) -> StoreResult<Verdict<T>> + Send,
{
    fn run(&mut self, context: &mut WriteContext<'_>) -> Ran {
        let work = &mut self.work;
        let (ran, outcome) = match catch_unwind(AssertUnwindSafe(|| work(context))) {
            Ok(Ok(Verdict::Keep(outcome))) => (Ran::Keep, Ok(outcome)),
            Ok(Ok(Verdict::Undo(outcome))) => (Ran::Undo, Ok(outcome)),
            Ok(Err(error)) => (Ran::Failed(error.kind), Err(error)),
            Err(_) => {
                let error = StoreError::new(StoreErrorKind::Internal, "a command panicked");
                (Ran::Failed(error.kind), Err(error))
            }
        };
        self.outcome = Some(outcome);
        ran
    }

    fn answer(self: Box<Self>) {
        let never_run = || {
            Err(StoreError::new(
                StoreErrorKind::Internal,
                "a command was not run",
            ))
        };
        // The caller may be gone; the command has run to its end all the same.
        let _ = self.reply.send(self.outcome.unwrap_or_else(never_run));
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}
