//! One socket of a known user, as those know it who tell it something.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemed_core::id::{MessageId, UserId};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::news::{News, Voice};
use super::outbox::{End, Outbox, Packet};

/// How many things a socket remembers that it was told.
const REMEMBERED: usize = 256;
/// How many things may wait while the socket is told of what came before them.
const HELD: usize = 1024;

/// A socket of a user.
#[derive(Debug)]
pub(crate) struct Member {
    /// Given by the hub; no two are the same.
    pub(super) number: u64,
    user: UserId,
    outbox: Arc<Outbox>,
    voice: AtomicU8,
    expires_at: AtomicI64,
    hearing: Mutex<Hearing>,
}

#[derive(Debug, Default)]
struct Hearing {
    /// The cursor at which the socket began to hear.
    since: u64,
    /// What it was told of late, by which it is told once.
    heard: VecDeque<Uuid>,
    /// What happens while the socket is told of what came before.
    held: Option<Vec<(Uuid, Vec<Packet>)>>,
}

impl Member {
    /// A socket that holds back what happens until it is released.
    pub(crate) fn new(
        user: UserId,
        outbox: Arc<Outbox>,
        voice: Voice,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            number: 0,
            user,
            outbox,
            voice: AtomicU8::new(voice.number()),
            expires_at: AtomicI64::new(expires_at.micros()),
            hearing: Mutex::new(Hearing {
                held: Some(Vec::new()),
                ..Hearing::default()
            }),
        }
    }

    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn voice(&self) -> Voice {
        Voice::of_number(self.voice.load(Ordering::Relaxed))
    }

    pub(crate) fn speak(&self, voice: Voice) {
        self.voice.store(voice.number(), Ordering::Relaxed);
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(self.expires_at.load(Ordering::Relaxed))
    }

    pub(crate) fn lasts_until(&self, expires_at: Timestamp) {
        self.expires_at
            .store(expires_at.micros(), Ordering::Relaxed);
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes from which cursor on the socket hears.
    pub(crate) fn hears_since(&self, cursor: u64) {
        self.hearing().since = cursor;
    }

    /// The cursor at which the socket began to hear.
    pub(crate) fn since(&self) -> u64 {
        self.hearing().since
    }

    /// Tells the socket of something, once; later, while it is told of what came before.
    pub(crate) fn tell(&self, news: &News, voice: Voice) {
        let (id, packets) = news.packets(self.user, voice);
        if packets.is_empty() {
            return;
        }
        let mut hearing = self.hearing();
        match &mut hearing.held {
            Some(held) if held.len() >= HELD => self.outbox.end(End::Overflow),
            Some(held) => held.push((id, packets.to_vec())),
            None => self.hand(&mut hearing, id, packets),
        }
    }

    /// Tells the socket of something that came before.
    pub(crate) fn tell_first(&self, news: &News) {
        let (id, packets) = news.packets(self.user, self.voice());
        if !packets.is_empty() {
            self.hand(&mut self.hearing(), id, packets);
        }
    }

    /// Sends the socket a message that came before.
    pub(crate) fn tell_message(&self, message: MessageId, packet: Packet) {
        self.hand(&mut self.hearing(), message.get(), &[packet]);
    }

    /// From now on things wait until the socket is released.
    pub(crate) fn hold(&self) {
        self.hearing().held.get_or_insert_default();
    }

    /// Tells what has waited, and from now on what happens; unless something was missed in the
    /// meantime, which has to be told before.
    pub(crate) fn release(&self) {
        let mut hearing = self.hearing();
        if self.outbox.is_to_reread() {
            return;
        }
        for (id, packets) in hearing.held.take().into_iter().flatten() {
            self.hand(&mut hearing, id, &packets);
        }
    }

    fn hand(&self, hearing: &mut Hearing, id: Uuid, packets: &[Packet]) {
        if hearing.remember(id) {
            for packet in packets {
                self.outbox.push(packet.clone());
            }
        }
    }
}

impl Hearing {
    /// Whether this is the first time.
    fn remember(&mut self, id: Uuid) -> bool {
        if self.heard.contains(&id) {
            return false;
        }
        if self.heard.len() >= REMEMBERED {
            self.heard.pop_front();
        }
        self.heard.push_back(id);
        true
    }
}
