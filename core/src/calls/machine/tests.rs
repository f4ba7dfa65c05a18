//! The machine, tried exhaustively: every order of everything that can happen.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use super::*;
use crate::calls::CallState::{
    Accepted, Busy, Connected, Connecting, Declined, Ended, Failed, Initiated, Missed, Ringing,
};
use crate::calls::CallStatus;

fn device(name: &str) -> DeviceId {
    DeviceId::from_row(name.to_owned())
}

fn accept(name: &str) -> CallAction {
    CallAction::Accept {
        device: device(name),
        is_elsewhere: false,
    }
}

fn hang_up(side: CallSide) -> CallAction {
    CallAction::Hangup {
        side,
        unanswered: false,
        reported_duration: Some(1),
    }
}

fn actions() -> Vec<CallAction> {
    vec![
        CallAction::Ring,
        accept("one"),
        accept("other"),
        CallAction::Decline(EndReason::UserDeclined),
        CallAction::Decline(EndReason::Unanswered),
        hang_up(CallSide::Caller),
        hang_up(CallSide::Callee),
        CallAction::RingDeadline,
        CallAction::Signalled,
        CallAction::Connect,
        CallAction::ConnectDeadline,
        CallAction::Lost(CallSide::Caller),
        CallAction::Lost(CallSide::Callee),
        CallAction::Maximum,
    ]
}

const PARTIES: [UserId; 2] = [UserId::from_row(1), UserId::from_row(2)];

/// Whether the table lists this step; nothing else is legal.
fn is_listed(from: CallState, to: CallState) -> bool {
    match from {
        Initiated => matches!(to, Ringing | Accepted | Connected | Declined | Missed),
        Ringing => matches!(to, Accepted | Connected | Declined | Missed),
        Accepted => matches!(to, Connecting | Connected | Ended | Failed),
        Connecting => matches!(to, Connected | Ended | Failed),
        Connected => matches!(to, Ended),
        Ended | Missed | Declined | Failed | Busy => false,
    }
}

/// What must hold of a call at any time.
fn is_sound(call: &CallProgress, path: &[CallAction]) {
    let live = call.state.is_live();
    assert_eq!(live, call.ended_at.is_none(), "{path:?}");
    assert_eq!(live, call.end_reason.is_none(), "{path:?}");
    let answered = call.accepted_at.is_some();
    assert_eq!(answered, call.callee_device.is_some(), "{path:?}");
    match call.state {
        Initiated | Ringing | Missed | Declined | Busy => assert!(!answered, "{path:?}"),
        Accepted | Connecting | Connected | Ended | Failed => assert!(answered, "{path:?}"),
    }
    if call.state == Connected {
        assert!(call.connected_at.is_some(), "{path:?}");
    }
    if call.state == Failed {
        assert!(call.connected_at.is_none(), "{path:?}");
    }
    let times = [
        call.ringing_at,
        call.accepted_at,
        call.connected_at,
        call.ended_at,
    ];
    let times: Vec<_> = times.into_iter().flatten().collect();
    assert!(times.is_sorted(), "{path:?}");
}

/// Walks through every order of so many actions, and counts how calls end.
fn walk(
    call: &CallProgress,
    path: &mut Vec<CallAction>,
    left: usize,
    ends: &mut BTreeMap<CallState, u64>,
) {
    is_sound(call, path);
    if left == 0 {
        *ends.entry(call.state).or_insert(0) += 1;
        return;
    }
    for action in actions() {
        let at = i64::try_from(path.len() + 1).expect("a short path") * 1_000_000;
        let now = Timestamp::from_micros(at);
        path.push(action.clone());
        match decide(call, PARTIES, &action, now) {
            Decision::Change(next) => {
                assert!(call.state.is_live(), "{path:?}: what is over was changed");
                let listed = is_listed(call.state, next.state);
                assert!(listed, "{path:?}: {} to {}", call.state, next.state);
                if let Some(bound) = &call.callee_device {
                    assert_eq!(Some(bound), next.callee_device.as_ref(), "{path:?}");
                }
                walk(&next, path, left - 1, ends);
            }
            Decision::Same | Decision::Refused => walk(call, path, left - 1, ends),
        }
        path.pop();
    }
}

#[test]
fn every_order_of_events_is_legal_and_ends_once() {
    let mut ends = BTreeMap::new();
    let begun = CallProgress::begun(Some(device("caller")));
    walk(&begun, &mut Vec::new(), 5, &mut ends);
    assert_eq!(ends.values().sum::<u64>(), 14_u64.pow(5));
    for state in [
        Initiated, Ringing, Accepted, Connecting, Connected, Ended, Missed, Declined, Failed,
    ] {
        assert!(ends.contains_key(&state), "{state} is never reached");
    }
    assert!(!ends.contains_key(&Busy), "a call is busy from the start");
}

fn after(path: &[CallAction]) -> CallProgress {
    let mut call = CallProgress::begun(Some(device("caller")));
    for (at, action) in (1..).zip(path) {
        let now = Timestamp::from_micros(at * 10_000_000);
        match decide(&call, PARTIES, action, now) {
            Decision::Change(next) => call = next,
            other => panic!("{action:?} came to {other:?}"),
        }
    }
    call
}

fn last(path: &[CallAction], action: &CallAction) -> Decision {
    decide(&after(path), PARTIES, action, Timestamp::from_micros(1))
}

