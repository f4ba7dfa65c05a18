//! The in-memory store: every storage trait on ordered maps behind one lock.
//!
//! It is the executable specification of the storage traits: where a contract is unclear, what
//! this store does is meant, and the conformance suite holds every other store to it. It is also
//! the store of tests and of a host that keeps nothing. Each slice has its part of the state and
//! its trait in its own `memory` file.
//!
//! A write is decided while the lock is held and before anything is changed, so it is applied as
//! a whole or not at all, across slices too.

use std::sync::{Arc, Mutex};

use crate::calls::memory::CallState;
use crate::directory::memory::DirectoryState;
use crate::env::lock;
use crate::identity::memory::IdentityState;
use crate::journal::memory::{JournalState, apply_write};
use crate::journal::{EventBus, LoggedEvent, Write};
use crate::messaging::memory::MessagingState;
use crate::page::{Page, PageRequest};
use crate::presence::memory::PresenceState;
use crate::scheduling::memory::SchedulingState;
use crate::store::Written;

/// A store that keeps everything in this process's memory.
pub struct MemoryStorage {
    state: Mutex<State>,
    bus: Arc<dyn EventBus>,
}

/// All that is stored.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) identity: IdentityState,
    pub(crate) directory: DirectoryState,
    pub(crate) scheduling: SchedulingState,
    pub(crate) messaging: MessagingState,
    pub(crate) calls: CallState,
    pub(crate) presence: PresenceState,
    pub(crate) journal: JournalState,
}

/// What a write came to.
pub(crate) enum Decided<T> {
    /// Nothing was changed; nothing is left behind.
    Refused(T),
    /// Rows that were there, or that carry an id of core's, were written.
    Changed(T),
    /// A row was made that has this number.
    Made(T, i64),
}

impl MemoryStorage {
    /// An empty store that announces its commits on this bus.
    #[must_use]
    pub fn new(bus: Arc<dyn EventBus>) -> Self {
        Self {
            state: Mutex::new(State::default()),
            bus,
        }
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// One transaction: changes the state, and announces the events that were collected. Both under
    /// the lock, so that events are announced in the order in which they were logged.
    pub(crate) fn transaction<T>(
        &self,
        change: impl FnOnce(&mut State, &mut Vec<LoggedEvent>) -> T,
    ) -> T {
        let mut events = Vec::new();
        let mut state = lock(&self.state);
        let answer = change(&mut state, &mut events);
        self.bus.publish(&events);
        answer
    }

    /// A transaction of one write that may carry an idempotency key.
    pub(crate) fn keyed<T>(
        &self,
        write: &Write,
        decide: impl FnOnce(&mut State) -> Decided<T>,
    ) -> Written<T> {
        self.transaction(|state, events| keyed(state, events, write, decide))
    }

    /// A transaction of one write that is never keyed.
    pub(crate) fn unkeyed<T>(
        &self,
        write: &Write,
        decide: impl FnOnce(&mut State) -> Decided<T>,
    ) -> T {
        self.transaction(|state, events| settle(state, events, write, decide))
    }
}

/// One write inside a transaction: the key is looked at before anything else.
pub(crate) fn keyed<T>(
    state: &mut State,
    events: &mut Vec<LoggedEvent>,
    write: &Write,
    decide: impl FnOnce(&mut State) -> Decided<T>,
) -> Written<T> {
    if let Some(claim) = &write.idempotency
        && let Some(record) = state.journal.key_record(&claim.scope, &claim.key)
    {
        return if record.fingerprint == claim.fingerprint {
            Written::Replayed(record.subject)
        } else {
            Written::KeyMismatch
        };
    }
    Written::Applied(settle(state, events, write, decide))
}

/// Decides, and unless it was refused leaves behind what the write says.
pub(crate) fn settle<T>(
    state: &mut State,
    events: &mut Vec<LoggedEvent>,
    write: &Write,
    decide: impl FnOnce(&mut State) -> Decided<T>,
) -> T {
    let (outcome, made) = match decide(state) {
        Decided::Refused(outcome) => return outcome,
        Decided::Changed(outcome) => (outcome, None),
        Decided::Made(outcome, number) => (outcome, Some(number)),
    };
    events.extend(apply_write(state, write, made));
    outcome
}

/// The next number of a sequence that begins with 1.
pub(crate) fn next(sequence: &mut i64) -> i64 {
    *sequence += 1;
    *sequence
}

/// The part of a list that is asked for.
pub(crate) fn page_of<T>(rows: impl Iterator<Item = T>, page: PageRequest) -> Page<T> {
    let rows: Vec<T> = rows.collect();
    let total = rows.len() as u64;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let items = rows
        .into_iter()
        .skip(skip)
        .take(page.limit() as usize)
        .collect();
    Page { items, total }
}
