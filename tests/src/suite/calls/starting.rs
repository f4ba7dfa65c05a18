//! Cases of beginning a call.

use std::sync::Arc;

use telemed_core::calls::{
    Call, CallAction, CallKind, CallProgress, CallSide, CallState, ClientCallId, EndReason,
    NewCall, StartCall, StartCallOutcome as Outcome,
};
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::journal::IdempotencyKey;
use telemed_core::store::Written;

use crate::build::{NOW, World, about_call, accept, applied, at, device, hangup, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "calls":
    a_call_is_begun_in_order,
    a_user_is_in_so_many_live_calls,
    two_who_call_each_other_meet,
    a_clients_id_begins_once,
    a_busy_callee_is_recorded,
    a_begun_call_replays_its_key,
}

/// Begins a call of two that is over at once.
async fn over(world: &World, call: &NewCall) -> Call {
    let call = world.begin(NOW, call).await;
    world.act(NOW, call.id, &[hangup(CallSide::Caller)]).await
}

/// A beginning that leaves nothing behind.
async fn refused(world: &World, call: &NewCall) -> Outcome {
    world.unchanged(world.start_at(at(5), call)).await
}

async fn a_call_is_begun_in_order(world: Arc<World>) {
    let [me, you, third, fourth] = world.patients(4).await[..] else {
        panic!()
    };
    let before = over(&world, &world.call_under(me, third, "c")).await;
    // They call me: each outcome could be, and the first counts.
    let ringing = world.call(you, me).await;
    let reused = world.call_under(me, you, "c");
    assert_eq!(refused(&world, &reused).await, Outcome::ClientIdReused);
    let again = world.call_under(me, third, "c");
    assert_eq!(refused(&world, &again).await, Outcome::Repeated(before));
    let back = world.call_under(me, you, "d");
    assert_eq!(
        refused(&world, &back).await,
        Outcome::Glare(ringing.clone())
    );
    let elsewhere = world.call_under(me, third, "d");
    let busy = Outcome::CallerBusy(ringing.clone());
    assert_eq!(refused(&world, &elsewhere).await, busy);
    // It meets the call as long as nobody has answered, however many calls one may be in.
    let ringing = world.act(at(1), ringing.id, &[CallAction::Ring]).await;
    let mut two = world.starting(at(5), &back);
    two.most_live = 2;
    let met = world.unchanged(world.start(&two)).await;
    assert_eq!(met, Outcome::Glare(ringing.clone()));
    let answered = world.act(at(1), ringing.id, &[accept("phone")]).await;
    let busy = Outcome::CallerBusy(answered.clone());
    assert_eq!(refused(&world, &back).await, busy);
    assert_eq!(
        refused(&world, &elsewhere).await,
        Outcome::CallerBusy(answered.clone())
    );

    // To call somebody who is in a call writes, and so does to call somebody who is in none.
    let outcome = world
        .start_at(at(5), &world.call_under(third, me, "c"))
        .await;
    let Outcome::CalleeBusy(busy) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(world.call_now(busy.id).await, busy);
    let new = NewCall {
        caller_device: Some(device("tablet")),
        kind: CallKind::Voice,
        appointment: Some(AppointmentId::from_row(i64::MAX)),
        ..world.call_under(third, fourth, "d")
    };
    let begun = world.begin(at(6), &new).await;
    assert_eq!(world.call_now(new.id).await, begun);
    assert_eq!(begun.caller.user, third);
    assert_eq!(begun.callee.user, fourth);
    assert_eq!(begun.kind, CallKind::Voice);
    assert_eq!(begun.appointment, new.appointment);
    assert_eq!(begun.client_id, new.client_id);
    assert_eq!((begun.initiated_at, begun.version), (at(6), 1));
    assert_eq!(begun.progress, CallProgress::begun(new.caller_device));

    // In a second one, the newest is named.
    let mut second = world.starting(at(7), &world.new_call(third, me));
    second.most_live = 2;
    let Outcome::Started(second) = world.start(&second).await else {
        panic!("it was refused")
    };
    let mut next = world.starting(at(8), &world.new_call(third, you));
    next.most_live = 2;
    let outcome = world.unchanged(world.start(&next)).await;
    assert_eq!(outcome, Outcome::CallerBusy(second));
}

