//! Calls that are answered.

use std::sync::Arc;

use telemed_core::Code;
use telemed_core::calls::SignalKind::{Answer, Candidate, Offer};
use telemed_core::calls::{
    AcceptCall, CallState, CallStatus, EndReason, InitiateCall, Measured, QualityGrade,
};
use telemed_core::journal::{Audience, EventKind, FrameKind};
use telemed_core::presence::SayPresence;

use super::scene::{Scene, text};

pub async fn a_call_from_the_first_ring_to_the_end(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    assert_eq!(scene.state(id).await, (CallState::Initiated, None));
    assert_eq!(
        scene.newest(&scene.doctor).await,
        Some(CallStatus::Initiated)
    );
    scene.after(2);
    scene.ring(&scene.doctor, id).await;
    scene.ring(&scene.doctor, id).await;
    assert_eq!(scene.state(id).await, (CallState::Ringing, None));
    scene.after(3);
    // Only the callee answers.
    let own = scene.accept(&scene.patient, id).await.unwrap_err();
    assert_eq!(own.code, Code::Forbidden);
    scene.accept(&scene.doctor, id).await.unwrap();
    // The same device again is the same answer; another one is too late.
    scene.accept(&scene.doctor, id).await.unwrap();
    let late = scene.accept(&scene.doctor.at("tablet"), id).await;
    assert_eq!(late.unwrap_err().code, Code::CallState);
    let late = scene.decline(&scene.doctor, id).await;
    assert_eq!(late.unwrap_err().code, Code::CallState);
    scene.after(1);
    scene.connect(&scene.doctor, id).await.unwrap();
    scene.connect(&scene.patient, id).await.unwrap();
    scene.after(95);
    let over = scene.hang_up(&scene.doctor, id).await.unwrap();
    // The server's clock, not the client's claim, which is kept aside.
    assert_eq!(over.progress.duration().as_secs(), 95);
    assert_eq!(over.progress.reported_duration, Some(7));
    assert_eq!(over.progress.ended_by, Some(scene.doctor.id));
    let again = scene.hang_up(&scene.patient, id).await.unwrap();
    assert_eq!(again, over);
    for person in [&scene.patient, &scene.doctor] {
        assert_eq!(scene.newest(person).await, Some(CallStatus::Completed));
    }
    let story = [
        EventKind::CallInitiated,
        EventKind::CallRinging,
        EventKind::CallAccepted,
        EventKind::CallConnected,
        EventKind::CallEnded,
    ];
    assert_eq!(scene.story(id).await, story);
    let calls = scene.engine.calls();
    let statistics = calls.statistics(&scene.doctor.actor, None);
    let statistics = statistics.await.unwrap();
    assert_eq!((statistics.total, statistics.completed), (1, 1));
    assert_eq!((statistics.average_duration, statistics.video), (95, 1));
    // Nothing is left to be done.
    scene.pass(120, &[]).await;
    assert_eq!(scene.story(id).await, story);
    assert!(scene.notifier.delivered().is_empty());
}

pub async fn signals_wait_for_the_other_device_and_keep_their_order(scene: Arc<Scene>) {
    let mut ear = scene.listen().await;
    let (caller, callee) = (&scene.patient, &scene.doctor);
    let id = scene.begin(caller, callee).await;
    scene.signal(caller, id, Offer, "o1").await.unwrap();
    scene.signal(caller, id, Candidate, "c1").await.unwrap();
    let early = scene.signal(callee, id, Candidate, "early").await;
    assert_eq!(early.unwrap_err().code, Code::CallState);
    assert_eq!(ear.signals(callee).await, []);
    scene.accept(callee, id).await.unwrap();
    scene.signal(callee, id, Candidate, "d1").await.unwrap();
    let heard = |heard: &[(u64, &str, &str)]| -> Vec<(u64, String, String)> {
        let owned =
            |(seq, kind, text): &(u64, &str, &str)| (*seq, (*kind).to_owned(), (*text).to_owned());
        heard.iter().map(owned).collect()
    };
    let expected = heard(&[(1, "offer", "o1"), (2, "candidate", "c1")]);
    assert_eq!(ear.signals(callee).await, expected);
    assert_eq!(scene.state(id).await.0, CallState::Connecting);
    scene.signal(callee, id, Answer, "a1").await.unwrap();
    scene.signal(callee, id, Candidate, "d2").await.unwrap();
    let expected = heard(&[
        (1, "answer", "a1"),
        (2, "candidate", "d1"),
        (3, "candidate", "d2"),
    ]);
    assert_eq!(ear.signals(caller).await, expected);
    // Another device of a party, an outsider and an unknown call are refused and change nothing.
    let other_device = scene.signal(&callee.at("tablet"), id, Offer, "x").await;
    assert_eq!(other_device.unwrap_err().code, Code::CallState);
    let outsider = scene.signal(&scene.other, id, Offer, "x").await;
    assert_eq!(outsider.unwrap_err().code, Code::NotFound);
    let huge = "x".repeat(64 * 1024);
    let huge = scene.signal(caller, id, Offer, &huge).await;
    assert_eq!(huge.unwrap_err().code, Code::PayloadTooLarge);
    let large = "x".repeat(4 * 1024);
    let large = scene.signal(caller, id, Candidate, &large).await;
    assert_eq!(large.unwrap_err().code, Code::PayloadTooLarge);
    assert_eq!(ear.signals(caller).await, []);
    // Who was away asks for what he has missed.
    for (person, after, expected) in [
        (callee, 1, heard(&[(2, "candidate", "c1")])),
        (
            caller,
            0,
            heard(&[
                (1, "answer", "a1"),
                (2, "candidate", "d1"),
                (3, "candidate", "d2"),
            ]),
        ),
    ] {
        let device = Some(person.device.clone());
        let calls = scene.engine.calls();
        let mut wanted = scene.listen().await;
        calls
            .resume(&person.actor, &id.into(), device, after)
            .await
            .unwrap();
        // A node does this with everything that it hears.
        for frame in wanted.frames(FrameKind::SignalsWanted).await {
            let item = telemed_core::journal::SubscriptionItem::Frame(Arc::new(frame));
            calls.observe(&item).await.unwrap();
        }
        assert_eq!(wanted.signals(person).await, expected);
    }
    scene.hang_up(caller, id).await.unwrap();
    let over = scene.signal(caller, id, Offer, "late").await.unwrap_err();
    assert_eq!(over.code, Code::CallState);
}

