//! The loop of the thread that writes: gather a group, commit it, answer it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use telemed_core::journal::{AuditRow, LoggedEvent};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use tokio::sync::mpsc;

use super::OpenConnection;
use super::command::{Command, Left, Ran, WriteContext};
use super::counts::Counters;
use crate::failure::{leaves_the_outcome_unknown, store_error};

/// The most commands in one transaction: it bounds how long the first waits for the last.
const MOST: usize = 128;

/// What happens to a group at its end, beside COMMIT itself.
pub(crate) trait GroupEnd: Send {
    /// Stores the audit rows that the kept commands left, numbered and chained, as the last
    /// thing in their transaction.
    ///
    /// # Errors
    /// As a command: the group is rolled back and run again one by one.
    fn before_commit(&mut self, connection: &Connection, audit: &[AuditRow]) -> StoreResult<()>;

    /// Announces what the kept commands left, after a successful COMMIT and before anybody is
    /// answered.
    fn after_commit(&mut self, events: &[LoggedEvent]);
}

/// What becomes of the commands of a group.
enum Fate {
    /// Each is answered with its own outcome.
    Answer,
    /// Nothing took effect: each is run again in a transaction of its own.
    Replay,
    /// Each is answered with this error.
    Refuse(StoreError),
}

/// Owns the connection that writes.
pub(super) struct Committer {
    open: OpenConnection,
    /// None after an error that left it in doubt, until it is opened again.
    connection: Option<Connection>,
    end: Box<dyn GroupEnd>,
    left: Left,
    counters: Arc<Counters>,
}

