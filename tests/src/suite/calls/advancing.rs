//! Cases of changing a call.

use std::sync::Arc;

use telemed_core::calls::{
    AdvanceCall, AdvanceCallOutcome as Outcome, Call, CallAction, CallProgress, CallSide,
    CallState, EndReason,
};
use telemed_core::id::{AppointmentId, CallId, UserId};
use telemed_core::journal::IdempotencyKey;
use telemed_core::scheduling::{
    AppointmentStatus, ChangeStatus, ChangeStatusOutcome, StoredAppointment,
};
use telemed_core::store::Written;

use crate::build::{
    NOW, World, about_call, accept, advancing, applied, at, device, following, hangup, with_key,
};
use crate::suite::case_list;
use crate::together;

case_list! { "calls":
    one_of_many_changes_wins,
    a_changed_call_is_one_version_on,
    a_live_call_is_live_until_it_ends,
    an_appointment_goes_in_progress_with_its_call,
    a_changed_call_replays_its_key,
}

/// Two patients and their call.
async fn two(world: &World) -> (Call, UserId, UserId) {
    let (one, other) = (world.patient().await, world.patient().await);
    (world.call(one, other).await, one, other)
}

async fn one_of_many_changes_wins(world: Arc<World>) {
    const CALLERS: usize = 16;
    let (call, ..) = two(&world).await;
    let outcomes = together(CALLERS, |caller| {
        let (world, call) = (Arc::clone(&world), call.clone());
        async move {
            let progress = following(&call, &accept(&format!("device {caller}")), at(1));
            world.advance_at(at(1), &advancing(&call, progress)).await
        }
    })
    .await;
    let mut winners = Vec::new();
    for (caller, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Outcome::Advanced(call) => winners.push((caller, call)),
            Outcome::Superseded => {}
            Outcome::NotFound => panic!("{caller}"),
        }
    }
    let [(winner, won)] = &winners[..] else {
        panic!("{winners:?}")
    };
    let bound = Some(device(&format!("device {winner}")));
    assert_eq!((won.version, &won.progress.callee_device), (2, &bound));
    assert_eq!(world.call_now(call.id).await, *won);
    // From a version that is past, or to come, nothing is changed.
    for seen in [0, 1, 3, u64::MAX] {
        let change = AdvanceCall {
            seen,
            ..advancing(won, call.progress.clone())
        };
        let outcome = world.unchanged(world.advance_at(at(2), &change)).await;
        assert_eq!(outcome, Outcome::Superseded, "{seen}");
    }
}

async fn a_changed_call_is_one_version_on(world: Arc<World>) {
    let (before, one, other) = two(&world).await;
    let (untouched, ..) = two(&world).await;
    // Every part of the progress is kept, and nothing else is changed.
    let full = CallProgress {
        state: CallState::Ended,
        end_reason: Some(EndReason::UserHangup),
        ended_by: Some(other),
        caller_device: Some(device("هاتف")),
        callee_device: Some(device("a'; --")),
        ringing_at: Some(at(1)),
        accepted_at: Some(at(2)),
        connected_at: Some(at(3)),
        ended_at: Some(at(4)),
        reported_duration: Some(u32::MAX),
    };
    let mut expected = before.clone();
    for progress in [full, CallProgress::begun(None)] {
        expected.progress = progress.clone();
        expected.version += 1;
        let seen = world.call_now(before.id).await;
        let advanced = world.advance(at(9), &seen, progress).await;
        assert_eq!(advanced, expected);
        assert_eq!(world.call_now(before.id).await, expected);
    }
    for state in CallState::ALL {
        for end_reason in EndReason::ALL {
            expected.progress = CallProgress {
                state: *state,
                end_reason: Some(*end_reason),
                ended_by: Some(one),
                ..CallProgress::begun(Some(device("phone")))
            };
            let seen = world.call_now(before.id).await;
            expected.version += 1;
            let advanced = world.advance(at(9), &seen, expected.progress.clone());
            assert_eq!(advanced.await, expected);
        }
    }
    assert_eq!(world.call_now(before.id).await, expected);
    assert_eq!(world.call_now(untouched.id).await, untouched);

    let unknown = AdvanceCall {
        call: CallId::new(world.uuid()),
        ..advancing(&untouched, CallProgress::begun(None))
    };
    let outcome = world.unchanged(world.advance_at(at(2), &unknown)).await;
    assert_eq!(outcome, Outcome::NotFound);
}

