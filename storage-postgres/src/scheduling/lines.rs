//! Who waits to book: a line before each slot, and the calls that are under way.

use std::collections::{HashMap, HashSet, VecDeque};

use telemed_core::id::{SlotId, UserId};

/// How many bookings one call takes at most.
const MOST: usize = 64;

/// How many calls are under way at most, but for those that are held up. Fewer take more bookings
/// each, and each booking costs the less; with two, the one waits for the disk while the other is
/// decided. Measured with 1, 2, 3, 4 and 8: from 3 on it is slower, and with 8 by a third.
const MOST_CALLS: usize = 2;

/// An idempotency key and its scope.
pub(super) type Key = (String, String);

/// A booking that waits, by what it may not share a call with.
#[derive(Debug)]
pub(super) struct Ticket<T> {
    pub(super) slot: SlotId,
    pub(super) patient: UserId,
    pub(super) key: Option<Key>,
    /// The booking itself.
    pub(super) booking: T,
}

/// The bookings of one call: no patient and no key twice, and all of them with a key or none.
#[derive(Debug)]
pub(super) struct Batch<T> {
    /// The bookings in their order.
    pub(super) bookings: Vec<T>,
    /// Whose lines they come from.
    slots: Vec<SlotId>,
    patients: HashSet<UserId>,
    keys: HashSet<Key>,
    /// Whether it counts among the calls that are under way.
    counts: bool,
}

/// Everybody who waits.
pub(super) struct Lines<T> {
    /// The slots that somebody waits for, or for which a call is under way.
    by_slot: HashMap<SlotId, VecDeque<Ticket<T>>>,
    /// Those of them for which no call is under way, by turn.
    ready: VecDeque<SlotId>,
    calls: usize,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self {
            by_slot: HashMap::new(),
            ready: VecDeque::new(),
            calls: 0,
        }
    }
}

impl<T> Lines<T> {
    /// Puts a booking at the end of its slot's line.
    pub(super) fn add(&mut self, ticket: Ticket<T>) {
        let slot = ticket.slot;
        let line = self.by_slot.entry(slot).or_insert_with(|| {
            self.ready.push_back(slot);
            VecDeque::new()
        });
        line.push_back(ticket);
    }

    /// The next call, if somebody waits whose slot is free and few enough calls are under way.
    pub(super) fn begin(&mut self) -> Option<Batch<T>> {
        if self.calls >= MOST_CALLS {
            return None;
        }
        let mut batch = Batch::new();
        // Those that cannot go with the others keep their turn.
        let mut left = Vec::new();
        while batch.bookings.len() < MOST && left.len() < MOST {
            let Some(slot) = self.ready.pop_front() else {
                break;
            };
            let line = self.by_slot.get_mut(&slot);
            if line.is_some_and(|line| batch.take_from(line)) {
                batch.slots.push(slot);
            } else {
                left.push(slot);
            }
        }
        for slot in left.into_iter().rev() {
            self.ready.push_front(slot);
        }
        if batch.bookings.is_empty() {
            return None;
        }
        self.calls += 1;
        Some(batch)
    }

    /// A call takes long: others need not wait for its end.
    pub(super) fn hold_up(&mut self, batch: &mut Batch<T>) {
        if std::mem::take(&mut batch.counts) {
            self.calls -= 1;
        }
    }

    /// A call has ended: it is the next one's turn for its slots.
    pub(super) fn end(&mut self, batch: &mut Batch<T>) {
        self.hold_up(batch);
        for slot in batch.slots.drain(..) {
            if self.by_slot.get(&slot).is_some_and(|line| !line.is_empty()) {
                self.ready.push_back(slot);
            } else {
                self.by_slot.remove(&slot);
            }
        }
    }
}

impl<T> Batch<T> {
    fn new() -> Self {
        Self {
            bookings: Vec::new(),
            slots: Vec::new(),
            patients: HashSet::new(),
            keys: HashSet::new(),
            counts: true,
        }
    }

    /// Takes from the head of a line whom it can; whether there was anybody.
    fn take_from(&mut self, line: &mut VecDeque<Ticket<T>>) -> bool {
        let before = self.bookings.len();
        while self.bookings.len() < MOST && line.front().is_some_and(|next| self.can_take(next)) {
            let Some(next) = line.pop_front() else { break };
            self.patients.insert(next.patient);
            self.keys.extend(next.key);
            self.bookings.push(next.booking);
        }
        self.bookings.len() > before
    }

