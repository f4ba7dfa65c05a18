//! Cases of what a write leaves behind: keys, events, values, and how long they stay.

use std::sync::Arc;

use telemed_core::actor::{ActorReference, Role};
use telemed_core::id::SessionId;
use telemed_core::identity::{NewUser, RegisterOutcome};
use telemed_core::journal::{Audience, IdempotencyKey, KeyRecord, Resource, Subject};
use telemed_core::store::Written;
use telemed_core::time::Timestamp;

use crate::build::{World, applied, at, fingerprint, user_id, whole, with_key};
use crate::dump::audit_trail;
use crate::suite::case_list;
use crate::together;

case_list! { "journal":
    a_record_leaves_its_audit_row,
    an_unknown_key_is_none,
    a_key_is_known_with_its_effect,
    a_refusal_leaves_no_key,
    events_come_in_order_after_the_cursor,
    events_of_others_do_not_show,
    an_installation_value_is_written_once,
    a_healthy_store_is_ready,
}

pub(super) fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

async fn a_record_leaves_its_audit_row(world: Arc<World>) {
    let mut write = world.write_at(at(3), Subject::number(Resource::Patient, 5));
    write.actor = ActorReference::User(user_id(4));
    write.audit.actor = write.actor;
    write.audit.session = Some(SessionId::new(world.uuid()));
    write.audit.data.insert(
        "قراءة".into(),
        serde_json::json!({"rows": [1, -2, null], "a": "\0"}),
    );
    write.audit.data.insert("big".into(), i64::MAX.into());
    world.storage.record(&write).await.unwrap();
    let rows = audit_trail(&*world.storage).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(row.row, write.audit);
    for subject in [whole(), Subject::uuid(Resource::Session, world.uuid())] {
        for actor in [
            ActorReference::Anonymous,
            ActorReference::Jobs,
            ActorReference::Operator,
        ] {
            let mut write = world.write_at(at(4), subject);
            (write.actor, write.audit.actor) = (actor, actor);
            world.storage.record(&write).await.unwrap();
            let rows = audit_trail(&*world.storage).await;
            assert_eq!(rows.last().unwrap().row, write.audit);
        }
    }
}

async fn an_unknown_key_is_none(world: Arc<World>) {
    world.make_clinic(&world.clinic_details("UTC")).await;
    assert_eq!(
        world.storage.key_record("test", &key("key")).await.unwrap(),
        None
    );
}

async fn a_key_is_known_with_its_effect(world: Arc<World>) {
    let write = with_key(world.makes(Resource::Clinic), "Schlüssel 🔑", 7);
    let details = world.clinic_details("UTC");
    let clinic = applied(world.storage.create_clinic(&write, &details).await.unwrap());
    let read = |scope: &'static str, text: &'static str| {
        let world = Arc::clone(&world);
        async move { world.storage.key_record(scope, &key(text)).await.unwrap() }
    };
    let subject = Subject::number(Resource::Clinic, clinic.id.get());
    let record = KeyRecord {
        fingerprint: fingerprint(7),
        subject,
    };
    assert_eq!(read("test", "Schlüssel 🔑").await, Some(record));
    // Another scope and another key are other keys, to the letter.
    assert_eq!(read("test2", "Schlüssel 🔑").await, None);
    assert_eq!(read("TEST", "Schlüssel 🔑").await, None);
    assert_eq!(read("test", "schlüssel 🔑").await, None);
    // Of a change it is the row that was changed.
    let session = world.new_session(None);
    let new = NewUser {
        session: Some(session.clone()),
        ..world.new_user(Role::Patient)
    };
    world.register(&new).await;
    let subject = Subject::uuid(Resource::Session, session.id.get());
    let write = with_key(world.write(subject), "end", 8);
    assert!(applied(
        world.storage.end_session(&write, session.id).await.unwrap()
    ));
    let record = KeyRecord {
        fingerprint: fingerprint(8),
        subject,
    };
    assert_eq!(read("test", "end").await, Some(record));
    let again = with_key(world.write(subject), "end", 8);
    let answer = world
        .unchanged(world.storage.end_session(&again, session.id))
        .await
        .unwrap();
    assert_eq!(answer, Written::Replayed(subject));
}

async fn a_refusal_leaves_no_key(world: Arc<World>) {
    let first = world.new_user(Role::Patient);
    world.register(&first).await;
    let second = NewUser {
        email: first.email.clone(),
        ..world.new_user(Role::Patient)
    };
    let write = with_key(world.makes(Resource::User), "key", 1);
    let outcome = world
        .unchanged(world.storage.register_user(&write, &second))
        .await
        .unwrap();
    assert_eq!(outcome, Written::Applied(RegisterOutcome::EmailTaken));
    assert_eq!(
        world.storage.key_record("test", &key("key")).await.unwrap(),
        None
    );
    // Another request may use it.
    let third = world.new_user(Role::Patient);
    let write = with_key(world.makes(Resource::User), "key", 2);
    let outcome = applied(world.storage.register_user(&write, &third).await.unwrap());
    assert!(matches!(outcome, RegisterOutcome::Registered(_)));
}

