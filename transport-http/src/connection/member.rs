//! One socket of a known user, as those know it who tell it something.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemed_core::id::{MessageId, UserId};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::news::{News, Voice};
use super::outbox::{OUTBOX_BYTES, Outbox, Packet};

/// How many things a socket remembers that it was told.
const REMEMBERED: usize = 256;
/// How much may wait while the socket is told of what came before it: with that, and what it is
/// being told, the outbox is not full.
const HELD: usize = OUTBOX_BYTES / 2;

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
    /// Up to this cursor the socket was told everything, or knows it.
    since: u64,
    /// What it was told of late, by which it is told once.
    heard: VecDeque<Uuid>,
    /// What happens while the socket is told of what came before.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Held {
    waiting: Vec<Waiting>,
    bytes: usize,
}

/// Something that waits to be told.
#[derive(Debug)]
struct Waiting {
    id: Uuid,
    cursor: Option<u64>,
    packets: Vec<Packet>,
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
                held: Some(Held::default()),
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

    /// Notes from which cursor on the socket hears: what happened up to there is not told any
    /// more, however late it is heard of here.
    pub(crate) fn hears_since(&self, cursor: u64) {
        let mut hearing = self.hearing();
        hearing.since = hearing.since.max(cursor);
    }

    /// The cursor from which on the socket hears.
    pub(crate) fn since(&self) -> u64 {
        self.hearing().since
    }

    /// Tells the socket of something, once; later, while it is told of what came before.
    pub(crate) fn tell(&self, news: &News, voice: Voice) {
        let (id, packets) = news.packets(self.user, voice);
        if packets.is_empty() {
            return;
        }
        let cursor = news.cursor();
        let mut hearing = self.hearing();
        if hearing.knows(cursor) {
            return;
        }
        let since = hearing.since;
        match &mut hearing.held {
            Some(held) => {
                held.bytes += packets.iter().map(Packet::cost).sum::<usize>();
                held.waiting.push(Waiting {
                    id,
                    cursor,
                    packets: packets.to_vec(),
                });
                if held.bytes > HELD {
                    // The log has it, and is read on instead.
                    *held = Held::default();
                    self.outbox.reread(since);
                }
            }
            None => self.hand(&mut hearing, id, packets),
        }
    }

    /// Tells the socket of something that came before.
    pub(crate) fn tell_first(&self, news: &News) {
        let (id, packets) = news.packets(self.user, self.voice());
        let mut hearing = self.hearing();
        if !packets.is_empty() && !hearing.knows(news.cursor()) {
            self.hand(&mut hearing, id, packets);
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
        let held = hearing.held.take().unwrap_or_default();
        for one in held.waiting {
            if !hearing.knows(one.cursor) {
                self.hand(&mut hearing, one.id, &one.packets);
            }
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
    /// Whether what lies there in the log was told already, on this socket or on one before it.
    fn knows(&self, cursor: Option<u64>) -> bool {
        cursor.is_some_and(|cursor| cursor <= self.since)
    }

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
