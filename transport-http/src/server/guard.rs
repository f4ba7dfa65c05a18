//! The stream under a connection: it watches the framing and cuts off who is too slow.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ServeOptions;
use super::framing::{Framing, Position};
use super::idle::IdlePlace;

/// A connection that ends with bytes of its client unread goes on reading, so that the client is
/// not reset before it has read the answer: until so many bytes have come (a file somewhat larger
/// than may be uploaded), until nothing has come for so long, and no longer than
/// [`ServeOptions::body_grace`].
const MOST_LINGERED: usize = 16 * 1024 * 1024;
const LINGER_STALL: Duration = Duration::from_secs(2);

/// What the stream and the requests of one connection know of each other.
#[derive(Debug)]
pub(super) struct Traffic {
    /// Requests whose answer is not sent yet.
    in_flight: AtomicUsize,
    /// Requests that have begun.
    begun: AtomicU64,
    /// The number of the first request that must be refused, or 0.
    ambiguous: AtomicU64,
    /// When the last answer was sent, or the connection was accepted.
    idle_since: Mutex<Instant>,
    /// Until when the end of the connection may wait for the client.
    linger_until: Mutex<Option<Instant>>,
    /// Whether another protocol is spoken by now, which has deadlines of its own.
    upgraded: AtomicBool,
    /// Whether the connection has nothing to do, for those who look for a seat.
    place: IdlePlace,
}

impl Traffic {
    /// Of a connection that has nothing to do yet.
    pub(super) fn new(place: IdlePlace) -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            ambiguous: AtomicU64::new(0),
            idle_since: Mutex::new(Instant::now()),
            linger_until: Mutex::new(None),
            upgraded: AtomicBool::new(false),
            place,
        })
    }

    /// Counts a request until what is returned is dropped. Answers also whether its head is one
    /// that must be refused.
    pub(super) fn begin(self: &Arc<Self>) -> (InFlight, bool) {
        let in_flight = self.stay();
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let ambiguous = self.ambiguous.load(Ordering::Acquire);
        (in_flight, ambiguous != 0 && number >= ambiguous)
    }

    /// Counts something that belongs to a request until what is returned is dropped.
    pub(super) fn stay(self: &Arc<Self>) -> InFlight {
        if self.in_flight.fetch_add(1, Ordering::AcqRel) == 0 {
            self.place.leave();
        }
        InFlight(Arc::clone(self))
    }

    /// The connection ends with its next answer, and the client still sends.
    pub(super) fn linger(&self, options: &ServeOptions) {
        let mut until = self
            .linger_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.get_or_insert_with(|| Instant::now() + options.body_grace);
    }

    fn linger_until(&self) -> Option<Instant> {
        *self
            .linger_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that another protocol is spoken from here on.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Acquire)
    }

    /// The connection among those that have nothing to do.
    pub(super) fn place(&self) -> &IdlePlace {
        &self.place
    }

    /// Whether nothing is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0 && !self.is_upgraded()
    }

    fn idle_since(&self) -> Option<Instant> {
        let idle = self.in_flight.load(Ordering::Acquire) == 0;
        idle.then(|| {
            *self
                .idle_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        })
    }

    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire) > 0
    }
}

/// A request whose answer is not sent yet.
pub(super) struct InFlight(Arc<Traffic>);

impl Drop for InFlight {
    fn drop(&mut self) {
        *self
            .0
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 && !self.0.is_upgraded() {
            self.0.place.enter();
        }
    }
}

/// A stream with the deadlines of [`ServeOptions`].
pub(super) struct Guarded<S> {
    inner: S,
    options: Arc<ServeOptions>,
    traffic: Arc<Traffic>,
    framing: Framing,
    head_since: Option<Instant>,
    /// When the connection became idle, and when the first byte came after that.
    awake_since: Option<(Instant, Instant)>,
    read_timer: Timer,
    write_timer: Timer,
    lingering: Option<Lingering>,
}

