//! Cases of who can be reached, and who is told of it.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::calls::{CallAction, CallSide};
use telemed_core::id::UserId;
use telemed_core::journal::Resource;
use telemed_core::presence::{ContactBounds, PresenceStatus};
use telemed_core::scheduling::AppointmentStatus;

use crate::build::{NOW, World, accept, all_contacts, applied, at, hangup, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "presence":
    a_live_call_stands_with_its_parties,
    somebody_was_seen_last_when_a_device_was_heard_of,
    what_was_told_is_noted_once,
    contacts_care_or_write,
    only_present_contacts_are_listed,
    present_doctors_are_listed_ones,
}

async fn a_live_call_stands_with_its_parties(world: Arc<World>) {
    let caller = world.user(Role::Doctor).await;
    let [callee, third] = world.patients(2).await[..] else {
        panic!()
    };
    let row = world.presence(caller.id, NOW).await;
    assert_eq!((row.user, row.role), (caller.id, Role::Doctor));
    assert_eq!(row.name, caller.full_name);
    assert_eq!((row.last_seen, row.live_call), (None, None));
    let call = world.call(caller.id, callee).await;
    let stands = async |user| world.presence(user, NOW).await.live_call;
    for action in [CallAction::Ring, accept("phone"), CallAction::Connect] {
        assert_eq!(stands(caller.id).await, Some(call.id));
        assert_eq!(stands(callee).await, Some(call.id));
        assert_eq!(stands(third).await, None);
        world.act(NOW, call.id, &[action]).await;
    }
    // Of several the newest one, until it ends.
    let new = world.new_call(third, callee);
    let mut second = world.starting(at(1), &new);
    second.most_live = 2;
    world.start(&second).await;
    assert_eq!(stands(callee).await, Some(new.id));
    assert_eq!(stands(caller.id).await, Some(call.id));
    world.act(at(2), new.id, &[hangup(CallSide::Caller)]).await;
    assert_eq!(stands(callee).await, Some(call.id));
    world.act(at(2), call.id, &[hangup(CallSide::Caller)]).await;
    assert_eq!(stands(callee).await, None);
    assert_eq!(stands(caller.id).await, None);
}

async fn somebody_was_seen_last_when_a_device_was_heard_of(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    let seen = async || world.presence(user, NOW).await.last_seen;
    let mut lease = world.new_lease(user, 5);
    for (heard, expected) in [(2, 2), (1, 2), (4, 4)] {
        lease.heard_at = at(heard);
        world.put(&lease).await;
        assert_eq!(seen().await, Some(at(expected)));
    }
    // What was told of him says nothing about it.
    let told = PresenceStatus::Online;
    world.storage.note_told_status(user, told).await.unwrap();
    world.storage.note_told_status(other, told).await.unwrap();
    assert_eq!(seen().await, Some(at(4)));
    assert_eq!(world.presence(other, NOW).await.last_seen, None);
    // It stays.
    world.lapsed(at(9)).await;
    let dropped = world.storage.drop_lapsed_leases(at(9)).await.unwrap();
    assert_eq!(dropped, 1);
    assert_eq!(world.storage.leases_of(user).await.unwrap(), []);
    assert_eq!(seen().await, Some(at(4)));
}

async fn what_was_told_is_noted_once(world: Arc<World>) {
    use PresenceStatus::{Away, Busy, Offline, Online};
    let (user, other) = (world.patient().await, world.patient().await);
    let note = async |user, status| world.storage.note_told_status(user, status).await.unwrap();
    assert_eq!(note(user, Online).await, Offline);
    assert_eq!(note(user, Online).await, Online);
    assert_eq!(note(other, Offline).await, Offline);
    // A lease is no word to anybody.
    world.lease(user, 5).await;
    world.lease(other, 5).await;
    assert_eq!(note(other, Away).await, Offline);
    for (before, status) in PresenceStatus::ALL.iter().zip(&PresenceStatus::ALL[1..]) {
        note(user, *before).await;
        assert_eq!(note(user, *status).await, *before);
    }
    note(user, Online).await;
    // In parallel one sees another before.
    for (status, before) in [(Busy, Online), (Away, Busy)] {
        let answers = together(16, |_| {
            let world = Arc::clone(&world);
            async move { world.storage.note_told_status(user, status).await.unwrap() }
        })
        .await;
        let others: Vec<_> = answers.iter().filter(|answer| **answer != status).collect();
        assert_eq!(others, [&before]);
    }
    assert_eq!(note(other, Away).await, Away);
}

/// A doctor, and a patient with an appointment of half an hour at [`NOW`] plus an hour in a state.
async fn cared_for(world: &World, path: &[AppointmentStatus]) -> (UserId, UserId) {
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let patient = world.patient().await;
    let appointment = world.book(slot, patient).await;
    world.become_status(&appointment, path).await;
    (doctor, patient)
}

fn after(minutes: i64) -> ContactBounds {
    ContactBounds {
        cared_after: at(minutes),
    }
}

/// Whether two are contacts; both ways, and by the list of those who are there.
async fn are_contacts(world: &World, one: UserId, other: UserId, bounds: ContactBounds) -> bool {
    let store = &world.storage;
    let answer = store.are_contacts([one, other], bounds).await.unwrap();
    let back = store.are_contacts([other, one], bounds).await.unwrap();
    assert_eq!(answer, back);
    for (of, contact) in [(one, other), (other, one)] {
        let listed = store.present_contacts(of, bounds, NOW, 1000).await.unwrap();
        assert_eq!(listed.contains(&contact), answer, "{of} and {contact}");
    }
    answer
}