    fn can_take(&self, next: &Ticket<T>) -> bool {
        // Those with a key may be sent again when an answer is lost, and the others may not.
        let is_of_a_kind = self.bookings.is_empty() || next.key.is_some() != self.keys.is_empty();
        let is_new_key = next.key.as_ref().is_none_or(|key| !self.keys.contains(key));
        is_of_a_kind && is_new_key && !self.patients.contains(&next.patient)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ticket(slot: i64, patient: i64, key: Option<&str>) -> Ticket<(i64, i64)> {
        Ticket {
            slot: SlotId::from_row(slot),
            patient: UserId::from_row(patient),
            key: key.map(|key| (format!("user:{patient}"), key.to_owned())),
            booking: (slot, patient),
        }
    }

    fn lines(tickets: impl IntoIterator<Item = (i64, i64)>) -> Lines<(i64, i64)> {
        let mut lines = Lines::default();
        for (slot, patient) in tickets {
            lines.add(ticket(slot, patient, None));
        }
        lines
    }

    #[test]
    fn one_who_is_alone_goes_at_once() {
        let mut lines = lines([(1, 1)]);
        assert_eq!(lines.begin().unwrap().bookings, [(1, 1)]);
        assert!(lines.begin().is_none());
        lines.add(ticket(2, 2, None));
        assert_eq!(lines.begin().unwrap().bookings, [(2, 2)]);
    }

    #[test]
    fn those_who_wait_go_together_over_slots() {
        let mut lines = lines([(1, 1), (2, 2), (1, 3), (3, 4)]);
        let batch = lines.begin().unwrap();
        assert_eq!(batch.bookings, [(1, 1), (1, 3), (2, 2), (3, 4)]);
    }

    #[test]
    fn a_slot_has_one_call_at_a_time() {
        let mut lines = lines([(1, 1)]);
        let mut first = lines.begin().unwrap();
        for ticket in [ticket(1, 2, None), ticket(2, 3, None), ticket(1, 4, None)] {
            lines.add(ticket);
        }
        let mut other = lines.begin().unwrap();
        assert_eq!(other.bookings, [(2, 3)]);
        assert!(lines.begin().is_none());
        lines.end(&mut first);
        assert_eq!(lines.begin().unwrap().bookings, [(1, 2), (1, 4)]);
        lines.end(&mut other);
        assert!(lines.begin().is_none());
    }

    #[test]
    fn a_patient_comes_once_in_a_call_and_keeps_his_turn() {
        let mut lines = lines([(1, 1), (1, 1), (2, 1), (2, 2), (3, 3)]);
        let mut first = lines.begin().unwrap();
        assert_eq!(first.bookings, [(1, 1), (3, 3)]);
        // Before those who come later, and not beside the call of its own slot.
        lines.add(ticket(4, 4, None));
        let mut second = lines.begin().unwrap();
        assert_eq!(second.bookings, [(2, 1), (2, 2), (4, 4)]);
        lines.end(&mut first);
        assert_eq!(lines.begin().unwrap().bookings, [(1, 1)]);
        lines.end(&mut second);
    }

    #[test]
    fn those_with_a_key_go_apart_and_no_key_goes_twice() {
        let mut lines = Lines::default();
        let mut same = ticket(4, 4, None);
        same.key = Some(("user:1".to_owned(), "a".to_owned()));
        for ticket in [
            ticket(1, 1, Some("a")),
            ticket(2, 2, None),
            ticket(3, 3, Some("a")),
            same,
            ticket(5, 5, None),
        ] {
            lines.add(ticket);
        }
        let mut first = lines.begin().unwrap();
        assert_eq!(first.bookings, [(1, 1), (3, 3)]);
        assert_eq!(lines.begin().unwrap().bookings, [(2, 2), (5, 5)]);
        lines.end(&mut first);
        assert_eq!(lines.begin().unwrap().bookings, [(4, 4)]);
    }

    #[test]
    fn calls_are_bounded_in_number_and_length() {
        let mut lines = lines((0..1000).map(|number| (1 + number % 400, 1 + number)));
        let mut calls: Vec<_> = std::iter::from_fn(|| lines.begin()).collect();
        assert_eq!(calls.len(), MOST_CALLS);
        assert!(calls.iter().all(|call| call.bookings.len() == MOST));
        // One that is held up holds nobody up; it is counted once.
        lines.hold_up(&mut calls[0]);
        calls.push(lines.begin().unwrap());
        assert!(lines.begin().is_none());
        lines.end(&mut calls[0]);
        assert!(lines.begin().is_none());
        lines.end(&mut calls[1]);
        assert!(lines.begin().is_some());
    }

    #[test]
    fn everybody_is_sent_once_and_nothing_is_left() {
        let mut lines = lines((0..1000).map(|number| (1 + number % 7, 1 + number % 90)));
        let (mut sent, mut calls) = (Vec::new(), VecDeque::new());
        loop {
            calls.extend(std::iter::from_fn(|| lines.begin()));
            let Some(mut call): Option<Batch<_>> = calls.pop_front() else {
                break;
            };
            sent.append(&mut call.bookings);
            lines.end(&mut call);
        }
        assert_eq!(sent.len(), 1000);
        assert!(lines.by_slot.is_empty() && lines.ready.is_empty());
        assert_eq!(lines.calls, 0);
    }
}