/// A stream that is closed for writing already.
struct Lingering {
    bytes: usize,
    last_byte: Instant,
}

impl<S> Guarded<S> {
    pub(super) fn new(inner: S, options: Arc<ServeOptions>, traffic: Arc<Traffic>) -> Self {
        Self {
            inner,
            options,
            traffic,
            framing: Framing::new(),
            head_since: None,
            awake_since: None,
            read_timer: Timer(None),
            write_timer: Timer(None),
            lingering: None,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if self.traffic.is_upgraded() {
            return;
        }
        self.framing.watch(bytes);
        if let Some(number) = self.framing.ambiguous() {
            self.traffic.ambiguous.store(number, Ordering::Release);
        }
        match self.framing.position() {
            Position::Head | Position::Lost => {
                self.head_since.get_or_insert_with(Instant::now);
            }
            Position::Between | Position::Body | Position::Unwatched => self.head_since = None,
        }
        if let Some(idle) = self.traffic.idle_since()
            && self.awake_since.is_none_or(|(since, _)| since != idle)
        {
            self.awake_since = Some((idle, Instant::now()));
        }
    }

    /// Until when the next byte must have come; `None` while it is we who are waited for, or a
    /// body that has a deadline of its own.
    fn read_deadline(&self) -> Option<Instant> {
        if self.traffic.is_upgraded() {
            return None;
        }
        if let Some(since) = self.head_since {
            return Some(since + self.options.header_timeout);
        }
        let idle = self.traffic.idle_since()?;
        // Whatever the watcher takes them for, bytes while nothing is being answered are the
        // beginning of a head, or of a body that nobody reads.
        if self.framing.position() == Position::Body
            && let Some((since, first_byte)) = self.awake_since
            && since == idle
        {
            return Some(first_byte + self.options.header_timeout);
        }
        Some(match self.framing.position() {
            Position::Between if !self.traffic.has_begun() => idle + self.options.header_timeout,
            _ => idle + self.options.idle_timeout,
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                this.received(&buffer.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if this.traffic.is_upgraded() => {
                // It would keep the task in memory that asked it last, which was that of the HTTP
                // connection. Before an upgrade it stays: a connection that is being answered is
                // not asked again when it becomes idle, and wakes by it.
                this.read_timer.0 = None;
                Poll::Pending
            }
            Poll::Pending => {
                let deadline = this.read_deadline();
                this.read_timer.poll(deadline, context)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    /// Lets an answer that makes no progress end in an error.
    fn progress<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write_timer.0 = None;
            return poll;
        }
        let deadline = match &self.write_timer.0 {
            Some(timer) => timer.deadline(),
            None => Instant::now() + self.options.write_timeout,
        };
        match self.write_timer.poll(Some(deadline), context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.progress(poll, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.progress(poll, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(context);
        self.progress(poll, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let poll = Pin::new(&mut self.inner).poll_shutdown(context);
            ready!(self.progress(poll, context))?;
            self.lingering = Some(Lingering {
                bytes: 0,
                last_byte: Instant::now(),
            });
        }
        match self.traffic.linger_until() {
            Some(until) => self.poll_linger(until, context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Ready when the client has closed its side too, or has had its chance.
    fn poll_linger(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        let Some(lingering) = &mut self.lingering else {
            return Poll::Ready(());
        };
        let mut scratch = [0u8; 8192];
        while lingering.bytes < MOST_LINGERED && Instant::now() < until {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    lingering.bytes += buffer.filled().len();
                    lingering.last_byte = Instant::now();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let deadline = until.min(lingering.last_byte + LINGER_STALL);
                    return self.read_timer.poll(Some(deadline), context).map(|_| ());
                }
            }
        }
        Poll::Ready(())
    }
}

struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready with an error once the deadline is over.
    fn poll(
        &mut self,
        deadline: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let timer = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
