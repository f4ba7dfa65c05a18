//! Fails every call of an operation in turn.

use std::collections::BTreeSet;

use telemed_core::journal::JobKind;
use telemed_core::notifications::{Delivery, DeliverySubject};
use telemed_tests::dump::{Dump, open_jobs};
use telemed_tests::{StoreUnderTest, engine, invariants};

use super::calls;
use super::messaging;
use super::operation::{Operation, Promise};
use super::scene::Scene;
use super::tripwire::Moment;

/// The idempotency key of every attempt.
const KEY: &str = "the same key";

/// The scene, with what an operation needs.
async fn set(store: &impl StoreUnderTest, operation: Operation) -> Scene {
    let mut scene = Scene::set(store).await;
    operation.prepare(&mut scene).await;
    scene
}

/// Fails each of the operation's calls, before and after its effect.
pub async fn sweep(store: &impl StoreUnderTest, operation: Operation) {
    let scene = set(store, operation).await;
    let before = scene.dump().await;
    scene.tripwire.arm(None);
    operation.run(&scene, KEY).await.unwrap();
    let calls = scene.tripwire.calls();
    let after = scene.dump().await;
    assert!(!calls.is_empty());
    let once = effects(&scene, &after).await;

    for (number, method) in calls.iter().enumerate() {
        for moment in [Moment::Before, Moment::After] {
            let case = format!("{operation:?}, call {number}, {moment:?} {method}");
            let scene = set(store, operation).await;
            assert_eq!(scene.dump().await, before, "{case}: the scene is another");
            scene.tripwire.arm(Some((number, moment)));
            let failed = operation.run(&scene, KEY).await;
            assert!(scene.tripwire.has_failed(), "{case}: the call did not come");
            // The job runner notes a failed job and goes on.
            let is_noted = matches!(
                operation,
                Operation::RunDue | Operation::UnblockTime | Operation::RunRingDeadline
            );
            let now = scene.dump().await;
            let is_whole = operation.may_hide_a_failure() && now == after;
            assert!(
                failed.is_err() || is_noted || is_whole,
                "{case}: the failure was hidden"
            );
            invariants::check(&now);
            let promise = operation.promise();
            if promise != Promise::Resumed {
                assert!(now == before || now == after, "{case}: half an effect");
            }
            if moment == Moment::Before && number == 0 {
                assert!(now == before, "{case}: an effect without a call");
            }

            scene.tripwire.arm(None);
            if promise == Promise::Resumed {
                // What was claimed and not finished is claimed again, until nothing is due.
                for _ in 0..4 {
                    scene.wait();
                    operation.run(&scene, KEY).await.unwrap();
                }
            } else {
                let again = operation.run(&scene, KEY).await;
                let has_happened = promise == Promise::Unkeyed && now == after;
                assert!(again.is_ok() || has_happened, "{case}: {again:?}");
            }
            let end = scene.dump().await;
            invariants::check(&end);
            match promise {
                Promise::Once | Promise::Resumed => {
                    assert_eq!(effects(&scene, &end).await, once, "{case}: not once");
                }
                Promise::Unkeyed | Promise::Read => {}
            }
        }
    }
}

/// The operations together make every call that the storage traits have: none is left out.
pub async fn every_call(store: &impl StoreUnderTest) {
    let mut calls = BTreeSet::new();
    for operation in Operation::ALL {
        let scene = set(store, *operation).await;
        scene.tripwire.arm(None);
        operation.run(&scene, KEY).await.unwrap();
        calls.extend(scene.tripwire.calls());
    }
    let sources = [
        include_str!("../../../core/src/identity/store.rs"),
        include_str!("../../../core/src/directory/store.rs"),
        include_str!("../../../core/src/scheduling/store.rs"),
        include_str!("../../../core/src/scheduling/availability_store.rs"),
        include_str!("../../../core/src/messaging/store.rs"),
        include_str!("../../../core/src/calls/store.rs"),
        include_str!("../../../core/src/presence/store.rs"),
        include_str!("../../../core/src/journal/store.rs"),
    ];
    // The first is called when an engine opens; no operation calls the other one yet.
    let elsewhere = ["claim_installation_value", "installation_value"];
    for line in sources.iter().flat_map(|source| source.lines()) {
        let Some(method) = line.trim_start().strip_prefix("async fn ") else {
            continue;
        };
        let method = method.split('(').next().unwrap();
        let is_swept = calls.contains(method) || elsewhere.contains(&method);
        assert!(is_swept, "no operation calls {method}");
    }
}

