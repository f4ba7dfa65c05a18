//! What the parties of a call hand each other through the server: in order, buffered until the
//! other device is there, bounded, and kept nowhere but in the memory of the sender's node.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::calls::{Call, CallSide, CallState, DeviceId};
use crate::env::lock;
use crate::id::{CallId, UserId};
use crate::time::Timestamp;
use crate::value::{JsonText, words};

/// How many bytes are kept of what a party has sent.
const MOST_KEPT: usize = 128 * 1024;
/// How many bytes a candidate and its frame take beside their text: many small ones are bounded too.
const OVERHEAD: usize = 64;

words! {
    /// What a party hands the other one.
    SignalKind {
        /// A session description that asks for an answer.
        Offer = "offer",
        /// A session description that answers one.
        Answer = "answer",
        /// An address at which the device can be reached.
        Candidate = "candidate",
    }
}

impl SignalKind {
    /// The largest JSON text of one, in bytes.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Offer | Self::Answer => 64 * 1024,
            Self::Candidate => 4 * 1024,
        }
    }
}

/// Something that a party has handed over.
#[derive(Clone, PartialEq)]
pub(crate) struct Signal {
    pub(crate) kind: SignalKind,
    pub(crate) payload: JsonText,
}

/// A signal that goes out.
#[derive(Clone, PartialEq)]
pub(crate) struct Outgoing {
    /// Its number: rising for each sender, dense as long as the sender stays on this node.
    pub(crate) seq: u64,
    pub(crate) signal: Signal,
    pub(crate) sender: UserId,
    /// Whose device it goes to.
    pub(crate) receiver: UserId,
    pub(crate) device: DeviceId,
}

/// Why a signal is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The call is not known here: load it.
    Unknown,
    /// The call is over.
    Over,
    /// The party is not bound to a device yet.
    Unbound,
    /// Another device of the party is bound.
    OtherDevice,
    /// More waits for the other device than is kept.
    Full,
}

/// What follows from signals that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Follows {
    /// The first offer or answer has gone out.
    pub(crate) is_first: bool,
    /// The first answer has gone out.
    pub(crate) is_answered: bool,
}

impl Follows {
    /// Nothing does.
    pub(crate) const NOTHING: Self = Self {
        is_first: false,
        is_answered: false,
    };
}

/// The calls whose signals pass this node.
#[derive(Default)]
pub(crate) struct Relay {
    /// Each with a lock of its own: parties wait for nobody but each other.
    calls: Mutex<HashMap<CallId, Arc<Mutex<Passing>>>>,
    /// Somebody tells this node what happens, so that a call is forgotten when it is over.
    is_attended: AtomicBool,
}

struct Passing {
    version: u64,
    users: [UserId; 2],
    devices: [Option<DeviceId>; 2],
    state: CallState,
    sides: [Side; 2],
    has_signalled: bool,
    has_answered: bool,
}

struct Side {
    next: u64,
    /// What waits until the other device is bound, or a callee's candidates for his answer.
    waiting: VecDeque<Signal>,
    /// What has gone out, for a device that asks for it again.
    sent: VecDeque<(u64, Signal)>,
    bytes: usize,
    has_described: bool,
}

fn place(side: CallSide) -> usize {
    match side {
        CallSide::Caller => 0,
        CallSide::Callee => 1,
    }
}

impl Side {
    fn after(seq: u64) -> Self {
        Self {
            next: seq + 1,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            bytes: 0,
            has_described: false,
        }
    }

    fn weight(signal: &Signal) -> usize {
        signal.payload.as_str().len() + OVERHEAD
    }

    /// Makes room by forgetting what has gone out; what waits is never forgotten.
    fn make_room(&mut self, signal: &Signal) -> Result<(), Refused> {
        let weight = Self::weight(signal);
        while self.bytes + weight > MOST_KEPT {
            let (_, oldest) = self.sent.pop_front().ok_or(Refused::Full)?;
            self.bytes -= Self::weight(&oldest);
        }
        self.bytes += weight;
        Ok(())
    }
}

impl Passing {
    fn of(call: &Call, now: Timestamp) -> Self {
        // A sender who comes to this node in the middle of a call goes on with numbers above all
        // that he has used: no more than one in a millisecond.
        let begun = matches!(
            call.progress.state,
            CallState::Connecting | CallState::Connected
        );
        let elapsed = now.since(call.initiated_at).as_millis();
        let before = u64::try_from(elapsed).ok().filter(|_| begun).unwrap_or(0);
        let mut side = [Side::after(before), Side::after(before)];
        for one in &mut side {
            one.has_described = begun;
        }
        Self {
            version: call.version,
            users: call.users(),
            devices: [
                call.progress.caller_device.clone(),
                call.progress.callee_device.clone(),
            ],
            state: call.progress.state,
            sides: side,
            has_signalled: begun,
            has_answered: call.progress.connected_at.is_some(),
        }
    }

    fn update(&mut self, call: &Call) {
        if call.version > self.version {
            self.version = call.version;
            self.state = call.progress.state;
            self.devices = [
                call.progress.caller_device.clone(),
                call.progress.callee_device.clone(),
            ];
        }
    }