pub async fn an_appointment_goes_in_progress_when_its_call_connects(scene: Arc<Scene>) {
    let begin = async || {
        let request = InitiateCall {
            appointment: Some(scene.appointment),
            ..scene.call_to(&scene.patient, &scene.doctor)
        };
        let calls = scene.engine.calls();
        calls.initiate(&scene.doctor.actor, request).await
    };
    // Too early: 31 minutes before.
    scene.after(29 * 60);
    let early = begin().await.unwrap().call.id;
    scene.accept(&scene.patient, early).await.unwrap();
    scene.connect(&scene.patient, early).await.unwrap();
    assert_eq!(scene.appointment_status().await, "pending");
    scene.hang_up(&scene.patient, early).await.unwrap();
    scene.after(60);
    let id = begin().await.unwrap().call.id;
    scene.accept(&scene.patient, id).await.unwrap();
    assert_eq!(scene.appointment_status().await, "pending");
    scene.connect(&scene.patient, id).await.unwrap();
    assert_eq!(scene.appointment_status().await, "in_progress");
    scene.hang_up(&scene.patient, id).await.unwrap();
    // A second call changes it no more.
    let again = begin().await.unwrap().call.id;
    scene.accept(&scene.patient, again).await.unwrap();
    scene.connect(&scene.patient, again).await.unwrap();
    assert_eq!(scene.appointment_status().await, "in_progress");
    scene.hang_up(&scene.patient, again).await.unwrap();
    // An appointment of others, and one that is not there, look alike.
    let foreign = InitiateCall {
        appointment: Some(scene.appointment),
        ..scene.call_to(&scene.other, &scene.doctor)
    };
    let calls = scene.engine.calls();
    let refused = calls.initiate(&scene.doctor.actor, foreign);
    assert_eq!(refused.await.unwrap_err().issues[0].field, "appointment_id");
}

pub async fn who_signals_elsewhere_is_connected_at_once(scene: Arc<Scene>) {
    let accept = async |id: telemed_core::id::CallId| {
        let request = AcceptCall {
            call: id.into(),
            device: None,
            by_socket: false,
        };
        let calls = scene.engine.calls();
        calls.accept(&scene.doctor.actor, request).await.unwrap()
    };
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    let call = accept(id).await;
    assert_eq!(call.progress.state, CallState::Connected);
    assert_eq!(call.progress.connected_at, call.progress.accepted_at);
    scene.hang_up(&scene.patient, id).await.unwrap();
    // With a socket of the caller's device they find each other by it.
    let socket = scene.open(&scene.patient).await;
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    assert_eq!(accept(id).await.progress.state, CallState::Accepted);
    scene.hang_up(&scene.patient, id).await.unwrap();
    scene.close(&socket).await;
}

pub async fn who_meets_over_a_socket_is_not_elsewhere(scene: Arc<Scene>) {
    for by_socket in [false, true] {
        let id = scene.begin(&scene.patient, &scene.doctor).await;
        // His socket has no lease yet: it is said all the same.
        let back = InitiateCall {
            by_socket,
            ..scene.call_to(&scene.patient, &scene.doctor)
        };
        let calls = scene.engine.calls();
        let met = calls.initiate(&scene.doctor.actor, back).await.unwrap();
        assert!(met.is_glare && met.call.id == id);
        let expected = if by_socket {
            CallState::Accepted
        } else {
            CallState::Connected
        };
        assert_eq!(met.call.progress.state, expected);
        scene.hang_up(&scene.patient, id).await.unwrap();
    }
}

