//! Bookings that arrive together are answered by one transaction.
//!
//! A caller who is alone is sent at once. What arrives while enough calls are under way waits until
//! one of them ends, and then goes as one call, over slots: most of what a transaction costs it
//! costs once. What is for a slot that a call is under way for waits for the end of that call, so
//! that calls do not queue for one row.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telemed_core::id::SlotId;
use telemed_core::scheduling::{BookCommand, BookOutcome};
use telemed_core::store::{StoreError, StoreResult, Written};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::book::{Booking, Sent, book_many};
use super::facts;
use super::lines::{Batch, Lines, Ticket};
use crate::PostgresStore;

/// After which time a call is held up by something, and others do not wait for it any more.
const HELD_UP: Duration = Duration::from_millis(50);

type Answer = StoreResult<Written<BookOutcome>>;

/// A booking, and who waits to hear what becomes of it.
struct Waiting {
    booking: Booking,
    answer: oneshot::Sender<Answer>,
}

/// The bookings that wait.
#[derive(Default)]
pub(crate) struct Coalescer(Mutex<Lines<Waiting>>);

impl Coalescer {
    fn lines(&self) -> MutexGuard<'_, Lines<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Books, together with whoever else books now.
pub(super) async fn book(
    store: &PostgresStore,
    slot: SlotId,
    commands: &[BookCommand],
) -> StoreResult<Vec<Written<BookOutcome>>> {
    let facts = facts::of(store, slot).await?;
    let mut promises = Vec::with_capacity(commands.len());
    let mut tickets = Vec::with_capacity(commands.len());
    for command in commands {
        let (answer, promise) = oneshot::channel();
        let booking = Booking::of(slot, facts, command.clone());
        promises.push(promise);
        tickets.push(Ticket {
            slot,
            patient: command.patient,
            key: booking.key(),
            booking: Waiting { booking, answer },
        });
    }
    {
        let mut lines = store.coalescer().lines();
        tickets.into_iter().for_each(|ticket| lines.add(ticket));
    }
    begin_calls(store);
    let mut answers = Vec::with_capacity(promises.len());
    for promise in promises {
        let gone = |_| StoreError::unavailable("the program is shutting down");
        answers.push(promise.await.map_err(gone)??);
    }
    Ok(answers)
}

/// Begins the calls that are due.
fn begin_calls(store: &PostgresStore) {
    loop {
        let begun = store.coalescer().lines().begin();
        let Some(batch) = begun else { break };
        let call = Call {
            store: store.clone(),
            batch,
        };
        // Without a runtime nobody waits any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(make(call));
        }
    }
}

/// A call that is under way. However it ends, others have their turn then.
struct Call {
    store: PostgresStore,
    batch: Batch<Waiting>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.store.coalescer().lines().end(&mut self.batch);
        begin_calls(&self.store);
    }
}

async fn make(mut call: Call) {
    let bookings = std::mem::take(&mut call.batch.bookings);
    let mut sent = send(call.store.clone(), bookings);
    if tokio::time::timeout(HELD_UP, &mut sent).await.is_err() {
        call.store.coalescer().lines().hold_up(&mut call.batch);
        begin_calls(&call.store);
        sent.await;
    }
}

/// Sends some bookings in one call and answers them. What the database refuses as a whole is sent in
/// halves, until the one that it refuses is alone.
fn send(store: PostgresStore, waiting: Vec<Waiting>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let (bookings, askers): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|one| (one.booking, one.answer))
            .unzip();
        let bookings: Arc<[Booking]> = bookings.into();
        match book_many(&store, Arc::clone(&bookings)).await {
            Ok(Sent::Answered(answers)) => {
                for (asker, answer) in askers.into_iter().zip(answers) {
                    // Who has gone away does not hear what became of his booking.
                    let _ = asker.send(Ok(answer));
                }
            }
            Ok(Sent::Refused) => {
                let waiting = bookings.iter().cloned().zip(askers);
                let mut waiting: Vec<_> = waiting
                    .map(|(booking, answer)| Waiting { booking, answer })
                    .collect();
                let others = waiting.split_off(waiting.len() / 2);
                // Beside one another: one of them may be held up.
                let others = tokio::spawn(send(store.clone(), others));
                send(store, waiting).await;
                let _ = others.await;
            }
            Err(error) => {
                for asker in askers {
                    let _ = asker.send(Err(StoreError::new(error.kind, error.context.clone())));
                }
            }
        }
    })
}
