//! What waits to be sent to one client, counted in bytes, and the orders to the task that sends it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use telemed_core::id::ConversationId;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a client that does not read may have waiting for it.
pub(crate) const OUTBOX_BYTES: usize = 256 * 1024;
/// What a text costs beside its own bytes.
const OVERHEAD: usize = 64;

/// One text for a client.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// What is sent. Copies share their bytes.
    pub(crate) text: Utf8Bytes,
    /// What is known to be delivered once it is sent.
    pub(crate) delivers: Option<Delivers>,
}

/// A message that a client has once its text is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivers {
    /// The conversation.
    pub(crate) conversation: ConversationId,
    /// The message's place in it.
    pub(crate) place: u64,
}

impl From<Utf8Bytes> for Packet {
    fn from(text: Utf8Bytes) -> Self {
        Self {
            text,
            delivers: None,
        }
    }
}

impl From<String> for Packet {
    fn from(text: String) -> Self {
        Utf8Bytes::from(text).into()
    }
}

impl Packet {
    /// The bytes that it is counted for.
    pub(super) fn cost(&self) -> usize {
        self.text.len() + OVERHEAD
    }
}

/// Why a connection is ended by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It did not read what it was sent.
    Overflow,
    /// Its credential is good no longer.
    Unauthorized,
    /// It did not say who it is in time, or others wait for its place.
    Unauthenticated,
    /// It broke the protocol.
    Protocol,
    /// It sent more at once than is read.
    TooLarge,
    /// It answers no longer, or is gone.
    Silent,
    /// It has said goodbye.
    Left,
    /// The server stops.
    GoingAway,
}

/// What the task of a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End the connection.
    End(End),
    /// Look at the credential again.
    Recheck,
    /// Something was missed: read the log from this cursor.
    Reread(u64),
}

/// The texts that wait for one client.
///
/// Whoever tells the client something pushes and never waits. When more waits than may, the
/// connection ends: its task is woken with [`Order::End`], and what waits is let go of at once.
#[derive(Debug)]
pub(crate) struct Outbox {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    packets: VecDeque<Packet>,
    bytes: usize,
    end: Option<End>,
    /// Whether the task is to be dropped wherever it stands.
    is_cut: bool,
    /// Whether nothing comes any more.
    is_finished: bool,
    recheck: bool,
    reread: Option<u64>,
    /// Since when no poll waits, where polls send the packets.
    unattended_since: Option<Instant>,
    /// Who sends the packets: the connection's task, or a poll.
    sender: Option<Waker>,
    /// The connection's task.
    task: Option<Waker>,
    /// Who waits for room.
    feeder: Option<Waker>,
    /// Who waits for the end.
    watcher: Option<Waker>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self::with_bound(OUTBOX_BYTES)
    }

    pub(crate) fn with_bound(most: usize) -> Self {
        Self {
            most,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a text. What comes after the end is dropped.
    pub(crate) fn push(&self, packet: impl Into<Packet>) {
        let packet = packet.into();
        let mut inner = self.lock();
        if inner.end.is_some() {
            return;
        }
        inner.bytes += packet.cost();
        if inner.bytes > self.most {
            inner.cut();
            return;
        }
        inner.packets.push_back(packet);
        wake(&mut inner.sender);
    }

    /// Adds a text after the end, and nothing comes after it.
    pub(crate) fn finish(&self, last_words: &[&'static str]) {
        let mut inner = self.lock();
        if !inner.is_finished && !inner.is_cut {
            for words in last_words {
                let packet = Packet::from(Utf8Bytes::from_static(words));
                inner.bytes += packet.cost();
                inner.packets.push_back(packet);
            }
        }
        inner.is_finished = true;
        wake(&mut inner.sender);
        wake(&mut inner.watcher);
    }

    /// Ends the connection, for the first reason that is given.
    pub(crate) fn end(&self, why: End) {
        self.lock().end(why);
    }

    /// Drops the task of the connection wherever it stands.
    pub(crate) fn cut(&self) {
        self.lock().cut();
    }

    /// Why the connection ends, if it does.
    #[cfg(test)]
    pub(crate) fn ended(&self) -> Option<End> {
        self.lock().end
    }

    /// Has the task look at the credential again.
    pub(crate) fn recheck(&self) {
        let mut inner = self.lock();
        inner.recheck = true;
        wake(&mut inner.task);
    }

    /// Has the task read the log from a cursor, or from an earlier one that it was told.
    pub(crate) fn reread(&self, cursor: u64) {
        let mut inner = self.lock();
        let cursor = inner.reread.map_or(cursor, |other| other.min(cursor));
        inner.reread = Some(cursor);
        wake(&mut inner.task);
    }

    /// Whether the log is to be read, and the task does not know it yet.
    pub(crate) fn is_to_reread(&self) -> bool {
        self.lock().reread.is_some()
    }

    /// The next order.
    pub(crate) fn poll_order(&self, context: &mut Context<'_>) -> Poll<Order> {
        let mut inner = self.lock();
        if let Some(end) = inner.end {
            return Poll::Ready(Order::End(end));
        }
        if std::mem::take(&mut inner.recheck) {
            return Poll::Ready(Order::Recheck);
        }
        if let Some(cursor) = inner.reread.take() {
            return Poll::Ready(Order::Reread(cursor));
        }
        remember(&mut inner.task, context);
        Poll::Pending
    }

    /// Ready once the task is to be dropped.
    pub(crate) fn poll_cut(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.is_cut {
            return Poll::Ready(());
        }
        remember(&mut inner.task, context);
        Poll::Pending
    }

    /// The next text.
    pub(crate) fn poll_packet(&self, context: &mut Context<'_>) -> Poll<Packet> {
        let mut inner = self.lock();
        let Some(packet) = inner.packets.pop_front() else {
            remember(&mut inner.sender, context);
            return Poll::Pending;
        };
        inner.bytes -= packet.cost();
        if inner.packets.is_empty() {
            // What one burst needed is not kept for the rest of the connection.
            inner.packets = VecDeque::new();
        }
        if inner.bytes <= self.most / 4 {
            wake(&mut inner.feeder);
        }
        Poll::Ready(packet)
    }

    /// Ready while there is room for much more.
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.bytes <= self.most / 4 {
            return Poll::Ready(());
        }
        remember(&mut inner.feeder, context);
        Poll::Pending
    }

    /// Whether there is room for much more.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().bytes <= self.most / 4
    }

    /// Every text that waits, in order, up to so many bytes; at least one if there is one.
    pub(crate) fn drain(&self, most: usize) -> Vec<Utf8Bytes> {
        let mut texts = Vec::new();
        let mut length = 0;
        let mut inner = self.lock();
        while let Some(packet) = inner.packets.front() {
            length += packet.text.len() + 1;
            if !texts.is_empty() && length > most {
                break;
            }
            if let Some(packet) = inner.packets.pop_front() {
                inner.bytes -= packet.cost();
                texts.push(packet.text);
            }
        }
        wake(&mut inner.feeder);
        texts
    }

    /// Ready once nothing comes any more.
    pub(crate) fn poll_finished(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.is_finished {
            return Poll::Ready(());
        }
        remember(&mut inner.watcher, context);
        Poll::Pending
    }

    /// Ready while a text waits, or once nothing comes any more.
    pub(crate) fn poll_waiting(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.packets.is_empty() || inner.is_finished {
            return Poll::Ready(());
        }
        remember(&mut inner.sender, context);
        Poll::Pending
    }

    /// Notes that nobody waits for packets now, but may come to ask for them.
    pub(crate) fn leave(&self) {
        self.lock().unattended_since = Some(Instant::now());
    }

    /// Notes that somebody waits for packets.
    pub(crate) fn attend(&self) {
        self.lock().unattended_since = None;
    }

    /// How long nobody has asked for packets, if that is longer than this.
    pub(crate) fn unattended_for(&self, longer: Duration) -> Option<Duration> {
        let since = self.lock().unattended_since?;
        Some(since.elapsed()).filter(|elapsed| *elapsed > longer)
    }

    /// Wakes whoever sends, to look around.
    pub(crate) fn stir(&self) {
        wake(&mut self.lock().sender);
    }
}