/// An engine that could not reach its store opens the next time.
pub async fn opening(store: &impl StoreUnderTest) {
    let scene = Scene::set(store).await;
    let before = scene.dump().await;
    for moment in [Moment::Before, Moment::After] {
        let open = || {
            let behind = telemed_core::store::Intercepted {
                store: scene.fixture.storage.clone(),
                interceptor: scene.tripwire.clone(),
            };
            let (bus, clock) = (scene.fixture.bus.clone(), scene.clock.clone());
            engine::open(
                std::sync::Arc::new(behind),
                bus,
                clock,
                scene.notifier.clone(),
                3,
            )
        };
        scene.tripwire.arm(Some((0, moment)));
        assert!(open().await.is_err());
        scene.tripwire.arm(None);
        assert!(open().await.is_ok());
        assert_eq!(scene.dump().await, before);
    }
}

/// What happened, without what differs from one attempt to the next: ids of core's, sealed bytes
/// and hashes. A session that a repetition opens is no effect of the operation.
async fn effects(scene: &Scene, dump: &Dump) -> Vec<String> {
    let mut lines = Vec::new();
    for (user, ..) in &dump.users {
        let email = user.email.as_ref().map(|email| email.as_str());
        let flags = (user.is_active, user.is_verified);
        lines.push(format!(
            "user {} {} {email:?} {flags:?}",
            user.id, user.role
        ));
    }
    for one in &dump.sessions {
        lines.push(format!(
            "session {} {:?}",
            one.user.id,
            one.session.ended_at.is_some()
        ));
    }
    for clinic in &dump.clinics {
        let (name, zone) = (
            clinic.details.name.as_str(),
            clinic.details.time_zone.name(),
        );
        lines.push(format!(
            "clinic {} {name} {zone} {}",
            clinic.id, clinic.version
        ));
    }
    for doctor in &dump.doctors {
        let licence = doctor.details.licence_number.as_str();
        lines.push(format!("doctor {} {licence} {}", doctor.id, doctor.version));
    }
    for patient in &dump.patients {
        let profile = patient.profile.is_some();
        lines.push(format!(
            "patient {} {profile} {}",
            patient.id, patient.version
        ));
    }
    for slot in &dump.slots {
        let seats = (slot.booked_count, slot.is_active);
        lines.push(format!("slot {} {} {seats:?}", slot.id, slot.local_day));
    }
    for one in &dump.schedules {
        lines.push(format!("hours {} {}", one.doctor, one.version));
    }
    for block in &dump.blocks {
        lines.push(format!("block {} {}", block.id, block.details.doctor));
    }
    for one in &dump.appointments {
        lines.push(format!(
            "appointment {} {} {} {}",
            one.id, one.patient, one.slot, one.status
        ));
    }
    lines.extend(messaging::effects(dump));
    lines.extend(calls::effects(dump));
    for event in &dump.events {
        let (kind, subject) = (event.kind, event.subject);
        lines.push(format!("event {kind} {}", messaging::shown(subject)));
    }
    for sealed in &dump.audit {
        lines.push(format!(
            "audit {} {}",
            sealed.row.action,
            messaging::shown(sealed.row.subject)
        ));
    }
    // Nor is it one that slots are published again, or that a party was seen to be gone: what
    // matters is the slots, and the end of the call.
    let is_repeated = [
        "session.open",
        "schedule.publish",
        "slot.published",
        "audit call.signal",
    ];
    lines.retain(|line| !is_repeated.iter().any(|word| line.contains(word)));
    for one in open_jobs(&*scene.fixture.storage).await {
        if one.job.kind != JobKind::PublishSlots {
            lines.push(format!(
                "job {} {} {}",
                one.job.kind,
                messaging::shown(one.job.subject),
                one.job.due_at
            ));
        }
    }
    // A delivery that was carried twice is one delivery: its job tells.
    let mut delivered: Vec<String> = scene.notifier.delivered().iter().map(told).collect();
    delivered.sort_unstable();
    delivered.dedup();
    lines.extend(delivered);
    lines
}

fn told(delivery: &Delivery) -> String {
    let (kind, user) = (delivery.kind, delivery.recipient.user);
    match &delivery.about {
        DeliverySubject::Appointment { id, .. } => {
            format!("told {user} {kind} {id} {}", delivery.job)
        }
        // Its id, and the job's, differ from one attempt to the next.
        DeliverySubject::Call { caller, .. } => format!("told {user} {kind} {}", caller.as_str()),
    }
}
