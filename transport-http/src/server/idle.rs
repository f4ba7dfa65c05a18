//! Connections that have nothing to do. When a client comes and every seat is taken, the one that
//! has been idle longest makes room: so nobody holds seats by connecting and saying nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Every connection that waits for its client: for a handshake, for the first request, for the
/// rest of a head, or for the next request.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// The longest waiting first, each with how it is asked to end.
    connections: BTreeMap<u64, Arc<Notify>>,
}

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the one that has been idle longest to end. Whether there is one is the answer.
    pub(super) fn ask_one(&self) -> bool {
        let longest = self.lock().connections.pop_first();
        if let Some((_, end)) = &longest {
            end.notify_one();
        }
        longest.is_some()
    }

    /// The place of a new connection, which is idle.
    pub(super) fn connection(self: &Arc<Self>) -> IdlePlace {
        let place = IdlePlace {
            idle: Arc::clone(self),
            end: Arc::new(Notify::new()),
            number: Mutex::new(None),
        };
        place.enter();
        place
    }
}

/// A connection, which is idle or not.
#[derive(Debug)]
pub(super) struct IdlePlace {
    idle: Arc<Idle>,
    end: Arc<Notify>,
    number: Mutex<Option<u64>>,
}

impl IdlePlace {
    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the connection has nothing to do.
    pub(super) fn enter(&self) {
        self.leave();
        let mut waiting = self.idle.lock();
        waiting.next += 1;
        let number = waiting.next;
        waiting.connections.insert(number, Arc::clone(&self.end));
        drop(waiting);
        *self.number() = Some(number);
    }

    /// From now on it has.
    pub(super) fn leave(&self) {
        if let Some(number) = self.number().take() {
            self.idle.lock().connections.remove(&number);
        }
    }

    /// Ends when the connection is asked to make room.
    pub(super) async fn asked_to_end(&self) {
        self.end.notified().await;
    }
}

impl Drop for IdlePlace {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_asked(place: &IdlePlace) -> bool {
        let mut asked = std::pin::pin!(place.asked_to_end());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        asked.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn the_one_that_has_waited_longest_is_asked() {
        let idle = Arc::new(Idle::default());
        let [one, other, busy] = [(); 3].map(|()| idle.connection());
        busy.leave();
        one.leave();
        one.enter();
        assert!(idle.ask_one());
        assert!(is_asked(&other) && !is_asked(&one));
        assert!(idle.ask_one());
        assert!(is_asked(&one) && !is_asked(&busy));
        assert!(!idle.ask_one());
        busy.enter();
        drop(busy);
        assert!(!idle.ask_one());
    }
}