#[test]
fn each_way_of_ending_has_its_state_and_reason() {
    use CallSide::{Callee, Caller};
    let over = |path: &[CallAction]| {
        let call = after(path);
        (
            call.state,
            call.end_reason.expect("it is over"),
            call.ended_by.map(UserId::get),
            call.duration().as_secs(),
        )
    };
    let rung = CallAction::Ring;
    let talk = || vec![rung.clone(), accept("one"), CallAction::Connect];
    let then = |action: CallAction| [talk(), vec![action]].concat();
    let unanswered = CallAction::Hangup {
        side: Callee,
        unanswered: true,
        reported_duration: None,
    };
    for (path, expected) in [
        (
            vec![hang_up(Caller)],
            (Missed, EndReason::Cancelled, Some(1), 0),
        ),
        (
            vec![rung.clone(), hang_up(Caller)],
            (Missed, EndReason::Cancelled, Some(1), 0),
        ),
        (
            vec![rung.clone(), hang_up(Callee)],
            (Declined, EndReason::UserDeclined, Some(2), 0),
        ),
        (
            vec![unanswered],
            (Missed, EndReason::Unanswered, Some(2), 0),
        ),
        (
            vec![CallAction::Decline(EndReason::Busy)],
            (Declined, EndReason::Busy, Some(2), 0),
        ),
        (
            vec![CallAction::Decline(EndReason::Unanswered)],
            (Missed, EndReason::Unanswered, Some(2), 0),
        ),
        (
            vec![CallAction::RingDeadline],
            (Missed, EndReason::Unreachable, None, 0),
        ),
        (
            vec![rung.clone(), CallAction::RingDeadline],
            (Missed, EndReason::NoAnswer, None, 0),
        ),
        (
            vec![CallAction::Lost(Caller)],
            (Missed, EndReason::Cancelled, None, 0),
        ),
        (
            vec![accept("one"), hang_up(Callee)],
            (Ended, EndReason::UserHangup, Some(2), 0),
        ),
        (
            vec![
                accept("one"),
                CallAction::Signalled,
                CallAction::ConnectDeadline,
            ],
            (Failed, EndReason::ConnectionFailed, None, 0),
        ),
        (
            vec![accept("one"), CallAction::Lost(Callee)],
            (Failed, EndReason::NetworkError, None, 0),
        ),
        (
            then(hang_up(Caller)),
            (Ended, EndReason::UserHangup, Some(1), 10),
        ),
        (
            then(CallAction::Lost(Callee)),
            (Ended, EndReason::NetworkError, None, 10),
        ),
        (
            then(CallAction::Maximum),
            (Ended, EndReason::Timeout, None, 10),
        ),
    ] {
        assert_eq!(over(&path), expected, "{path:?}");
    }
}

#[test]
fn what_comes_too_late_or_twice_is_refused_or_changes_nothing() {
    let rung = CallAction::Ring;
    let answered = [rung.clone(), accept("one")];
    assert_eq!(last(&answered, &accept("one")), Decision::Same);
    assert_eq!(last(&answered, &accept("other")), Decision::Refused);
    let decline = CallAction::Decline(EndReason::UserDeclined);
    assert_eq!(last(&answered, &decline), Decision::Refused);
    let gone = [hang_up(CallSide::Caller)];
    assert_eq!(last(&gone, &accept("one")), Decision::Refused);
    assert_eq!(last(&gone, &decline), Decision::Same);
    assert_eq!(last(&gone, &hang_up(CallSide::Callee)), Decision::Same);
    assert_eq!(last(&gone, &CallAction::Connect), Decision::Refused);
    assert_eq!(
        last(std::slice::from_ref(&rung), &CallAction::Connect),
        Decision::Refused
    );
    // Who is called has other devices.
    assert_eq!(
        last(&[rung], &CallAction::Lost(CallSide::Callee)),
        Decision::Same
    );
    let talk = [accept("one"), CallAction::Connect];
    for late in [
        CallAction::Connect,
        CallAction::ConnectDeadline,
        CallAction::RingDeadline,
        CallAction::Signalled,
    ] {
        assert_eq!(last(&talk, &late), Decision::Same, "{late:?}");
    }
}

#[test]
fn who_signals_elsewhere_is_connected_at_once() {
    let call = after(&[CallAction::Accept {
        device: device("one"),
        is_elsewhere: true,
    }]);
    assert_eq!(call.state, Connected);
    assert_eq!(call.connected_at, call.accepted_at);
    assert!(call.connected_at.is_some());
}

#[test]
fn each_side_sees_an_end_in_its_own_way() {
    use CallSide::{Callee, Caller};
    let both = |path: &[CallAction]| {
        let call = after(path);
        [call.shown_to(Caller), call.shown_to(Callee)]
    };
    let talk = vec![accept("one"), CallAction::Connect];
    for (path, expected) in [
        (
            vec![hang_up(Caller)],
            [CallStatus::Cancelled, CallStatus::Missed],
        ),
        (
            vec![CallAction::RingDeadline],
            [CallStatus::Missed, CallStatus::Missed],
        ),
        (
            vec![CallAction::Decline(EndReason::Rejected)],
            [CallStatus::Declined, CallStatus::Declined],
        ),
        (
            vec![accept("one"), hang_up(Caller)],
            [CallStatus::Cancelled, CallStatus::Cancelled],
        ),
        (
            vec![accept("one"), CallAction::ConnectDeadline],
            [CallStatus::Failed, CallStatus::Failed],
        ),
        (
            [talk, vec![hang_up(Callee)]].concat(),
            [CallStatus::Completed, CallStatus::Completed],
        ),
    ] {
        assert_eq!(both(&path), expected, "{path:?}");
    }
    let busy = CallProgress {
        state: Busy,
        ..CallProgress::begun(None)
    };
    assert_eq!(busy.shown_to(Caller), CallStatus::Busy);
    assert_eq!(busy.shown_to(Callee), CallStatus::Missed);
}