impl Inner {
    fn end(&mut self, why: End) {
        self.end.get_or_insert(why);
        wake(&mut self.task);
    }

    fn cut(&mut self) {
        self.end(End::Overflow);
        self.is_cut = true;
        self.is_finished = true;
        self.packets = VecDeque::new();
        self.bytes = 0;
        wake(&mut self.sender);
        wake(&mut self.watcher);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    if !slot
        .as_ref()
        .is_some_and(|waker| waker.will_wake(context.waker()))
    {
        *slot = Some(context.waker().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> String {
        "x".repeat(length)
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn bytes_are_counted_and_given_back() {
        let outbox = Outbox::with_bound(1000);
        for _ in 0..100 {
            outbox.push(text(400));
            outbox.push(text(400));
            assert!(outbox.poll_packet(&mut context()).is_ready());
            assert!(outbox.poll_packet(&mut context()).is_ready());
        }
        assert_eq!(outbox.ended(), None);
        assert!(outbox.poll_packet(&mut context()).is_pending());
    }

    #[test]
    fn too_much_ends_the_connection_and_frees_the_memory() {
        let outbox = Outbox::with_bound(1000);
        outbox.push(text(900));
        outbox.push(text(100));
        assert_eq!(
            outbox.poll_order(&mut context()),
            Poll::Ready(Order::End(End::Overflow))
        );
        assert!(outbox.poll_cut(&mut context()).is_ready());
        outbox.push(text(1));
        assert!(outbox.drain(usize::MAX).is_empty());
    }

    #[test]
    fn many_small_texts_are_too_much_as_well() {
        let outbox = Outbox::with_bound(1000);
        for _ in 0..20 {
            outbox.push(String::new());
        }
        assert_eq!(outbox.ended(), Some(End::Overflow));
    }

    #[test]
    fn the_first_reason_to_end_stays() {
        let outbox = Outbox::new();
        outbox.end(End::Unauthorized);
        outbox.end(End::GoingAway);
        assert_eq!(outbox.ended(), Some(End::Unauthorized));
    }

    #[test]
    fn the_earliest_cursor_is_read_from() {
        let outbox = Outbox::new();
        outbox.reread(7);
        outbox.reread(3);
        outbox.reread(5);
        outbox.recheck();
        let next = || outbox.poll_order(&mut context());
        assert_eq!(next(), Poll::Ready(Order::Recheck));
        assert_eq!(next(), Poll::Ready(Order::Reread(3)));
        assert!(next().is_pending());
    }

    #[test]
    fn a_payload_is_bounded_and_in_order() {
        let outbox = Outbox::new();
        for length in [10, 20, 30] {
            outbox.push(text(length));
        }
        let lengths = |most| -> Vec<_> {
            let texts = outbox.drain(most);
            texts.iter().map(|text| text.len()).collect()
        };
        assert_eq!(lengths(5), [10]);
        assert_eq!(lengths(1000), [20, 30]);
        assert!(lengths(1000).is_empty());
    }
}