async fn a_live_call_is_live_until_it_ends(world: Arc<World>) {
    let (call, one, other) = two(&world).await;
    let outsider = world.patient().await;
    let live = async |user| world.storage.live_calls_of(user).await.unwrap();
    let mut now = call.clone();
    for state in CallState::ALL {
        let progress = CallProgress {
            state: *state,
            ..call.progress.clone()
        };
        now = world.advance(at(1), &now, progress).await;
        for user in [one, other] {
            let expected: &[Call] = if state.is_live() {
                std::slice::from_ref(&now)
            } else {
                &[]
            };
            assert_eq!(live(user).await, expected, "{state:?}");
        }
        assert_eq!(live(outsider).await, []);
    }
    assert!(!now.progress.state.is_live());

    // Of several the newest comes first, among equals the one with the higher id.
    let mut begun = Vec::new();
    for minute in [10, 30, 20, 20] {
        let other = world.patient().await;
        let pair = if minute == 30 {
            world.new_call(other, one)
        } else {
            world.new_call(one, other)
        };
        let mut start = world.starting(at(minute), &pair);
        start.most_live = 9;
        world.start(&start).await;
        begun.push(pair.id);
    }
    let ids = async || {
        let live = live(one).await;
        live.iter().map(|call| call.id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, [begun[1], begun[3], begun[2], begun[0]]);
    world
        .act(at(40), begun[3], &[hangup(CallSide::Caller)])
        .await;
    assert_eq!(ids().await, [begun[1], begun[2], begun[0]]);
}

/// A doctor and a patient, and an appointment that is confirmed.
async fn confirmed(world: &World) -> StoredAppointment {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let appointment = world.book(slot, world.patient().await).await;
    let path = [AppointmentStatus::Confirmed];
    world.become_status(&appointment, &path).await;
    appointment_now(world, appointment.id).await
}

async fn appointment_now(world: &World, id: AppointmentId) -> StoredAppointment {
    world.storage.appointment_by_id(id).await.unwrap().unwrap()
}

async fn an_appointment_goes_in_progress_with_its_call(world: Arc<World>) {
    let before = confirmed(&world).await;
    let other = confirmed(&world).await;
    let (doctor, patient) = (before.facts.doctor, before.patient);
    let call = world.call(doctor, patient).await;
    let call = world.act(at(50), call.id, &[accept("phone")]).await;
    let connected = following(&call, &CallAction::Connect, at(51));
    let with = |appointment, seen| AdvanceCall {
        appointment: Some((appointment, seen)),
        ..advancing(&call, connected.clone())
    };
    // Neither is changed when one of the two is no longer so.
    let unknown = AppointmentId::from_row(999);
    for change in [
        with(before.id, AppointmentStatus::Pending),
        with(before.id, AppointmentStatus::InProgress),
        with(unknown, AppointmentStatus::Confirmed),
        AdvanceCall {
            seen: call.version - 1,
            ..with(before.id, AppointmentStatus::Confirmed)
        },
    ] {
        let outcome = world.unchanged(world.advance_at(at(51), &change)).await;
        assert_eq!(outcome, Outcome::Superseded, "{change:?}");
    }
    let change = with(before.id, AppointmentStatus::Confirmed);
    let outcome = world.advance_at(at(51), &change).await;
    let Outcome::Advanced(after) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((&after.progress, after.version), (&connected, 3));
    let expected = StoredAppointment {
        status: AppointmentStatus::InProgress,
        updated_at: at(51),
        ..before.clone()
    };
    assert_eq!(appointment_now(&world, before.id).await, expected);
    assert_eq!(appointment_now(&world, other.id).await, other);

    // The patient does not come, and the call goes on, in parallel: one of the two is first.
    let call = world.call(other.facts.doctor, other.patient).await;
    let (given_up, went_on) = tokio::join!(
        tokio::spawn(give_up(Arc::clone(&world), other.id)),
        tokio::spawn(go_on(Arc::clone(&world), call.clone(), other.id)),
    );
    let (given_up, went_on) = (given_up.unwrap(), went_on.unwrap());
    assert_ne!(given_up, went_on);
    let status = appointment_now(&world, other.id).await.status;
    let version = world.call_now(call.id).await.version;
    let expected = if went_on {
        (AppointmentStatus::InProgress, 2)
    } else {
        (AppointmentStatus::NoShow, 1)
    };
    assert_eq!((status, version), expected);
}

/// Whether a confirmed appointment could be given up.
async fn give_up(world: Arc<World>, id: AppointmentId) -> bool {
    let change = ChangeStatus {
        from: AppointmentStatus::Confirmed,
        to: AppointmentStatus::NoShow,
        reason: None,
    };
    let write = world.whole();
    let answer = world.storage.change_status(&write, id, &change).await;
    let outcome = applied(answer.unwrap());
    matches!(outcome, ChangeStatusOutcome::Changed(_))
}

/// Whether a call could be answered while its appointment was confirmed.
async fn go_on(world: Arc<World>, call: Call, id: AppointmentId) -> bool {
    let change = AdvanceCall {
        appointment: Some((id, AppointmentStatus::Confirmed)),
        ..advancing(&call, following(&call, &accept("phone"), at(51)))
    };
    let outcome = world.advance_at(at(51), &change).await;
    matches!(outcome, Outcome::Advanced(_))
}

async fn a_changed_call_replays_its_key(world: Arc<World>) {
    let (call, ..) = two(&world).await;
    let store = &world.storage;
    let advance = async |change: &AdvanceCall, key: &str, request| {
        let write = with_key(world.write_at(at(1), about_call(change.call)), key, request);
        store.advance_call(&write, change).await.unwrap()
    };
    let answer = advancing(&call, following(&call, &accept("phone"), at(1)));
    let first = applied(advance(&answer, "key", 1).await);
    assert!(matches!(first, Outcome::Advanced(_)), "{first:?}");
    // It would be superseded, or unknown: the key comes first.
    let unknown = AdvanceCall {
        call: CallId::new(world.uuid()),
        ..answer.clone()
    };
    for change in [&answer, &unknown] {
        let replayed = world.unchanged(advance(change, "key", 1)).await;
        assert_eq!(replayed, Written::Replayed(about_call(call.id)));
        let mismatch = world.unchanged(advance(change, "key", 2)).await;
        assert_eq!(mismatch, Written::KeyMismatch);
        // A refusal uses no key up.
        let refused = world.unchanged(advance(change, "other", 1)).await;
        assert!(matches!(
            refused,
            Written::Applied(Outcome::Superseded | Outcome::NotFound)
        ));
    }
    let key = IdempotencyKey::new("other").unwrap();
    assert_eq!(store.key_record("test", &key).await.unwrap(), None);
    let second = world
        .call(world.patient().await, world.patient().await)
        .await;
    let change = advancing(&second, following(&second, &CallAction::Ring, NOW));
    let outcome = applied(advance(&change, "other", 1).await);
    assert!(matches!(outcome, Outcome::Advanced(_)), "{outcome:?}");
}