async fn a_user_is_in_so_many_live_calls(world: Arc<World>) {
    const CALLERS: usize = 16;
    for most in [1, 3] {
        let hub = world.patient().await;
        let others = world.patients(CALLERS).await;
        let outcomes = together(CALLERS, |caller| {
            let world = Arc::clone(&world);
            let other = others[caller];
            async move {
                let call = if caller % 2 == 0 {
                    world.new_call(hub, other)
                } else {
                    world.new_call(other, hub)
                };
                let start = StartCall {
                    most_live: most,
                    ..world.starting(NOW, &call)
                };
                (call, world.start(&start).await)
            }
        })
        .await;
        let mut started = Vec::new();
        for (call, outcome) in outcomes {
            match outcome {
                Outcome::Started(call) => started.push(call.id),
                Outcome::CallerBusy(_) => assert_eq!(call.caller, hub),
                Outcome::CalleeBusy(_) => assert_eq!(call.callee, hub),
                other => panic!("{other:?}"),
            }
        }
        let live = world.storage.live_calls_of(hub).await.unwrap();
        let mut live: Vec<_> = live.iter().map(|call| call.id).collect();
        started.sort_unstable();
        live.sort_unstable();
        assert_eq!(live, started);
        assert_eq!(live.len(), most as usize);
    }
}

async fn two_who_call_each_other_meet(world: Arc<World>) {
    for _ in 0..6 {
        let pair = world.patients(2).await;
        let outcomes = together(4, |caller| {
            let world = Arc::clone(&world);
            let (one, other) = (pair[caller % 2], pair[(caller + 1) % 2]);
            async move { (one, world.start_at(NOW, &world.new_call(one, other)).await) }
        })
        .await;
        let begun = outcomes.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Started(call) => Some(call.clone()),
            _ => None,
        });
        let begun = begun.expect("nobody has begun one");
        let mut count = 0;
        for (caller, outcome) in outcomes {
            match outcome {
                Outcome::Started(_) => count += 1,
                Outcome::Glare(met) => {
                    assert_ne!(caller, begun.caller.user);
                    assert_eq!(met, begun);
                }
                Outcome::CallerBusy(met) => {
                    assert_eq!(caller, begun.caller.user);
                    assert_eq!(met, begun);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(count, 1);
    }
}

async fn a_clients_id_begins_once(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    let find = async |caller: UserId, id: &str| {
        let id = ClientCallId::new(id).unwrap();
        world.storage.call_by_client_id(caller, &id).await.unwrap()
    };
    assert_eq!(find(me, "مكالمة 1").await, None);
    let first = world
        .begin(NOW, &world.call_under(me, you, "مكالمة 1"))
        .await;
    assert_eq!(find(me, "مكالمة 1").await.as_ref(), Some(&first));
    assert_eq!(find(you, "مكالمة 1").await, None);
    // The same again, while it is live and when it is over.
    let again = world.call_under(me, you, "مكالمة 1");
    let repeated = Outcome::Repeated(first.clone());
    assert_eq!(refused(&world, &again).await, repeated);
    let first = world
        .act(at(1), first.id, &[hangup(CallSide::Caller)])
        .await;
    let repeated = Outcome::Repeated(first.clone());
    assert_eq!(refused(&world, &again).await, repeated);
    assert_eq!(find(me, "مكالمة 1").await, Some(first));
    // Another device of the same client is the same call; another kind, callee or appointment is
    // another one.
    let other_device = NewCall {
        caller_device: Some(device("tablet")),
        ..again.clone()
    };
    assert_eq!(refused(&world, &other_device).await, repeated);
    for reused in [
        NewCall {
            kind: CallKind::Voice,
            ..again.clone()
        },
        NewCall {
            callee: third,
            ..again.clone()
        },
        NewCall {
            appointment: Some(AppointmentId::from_row(1)),
            ..again.clone()
        },
    ] {
        assert_eq!(refused(&world, &reused).await, Outcome::ClientIdReused);
    }
    // Others and other spellings are not concerned, nor are calls without one.
    for new in [
        world.call_under(you, me, "مكالمة 1"),
        world.call_under(me, you, "A"),
        world.call_under(me, you, "a"),
        world.new_call(me, you),
        world.new_call(me, you),
    ] {
        assert_eq!(over(&world, &new).await.id, new.id);
    }
    // A busy callee takes the id up as well.
    world.call(you, third).await;
    let busy = world.call_under(me, you, "busy");
    let Outcome::CalleeBusy(busy) = world.start_at(NOW, &busy).await else {
        panic!("it was not busy")
    };
    let again = world.call_under(me, you, "busy");
    assert_eq!(refused(&world, &again).await, Outcome::Repeated(busy));

    // In parallel one is begun, and everybody is given that one.
    let pair = world.patients(2).await;
    let outcomes = together(16, |_| {
        let world = Arc::clone(&world);
        let new = world.call_under(pair[0], pair[1], "b");
        async move { world.start_at(NOW, &new).await }
    })
    .await;
    let (mut begun, mut ids) = (0, Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Started(call) => {
                begun += 1;
                ids.push(call.id);
            }
            Outcome::Repeated(call) => ids.push(call.id),
            other => panic!("{other:?}"),
        }
    }
    ids.dedup();
    assert_eq!((begun, ids.len()), (1, 1));
}

