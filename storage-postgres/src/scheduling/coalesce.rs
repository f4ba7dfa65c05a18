//! Bookings of one slot that arrive together are answered by one transaction.
//!
//! A caller who is alone is sent at once. What arrives for the same slot while a call for it is
//! under way waits for its end and is then sent as one call, whose only row to wait for is locked
//! once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemed_core::id::SlotId;
use telemed_core::scheduling::{BookCommand, BookOutcome, Slot, SlotFacts};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult, Written};
use tokio::sync::oneshot;

use super::book::book_many;
use crate::PostgresStore;

/// How many bookings one call takes at most.
const MOST: usize = 64;

/// Of how many slots the facts are remembered, twice.
const MOST_FACTS: usize = 32_768;

type Answer = StoreResult<Written<BookOutcome>>;

/// The bookings that wait, and what is known of slots.
#[derive(Default)]
pub(crate) struct Coalescer {
    /// Those that wait, by slot. A slot that is here has a task that sends them.
    waiting: Mutex<HashMap<SlotId, VecDeque<Waiting>>>,
    facts: Mutex<Facts>,
}

struct Waiting {
    command: BookCommand,
    answer: oneshot::Sender<Answer>,
}

/// The facts of slots, which never change: those that were used last.
#[derive(Default)]
struct Facts {
    young: HashMap<SlotId, SlotFacts>,
    old: HashMap<SlotId, SlotFacts>,
}

impl Coalescer {
    /// Remembers the facts of slots, so that a booking does not have to ask for them.
    pub(crate) fn remember<'s>(&self, slots: impl IntoIterator<Item = &'s Slot>) {
        let mut facts = lock(&self.facts);
        for slot in slots {
            facts.keep(slot.id, slot.facts);
        }
    }

    /// The facts of a slot, if they are remembered.
    pub(super) fn facts(&self, slot: SlotId) -> Option<SlotFacts> {
        lock(&self.facts).find(slot)
    }

    /// Adds a booking to those that wait; whether nobody sends them yet.
    fn add(&self, slot: SlotId, one: Waiting) -> bool {
        let mut waiting = lock(&self.waiting);
        let is_alone = !waiting.contains_key(&slot);
        waiting.entry(slot).or_default().push_back(one);
        is_alone
    }

    /// What is to be sent next: no patient and no key twice. When nothing waits, nobody sends for
    /// this slot from now on.
    fn take(&self, slot: SlotId) -> Option<Vec<Waiting>> {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.get_mut(&slot)?;
        let (mut patients, mut keys) = (HashSet::new(), HashSet::new());
        let mut batch = Vec::new();
        while let Some(one) = queue.front() {
            let key = one.command.write.idempotency.as_ref();
            let key = key.map(|claim| (claim.scope.clone(), claim.key.clone()));
            let is_new =
                patients.insert(one.command.patient) && key.is_none_or(|key| keys.insert(key));
            if !is_new || batch.len() == MOST {
                break;
            }
            batch.extend(queue.pop_front());
        }
        if batch.is_empty() {
            waiting.remove(&slot);
            return None;
        }
        Some(batch)
    }
}

impl Facts {
    fn keep(&mut self, slot: SlotId, facts: SlotFacts) {
        if self.young.len() >= MOST_FACTS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(slot, facts);
    }

    fn find(&mut self, slot: SlotId) -> Option<SlotFacts> {
        if let Some(facts) = self.young.get(&slot) {
            return Some(*facts);
        }
        let facts = self.old.remove(&slot)?;
        self.keep(slot, facts);
        Some(facts)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Books, together with whoever else books this slot now.
pub(super) async fn book(
    store: &PostgresStore,
    slot: SlotId,
    commands: &[BookCommand],
) -> StoreResult<Vec<Written<BookOutcome>>> {
    let mut promises = Vec::with_capacity(commands.len());
    for command in commands {
        let (answer, promise) = oneshot::channel();
        let command = command.clone();
        promises.push(promise);
        if store.coalescer().add(slot, Waiting { command, answer }) {
            tokio::spawn(send_all(Sender {
                store: store.clone(),
                slot,
                is_done: false,
            }));
        }
    }
    let mut answers = Vec::with_capacity(commands.len());
    for promise in promises {
        let gone = |_| StoreError::unavailable("the program is shutting down");
        answers.push(promise.await.map_err(gone)??);
    }
    Ok(answers)
}

/// Who sends the bookings of a slot. When it goes before its time, nobody waits for it in vain.
struct Sender {
    store: PostgresStore,
    slot: SlotId,
    /// It has given up the slot, which may have another sender by now.
    is_done: bool,
}

impl Drop for Sender {
    fn drop(&mut self) {
        if !self.is_done {
            lock(&self.store.coalescer().waiting).remove(&self.slot);
        }
    }
}

/// Sends what waits for a slot until nothing does.
async fn send_all(mut sender: Sender) {
    while let Some(batch) = sender.store.coalescer().take(sender.slot) {
        let (commands, askers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|one| (one.command, one.answer))
            .unzip();
        for (asker, answer) in askers.into_iter().zip(send(&sender, commands).await) {
            // Who has gone away does not hear what became of his booking.
            let _ = asker.send(answer);
        }
    }
    sender.is_done = true;
}

/// Sends some bookings in one call; if one of them is more than the database can take, each in one
/// of its own.
async fn send(sender: &Sender, commands: Vec<BookCommand>) -> Vec<Answer> {
    let (store, slot) = (&sender.store, sender.slot);
    let count = commands.len();
    match book_many(store, slot, commands.clone()).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if count > 1 && error.kind == StoreErrorKind::Internal => {
            let mut answers = Vec::with_capacity(count);
            for command in commands {
                let answer = book_many(store, slot, vec![command]).await;
                answers.push(answer.and_then(|mut answers| answers.pop().ok_or(error_of(&error))));
            }
            answers
        }
        Err(error) => (0..count).map(|_| Err(error_of(&error))).collect(),
    }
}

/// The same error once more.
fn error_of(error: &StoreError) -> StoreError {
    StoreError::new(error.kind, error.context.clone())
}
