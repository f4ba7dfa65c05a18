//! What holds in every store at every time, whatever was done to it.

use std::collections::BTreeMap;

use telemed_core::calls::CallRow;
use telemed_core::journal::AuditHead;
use telemed_core::messaging::{Conversation, StoredMessage};
use telemed_core::scheduling::Slot;

use crate::dump::Dump;

/// Checks what a store contains against itself.
///
/// # Panics
/// When something cannot be.
pub fn check(dump: &Dump) {
    seats_are_counted(dump);
    nobody_is_in_two_places(dump);
    nobody_is_booked_while_away(dump);
    people_are_whole(dump);
    ended_sessions_stay_ended(dump);
    conversations_are_whole(dump);
    what_is_unread_is_counted(dump);
    receipts_reach_the_places(dump);
    calls_are_whole(dump);
    histories_are_of_the_parties(dump);
    the_trail_is_a_chain(dump);
}

/// A slot's count is that of its appointments that take a seat, and never above its capacity.
fn seats_are_counted(dump: &Dump) {
    let mut taken: BTreeMap<_, u16> = BTreeMap::new();
    for appointment in dump
        .appointments
        .iter()
        .filter(|one| one.status.takes_seat())
    {
        *taken.entry(appointment.slot).or_default() += 1;
    }
    for slot in &dump.slots {
        let count = taken.get(&slot.id).copied().unwrap_or_default();
        assert_eq!(slot.booked_count, count, "the seats of slot {}", slot.id);
        assert!(
            count <= slot.capacity.get(),
            "slot {} was oversold",
            slot.id
        );
        let live = dump
            .appointments
            .iter()
            .any(|one| one.slot == slot.id && one.status.is_live());
        assert!(
            slot.is_active || !live,
            "slot {} was taken back over live bookings",
            slot.id
        );
    }
}

/// No doctor offers two slots at one time, no patient has two visits at one time, and an
/// appointment says what its slot says.
fn nobody_is_in_two_places(dump: &Dump) {
    let offered: Vec<&Slot> = dump.slots.iter().filter(|slot| slot.is_active).collect();
    for (at, one) in offered.iter().enumerate() {
        for other in &offered[at + 1..] {
            let shared = one
                .facts
                .overlaps(other.facts.starts_at, other.facts.ends_at);
            assert!(
                one.facts.doctor != other.facts.doctor || !shared,
                "two slots at one time"
            );
        }
    }
    let live: Vec<_> = dump
        .appointments
        .iter()
        .filter(|one| one.status.is_live())
        .collect();
    for (at, one) in live.iter().enumerate() {
        for other in &live[at + 1..] {
            let shared = one
                .facts
                .overlaps(other.facts.starts_at, other.facts.ends_at);
            assert!(
                one.patient != other.patient || !shared,
                "a patient in two places"
            );
        }
    }
    for appointment in &dump.appointments {
        let slot = dump.slots.iter().find(|slot| slot.id == appointment.slot);
        let slot = slot.expect("an appointment without a slot");
        assert_eq!(
            (appointment.facts, appointment.local_day),
            (slot.facts, slot.local_day)
        );
        let clinic = dump
            .clinics
            .iter()
            .find(|clinic| clinic.id == slot.facts.clinic);
        let zone = &clinic.expect("a slot without a clinic").details.time_zone;
        assert_eq!(
            slot.local_day,
            slot.facts.starts_at.local_day(zone),
            "slot {}",
            slot.id
        );
        assert!(
            dump.patients
                .iter()
                .any(|patient| patient.id == appointment.patient)
        );
    }
}

/// No live appointment lies in a time that its doctor has blocked.
fn nobody_is_booked_while_away(dump: &Dump) {
    for block in dump.blocks.iter().map(|block| &block.details) {
        let is_in_it = dump.appointments.iter().any(|one| {
            one.status.is_live()
                && one.facts.doctor == block.doctor
                && one.facts.overlaps(block.starts_at, block.ends_at)
        });
        assert!(!is_in_it, "a booking in a blocked time");
    }
}

/// Every user has a data key, addresses, telephone numbers and licences are nobody else's, and
/// who is a patient has a profile.
fn people_are_whole(dump: &Dump) {
    use telemed_core::actor::Role;
    let mut logins: Vec<&str> = Vec::new();
    for (user, _, key) in &dump.users {
        assert!(key.is_some(), "user {} has no data key", user.id);
        let has_profile = dump.patients.iter().any(|patient| patient.id == user.id);
        assert_eq!(has_profile, user.role == Role::Patient, "user {}", user.id);
        logins.extend(user.email.as_ref().map(|email| email.folded()));
        logins.extend(user.phone.as_ref().map(|phone| phone.folded()));
    }
    let mut licences: Vec<String> = dump
        .doctors
        .iter()
        .map(|doctor| doctor.details.licence_number.folded())
        .collect();
    let (people, doctors) = (logins.len(), licences.len());
    logins.sort_unstable();
    logins.dedup();
    licences.sort_unstable();
    licences.dedup();
    assert_eq!(
        (logins.len(), licences.len()),
        (people, doctors),
        "something is there twice"
    );
}

/// Who is deactivated has no session that is open.
fn ended_sessions_stay_ended(dump: &Dump) {
    for one in &dump.sessions {
        let is_open = one.session.ended_at.is_none();
        assert!(
            one.user.is_active || !is_open,
            "an open session of a deactivated account"
        );
    }
}