    /// What can go out of a side now.
    fn release(&mut self, side: CallSide) -> Vec<Outgoing> {
        let to = place(side.other());
        let answered = matches!(
            self.state,
            CallState::Accepted | CallState::Connecting | CallState::Connected
        );
        let (Some(device), true) = (self.devices[to].clone(), answered) else {
            return Vec::new();
        };
        let from = &mut self.sides[place(side)];
        let mut outgoing = Vec::new();
        // The first description goes before the candidates that belong to it.
        if !from.has_described {
            let is_candidate = |signal: &Signal| signal.kind == SignalKind::Candidate;
            match from.waiting.iter().position(|one| !is_candidate(one)) {
                Some(at) => {
                    if let Some(description) = from.waiting.remove(at) {
                        from.waiting.push_front(description);
                    }
                    from.has_described = true;
                }
                // Only an answer that is still owed is waited for.
                None if side == CallSide::Callee && self.state != CallState::Connected => {
                    return Vec::new();
                }
                None => {}
            }
        }
        while let Some(signal) = from.waiting.pop_front() {
            let seq = from.next;
            from.next += 1;
            from.sent.push_back((seq, signal.clone()));
            outgoing.push(Outgoing {
                seq,
                signal,
                sender: self.users[place(side)],
                receiver: self.users[to],
                device: device.clone(),
            });
        }
        outgoing
    }
}

impl Relay {
    /// From now on this node is told what happens.
    pub(crate) fn attend(&self) {
        self.is_attended.store(true, Ordering::Relaxed);
    }

    /// Takes up a call that a party has begun, hears or answers at this node: what the party
    /// sends is numbered from 1 here.
    pub(crate) fn begin(&self, call: &Call, now: Timestamp) {
        if call.progress.state.is_live() && self.is_attended.load(Ordering::Relaxed) {
            self.take_up(call, now);
        }
    }

    /// Notes how a call stands, if its signals pass here; one that is over is forgotten.
    pub(crate) fn note(&self, call: &Call) {
        if let Some(passing) = self.find(call.id) {
            lock(&passing).update(call);
        }
        if !call.progress.state.is_live() {
            self.forget(call.id);
        }
    }

    fn find(&self, call: CallId) -> Option<Arc<Mutex<Passing>>> {
        lock(&self.calls).get(&call).cloned()
    }

    /// Takes up a call that was loaded.
    pub(crate) fn take_up(&self, call: &Call, now: Timestamp) {
        let begun = || Arc::new(Mutex::new(Passing::of(call, now)));
        let passing = Arc::clone(lock(&self.calls).entry(call.id).or_insert_with(begun));
        lock(&passing).update(call);
    }

    /// Whether the signals of a call pass here.
    pub(crate) fn knows(&self, call: CallId) -> bool {
        lock(&self.calls).contains_key(&call)
    }

    /// The calls whose signals pass here.
    pub(crate) fn known(&self) -> Vec<CallId> {
        lock(&self.calls).keys().copied().collect()
    }

    /// Forgets a call.
    pub(crate) fn forget(&self, call: CallId) {
        lock(&self.calls).remove(&call);
    }

    /// Takes a signal of a user's device; `devices` are the names by which it goes. What goes out
    /// is sent before anything else of the call can be.
    pub(crate) fn take(
        &self,
        call: CallId,
        user: UserId,
        devices: [&DeviceId; 2],
        signal: Signal,
        send: impl FnMut(Outgoing),
    ) -> Result<Follows, Refused> {
        let passing = self.find(call).ok_or(Refused::Unknown)?;
        let mut passing = lock(&passing);
        let side = match user {
            user if user == passing.users[0] => CallSide::Caller,
            user if user == passing.users[1] => CallSide::Callee,
            _ => return Err(Refused::Unknown),
        };
        if !passing.state.is_live() {
            return Err(Refused::Over);
        }
        match &passing.devices[place(side)] {
            None => return Err(Refused::Unbound),
            Some(bound) if !devices.contains(&bound) => return Err(Refused::OtherDevice),
            Some(_) => {}
        }
        passing.sides[place(side)].make_room(&signal)?;
        passing.sides[place(side)].waiting.push_back(signal);
        let outgoing = passing.release(side);
        Ok(passing.hand_on(outgoing, send))
    }

    /// Sends what can go out now that the call stands otherwise, of both sides.
    pub(crate) fn release(&self, call: CallId, send: impl FnMut(Outgoing)) -> Option<Follows> {
        let passing = self.find(call)?;
        let mut passing = lock(&passing);
        let mut outgoing = passing.release(CallSide::Caller);
        outgoing.extend(passing.release(CallSide::Callee));
        Some(passing.hand_on(outgoing, send))
    }

    /// Sends again what has gone out to a user after a number.
    pub(crate) fn send_again(
        &self,
        call: CallId,
        receiver: UserId,
        after: u64,
        send: impl FnMut(Outgoing),
    ) {
        let Some(passing) = self.find(call) else {
            return;
        };
        let passing = lock(&passing);
        let to = match receiver {
            user if user == passing.users[0] => 0,
            user if user == passing.users[1] => 1,
            _ => return,
        };
        let Some(device) = &passing.devices[to] else {
            return;
        };
        let sent = passing.sides[1 - to].sent.iter();
        sent.filter(|(seq, _)| *seq > after)
            .map(|(seq, signal)| Outgoing {
                seq: *seq,
                signal: signal.clone(),
                sender: passing.users[1 - to],
                receiver,
                device: device.clone(),
            })
            .for_each(send);
    }
}

impl Passing {
    /// Sends what goes out, and says what follows.
    fn hand_on(&mut self, outgoing: Vec<Outgoing>, send: impl FnMut(Outgoing)) -> Follows {
        let has = |kind| outgoing.iter().any(|one| one.signal.kind == kind);
        let answers = has(SignalKind::Answer);
        let is_first = !self.has_signalled && (answers || has(SignalKind::Offer));
        let is_answered = !self.has_answered && answers;
        self.has_signalled |= is_first;
        self.has_answered |= is_answered;
        outgoing.into_iter().for_each(send);
        Follows {
            is_first,
            is_answered,
        }
    }
}

#[cfg(test)]
mod tests;
