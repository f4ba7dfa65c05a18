//! What the writer has done so far, for metrics and for tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the writer has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Commands answered.
    pub commands: u64,
    /// Successful commits, one fsync each.
    pub commits: u64,
    /// Groups that were rolled back and run again, one command a transaction.
    pub replays: u64,
    /// How often the database was opened again after an error.
    pub reopened: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    commands: AtomicU64,
    commits: AtomicU64,
    replays: AtomicU64,
    reopened: AtomicU64,
}

impl Counters {
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, commands: usize) {
        self.commands.fetch_add(commands as u64, Ordering::Relaxed);
    }

    pub(super) fn replayed(&self) {
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reopened(&self) {
        self.reopened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> WriterCounts {
        WriterCounts {
            commands: self.commands.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            replays: self.replays.load(Ordering::Relaxed),
            reopened: self.reopened.load(Ordering::Relaxed),
        }
    }
}
