//! What ends a call by itself: deadlines that are rows, and parties that are gone.

use std::sync::Arc;

use telemed_core::calls::SignalKind::{Answer, Offer};
use telemed_core::calls::{CallState, CallStatus, EndReason};
use telemed_core::journal::EventKind;
use telemed_core::notifications::{DeliveryKind, DeliverySubject};

use super::scene::Scene;

pub async fn a_call_that_nobody_answers_is_missed_once(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.after(59);
    scene.run_due().await;
    assert_eq!(scene.state(id).await, (CallState::Initiated, None));
    scene.after(1);
    scene.run_due().await;
    let unreachable = (CallState::Missed, Some(EndReason::Unreachable));
    assert_eq!(scene.state(id).await, unreachable);
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.ring(&scene.doctor, id).await;
    scene.after(60);
    scene.run_due().await;
    let no_answer = (CallState::Missed, Some(EndReason::NoAnswer));
    assert_eq!(scene.state(id).await, no_answer);
    for person in [&scene.patient, &scene.doctor] {
        assert_eq!(scene.newest(person).await, Some(CallStatus::Missed));
    }
    // The callee is told of both by a notification.
    let delivered = scene.notifier.delivered();
    assert_eq!(delivered.len(), 2);
    for delivery in &delivered {
        assert_eq!(delivery.kind, DeliveryKind::MissedCall);
        assert_eq!(delivery.recipient.user, scene.doctor.id);
    }
    let DeliverySubject::Call { id: told, .. } = &delivered[1].about else {
        panic!("it is about no call");
    };
    assert_eq!(*told, id);
    // Who has missed calls is the callee alone.
    let calls = scene.engine.calls();
    let missed = async |actor| calls.statistics(actor, None).await.unwrap().missed;
    assert_eq!(missed(&scene.doctor.actor).await, 2);
    assert_eq!(missed(&scene.patient.actor).await, 0);
}

pub async fn a_ringing_call_whose_engine_has_died_is_missed_once(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.ring(&scene.doctor, id).await;
    // Long after it was due, on two other nodes at the same time.
    scene.after(3600);
    let others = [scene.another_engine().await, scene.another_engine().await];
    let runs = others.map(|engine| {
        tokio::spawn(async move {
            for _ in 0..3 {
                engine.run_due().await.unwrap();
            }
        })
    });
    for run in runs {
        run.await.unwrap();
    }
    let no_answer = (CallState::Missed, Some(EndReason::NoAnswer));
    assert_eq!(scene.state(id).await, no_answer);
    let story = [
        EventKind::CallInitiated,
        EventKind::CallRinging,
        EventKind::CallMissed,
    ];
    assert_eq!(scene.story(id).await, story);
    assert_eq!(scene.notifier.delivered().len(), 1);
}

pub async fn devices_that_do_not_find_each_other_fail(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.accept(&scene.doctor, id).await.unwrap();
    scene.signal(&scene.patient, id, Offer, "o").await.unwrap();
    scene.after(29);
    scene.run_due().await;
    assert_eq!(scene.state(id).await.0, CallState::Connecting);
    scene.after(1);
    scene.run_due().await;
    let failed = (CallState::Failed, Some(EndReason::ConnectionFailed));
    assert_eq!(scene.state(id).await, failed);
    for person in [&scene.patient, &scene.doctor] {
        assert_eq!(scene.newest(person).await, Some(CallStatus::Failed));
    }
}

pub async fn an_answer_counts_as_connected_after_a_while(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.accept(&scene.doctor, id).await.unwrap();
    scene.signal(&scene.patient, id, Offer, "o").await.unwrap();
    scene.signal(&scene.doctor, id, Answer, "a").await.unwrap();
    scene.after(4);
    scene.run_due().await;
    assert_eq!(scene.state(id).await.0, CallState::Connecting);
    scene.after(1);
    scene.run_due().await;
    assert_eq!(scene.state(id).await.0, CallState::Connected);
    // Who reports it then is told the same, and there is one event of it.
    scene.connect(&scene.patient, id).await.unwrap();
    scene.after(60);
    scene.run_due().await;
    assert_eq!(scene.state(id).await.0, CallState::Connected);
    let story = scene.story(id).await;
    let connected = story
        .iter()
        .filter(|kind| **kind == EventKind::CallConnected);
    assert_eq!(connected.count(), 1);
    let over = scene.hang_up(&scene.patient, id).await.unwrap();
    assert_eq!(over.progress.duration().as_secs(), 60);
}