/// A pair has one conversation, which both have in their lists, with a key of its own; its
/// messages are numbered without a gap, and the list shows the newest.
fn conversations_are_whole(dump: &Dump) {
    let (mut pairs, mut keys) = (Vec::new(), Vec::new());
    for (conversation, key, messages) in &dump.conversations {
        let places = messages.iter().map(|message| message.seq);
        assert!(places.eq(1..=conversation.last_seq), "a gap in the places");
        let newest = messages.last().map(|message| message.created_at);
        assert_eq!(conversation.last_message_at, newest);
        let key = key.as_ref().expect("a conversation without its key");
        assert_eq!(key.id, conversation.key);
        keys.push(key.id);
        let users = conversation.users();
        assert!(users.is_sorted(), "participants come by id");
        for message in messages {
            let pair = [Some(message.sender), message.recipient];
            let is_theirs = |pair: [_; 2]| users.iter().copied().map(Some).eq(pair);
            assert!(is_theirs(pair) || is_theirs([pair[1], pair[0]]));
        }
        for (user, rows, open) in &dump.lists {
            let row = rows
                .iter()
                .find(|row| row.conversation.id == conversation.id);
            assert_eq!(row.is_some(), users.contains(user), "somebody else's list");
            let Some(row) = row else { continue };
            assert_eq!(&row.conversation, conversation);
            assert_eq!(row.last_message.as_ref(), messages.last());
            let place = conversation.participant(*user).expect("a participant");
            assert_eq!(open.contains(&conversation.id), !place.is_archived);
        }
        pairs.push(users);
    }
    let (conversations, owners) = (pairs.len(), keys.len() + dump.users.len());
    keys.extend(
        dump.users
            .iter()
            .filter_map(|(_, _, key)| Some(key.as_ref()?.id)),
    );
    pairs.sort_unstable();
    pairs.dedup();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(pairs.len(), conversations, "a pair has two conversations");
    assert_eq!(keys.len(), owners, "a key seals what belongs to two");
}

/// What counts as unread is what others have sent after the place up to which was read.
fn what_is_unread_is_counted(dump: &Dump) {
    for (conversation, _, messages) in &dump.conversations {
        for place in &conversation.participants {
            let unread = messages
                .iter()
                .filter(|one| one.sender != place.user && one.seq > place.read_up_to);
            assert_eq!(place.unread, unread.count() as u64, "what is unread");
            assert!(
                place.read_up_to <= place.delivered_up_to,
                "read and not received"
            );
            assert!(place.delivered_up_to <= conversation.last_seq, "read ahead");
        }
    }
}

/// What lies up to a participant's place is dated, and nothing after it.
fn receipts_reach_the_places(dump: &Dump) {
    for (conversation, _, messages) in &dump.conversations {
        for place in &conversation.participants {
            let others: Vec<_> = messages
                .iter()
                .filter(|message| message.sender != place.user)
                .collect();
            let dated = |up_to: u64, date: fn(&StoredMessage) -> bool| {
                let mut all = others.iter();
                all.all(|message| date(message) == (message.seq <= up_to))
            };
            let Conversation { id, .. } = conversation;
            assert!(
                dated(place.delivered_up_to, |one| one.delivered_at.is_some()),
                "{id}"
            );
            assert!(dated(place.read_up_to, |one| one.read_at.is_some()), "{id}");
        }
    }
}

/// A call is over when it has ended, and its quality is that of its parties' samples.
fn calls_are_whole(dump: &Dump) {
    for (CallRow { call, quality }, samples) in &dump.calls {
        let progress = &call.progress;
        let is_over = progress.ended_at.is_some();
        assert_ne!(progress.state.is_live(), is_over, "over and live");
        assert_eq!(progress.end_reason.is_some(), is_over, "over for no reason");
        assert!(call.version > 0);
        assert_eq!(quality.clone().map(|of| of.user), call.users());
        for of in quality {
            let own = samples.iter().filter(|one| one.sample.user == of.user);
            assert_eq!(of.samples, own.count() as u64, "samples are not counted");
        }
        let of_parties = quality[0].samples + quality[1].samples;
        assert_eq!(of_parties, samples.len() as u64, "somebody else's sample");
    }
}

/// A history has the calls of its user, the live ones are those that are not over, and the tallies
/// count each once.
fn histories_are_of_the_parties(dump: &Dump) {
    for (user, listed, tallies, live) in &dump.histories {
        let calls = dump.calls.iter().map(|(row, _)| &row.call);
        let own: Vec<_> = calls.filter(|call| call.side_of(*user).is_some()).collect();
        assert!(own.iter().map(|call| &call.id).eq(listed), "the history");
        let not_over = own.iter().filter(|call| call.progress.state.is_live());
        assert!(not_over.map(|call| &call.id).eq(live), "the live calls");
        let counted: u64 = tallies.iter().map(|tally| tally.calls).sum();
        let seconds: u64 = tallies.iter().map(|tally| tally.seconds).sum();
        assert_eq!(counted, own.len() as u64, "the tallies");
        let lasted = own.iter().map(|call| call.progress.duration().as_secs());
        assert_eq!(seconds, lasted.sum::<u64>(), "the seconds of the tallies");
    }
}

/// The audit trail has dense numbers, and every hash follows from the row and the one before.
fn the_trail_is_a_chain(dump: &Dump) {
    let mut head = AuditHead::EMPTY;
    for row in &dump.audit {
        head = head.after(&row.row);
        assert_eq!(row.head, head, "the audit trail is broken");
    }
}
