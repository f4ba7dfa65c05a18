//! One socket of a known user, as those know it who tell it something.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemed_core::actor::Actor;
use telemed_core::calls::DeviceId;
use telemed_core::id::{LeaseId, MessageId, UserId};
use telemed_core::presence::{DeviceType, Lease};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::news::{News, Voice};
use super::outbox::{OUTBOX_BYTES, Outbox, Packet};
use super::person::Person;

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
    actor: Actor,
    /// The name of the device of its session.
    session: Option<DeviceId>,
    outbox: Arc<Outbox>,
    voice: AtomicU8,
    expires_at: AtomicI64,
    hearing: Mutex<Hearing>,
    standing: Mutex<Standing>,
}

/// The device that a socket is one of, as far as it says so.
#[derive(Debug, Default)]
pub(crate) struct Device {
    /// Its name; the session's if there is none.
    pub(crate) name: Option<DeviceId>,
    /// What kind of device it is.
    pub(crate) kind: Option<DeviceType>,
}

/// By what everybody knows of a socket.
#[derive(Debug)]
struct Standing {
    device: Option<DeviceId>,
    lease: Standin,
}

/// The lease of a socket.
#[derive(Debug)]
enum Standin {
    /// It is to be taken.
    Wanted(Option<DeviceType>),
    /// It is being taken.
    Opening,
    Open(Box<Lease>),
    /// The socket is gone.
    Gone,
}

/// What a new name of its device changes for a socket's lease.
pub(super) enum Renamed {
    /// Nothing, or nothing yet.
    Nothing,
    /// This one ends, and another one is to be taken.
    Anew(LeaseId),
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
    pub(crate) fn new(person: &Person, outbox: Arc<Outbox>, voice: Voice, device: Device) -> Self {
        Self {
            number: 0,
            user: person.user(),
            actor: person.actor().clone(),
            session: match person.actor() {
                Actor::User(user) => Some(DeviceId::of_session(user.session)),
                Actor::Anonymous(_) | Actor::System(_) => None,
            },
            outbox,
            voice: AtomicU8::new(voice.number()),
            expires_at: AtomicI64::new(person.expires_at().micros()),
            standing: Mutex::new(Standing {
                device: device.name,
                lease: Standin::Wanted(device.kind),
            }),
            hearing: Mutex::new(Hearing {
                held: Some(Held::default()),
                ..Hearing::default()
            }),
        }
    }

    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Who the user was when the socket opened.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the socket's device, if it has said one.
    pub(crate) fn device(&self) -> Option<DeviceId> {
        self.standing().device.clone()
    }

    /// Whether the socket is one of this device: by its name, or by the session.
    pub(super) fn is_of(&self, device: &DeviceId) -> bool {
        self.session.as_ref() == Some(device) || self.standing().device.as_ref() == Some(device)
    }

    pub(super) fn rename(&self, device: DeviceId) -> Renamed {
        let mut standing = self.standing();
        if standing.device.as_ref() == Some(&device) {
            return Renamed::Nothing;
        }
        standing.device = Some(device);
        match &standing.lease {
            Standin::Open(lease) => {
                let (id, kind) = (lease.id, lease.device_type.clone());
                standing.lease = Standin::Wanted(Some(kind));
                Renamed::Anew(id)
            }
            // What is being taken is looked at again then.
            Standin::Wanted(_) | Standin::Opening | Standin::Gone => Renamed::Nothing,
        }
    }

    /// Begins to take the lease that is wanted, if one is.
    pub(super) fn opens(&self) -> Option<(Option<DeviceId>, Option<DeviceType>)> {
        let mut standing = self.standing();
        let Standin::Wanted(kind) = &mut standing.lease else {
            return None;
        };
        let kind = kind.take();
        standing.lease = Standin::Opening;
        Some((standing.device.clone(), kind))
    }

    /// Notes the lease that was taken. One that the socket has no use for is given back.
    pub(super) fn opened(&self, lease: Lease) -> Option<LeaseId> {
        let mut standing = self.standing();
        if matches!(standing.lease, Standin::Gone) {
            return Some(lease.id);
        }
        let is_named = |name: &DeviceId| *name == lease.device;
        if !standing.device.as_ref().is_none_or(is_named) {
            standing.lease = Standin::Wanted(Some(lease.device_type));
            return Some(lease.id);
        }
        standing.lease = Standin::Open(Box::new(lease));
        None
    }

    /// Notes that the lease could not be taken now.
    pub(super) fn wants(&self, kind: Option<DeviceType>) {
        let mut standing = self.standing();
        if matches!(standing.lease, Standin::Opening) {
            standing.lease = Standin::Wanted(kind);
        }
    }

    pub(super) fn is_without_lease(&self) -> bool {
        matches!(self.standing().lease, Standin::Wanted(_))
    }

    pub(super) fn waits_for_lease(&self) -> bool {
        matches!(self.standing().lease, Standin::Wanted(_) | Standin::Opening)
    }

    /// The lease, if there is one.
    pub(super) fn lease(&self) -> Option<Lease> {
        match &self.standing().lease {
            Standin::Open(lease) => Some(Lease::clone(lease)),
            Standin::Wanted(_) | Standin::Opening | Standin::Gone => None,
        }
    }

    /// Notes that the socket is gone, and lets go of its lease.
    pub(super) fn leave(&self) -> Option<LeaseId> {
        match std::mem::replace(&mut self.standing().lease, Standin::Gone) {
            Standin::Open(lease) => Some(lease.id),
            Standin::Wanted(_) | Standin::Opening | Standin::Gone => None,
        }
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
        let (id, packets) = news.packets(self, voice);
        let mut packets = packets.peekable();
        if packets.peek().is_none() {
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
                let packets: Vec<Packet> = packets.cloned().collect();
                held.bytes += packets.iter().map(Packet::cost).sum::<usize>();
                held.waiting.push(Waiting {
                    id,
                    cursor,
                    packets,
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
        let (id, packets) = news.packets(self, self.voice());
        let mut packets = packets.peekable();
        let mut hearing = self.hearing();
        if packets.peek().is_some() && !hearing.knows(news.cursor()) {
            self.hand(&mut hearing, id, packets);
        }
    }

    /// Sends the socket a message that came before.
    pub(crate) fn tell_message(&self, message: MessageId, packet: Packet) {
        self.hand(&mut self.hearing(), message.get(), [&packet]);
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

    fn hand<'p>(
        &self,
        hearing: &mut Hearing,
        id: Uuid,
        packets: impl IntoIterator<Item = &'p Packet>,
    ) {
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
