//! A WebSocket and what waits to be sent on it, driven together.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink, Stream};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::gathering::Gathering;
use super::outbox::{Delivers, End, Outbox, Packet};

/// How long a client may take nothing of what is sent to it.
pub(crate) const STALL: Duration = Duration::from_secs(8);
/// How long a client may take to answer that we close.
const PARTING: Duration = Duration::from_secs(1);
/// Bytes that the library asks for at once: it allocates them for every connection, and zeroes
/// them each time. More than that is read in one piece all the same.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 4 * 1024;
/// What a ping carries that asks whether messages have arrived.
const ARRIVED: &[u8] = b"arrived";

/// What a client has said or done.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text.
    Text(Utf8Bytes),
    /// Bytes, of which we have no use.
    Binary,
    /// It lives.
    Pong,
    /// It has read what carries these messages.
    Took(Vec<Delivers>),
    /// It has sent more at once than is read.
    TooLarge,
    /// It takes nothing any more, is gone, or has broken the protocol.
    Gone,
}

/// A WebSocket with at most one text on its way.
pub(crate) struct Link {
    socket: WebSocketStream<Gathering<TokioIo<Upgraded>>>,
    /// A text that the socket did not take yet.
    pending: Option<Message>,
    /// What was written and not asked about yet.
    delivering: Vec<Delivers>,
    /// What the client has once it answers the ping that asks about it: what was written only may
    /// be lost with the connection.
    asked: Vec<Delivers>,
    is_flushed: bool,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Link {
    /// A link that reads messages of up to so many bytes.
    pub(crate) async fn new(upgraded: Upgraded, most: usize) -> Box<Self> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let stream = Gathering::new(TokioIo::new(upgraded));
        Box::new(Self {
            socket: WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await,
            pending: None,
            delivering: Vec::new(),
            asked: Vec::new(),
            is_flushed: true,
            stall: None,
        })
    }

    /// Sends what waits and listens. Nothing is lost when it is polled no further.
    pub(crate) fn poll(&mut self, outbox: &Outbox, context: &mut Context<'_>) -> Poll<Heard> {
        match self.poll_send(outbox, context) {
            Poll::Ready(Err(_)) => return Poll::Ready(Heard::Gone),
            Poll::Ready(Ok(())) => self.stall = None,
            Poll::Pending => {
                let stall = self
                    .stall
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STALL)));
                if stall.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Heard::Gone);
                }
            }
        }
        loop {
            let Poll::Ready(read) = Pin::new(&mut self.socket).poll_next(context) else {
                return Poll::Pending;
            };
            return Poll::Ready(match read {
                Some(Ok(Message::Text(text))) => Heard::Text(text),
                Some(Ok(Message::Binary(_))) => Heard::Binary,
                Some(Ok(Message::Pong(what))) if what == ARRIVED && !self.asked.is_empty() => {
                    Heard::Took(std::mem::take(&mut self.asked))
                }
                Some(Ok(Message::Pong(_))) => Heard::Pong,
                // The library answers both; a close is followed by the end of the stream.
                Some(Ok(Message::Ping(_) | Message::Close(_) | Message::Frame(_))) => {
                    self.is_flushed = false;
                    context.waker().wake_by_ref();
                    continue;
                }
                Some(Err(Error::Capacity(_))) => Heard::TooLarge,
                Some(Err(_)) | None => Heard::Gone,
            });
        }
    }

    /// Ready once nothing is left to be sent.
    fn poll_send(&mut self, outbox: &Outbox, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut socket = Pin::new(&mut self.socket);
        loop {
            if self.pending.is_none()
                && let Poll::Ready(Packet { text, delivers }) = outbox.poll_packet(context)
            {
                self.pending = Some(Message::Text(text));
                self.delivering.extend(delivers);
            }
            if self.pending.is_none() && self.asked.is_empty() && !self.delivering.is_empty() {
                self.asked = std::mem::take(&mut self.delivering);
                self.pending = Some(Message::Ping(Bytes::from_static(ARRIVED)));
            }
            if self.pending.is_some() {
                match socket.as_mut().poll_ready(context) {
                    Poll::Ready(Ok(())) => {}
                    other => return other,
                }
                // Progress: a client that reads slowly is one that reads.
                self.stall = None;
                self.is_flushed = false;
                if let Some(message) = self.pending.take() {
                    socket.as_mut().start_send(message)?;
                }
                continue;
            }
            if !self.is_flushed {
                match socket.as_mut().poll_flush(context) {
                    Poll::Ready(Ok(())) => self.is_flushed = true,
                    other => return other,
                }
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Asks the client whether it lives, unless a text is on its way already.
    pub(crate) fn ping(&mut self) {
        if self.pending.is_none() {
            self.pending = Some(Message::Ping(Bytes::new()));
        }
    }

    /// Sends what waits and closes, without waiting for long.
    pub(crate) async fn close(mut self: Box<Self>, outbox: &Outbox, why: End) {
        if matches!(why, End::Overflow | End::Silent) {
            return;
        }
        let parting = async {
            if poll_fn(|context| self.poll_send(outbox, context))
                .await
                .is_err()
            {
                return;
            }
            let frame = CloseFrame {
                code: close_code(why),
                reason: Utf8Bytes::from_static(reason(why)),
            };
            if self.socket.close(Some(frame)).await.is_ok() {
                // The close of the client, so that what we have said is not lost to a reset.
                let mut read = poll_fn(|context| Pin::new(&mut self.socket).poll_next(context));
                while let Some(Ok(_)) = (&mut read).await {}
            }
        };
        let _ = timeout(PARTING, parting).await;
    }
}

/// The code with which a WebSocket is closed.
fn close_code(why: End) -> CloseCode {
    match why {
        End::Overflow | End::Silent | End::GoingAway => CloseCode::Away,
        End::Left => CloseCode::Normal,
        End::Unauthorized | End::Unauthenticated => CloseCode::Policy,
        End::Protocol => CloseCode::Protocol,
        End::TooLarge => CloseCode::Size,
    }
}

fn reason(why: End) -> &'static str {
    match why {
        End::Overflow | End::Silent | End::Left => "",
        End::GoingAway => "the server stops",
        End::Unauthorized => "the credential is not good",
        End::Unauthenticated => "no credential came in time",
        End::Protocol => "the protocol was broken",
        End::TooLarge => "the message is too large",
    }
}
