//! The relay, without anything around it.

#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::calls::{CallKind, CallParty, CallProgress};
use crate::identity::FullName;

const CALLER: UserId = UserId::from_row(1);
const CALLEE: UserId = UserId::from_row(2);
const BEGUN: Timestamp = Timestamp::from_micros(0);

fn device(name: &str) -> DeviceId {
    DeviceId::from_row(name.to_owned())
}

fn call(state: CallState, version: u64) -> Call {
    let party = |user| CallParty {
        user,
        name: FullName::from_row("A".to_owned()),
    };
    let answered = !matches!(state, CallState::Initiated | CallState::Ringing);
    Call {
        id: CallId::new(uuid::Uuid::nil()),
        caller: party(CALLER),
        callee: party(CALLEE),
        kind: CallKind::Video,
        appointment: None,
        client_id: None,
        initiated_at: BEGUN,
        progress: CallProgress {
            state,
            callee_device: answered.then(|| device("tablet")),
            ..CallProgress::begun(Some(device("phone")))
        },
        version,
    }
}

fn signal(kind: SignalKind, size: usize) -> Signal {
    Signal {
        kind,
        payload: JsonText::parse(&"7".repeat(size)).expect("JSON"),
    }
}

struct House {
    relay: Relay,
    id: CallId,
}

impl House {
    fn at(state: CallState) -> Self {
        let relay = Relay::default();
        relay.take_up(&call(state, 1), BEGUN);
        Self {
            relay,
            id: call(state, 1).id,
        }
    }

    fn take(&self, user: UserId, name: &str, signal: Signal) -> Result<Vec<Outgoing>, Refused> {
        let names = [&device(name), &device("session")];
        let mut sent = Vec::new();
        self.relay
            .take(self.id, user, names, signal, |one| sent.push(one))?;
        Ok(sent)
    }

    fn caller(&self, kind: SignalKind, size: usize) -> Result<Vec<Outgoing>, Refused> {
        self.take(CALLER, "phone", signal(kind, size))
    }

    fn callee(&self, kind: SignalKind, size: usize) -> Result<Vec<Outgoing>, Refused> {
        self.take(CALLEE, "tablet", signal(kind, size))
    }

    fn again(&self, receiver: UserId, after: u64) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        self.relay
            .send_again(self.id, receiver, after, |one| sent.push(one));
        sent
    }

    fn answered(&self) -> Vec<Outgoing> {
        self.relay.note(&call(CallState::Accepted, 2));
        let mut sent = Vec::new();
        let released = self.relay.release(self.id, |one| sent.push(one));
        assert!(released.is_some(), "it is known");
        sent
    }
}

fn shown(outgoing: &[Outgoing]) -> Vec<(u64, SignalKind, usize)> {
    let one = |one: &Outgoing| (one.seq, one.signal.kind, one.signal.payload.as_str().len());
    outgoing.iter().map(one).collect()
}

use SignalKind::{Answer, Candidate, Offer};

#[test]
fn an_offer_and_its_candidates_wait_for_the_answer() {
    let house = House::at(CallState::Initiated);
    // The candidate came first: the offer goes before it all the same.
    assert_eq!(
        house.caller(Candidate, 1).map(|out| shown(&out)),
        Ok(vec![])
    );
    assert_eq!(house.caller(Offer, 2).map(|out| shown(&out)), Ok(vec![]));
    assert_eq!(
        house.caller(Candidate, 3).map(|out| shown(&out)),
        Ok(vec![])
    );
    assert_eq!(house.callee(Candidate, 4).err(), Some(Refused::Unbound));
    let outgoing = house.answered();
    assert_eq!(
        shown(&outgoing),
        [(1, Offer, 2), (2, Candidate, 1), (3, Candidate, 3)]
    );
    assert!(outgoing.iter().all(|one| {
        (one.sender, one.receiver, &one.device) == (CALLER, CALLEE, &device("tablet"))
    }));
    assert_eq!(house.answered().len(), 0);
    assert_eq!(
        house.caller(Candidate, 5).map(|out| shown(&out)),
        Ok(vec![(4, Candidate, 5)])
    );
}

#[test]
fn the_callees_candidates_wait_for_his_answer() {
    let house = House::at(CallState::Accepted);
    assert_eq!(
        house.callee(Candidate, 1).map(|out| shown(&out)),
        Ok(vec![])
    );
    let outgoing = house.callee(Answer, 2).map(|out| shown(&out));
    assert_eq!(outgoing, Ok(vec![(1, Answer, 2), (2, Candidate, 1)]));
    let outgoing = house.callee(Candidate, 3).map(|out| shown(&out));
    assert_eq!(outgoing, Ok(vec![(3, Candidate, 3)]));
}

