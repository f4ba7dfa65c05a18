//! Who can be reached.

use std::sync::Arc;

use telemed_core::Code;
use telemed_core::actor::Role;
use telemed_core::calls::{CallState, CallStatus};
use telemed_core::id::UserId;
use telemed_core::journal::{Audience, FrameKind};
use telemed_core::presence::PresenceStatus::{Away, Busy, DoNotDisturb, Idle, Offline, Online};
use telemed_core::presence::{PresenceStatus, SayPresence};

use super::scene::{Person, Scene, text};

async fn say(scene: &Scene, person: &Person, status: PresenceStatus) {
    let said = SayPresence {
        status,
        current_call: None,
        current_appointment: None,
        device: Some(person.device.clone()),
        device_type: None,
    };
    let presence = scene.engine.presence();
    presence.say(&person.actor, said).await.unwrap();
}

pub async fn a_live_call_shows_busy_and_it_passes(scene: Arc<Scene>) {
    let doctor = scene.open(&scene.doctor).await;
    let patient = scene.open(&scene.patient).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Online));
    let id = scene.talk().await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Busy));
    assert_eq!(scene.seen(&scene.doctor, &scene.patient).await, Ok(Busy));
    scene.pass(90, &[&doctor, &patient]).await;
    assert_eq!(scene.seen(&scene.other, &scene.doctor).await, Ok(Busy));
    // A third one is told so, and the attempt is recorded.
    let busy = scene
        .try_begin(&scene.other, &scene.doctor)
        .await
        .unwrap_err();
    assert_eq!(busy.code, Code::CalleeBusy);
    assert_eq!(scene.newest(&scene.other).await, Some(CallStatus::Busy));
    assert_eq!(scene.newest(&scene.doctor).await, Some(CallStatus::Missed));
    // Nor can he who talks call anybody else.
    let own = scene
        .try_begin(&scene.doctor, &scene.other)
        .await
        .unwrap_err();
    assert_eq!(own.code, Code::CallerInCall);
    scene.hang_up(&scene.patient, id).await.unwrap();
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Online));
    assert_eq!(scene.seen(&scene.doctor, &scene.patient).await, Ok(Online));
}

pub async fn contacts_are_told_and_nobody_else(scene: Arc<Scene>) {
    let patient = scene.open(&scene.patient).await;
    let stranger = scene.open(&scene.strange_patient).await;
    let mut ear = scene.listen().await;
    let doctor = scene.open(&scene.doctor).await;
    say(&scene, &scene.doctor, Away).await;
    say(&scene, &scene.doctor, Away).await;
    scene.close(&doctor).await;
    scene.pass(4, &[&patient, &stranger]).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Away));
    scene.pass(2, &[&patient, &stranger]).await;
    let frames = ear.frames(FrameKind::PresenceChanged).await;
    let told: Vec<(&str, &str)> = frames
        .iter()
        .filter(|frame| frame.data["user_id"] == scene.doctor.id.get())
        .map(|frame| {
            (
                text(&frame.data["previous_status"]),
                text(&frame.data["status"]),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("offline", "online"),
            ("online", "away"),
            ("away", "offline")
        ]
    );
    for frame in &frames {
        let concerned = [scene.patient.id, scene.doctor.id].map(Audience::User);
        let only = frame.audience.iter().all(|one| concerned.contains(one));
        assert!(only, "{:?}", frame.audience);
        assert!(frame.audience.contains(&Audience::User(scene.patient.id)));
    }
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Offline));
    // To a stranger nobody is there, as if there were no such user.
    let outsiders = [&scene.stranger, &scene.strange_patient];
    for outsider in outsiders {
        let seen = scene.seen(outsider, &scene.patient).await;
        assert_eq!(seen, Err(Code::NotFound));
    }
    assert_eq!(scene.seen(&scene.patient, &scene.patient).await, Ok(Online));
    assert_eq!(scene.seen(&scene.admin, &scene.patient).await, Ok(Online));
    // Lists: contacts; with doctors asked for, every listed one who is there.
    let listed = async |by: &Person, role| -> Vec<UserId> {
        let listed = scene.engine.presence().list(&by.actor, role).await.unwrap();
        listed.into_iter().map(|one| one.user).collect()
    };
    assert_eq!(listed(&scene.doctor, None).await, [scene.patient.id]);
    assert!(listed(&scene.patient, None).await.is_empty());
    scene.open(&scene.stranger).await;
    assert!(listed(&scene.patient, None).await.is_empty());
    let doctors = listed(&scene.patient, Some(Role::Doctor)).await;
    assert_eq!(doctors, [scene.stranger.id]);
    let presence = scene.engine.presence();
    let status_only = presence
        .list(&scene.patient.actor, Some(Role::Doctor))
        .await;
    let status_only = status_only.unwrap().remove(0);
    assert_eq!(status_only.status, Online);
    assert!(status_only.last_seen.is_none() && status_only.device_type.is_none());
}

pub async fn a_dead_server_takes_its_leases_with_it(scene: Arc<Scene>) {
    let doctor = scene.open(&scene.doctor).await;
    let patient = scene.open(&scene.patient).await;
    say(&scene, &scene.doctor, Away).await;
    let id = scene.talk().await;
    // Nobody renews the doctor's socket any more.
    scene.pass(59, &[&patient]).await;
    assert_eq!(scene.state(id).await.0, CallState::Connected);
    scene.pass(2, &[&patient]).await;
    assert_eq!(scene.state(id).await.0, CallState::Ended);
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Offline));
    let presence = scene.engine.presence();
    let looked = presence.look(&scene.patient.actor, scene.doctor.id);
    assert_eq!(looked.await.unwrap().last_seen, Some(doctor.heard_at));
    // A node that stood still and is back says its sockets anew, and what was said of them.
    scene.renew(&[&doctor]).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Away));
}

pub async fn do_not_disturb_refuses_calls(scene: Arc<Scene>) {
    let doctor = scene.open(&scene.doctor).await;
    let tablet = scene.open(&scene.doctor.at("tablet")).await;
    say(&scene, &scene.doctor, DoNotDisturb).await;
    assert_eq!(
        scene.seen(&scene.patient, &scene.doctor).await,
        Ok(DoNotDisturb)
    );
    let refused = scene
        .try_begin(&scene.patient, &scene.doctor)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::CalleeBusy);
    assert_eq!(scene.newest(&scene.doctor).await, Some(CallStatus::Missed));
    // Busy by his own word he can be called.
    say(&scene, &scene.doctor, Busy).await;
    let id = scene.begin(&scene.patient, &scene.doctor).await;
    scene.hang_up(&scene.patient, id).await.unwrap();
    for lease in [&doctor, &tablet] {
        scene.close(lease).await;
    }
}

pub async fn a_device_says_one_thing_at_a_time(scene: Arc<Scene>) {
    // Over HTTP alone it is believed for ninety seconds.
    say(&scene, &scene.doctor, Idle).await;
    scene.pass(89, &[]).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Idle));
    scene.pass(1, &[]).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Offline));
    // What a device says replaces what it said before, on its socket too.
    let socket = scene.open(&scene.doctor).await;
    say(&scene, &scene.doctor, Away).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Away));
    // Of several devices the strongest counts.
    let tablet = scene.doctor.at("tablet");
    say(&scene, &tablet, Idle).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Idle));
    say(&scene, &tablet, Offline).await;
    assert_eq!(scene.seen(&scene.patient, &scene.doctor).await, Ok(Away));
    scene.close(&socket).await;
}
