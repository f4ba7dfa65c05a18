//! The sessions that poll, by their names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc};

use super::session::Inbound;
use super::sid::Sid;
use crate::connection::Outbox;

/// WebSockets that may ask at one time to take a session over: they are counted with nobody's.
const MOST_PROBES: usize = 2;

/// A session that polls, as its requests know it.
pub(super) struct Polled {
    pub(super) outbox: Arc<Outbox>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    /// Held by the poll that waits; a second one breaks the protocol.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held by WebSockets that ask whether they may take over.
    pub(super) probes: Arc<Semaphore>,
    transport: Mutex<Transport>,
}

/// How a session is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// By requests.
    Polling,
    /// By requests still; a WebSocket has asked whether it may take over.
    Upgrading,
    /// By a WebSocket.
    WebSocket,
}

impl Polled {
    pub(super) fn new(outbox: Arc<Outbox>, inbox: mpsc::Sender<Inbound>) -> Self {
        Self {
            outbox,
            inbox,
            turn: tokio::sync::Mutex::new(()),
            probes: Arc::new(Semaphore::new(MOST_PROBES)),
            transport: Mutex::new(Transport::Polling),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Transport> {
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn transport(&self) -> Transport {
        *self.locked()
    }

    /// Changes the transport if it is the one that is expected, and wakes the poll that waits.
    pub(super) fn change(&self, from: Transport, to: Transport) -> bool {
        let mut transport = self.locked();
        let fits = *transport == from;
        if fits {
            *transport = to;
        }
        drop(transport);
        if fits {
            self.outbox.stir();
        }
        fits
    }
}

/// Every session that polls.
#[derive(Clone, Default)]
pub(super) struct PolledSessions(Arc<Mutex<HashMap<Sid, Arc<Polled>>>>);

impl PolledSessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Arc<Polled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, sid: &Sid) -> Option<Arc<Polled>> {
        self.lock().get(sid).cloned()
    }

    /// Keeps a session until what is returned is dropped.
    pub(super) fn keep(&self, sid: Sid, polled: &Arc<Polled>) -> Kept {
        self.lock().insert(sid.clone(), Arc::clone(polled));
        Kept {
            sessions: self.clone(),
            sid,
        }
    }
}

/// A session that can be found.
pub(super) struct Kept {
    sessions: PolledSessions,
    sid: Sid,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.sid);
    }
}