/// A beginning whose two writes tell different events and have one key.
fn telling(world: &World, call: &NewCall, key: &str, request: u8) -> StartCall {
    let mut start = world.starting(at(3), call);
    for write in [&mut start.write, &mut start.write_busy] {
        *write = with_key(write.clone(), key, request);
        write.events = vec![world.event(&[call.caller], about_call(call.id))];
    }
    start
}

async fn a_busy_callee_is_recorded(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    let busy = world.call(you, third).await;
    for (case, callee, callee_refuses) in [("busy", you, false), ("refuses", me, true)] {
        let caller = world.patient().await;
        let new = NewCall {
            caller_device: Some(device("phone")),
            ..world.new_call(caller, callee)
        };
        let start = StartCall {
            callee_refuses,
            ..telling(&world, &new, case, 1)
        };
        let Outcome::CalleeBusy(call) = world.start(&start).await else {
            panic!("{case}")
        };
        assert_eq!(call.progress, start.busy, "{case}");
        assert_eq!(call.progress.end_reason, Some(EndReason::Busy));
        assert_eq!((call.initiated_at, call.version), (at(3), 1));
        assert_eq!(world.call_now(new.id).await, call);
        let left = world.dump().await;
        let told = |id| left.events.iter().any(|event| event.id == id);
        assert!(told(start.write_busy.events[0].id), "{case}");
        assert!(!told(start.write.events[0].id), "{case}");
        let audited = |id| left.audit.iter().any(|row| row.row.id == id);
        assert!(audited(start.write_busy.audit.id), "{case}");
        assert!(!audited(start.write.audit.id), "{case}");
        // Nobody is in it.
        assert_eq!(world.storage.live_calls_of(caller).await.unwrap(), []);
        world.call(caller, world.patient().await).await;
    }
    assert_eq!(world.storage.live_calls_of(you).await.unwrap(), [busy]);

    // A call that begins leaves the other write behind.
    let new = world.new_call(me, world.patient().await);
    let start = telling(&world, &new, "begins", 1);
    let Outcome::Started(call) = world.start(&start).await else {
        panic!("it was refused")
    };
    assert_eq!(call.progress.state, CallState::Initiated);
    let left = world.dump().await;
    let told = |id| left.events.iter().any(|event| event.id == id);
    assert!(told(start.write.events[0].id));
    assert!(!told(start.write_busy.events[0].id));
}

async fn a_begun_call_replays_its_key(world: Arc<World>) {
    let [me, you, third] = world.patients(3).await[..] else {
        panic!()
    };
    let store = &world.storage;
    let start = async |call: &NewCall, key: &str, request| {
        let start = telling(&world, call, key, request);
        store.start_call(&start).await.unwrap()
    };
    let new = world.call_under(me, you, "c");
    assert!(matches!(
        applied(start(&new, "key", 1).await),
        Outcome::Started(_)
    ));
    let busy = world.new_call(third, me);
    assert!(matches!(
        applied(start(&busy, "busy", 1).await),
        Outcome::CalleeBusy(_)
    ));
    // Whatever it would meet otherwise: the key comes first.
    for (name, made) in [("key", &new), ("busy", &busy)] {
        for again in [
            world.call_under(me, you, "c"),
            world.call_under(me, third, "c"),
            world.new_call(you, me),
            world.new_call(me, third),
            world.new_call(third, me),
            world.new_call(third, world.patient().await),
        ] {
            let answer = world.unchanged(start(&again, name, 1)).await;
            assert_eq!(answer, Written::Replayed(about_call(made.id)));
            let answer = world.unchanged(start(&again, name, 2)).await;
            assert_eq!(answer, Written::KeyMismatch);
        }
    }
    // A refusal uses no key up.
    for refused in [
        world.call_under(me, third, "c"),
        world.call_under(me, you, "c"),
        world.new_call(you, me),
        world.new_call(me, third),
    ] {
        world.unchanged(start(&refused, "other", 1)).await;
        let key = IdempotencyKey::new("other").unwrap();
        assert_eq!(store.key_record("test", &key).await.unwrap(), None);
    }
    world.act(at(4), new.id, &[hangup(CallSide::Callee)]).await;
    let outcome = applied(start(&world.new_call(you, me), "other", 1).await);
    assert!(matches!(outcome, Outcome::Started(_)), "{outcome:?}");
}