pub async fn a_call_lasts_no_longer_than_it_may(scene: Arc<Scene>) {
    let id = scene.talk().await;
    scene.after(3599);
    scene.run_due().await;
    assert_eq!(scene.state(id).await.0, CallState::Connected);
    scene.after(1);
    scene.run_due().await;
    let timeout = (CallState::Ended, Some(EndReason::Timeout));
    assert_eq!(scene.state(id).await, timeout);
    assert_eq!(scene.call(id).await.progress.duration().as_secs(), 3600);
    assert_eq!(
        scene.newest(&scene.doctor).await,
        Some(CallStatus::Completed)
    );
}

pub async fn a_party_that_returns_within_the_grace_keeps_the_call(scene: Arc<Scene>) {
    let doctor = scene.open(&scene.doctor).await;
    let patient = scene.open(&scene.patient).await;
    let id = scene.talk().await;
    scene.pass(10, &[&doctor, &patient]).await;
    scene.close(&patient).await;
    scene.pass(25, &[&doctor]).await;
    // He is back with the same device, and may ask for what he has missed.
    let again = scene.open(&scene.patient).await;
    let device = Some(scene.patient.device.clone());
    let calls = scene.engine.calls();
    let reference = id.into();
    let resumed = calls.resume(&scene.patient.actor, &reference, device, 0);
    assert_eq!(resumed.await.unwrap().progress.state, CallState::Connected);
    // Another device of his is not the one that talks.
    let tablet = scene.patient.at("tablet");
    let other = calls.resume(&tablet.actor, &reference, Some(tablet.device.clone()), 0);
    assert_eq!(other.await.unwrap_err().code, telemed_core::Code::CallState);
    scene.pass(40, &[&doctor, &again]).await;
    assert_eq!(scene.state(id).await, (CallState::Connected, None));
    // Gone a second time: the grace begins anew, and a socket of another device is not he.
    scene.close(&again).await;
    let elsewhere = scene.open(&tablet).await;
    scene.pass(29, &[&doctor, &elsewhere]).await;
    assert_eq!(scene.state(id).await, (CallState::Connected, None));
    scene.pass(2, &[&doctor, &elsewhere]).await;
    let lost = (CallState::Ended, Some(EndReason::NetworkError));
    assert_eq!(scene.state(id).await, lost);
    assert_eq!(
        scene.newest(&scene.doctor).await,
        Some(CallStatus::Completed)
    );
    assert_eq!(scene.story(id).await.last(), Some(&EventKind::CallEnded));
}

pub async fn a_caller_who_is_gone_stops_the_ringing(scene: Arc<Scene>) {
    let patient = scene.open(&scene.patient).await;
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.ring(&scene.doctor, id).await;
    scene.close(&patient).await;
    scene.pass(31, &[]).await;
    let cancelled = (CallState::Missed, Some(EndReason::Cancelled));
    assert_eq!(scene.state(id).await, cancelled);
    assert_eq!(
        scene.newest(&scene.patient).await,
        Some(CallStatus::Cancelled)
    );
    assert_eq!(scene.newest(&scene.doctor).await, Some(CallStatus::Missed));
    // A callee without a socket may still be reached.
    let patient = scene.open(&scene.patient).await;
    let doctor = scene.open(&scene.doctor).await;
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.close(&doctor).await;
    scene.pass(40, &[&patient]).await;
    assert_eq!(scene.state(id).await.0, CallState::Initiated);
    // While the two look for each other either one is missed.
    scene.accept(&scene.doctor, id).await.unwrap();
    scene.close(&patient).await;
    scene.pass(29, &[]).await;
    assert_eq!(scene.state(id).await.0, CallState::Accepted);
    scene.pass(2, &[]).await;
    assert_eq!(scene.state(id).await.0, CallState::Failed);
}