impl Committer {
    pub(super) fn new(
        connection: Connection,
        open: OpenConnection,
        end: Box<dyn GroupEnd>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            open,
            connection: Some(connection),
            end,
            left: Left::default(),
            counters,
        }
    }

    /// Serves the queue until it is closed and empty.
    pub(super) fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Command>>) {
        let mut group = Vec::with_capacity(MOST);
        while let Some(first) = queue.blocking_recv() {
            group.push(first);
            let fate = self.attempt(&mut group, &mut || queue.try_recv().ok());
            self.settle(&mut group, fate);
        }
    }

    fn settle(&mut self, group: &mut Vec<Box<dyn Command>>, fate: Fate) {
        match fate {
            Fate::Answer => {
                self.counters.answered(group.len());
                group.drain(..).for_each(Command::answer);
            }
            Fate::Refuse(error) => {
                self.counters.answered(group.len());
                for command in group.drain(..) {
                    command.refuse(StoreError::new(error.kind, error.context.clone()));
                }
            }
            Fate::Replay => {
                self.counters.replayed();
                for command in group.drain(..) {
                    let mut alone = vec![command];
                    let fate = self.attempt(&mut alone, &mut || None);
                    self.settle(&mut alone, fate);
                }
            }
        }
    }

    /// Runs the group in one transaction, and whatever `more` has to add to it, and commits.
    /// The group has one command in it. A group that stays alone is never to be replayed.
    fn attempt(
        &mut self,
        group: &mut Vec<Box<dyn Command>>,
        more: &mut dyn FnMut() -> Option<Box<dyn Command>>,
    ) -> Fate {
        if let Err(error) = self.open_again() {
            return Fate::Refuse(error);
        }
        let Some(connection) = &self.connection else {
            return Fate::Refuse(StoreError::unavailable("opening the database again"));
        };
        self.left.clear();
        let mut begun = false;
        let mut kept = 0_usize;
        loop {
            if !begun && let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
                // Nobody before it kept anything, so only the newest needs a transaction.
                let newest = group.pop();
                self.counters.answered(1);
                if let Some(command) = newest {
                    command.refuse(store_error("beginning a transaction", &error));
                }
                if leaves_the_outcome_unknown(&error) {
                    self.connection = None;
                }
                return Fate::Answer;
            }
            begun = true;
            let Some(command) = group.last_mut() else {
                return Fate::Answer;
            };
            let mark = self.left.mark();
            let changes = connection.total_changes();
            let ran = command.run(&mut WriteContext::new(connection, &mut self.left));
            if connection.is_autocommit() {
                return self.lost(group, Some(ran));
            }
            if ran == Ran::Keep {
                kept += 1;
            } else {
                self.left.fall_back(mark);
                if connection.total_changes() != changes {
                    // What it wrote has to go. If nobody has kept anything, all of it goes.
                    if kept > 0 {
                        return self.lost(group, None);
                    }
                    if execute(connection, "ROLLBACK").is_err() {
                        return self.lost(group, Some(ran));
                    }
                    begun = false;
                }
            }
            if group.len() >= MOST {
                break;
            }
            match more() {
                Some(next) => group.push(next),
                None => break,
            }
        }
        if kept > 0 {
            return self.commit(group.len());
        }
        self.roll_back();
        Fate::Answer
    }

    /// Ends the open transaction of a group of this many commands, at least one of them kept.
    fn commit(&mut self, commands: usize) -> Fate {
        let Self {
            connection: Some(connection),
            end,
            left,
            ..
        } = self
        else {
            return Fate::Refuse(StoreError::unavailable("committing"));
        };
        let sealed = catch_unwind(AssertUnwindSafe(|| {
            end.before_commit(connection, &left.audit)
        }))
        .unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreErrorKind::Internal,
                "storing the audit rows panicked",
            ))
        });
        if let Err(error) = sealed {
            self.roll_back();
            return if commands == 1 {
                Fate::Refuse(error)
            } else {
                Fate::Replay
            };
        }
        match end_transaction(connection, left) {
            Ok(()) => {
                self.counters.committed();
                if catch_unwind(AssertUnwindSafe(|| end.after_commit(&left.events))).is_err() {
                    tracing::error!("announcing committed events panicked");
                }
                Fate::Answer
            }
            Err(error) if leaves_the_outcome_unknown(&error) => {
                // Whether the group is on the disk is unknown: running it again could apply it
                // twice. What this connection believes is not to be trusted either.
                tracing::error!(code = ?error.sqlite_error_code(), "COMMIT failed");
                self.connection = None;
                Fate::Refuse(StoreError::new(
                    StoreErrorKind::Unavailable,
                    store_error("committing", &error).context,
                ))
            }
            Err(error) => {
                self.roll_back();
                if commands == 1 {
                    Fate::Refuse(store_error("committing", &error))
                } else {
                    Fate::Replay
                }
            }
        }
    }

    /// The transaction is gone, or is not to be trusted: nothing of the group took effect.
    fn lost(&mut self, group: &[Box<dyn Command>], ran: Option<Ran>) -> Fate {
        self.roll_back();
        if let Some(Ran::Failed(StoreErrorKind::Unavailable | StoreErrorKind::Corrupt)) = ran {
            self.connection = None;
        }
        match ran {
            _ if group.len() > 1 => Fate::Replay,
            Some(Ran::Failed(_)) => Fate::Answer,
            _ => Fate::Refuse(StoreError::new(
                StoreErrorKind::Internal,
                "the transaction ended under the command",
            )),
        }
    }

    /// Rolls back what is open. A connection that cannot do that is dropped, which does it.
    fn roll_back(&mut self) {
        if let Some(connection) = &self.connection
            && !connection.is_autocommit()
            && execute(connection, "ROLLBACK").is_err()
        {
            self.connection = None;
        }
    }

    fn open_again(&mut self) -> StoreResult<()> {
        if self.connection.is_none() {
            self.connection = Some((self.open)()?);
            self.counters.reopened();
        }
        Ok(())
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(not(test))]
fn end_transaction(connection: &Connection, _: &Left) -> rusqlite::Result<()> {
    execute(connection, "COMMIT")
}

/// As above, with the I/O errors that a test orders.
#[cfg(test)]
fn end_transaction(connection: &Connection, left: &Left) -> rusqlite::Result<()> {
    use super::command::CommitFault;
    let fault = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
    match left.fault {
        None => execute(connection, "COMMIT"),
        Some(CommitFault::Instead(code)) => Err(fault(code)),
        Some(CommitFault::After(code)) => {
            execute(connection, "COMMIT")?;
            Err(fault(code))
        }
    }
}
