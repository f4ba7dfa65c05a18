//! Cases of reading calls, their lists and their tallies.

use std::cmp::Reverse;
use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::calls::{
    Call, CallAction, CallFilter, CallKind, CallRow, CallSide, CallStatus, CallTally, EndReason,
    NewCall, PartyQuality,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::identity::{FullName, UserEdit};
use telemed_core::journal::Resource;
use telemed_core::time::Timestamp;

use crate::build::{World, accept, applied, at, hangup, minutes, page, user_id};
use crate::suite::case_list;

case_list! { "calls":
    an_unknown_call_is_none,
    parties_come_with_their_names,
    calls_are_listed_for_their_parties,
    calls_are_found_by_kind_status_side_and_time,
    calls_are_tallied,
}

async fn an_unknown_call_is_none(world: Arc<World>) {
    let known = world
        .call(world.patient().await, world.patient().await)
        .await;
    let unknown = CallId::new(world.uuid());
    let store = &world.storage;
    assert_eq!(store.call_by_id(unknown).await.unwrap(), None);
    assert_eq!(store.call_quality(unknown).await.unwrap(), None);
    assert_eq!(store.call_by_id(known.id).await.unwrap(), Some(known));
}

async fn parties_come_with_their_names(world: Arc<World>) {
    let (caller, callee) = (
        world.user(Role::Doctor).await,
        world.user(Role::Patient).await,
    );
    let call = world.call(caller.id, callee.id).await;
    let names = |call: &Call| [call.caller.name.clone(), call.callee.name.clone()];
    let (one, other) = (&caller.full_name, &callee.full_name);
    assert_eq!(names(&call), [one.clone(), other.clone()]);
    // Everywhere the same, and the present ones.
    let renamed = FullName::new("Renamed").unwrap();
    let edit = UserEdit {
        full_name: Some(renamed.clone()),
        ..UserEdit::default()
    };
    let write = world.changes(Resource::User, callee.id.get());
    let edited = world.storage.edit_user(&write, callee.id, &edit).await;
    applied(edited.unwrap());
    let now = world.call_now(call.id).await;
    assert_eq!(names(&now), [one.clone(), renamed]);
    for user in [caller.id, callee.id] {
        let live = world.storage.live_calls_of(user).await.unwrap();
        assert_eq!(live, std::slice::from_ref(&now));
        assert_eq!(
            list(&world, user, CallFilter::default()).await,
            std::slice::from_ref(&now)
        );
    }
    let advanced = world.act(at(1), call.id, &[CallAction::Ring]).await;
    assert_eq!(names(&advanced), names(&now));
}

async fn rows(world: &World, user: UserId, filter: CallFilter) -> Vec<CallRow> {
    let listed = world.storage.call_page(user, &filter, page(0, 100)).await;
    let listed = listed.unwrap();
    assert_eq!(listed.total, listed.items.len() as u64);
    listed.items
}

async fn list(world: &World, user: UserId, filter: CallFilter) -> Vec<Call> {
    let rows = rows(world, user, filter).await;
    rows.into_iter().map(|row| row.call).collect()
}

async fn calls_are_listed_for_their_parties(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    // Two are begun at one time: the one with the higher id comes first.
    let mut begun = Vec::new();
    for (minute, caller, callee) in [
        (10, me, you),
        (40, you, me),
        (20, me, third),
        (20, third, me),
        (30, you, third),
    ] {
        let call = world
            .begin(at(minute), &world.new_call(caller, callee))
            .await;
        let act = [hangup(CallSide::Callee)];
        begun.push(world.act(at(minute + 1), call.id, &act).await);
    }
    let [a, b, c, d, e] = &begun[..] else {
        panic!()
    };
    let all = CallFilter::default();
    for (user, expected) in [
        (me, vec![b, d, c, a]),
        (you, vec![b, e, a]),
        (third, vec![e, d, c]),
        (user_id(999), vec![]),
    ] {
        let listed = list(&world, user, all).await;
        assert!(listed.iter().eq(expected), "{user}");
    }
    // Page by page it is the same list; each row has the quality of caller and callee.
    let whole = rows(&world, me, all).await;
    for row in &whole {
        let none = row.call.users().map(PartyQuality::none);
        assert_eq!(row.quality, none);
    }
    let mut paged = Vec::new();
    for skip in 0..6 {
        let listed = world.storage.call_page(me, &all, page(skip, 1)).await;
        let listed = listed.unwrap();
        assert_eq!(listed.total, 4);
        paged.extend(listed.items);
    }
    assert_eq!(paged, whole);
    let middle = world.storage.call_page(me, &all, page(1, 2)).await.unwrap();
    assert_eq!((middle.total, &middle.items[..]), (4, &whole[1..3]));
}

/// What becomes of a call, and how it looks to the caller and to the callee then.
fn fates() -> Vec<(Vec<CallAction>, CallStatus, CallStatus)> {
    use CallStatus as S;
    let (ring, accept, connect) = (CallAction::Ring, accept("phone"), CallAction::Connect);
    let (by_caller, by_callee) = (hangup(CallSide::Caller), hangup(CallSide::Callee));
    let one = |actions: &[&CallAction], status| {
        let actions: Vec<_> = actions.iter().copied().cloned().collect();
        (actions, status, status)
    };
    let connected = [&accept, &connect];
    vec![
        one(&[], S::Initiated),
        one(&[&ring], S::Ringing),
        one(&[&accept], S::Accepted),
        one(&[&accept, &CallAction::Signalled], S::Connecting),
        one(&connected, S::Connected),
        one(&[connected[0], connected[1], &by_callee], S::Completed),
        one(&[&ring, &CallAction::RingDeadline], S::Missed),
        one(
            &[&CallAction::Decline(EndReason::UserDeclined)],
            S::Declined,
        ),
        one(&[&accept, &CallAction::ConnectDeadline], S::Failed),
        one(&[&accept, &by_caller], S::Cancelled),
        (vec![by_caller], S::Cancelled, S::Missed),
    ]
}

/// Begins calls of two, one a minute, each with another fate, and one that found the callee busy.
async fn fated(world: &World, caller: UserId, callee: UserId) -> Vec<Call> {
    let mut calls = Vec::new();
    for (minute, (actions, ..)) in (0..).zip(fates()) {
        let kind = CallKind::ALL[usize::try_from(minute).unwrap() % 2];
        let new = NewCall {
            kind,
            ..world.new_call(caller, callee)
        };
        let mut start = world.starting(at(minute), &new);
        start.most_live = 100;
        world.start(&start).await;
        calls.push(world.act(at(minute + 60), new.id, &actions).await);
    }
    let mut busy = world.starting(at(60), &world.new_call(caller, callee));
    (busy.callee_refuses, busy.most_live) = (true, 100);
    world.start(&busy).await;
    calls.push(world.call_now(busy.call.id).await);
    calls
}

/// Whether a call is one that a user looks for.
fn fits(call: &Call, user: UserId, filter: &CallFilter) -> bool {
    let Some(side) = call.side_of(user) else {
        return false;
    };
    filter.kind.is_none_or(|kind| call.kind == kind)
        && filter.side.is_none_or(|wanted| side == wanted)
        && filter
            .status
            .is_none_or(|status| call.progress.shown_to(side) == status)
        && filter.from.is_none_or(|from| call.initiated_at >= from)
        && filter.before.is_none_or(|end| call.initiated_at < end)
}

/// Each of them, and none.
fn or_none<T: Copy>(all: &[T]) -> Vec<Option<T>> {
    all.iter().copied().map(Some).chain([None]).collect()
}

async fn calls_are_found_by_kind_status_side_and_time(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    let mut calls = fated(&world, me, you).await;
    let to_others = calls.clone();
    calls.extend(fated(&world, third, me).await);
    // Others' calls are in nobody else's list.
    fated(&world, you, third).await;
    calls.sort_by_key(|call| Reverse((call.initiated_at, call.id)));
    let mut found_with = 0;
    for kind in or_none(CallKind::ALL) {
        for side in or_none(CallSide::ALL) {
            for status in or_none(CallStatus::ALL) {
                for (from, before) in [
                    (None, None),
                    (Some(at(3)), None),
                    (None, Some(at(3))),
                    (Some(at(3)), Some(at(4))),
                    (Some(at(4)), Some(at(4))),
                ] {
                    let filter = CallFilter {
                        kind,
                        status,
                        side,
                        from,
                        before,
                    };
                    let expected = calls.iter().filter(|call| fits(call, me, &filter));
                    let found = list(&world, me, filter).await;
                    found_with += usize::from(!found.is_empty());
                    assert!(found.iter().eq(expected), "{filter:?}");
                }
            }
        }
    }
    assert!(found_with > 100, "{found_with}");
    // What a call looks like is one thing to the caller and another to the callee.
    for (call, (_, to_caller, to_callee)) in to_others.iter().zip(fates()) {
        for (user, status, not) in [(me, to_caller, to_callee), (you, to_callee, to_caller)] {
            let with = |status| CallFilter {
                status: Some(status),
                from: Some(call.initiated_at),
                before: Some(call.initiated_at.plus(minutes(1))),
                side: call.side_of(user),
                ..CallFilter::default()
            };
            let found = list(&world, user, with(status)).await;
            assert!(found.contains(call), "{status}");
            let is_other = not != status;
            assert!(!is_other || !list(&world, user, with(not)).await.contains(call));
        }
    }
    // A list with a filter comes page by page as well.
    let missed = CallFilter {
        status: Some(CallStatus::Missed),
        ..CallFilter::default()
    };
    let whole = rows(&world, me, missed).await;
    let part = world.storage.call_page(me, &missed, page(1, 2)).await;
    let part = part.unwrap();
    assert_eq!(whole.len(), 4);
    assert_eq!((part.total, &part.items[..]), (4, &whole[1..3]));
}

async fn calls_are_tallied(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    assert_eq!(tallies(&world, me, None).await, []);
    let mut calls = fated(&world, me, you).await;
    calls.extend(fated(&world, third, me).await);
    // Three that lasted: each counts its whole seconds.
    for (caller, callee) in [(me, you), (third, me), (me, you)] {
        let new = world.new_call(caller, callee);
        let mut start = world.starting(at(100), &new);
        start.most_live = 100;
        world.start(&start).await;
        let answered = [accept("phone"), CallAction::Connect];
        let call = world.act(at(101), new.id, &answered).await;
        let end = Timestamp::from_micros(at(101).micros() + 90_999_999);
        let over = world.act(end, call.id, &[hangup(CallSide::Callee)]).await;
        assert_eq!(over.progress.duration().as_micros(), 90_999_999);
        calls.push(over);
    }
    for user in [me, you, third] {
        for from in [None, Some(at(0)), Some(at(4)), Some(at(100)), Some(at(101))] {
            let mut expected: Vec<CallTally> = Vec::new();
            let filter = CallFilter {
                from,
                ..CallFilter::default()
            };
            for call in calls.iter().filter(|call| fits(call, user, &filter)) {
                let side = call.side_of(user).unwrap();
                let one = CallTally {
                    side,
                    status: call.progress.shown_to(side),
                    kind: call.kind,
                    calls: 1,
                    seconds: call.progress.duration().as_secs(),
                };
                match expected.iter_mut().find(|other| key(other) == key(&one)) {
                    Some(other) => {
                        other.calls += 1;
                        other.seconds += one.seconds;
                    }
                    None => expected.push(one),
                }
            }
            expected.sort_by_key(key);
            assert_eq!(tallies(&world, user, from).await, expected);
        }
    }
    let lasted = CallTally {
        side: CallSide::Caller,
        status: CallStatus::Completed,
        kind: CallKind::Video,
        calls: 2,
        seconds: 180,
    };
    assert_eq!(tallies(&world, me, Some(at(100))).await[1], lasted);
    assert_eq!(tallies(&world, user_id(999), None).await, []);
}

fn key(tally: &CallTally) -> (&'static str, &'static str, &'static str) {
    let CallTally {
        side, status, kind, ..
    } = tally;
    (side.as_str(), status.as_str(), kind.as_str())
}

async fn tallies(world: &World, user: UserId, from: Option<Timestamp>) -> Vec<CallTally> {
    let mut tallies = world.storage.call_tallies(user, from).await.unwrap();
    tallies.sort_by_key(key);
    tallies
}