pub async fn a_grade_that_changes_is_told_once(scene: Arc<Scene>) {
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    let measure = async |round_trip: f64| {
        let measured = Measured {
            round_trip: Some(round_trip),
            loss: Some(0.1),
            ..Measured::default()
        };
        scene.after(1);
        let calls = scene.engine.calls();
        calls
            .record_quality(&scene.patient.actor, &id.into(), measured)
            .await
    };
    assert_eq!(measure(10.0).await.unwrap_err().code, Code::CallState);
    scene.accept(&scene.doctor, id).await.unwrap();
    let mut ear = scene.listen().await;
    let sample = measure(10.0).await.unwrap();
    assert_eq!(sample.measured.audio, Some(QualityGrade::Excellent));
    // A first sample says that they hear each other.
    assert_eq!(scene.state(id).await.0, CallState::Connected);
    for round_trip in [20.0, 500.0, 501.0, 450.0, 30.0] {
        measure(round_trip).await.unwrap();
    }
    let changes = ear.frames(FrameKind::QualityChanged).await;
    let told: Vec<_> = changes
        .iter()
        .map(|frame| (text(&frame.data["grade"]), text(&frame.data["hint"])))
        .collect();
    assert_eq!(
        told,
        [("excellent", ""), ("poor", "audio_only"), ("excellent", "")]
    );
    let parties = [scene.patient.id, scene.doctor.id].map(Audience::User);
    assert!(changes.iter().all(|frame| frame.audience == parties));
    // The call is as good as the medians of its worse party.
    let reference = id.into();
    let calls = scene.engine.calls();
    let detail = calls.detail(&scene.doctor.actor, &reference);
    let detail = detail.await.unwrap();
    let [caller, callee] = &detail.quality;
    assert_eq!((caller.samples, caller.round_trip), (6, Some(240.0)));
    assert_eq!(caller.grade(), Some(QualityGrade::Fair));
    assert_eq!((callee.samples, callee.grade()), (0, None));
    let samples = calls.quality_samples(&scene.doctor.actor, &reference);
    assert_eq!(samples.await.unwrap().len(), 6);
    scene.hang_up(&scene.doctor, id).await.unwrap();
}

pub async fn outsiders_learn_nothing(scene: Arc<Scene>) {
    // Without a care relation nobody is called, and an unknown user is not found.
    for (from, to, code) in [
        (&scene.stranger, &scene.patient, Code::Forbidden),
        (&scene.patient, &scene.stranger, Code::Forbidden),
        (&scene.patient, &scene.other, Code::Forbidden),
        (&scene.admin, &scene.patient, Code::Forbidden),
        (&scene.patient, &scene.patient, Code::BrokenRule),
    ] {
        let refused = scene.try_begin(from, to).await.unwrap_err();
        assert_eq!(refused.code, code);
    }
    let id = scene.talk().await;
    let calls = scene.engine.calls();
    for outsider in [&scene.other, &scene.stranger, &scene.strange_patient] {
        let codes = [
            scene.accept(outsider, id).await.unwrap_err().code,
            scene.decline(outsider, id).await.unwrap_err().code,
            scene.hang_up(outsider, id).await.unwrap_err().code,
            scene.connect(outsider, id).await.unwrap_err().code,
            calls
                .detail(&outsider.actor, &id.into())
                .await
                .unwrap_err()
                .code,
            calls
                .record_quality(&outsider.actor, &id.into(), Measured::default())
                .await
                .unwrap_err()
                .code,
        ];
        assert_eq!(codes, [Code::NotFound; 6]);
        assert_eq!(scene.newest(outsider).await, None);
        let live = calls.live(&outsider.actor).await.unwrap();
        assert!(live.is_empty());
    }
    // An administrator sees the figures.
    assert!(calls.detail(&scene.admin.actor, &id.into()).await.is_ok());
    let parties = [scene.patient.id, scene.doctor.id].map(Audience::User);
    for event in scene.events(id).await {
        assert_eq!(event.audience, parties);
    }
    // What the patient says that he is in shows to those who are in it too.
    let said = SayPresence {
        status: telemed_core::presence::PresenceStatus::Online,
        current_call: Some(id),
        current_appointment: Some(scene.appointment),
        device: None,
        device_type: None,
    };
    let presence = scene.engine.presence();
    presence.say(&scene.patient.actor, said).await.unwrap();
    let seen = presence
        .look(&scene.doctor.actor, scene.patient.id)
        .await
        .unwrap();
    assert_eq!(seen.current_call, Some(id));
    assert_eq!(seen.current_appointment, Some(scene.appointment));
    let seen = presence
        .look(&scene.admin.actor, scene.patient.id)
        .await
        .unwrap();
    assert_eq!((seen.current_call, seen.current_appointment), (None, None));
    assert_eq!(scene.state(id).await, (CallState::Connected, None));
    let over = scene.hang_up(&scene.patient, id).await.unwrap();
    assert_eq!(over.progress.end_reason, Some(EndReason::UserHangup));
}