/// Records a write that tells these users something; the event's id.
pub(super) async fn tell(world: &World, at: Timestamp, users: &[i64]) -> telemed_core::id::EventId {
    let mut write = world.write_at(at, whole());
    let users: Vec<_> = users.iter().map(|user| user_id(*user)).collect();
    let mut event = world.event(&users, whole());
    event.at = at;
    let id = event.id;
    write.events.push(event);
    world.storage.record(&write).await.unwrap();
    id
}

pub(super) async fn heard(
    world: &World,
    users: &[i64],
    after: u64,
    limit: u32,
) -> Vec<(u64, telemed_core::id::EventId)> {
    let audiences: Vec<_> = users
        .iter()
        .map(|user| Audience::User(user_id(*user)))
        .collect();
    let events = world
        .storage
        .events_after(&audiences, after, limit)
        .await
        .unwrap();
    events.iter().map(|one| (one.seq, one.event.id)).collect()
}

async fn events_come_in_order_after_the_cursor(world: Arc<World>) {
    let mut ids = Vec::new();
    for (minute, users) in [
        (5, &[1][..]),
        (3, &[2]),
        (4, &[1, 2]),
        (1, &[3]),
        (2, &[2, 1, 3]),
    ] {
        ids.push(tell(&world, at(minute), users).await);
    }
    let all = heard(&world, &[1, 2, 3], 0, 100).await;
    assert_eq!(all.iter().map(|(_, id)| *id).collect::<Vec<_>>(), ids);
    assert!(
        all.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "the cursor rises"
    );
    assert!(all[0].0 > 0);
    let ones = heard(&world, &[1], 0, 100).await;
    assert_eq!(ones, [all[0], all[2], all[4]]);
    assert_eq!(heard(&world, &[1], all[0].0, 100).await, [all[2], all[4]]);
    assert_eq!(heard(&world, &[1], all[1].0, 1).await, [all[2]]);
    assert_eq!(heard(&world, &[1], all[4].0, 100).await, []);
    assert_eq!(heard(&world, &[1], u64::MAX, 100).await, []);
    assert_eq!(heard(&world, &[1, 2, 1], 0, 2).await, all[..2]);
    // The events of one write come in its order, whole.
    let mut write = world.write(whole());
    write.events = (0..3)
        .map(|_| world.event(&[user_id(9)], whole()))
        .collect();
    world.storage.record(&write).await.unwrap();
    let logged = world
        .storage
        .events_after(&[Audience::User(user_id(9))], 0, 100)
        .await
        .unwrap();
    assert_eq!(
        logged
            .iter()
            .map(|one| one.event.clone())
            .collect::<Vec<_>>(),
        write.events
    );
    // Whatever is read while others write: what was read once stays before what comes later.
    together(64, |caller| {
        let world = Arc::clone(&world);
        async move {
            tell(&world, at(1), &[50]).await;
            let user = 50 + i64::try_from(caller % 2).unwrap();
            heard(&world, &[user], 0, 1000).await
        }
    })
    .await;
    let reads = heard(&world, &[50], 0, 1000).await;
    assert_eq!(reads.len(), 64);
    assert!(reads.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

async fn events_of_others_do_not_show(world: Arc<World>) {
    tell(&world, at(1), &[1, 12]).await;
    let second = tell(&world, at(2), &[2]).await;
    tell(&world, at(3), &[]).await;
    let shown: Vec<_> = heard(&world, &[2], 0, 100)
        .await
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    assert_eq!(shown, [second]);
    assert_eq!(heard(&world, &[3, 0, -1, 11], 0, 100).await, []);
    assert_eq!(heard(&world, &[], 0, 100).await, []);
}

async fn an_installation_value_is_written_once(world: Arc<World>) {
    let store = &world.storage;
    assert_eq!(store.installation_value("name").await.unwrap(), None);
    assert_eq!(
        store
            .claim_installation_value("name", "first")
            .await
            .unwrap(),
        "first"
    );
    assert_eq!(
        store
            .claim_installation_value("name", "second")
            .await
            .unwrap(),
        "first"
    );
    assert_eq!(
        store.installation_value("name").await.unwrap().as_deref(),
        Some("first")
    );
    assert_eq!(store.installation_value("Name").await.unwrap(), None);
    assert_eq!(
        store
            .claim_installation_value("other", "قيمة")
            .await
            .unwrap(),
        "قيمة"
    );
    let answers = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let value = caller.to_string();
            world
                .storage
                .claim_installation_value("raced", &value)
                .await
                .unwrap()
        }
    })
    .await;
    assert!(answers.iter().all(|one| *one == answers[0]));
    assert_eq!(
        store.installation_value("raced").await.unwrap().as_ref(),
        Some(&answers[0])
    );
}

async fn a_healthy_store_is_ready(world: Arc<World>) {
    world.unchanged(world.storage.ready()).await.unwrap();
}