async fn contacts_care_or_write(world: Arc<World>) {
    use AppointmentStatus::{Cancelled, Completed, Confirmed, InProgress, NoShow, Rejected};
    for (path, expected) in [
        (vec![], true),
        (vec![Confirmed], true),
        (vec![InProgress], true),
        (vec![Completed], true),
        (vec![NoShow], true),
        (vec![Rejected], false),
        (vec![Cancelled], false),
    ] {
        let (doctor, patient) = cared_for(&world, &path).await;
        world.lease(doctor, 5).await;
        world.lease(patient, 5).await;
        let is = are_contacts(&world, doctor, patient, all_contacts()).await;
        assert_eq!(is, expected, "{path:?}");
        // Beyond the bound alone: it ends at minute 90.
        let is = are_contacts(&world, doctor, patient, after(89)).await;
        assert_eq!(is, expected, "{path:?}");
        assert!(!are_contacts(&world, doctor, patient, after(90)).await);
    }
    let (doctor, patient) = cared_for(&world, &[]).await;
    let (second, other) = cared_for(&world, &[]).await;
    for user in [doctor, patient, second, other] {
        world.lease(user, 5).await;
    }
    // Nobody else by that; nobody with himself; no unknown one.
    for pair in [
        [doctor, other],
        [second, patient],
        [doctor, second],
        [patient, other],
    ] {
        assert!(!are_contacts(&world, pair[0], pair[1], all_contacts()).await);
    }
    for nobody in [doctor, patient, user_id(999)] {
        assert!(!are_contacts(&world, nobody, nobody, all_contacts()).await);
        assert!(!are_contacts(&world, nobody, user_id(998), all_contacts()).await);
    }
    // A conversation, whenever it was; and both.
    world.conversation([other, patient]).await;
    world.conversation([doctor, patient]).await;
    for bounds in [all_contacts(), after(1_000_000)] {
        assert!(are_contacts(&world, patient, other, bounds).await);
        assert!(are_contacts(&world, doctor, patient, bounds).await);
    }
    let store = &world.storage;
    let listed = store
        .present_contacts(patient, all_contacts(), NOW, 9)
        .await;
    let mut expected = [doctor, other];
    expected.sort_unstable();
    assert_eq!(listed.unwrap(), expected);
}

async fn only_present_contacts_are_listed(world: Arc<World>) {
    let me = world.patient().await;
    let others = world.patients(6).await;
    for other in &others {
        world.conversation([me, *other]).await;
    }
    let list = async |now, limit| {
        let store = &world.storage;
        let contacts = store.present_contacts(me, all_contacts(), now, limit).await;
        contacts.unwrap()
    };
    assert_eq!(list(NOW, 9).await, []);
    // His own lease, and those of strangers, are none of it.
    world.lease(me, 9).await;
    world.lease(world.patient().await, 9).await;
    assert_eq!(list(NOW, 9).await, []);
    world.lease(others[4], 5).await;
    for minutes in [3, 2] {
        world.lease(others[1], minutes).await;
    }
    let call = world.call(others[5], others[2]).await;
    assert_eq!(
        list(NOW, 9).await,
        [others[1], others[2], others[4], others[5]]
    );
    assert_eq!(list(NOW, 2).await, [others[1], others[2]]);
    assert_eq!(list(NOW, 0).await, []);
    assert_eq!(list(at(2), 9).await[0], others[1]);
    assert_eq!(list(at(3), 9).await, [others[2], others[4], others[5]]);
    assert_eq!(list(at(5), 9).await, [others[2], others[5]]);
    world.act(at(1), call.id, &[hangup(CallSide::Caller)]).await;
    assert_eq!(list(at(5), 9).await, []);
    // One who is in a call and has leases is there once.
    world.call(others[4], world.patient().await).await;
    assert_eq!(list(NOW, 9).await, [others[1], others[4]]);
}

async fn present_doctors_are_listed_ones(world: Arc<World>) {
    let clinic = world.clinic().await;
    let mut doctors = Vec::new();
    for _ in 0..5 {
        doctors.push(world.doctor(clinic).await);
    }
    let list = async |now, limit| {
        let listed = world.storage.present_doctors(now, limit).await;
        listed.unwrap()
    };
    assert_eq!(list(NOW, 9).await, []);
    // Those who are no listed doctors: a patient, an administrator, an application, an account
    // without a profile.
    for role in [Role::Patient, Role::Admin, Role::Doctor] {
        world.lease(world.user(role).await.id, 9).await;
    }
    let applicant = world.application("A-1", Some(clinic));
    let applicant = world.register(&applicant).await.id;
    world.lease(applicant, 9).await;
    assert_eq!(list(NOW, 9).await, []);
    for (doctor, minutes) in [(4, 9), (1, 3), (1, 5), (0, 9)] {
        world.lease(doctors[doctor], minutes).await;
    }
    let call = world.call(doctors[3], world.patient().await).await;
    let [first, second, _, fourth, fifth] = doctors[..] else {
        panic!()
    };
    assert_eq!(list(NOW, 9).await, [first, second, fourth, fifth]);
    assert_eq!(list(NOW, 2).await, [first, second]);
    assert_eq!(list(NOW, 0).await, []);
    assert_eq!(list(at(4), 9).await, [first, second, fourth, fifth]);
    assert_eq!(list(at(5), 9).await, [first, fourth, fifth]);
    world.act(at(1), call.id, &[hangup(CallSide::Caller)]).await;
    world.set_active(first, false).await;
    assert_eq!(list(at(5), 9).await, [fifth]);
    // The one who has applied, once he is verified.
    let write = world.changes(Resource::Doctor, applicant.get());
    let verified = world.storage.verify_doctor(&write, applicant).await;
    assert!(applied(verified.unwrap()).is_some());
    assert_eq!(list(at(5), 9).await, [fifth, applicant]);
}
