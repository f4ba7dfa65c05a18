//! Many at once: a call has one answer and one end.

use std::sync::Arc;

use telemed_core::Code;
use telemed_core::calls::{Call, CallState};
use telemed_core::error::Error;
use telemed_core::journal::EventKind;
use telemed_tests::{is_long, together};

use super::scene::Scene;

fn rounds() -> usize {
    if is_long() { 200 } else { 6 }
}

pub async fn one_of_many_devices_answers(scene: Arc<Scene>) {
    for _ in 0..rounds() {
        let id = scene.begin(&scene.patient, &scene.doctor).await;
        let answers = together(16, |caller| {
            let scene = Arc::clone(&scene);
            let device = scene.doctor.at(&format!("device {}", caller % 4));
            async move { (device.device.clone(), scene.accept(&device, id).await) }
        })
        .await;
        let bound = scene.call(id).await.progress.callee_device.unwrap();
        for (device, answer) in answers {
            match answer {
                Ok(call) => assert_eq!(
                    (&device, call.progress.state),
                    (&bound, CallState::Accepted)
                ),
                Err(error) => {
                    assert_eq!(error.code, Code::CallState);
                    assert_ne!(device, bound);
                }
            }
        }
        let accepted = [EventKind::CallInitiated, EventKind::CallAccepted];
        assert_eq!(scene.story(id).await, accepted);
        scene.hang_up(&scene.patient, id).await.unwrap();
    }
}

pub async fn a_call_ends_exactly_once(scene: Arc<Scene>) {
    for round in 0..rounds() {
        let id = scene.begin(&scene.patient, &scene.doctor).await;
        if round % 2 == 1 {
            scene.ring(&scene.doctor, id).await;
        }
        // The deadline has come, too.
        scene.after(60);
        let answers: Vec<Result<Option<Call>, Error>> = together(12, |caller| {
            let scene = Arc::clone(&scene);
            async move {
                let tablet = scene.doctor.at("tablet");
                match caller % 6 {
                    0 => scene.accept(&scene.doctor, id).await.map(Some),
                    1 => scene.accept(&tablet, id).await.map(Some),
                    2 => scene.decline(&scene.doctor, id).await.map(Some),
                    3 => scene.hang_up(&scene.patient, id).await.map(Some),
                    4 => scene.engine.run_due().await.map(|_| None),
                    _ => scene.connect(&scene.patient, id).await.map(Some),
                }
            }
        })
        .await;
        for answer in answers {
            if let Err(error) = answer {
                assert_eq!(error.code, Code::CallState);
            }
        }
        scene.hang_up(&scene.doctor, id).await.unwrap();
        let over = scene.call(id).await;
        assert!(!over.progress.state.is_live());
        let story = scene.story(id).await;
        let ends = story.iter().filter(|kind| {
            let goes_on = [
                EventKind::CallInitiated,
                EventKind::CallRinging,
                EventKind::CallAccepted,
                EventKind::CallConnecting,
                EventKind::CallConnected,
            ];
            !goes_on.contains(kind)
        });
        assert_eq!(ends.count(), 1, "{story:?}");
        assert_eq!(story.last(), Some(&over.progress.state.event()));
        assert_eq!(over.version, story.len() as u64);
        // Nothing of it comes later.
        scene.after(4000);
        scene.run_due().await;
        assert_eq!(scene.call(id).await, over);
    }
}

pub async fn two_who_call_each_other_meet(scene: Arc<Scene>) {
    for _ in 0..rounds() {
        let answers = together(2, |caller| {
            let scene = Arc::clone(&scene);
            async move {
                let (from, to) = match caller {
                    0 => (&scene.patient, &scene.doctor),
                    _ => (&scene.doctor, &scene.patient),
                };
                let request = scene.call_to(to, from);
                scene.engine.calls().initiate(&from.actor, request).await
            }
        })
        .await;
        let begun: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(begun[0].call.id, begun[1].call.id);
        let met = begun.iter().filter(|begun| begun.is_glare).count();
        assert_eq!(met, 1);
        let call = scene.call(begun[0].call.id).await;
        assert!(call.progress.accepted_at.is_some());
        assert!(call.progress.caller_device != call.progress.callee_device);
        scene.hang_up(&scene.doctor, call.id).await.unwrap();
    }
}

pub async fn a_user_is_in_one_live_call(scene: Arc<Scene>) {
    for _ in 0..rounds() {
        let answers = together(12, |caller| {
            let scene = Arc::clone(&scene);
            async move {
                let from = [&scene.patient, &scene.other][caller % 2];
                scene.try_begin(from, &scene.doctor).await
            }
        })
        .await;
        let mut live = Vec::new();
        for answer in answers {
            match answer {
                Ok(call) => live.push(call.id),
                Err(error) => assert!(
                    [Code::CallerInCall, Code::CalleeBusy].contains(&error.code),
                    "{error}"
                ),
            }
        }
        assert_eq!(live.len(), 1);
        let calls = scene.engine.calls();
        let own = calls.live(&scene.doctor.actor).await.unwrap();
        assert_eq!(own.len(), 1);
        scene.hang_up(&scene.doctor, live[0]).await.unwrap();
        // Those who were told that he is busy are not in a call.
        for person in [&scene.patient, &scene.other, &scene.doctor] {
            assert!(calls.live(&person.actor).await.unwrap().is_empty());
        }
    }
}