#[test]
fn nothing_waits_for_a_description_that_nobody_owes() {
    let house = House::at(CallState::Accepted);
    // A caller's candidates wait for the device alone.
    let outgoing = house.caller(Candidate, 1).map(|out| shown(&out));
    assert_eq!(outgoing, Ok(vec![(1, Candidate, 1)]));
    let outgoing = house.callee(Candidate, 2).map(|out| shown(&out));
    assert_eq!(outgoing, Ok(vec![]));
    // The devices hear each other: no answer is owed any more.
    house.relay.note(&call(CallState::Connected, 3));
    let mut sent = Vec::new();
    house.relay.release(house.id, |one| sent.push(one));
    assert_eq!(shown(&sent), [(1, Candidate, 2)]);
    let outgoing = house.callee(Candidate, 3).map(|out| shown(&out));
    assert_eq!(outgoing, Ok(vec![(2, Candidate, 3)]));
}

#[test]
fn the_first_description_and_the_first_answer_are_told_once() {
    let house = House::at(CallState::Accepted);
    let told = |user, name, kind| {
        let names = [&device(name), &device("session")];
        let taken = house
            .relay
            .take(house.id, user, names, signal(kind, 1), |_| {});
        taken
            .map(|taken| (taken.is_first, taken.is_answered))
            .map_err(|refused| panic!("{refused:?}"))
    };
    assert_eq!(
        told(CALLER, "phone", Candidate),
        Ok::<_, ()>((false, false))
    );
    assert_eq!(told(CALLER, "phone", Offer), Ok((true, false)));
    assert_eq!(told(CALLEE, "tablet", Answer), Ok((false, true)));
    assert_eq!(told(CALLER, "phone", Offer), Ok((false, false)));
    assert_eq!(told(CALLEE, "tablet", Answer), Ok((false, false)));
}

#[test]
fn only_the_bound_devices_signal() {
    let house = House::at(CallState::Accepted);
    let offer = || signal(Offer, 1);
    let other = house.take(CALLER, "laptop", offer()).err();
    assert_eq!(other, Some(Refused::OtherDevice));
    let other = house.take(CALLEE, "phone", offer()).err();
    assert_eq!(other, Some(Refused::OtherDevice));
    let outsider = house.take(UserId::from_row(3), "phone", offer()).err();
    assert_eq!(outsider, Some(Refused::Unknown));
    // A device that was bound by its session is known by that.
    let relay = Relay::default();
    let mut by_session = call(CallState::Accepted, 1);
    by_session.progress.caller_device = Some(device("session"));
    relay.take_up(&by_session, BEGUN);
    let names = [&device("phone"), &device("session")];
    assert!(relay.take(house.id, CALLER, names, offer(), |_| {}).is_ok());
}

#[test]
fn what_waits_is_bounded_and_what_went_out_makes_room() {
    let house = House::at(CallState::Ringing);
    let half = 64 * 1024 - OVERHEAD;
    assert!(house.caller(Offer, half).is_ok());
    assert!(house.caller(Offer, half).is_ok());
    assert_eq!(house.caller(Candidate, 1).err(), Some(Refused::Full));
    // The other side has a place of its own.
    assert_eq!(shown(&house.answered()).len(), 2);
    assert!(house.callee(Answer, half).is_ok());
    // Both have gone out: the oldest is forgotten.
    assert_eq!(
        house.caller(Candidate, 7).map(|out| shown(&out)),
        Ok(vec![(3, Candidate, 7)])
    );
    let again = house.again(CALLEE, 0);
    assert_eq!(shown(&again), [(2, Offer, half), (3, Candidate, 7)]);
}

#[test]
fn a_device_that_comes_back_gets_what_it_missed() {
    let house = House::at(CallState::Accepted);
    for size in 1..=4 {
        assert!(house.caller(Offer, size).is_ok());
    }
    assert!(house.callee(Answer, 9).is_ok());
    let again = house.again(CALLEE, 2);
    assert_eq!(shown(&again), [(3, Offer, 3), (4, Offer, 4)]);
    let again = house.again(CALLER, 0);
    assert_eq!(shown(&again), [(1, Answer, 9)]);
    assert_eq!(house.again(CALLEE, 4).len(), 0);
    assert_eq!(house.again(UserId::from_row(3), 0).len(), 0);
}

#[test]
fn a_sender_who_changes_the_node_goes_on_with_higher_numbers() {
    let relay = Relay::default();
    let now = BEGUN.plus(Duration::from_secs(90));
    let talk = call(CallState::Connected, 5);
    relay.take_up(&talk, now);
    let names = [&device("phone"), &device("session")];
    let mut sent = Vec::new();
    let taken = relay.take(talk.id, CALLER, names, signal(Offer, 1), |one| {
        sent.push(one)
    });
    assert!(taken.is_ok());
    assert_eq!(shown(&sent), [(90_001, Offer, 1)]);
}

#[test]
fn a_call_that_is_over_is_forgotten() {
    let house = House::at(CallState::Connected);
    // News that is older than what is known changes nothing.
    house.relay.take_up(&call(CallState::Ringing, 1), BEGUN);
    assert!(house.caller(Offer, 1).is_ok());
    house.relay.note(&call(CallState::Ended, 9));
    assert!(!house.relay.knows(house.id));
    assert_eq!(house.caller(Offer, 1).err(), Some(Refused::Unknown));
    assert!(house.relay.known().is_empty());
}
