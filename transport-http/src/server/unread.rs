//! Bodies of HTTP/1 requests that were answered before they were read.
//!
//! A refusal is given as soon as it is certain: for the wrong content type, for a declared length
//! above the limit, for a caller who is nobody. What the client still sends of that request then
//! stands before its next one. Closing the connection on it would lose the client the answer (the
//! system resets a connection that is closed with bytes unread) or its next request, which it may
//! have sent already. So what is left is read and thrown away beside the answer, within the
//! deadlines that all bodies have and up to a bound. Where that cannot be, the answer says that
//! the connection ends, and the end waits a little for the client to have read it.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::body::{BodyTimeout, TimedBody};
use super::guard::{InFlight, Traffic};
use super::{Phase, ServeOptions};

/// The most that is read to be thrown away: some of the largest JSON bodies, which may have been
/// on their way when the refusal was.
const MOST_DISCARDED: u64 = 4 * 1024 * 1024;
/// How long an answer waits for the end of a body that did not tell its length. Most have come by
/// then; of others nobody can say before the answer whether the connection will outlive them.
const PATIENCE_FOR_CHUNKS: Duration = Duration::from_millis(100);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How far a body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Untouched,
    Begun,
    /// The client broke the protocol or is gone.
    Broken,
    /// It came too slowly.
    TimedOut,
}

/// What is left of a body that nobody reads any more.
struct Leftover {
    body: TimedBody<Incoming>,
    progress: Progress,
    /// The connection is busy, and not idle, until this is dropped.
    _in_flight: InFlight,
}

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Unread {
    leftovers: mpsc::UnboundedSender<Leftover>,
    traffic: Arc<Traffic>,
    options: Arc<ServeOptions>,
    phase: watch::Receiver<Phase>,
}

/// Where [`Unread`] sends what is left.
pub(super) struct Leftovers {
    leftovers: mpsc::UnboundedReceiver<Leftover>,
    traffic: Arc<Traffic>,
    options: Arc<ServeOptions>,
    phase: watch::Receiver<Phase>,
}

/// What the answer to a request knows of the request's body.
pub(super) struct Account {
    state: Mutex<State>,
    /// The client sends the body once it is asked for it, which reading does.
    waits_to_be_asked: bool,
    unread: Unread,
}

enum State {
    /// Somebody may still read it, or it was read to its end.
    Held,
    Left(Leftover),
    /// The request has its answer.
    Answered,
}

/// A body whose rest is not lost when it is dropped.
pub(super) struct AccountedBody {
    body: Option<TimedBody<Incoming>>,
    progress: Progress,
    account: Arc<Account>,
}

impl Unread {
    /// For one connection. The second half is to be polled in its task.
    pub(super) fn new(
        traffic: Arc<Traffic>,
        options: Arc<ServeOptions>,
        phase: watch::Receiver<Phase>,
    ) -> (Self, Leftovers) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let leftovers = Leftovers {
            leftovers: receiver,
            traffic: Arc::clone(&traffic),
            options: Arc::clone(&options),
            phase: phase.clone(),
        };
        let unread = Self {
            leftovers: sender,
            traffic,
            options,
            phase,
        };
        (unread, leftovers)
    }

    /// Keeps account of a body. `waits_to_be_asked` says whether the request has `Expect`.
    pub(super) fn account_for(
        &self,
        body: TimedBody<Incoming>,
        waits_to_be_asked: bool,
    ) -> (AccountedBody, Arc<Account>) {
        let account = Arc::new(Account {
            state: Mutex::new(State::Held),
            waits_to_be_asked,
            unread: self.clone(),
        });
        let body = AccountedBody {
            body: Some(body),
            progress: Progress::Untouched,
            account: Arc::clone(&account),
        };
        (body, account)
    }

    fn discard(&self, leftover: Leftover) {
        // Without a receiver the connection is gone, and the rest of the body with it.
        let _ = self.leftovers.send(leftover);
    }
}

impl Account {
    /// Decides, when there is an answer, what becomes of a body that was not read to its end.
    /// Returns whether the answer is the last of its connection.
    pub(super) async fn settle(&self) -> bool {
        let mut leftover = match self.replace(State::Answered) {
            State::Left(leftover) => leftover,
            State::Held | State::Answered => return false,
        };
        let traffic = &self.unread.traffic;
        let options = &self.unread.options;
        let may_be_read = match leftover.progress {
            // It has had its time.
            Progress::TimedOut => return true,
            Progress::Broken => false,
            Progress::Untouched => !self.waits_to_be_asked,
            Progress::Begun => true,
        };
        if !may_be_read || *self.unread.phase.borrow() != Phase::Open {
            traffic.linger(options);
            return true;
        }
        match leftover.body.size_hint().exact() {
            Some(left) if left <= MOST_DISCARDED => {
                self.unread.discard(leftover);
                false
            }
            Some(_) => {
                traffic.linger(options);
                true
            }
            None => {
                let read = timeout(PATIENCE_FOR_CHUNKS, leftover.read_away()).await;
                let is_at_end = read.unwrap_or(false);
                if !is_at_end {
                    traffic.linger(options);
                }
                !is_at_end
            }
        }
    }

    fn replace(&self, state: State) -> State {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, state)
    }

    fn leave(&self, leftover: Leftover) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Answered) {
            drop(state);
            // A handler that answered while it was still reading.
            self.unread.discard(leftover);
        } else {
            *state = State::Left(leftover);
        }
    }
}

impl Leftover {
    /// Whether the end came, in time and within the bound.
    async fn read_away(&mut self) -> bool {
        let mut read = 0;
        // After the answer, nothing comes any more behind the last byte of a declared length.
        while !self.body.is_end_stream() {
            let Some(frame) = self.body.frame().await else {
                return true;
            };
            let Ok(frame) = frame else { return false };
            read += frame.data_ref().map_or(0, Bytes::len) as u64;
            if read > MOST_DISCARDED {
                return false;
            }
        }
        true
    }
}

impl Leftovers {
    /// Reads away what is left of bodies, for as long as the connection lives. A stop does not
    /// wait for them.
    pub(super) async fn discard(mut self) -> Infallible {
        while let Some(mut leftover) = self.leftovers.recv().await {
            let closing = self.phase.wait_for(|phase| *phase >= Phase::Closing);
            tokio::select! {
                biased;
                _ = leftover.read_away() => {}
                _ = closing => self.traffic.linger(&self.options),
            }
        }
        pending().await
    }
}

impl Body for AccountedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let poll = Pin::new(body).poll_frame(context);
        match &poll {
            Poll::Ready(None) => self.body = None,
            Poll::Ready(Some(Err(error))) => {
                self.progress = if error.is::<BodyTimeout>() {
                    Progress::TimedOut
                } else {
                    Progress::Broken
                };
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => self.progress = Progress::Begun,
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(none, Body::size_hint)
    }
}

impl Drop for AccountedBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
        {
            self.account.leave(Leftover {
                body,
                progress: self.progress,
                _in_flight: self.account.unread.traffic.stay(),
            });
        }
    }
}
