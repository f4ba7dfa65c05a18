//! Bodies that have to arrive in time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ServeOptions;

/// The body came slower than the server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTimeout;

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body took too long to arrive")
    }
}

impl std::error::Error for BodyTimeout {}

/// As many bytes of a body have [`ServeOptions::body_timeout`] to come.
const TIMED_BYTES: u64 = 1024 * 1024;

/// A body with a deadline that moves on with each byte.
pub(super) struct TimedBody<B> {
    inner: B,
    options: Arc<ServeOptions>,
    /// From the first read: a handler that looks something up before it reads costs the client
    /// nothing.
    started: Option<Instant>,
    /// When the last byte came.
    last_byte: Option<Instant>,
    received: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> TimedBody<B> {
    pub(super) fn new(inner: B, options: Arc<ServeOptions>) -> Self {
        Self {
            inner,
            options,
            started: None,
            last_byte: None,
            received: 0,
            timer: None,
        }
    }

    fn deadline(&self, started: Instant) -> Instant {
        let earned = self.received.saturating_mul(1000) / u64::from(self.options.body_rate.max(1));
        let allowed = self
            .options
            .body_grace
            .saturating_add(Duration::from_millis(earned));
        let shares = u32::try_from(1 + self.received / TIMED_BYTES).unwrap_or(u32::MAX);
        let allowed = allowed.min(self.options.body_timeout.saturating_mul(shares));
        let stalled = self.last_byte.unwrap_or(started) + self.options.body_stall;
        (started + allowed).min(stalled)
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let started = *this.started.get_or_insert_with(Instant::now);
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if bytes > 0 {
                    this.received += bytes as u64;
                    this.last_byte = Some(Instant::now());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let deadline = this.deadline(started);
                let timer = this
                    .timer
                    .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                if timer.deadline() != deadline {
                    timer.as_mut().reset(deadline);
                }
                match timer.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Box::new(BodyTimeout)))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
