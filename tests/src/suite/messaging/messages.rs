//! Cases of sending and reading messages.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::id::{AppointmentId, CallId, ConversationId, MessageId, UserId};
use telemed_core::identity::{FullName, UserEdit};
use telemed_core::journal::{Resource, Subject};
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, MessageKind, ServiceLabel, StoredMessage,
};
use telemed_core::store::Written;

use crate::build::{NOW, World, applied, at, client_message, sealed, user_id, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "messaging":
    messages_are_numbered_densely,
    an_outsider_appends_nothing,
    a_clients_id_sends_once,
    a_message_counts_as_unread,
    a_message_brings_a_conversation_back,
    a_message_replays_its_key,
    messages_are_read_by_id,
    a_window_is_read_by_place,
}

async fn window(world: &World, id: ConversationId, from: u64, to: u64) -> Vec<StoredMessage> {
    let store = &world.storage;
    store.message_window(id, from, to).await.unwrap()
}

async fn messages_are_numbered_densely(world: Arc<World>) {
    const CALLERS: usize = 16;
    const EACH: usize = 4;
    let (id, one, other) = world.two().await;
    let (second, ..) = world.two().await;
    let sent = together(CALLERS, |caller| {
        let world = Arc::clone(&world);
        let sender = if caller % 2 == 0 { one } else { other };
        async move { world.send(id, sender, EACH).await }
    })
    .await;
    // Each caller's own messages are in the order in which he sent them.
    for own in &sent {
        assert!(own.is_sorted_by_key(|message| message.seq));
    }
    let mut sent: Vec<_> = sent.into_iter().flatten().collect();
    sent.sort_by_key(|message| message.seq);
    let count = (CALLERS * EACH) as u64;
    let places: Vec<u64> = sent.iter().map(|message| message.seq).collect();
    assert_eq!(places, (1..=count).collect::<Vec<_>>());
    assert_eq!(window(&world, id, 1, count).await, sent);

    let conversation = world.conversation_now(id).await;
    assert_eq!(conversation.last_seq, count);
    let last = world.append_at(at(7), &world.new_message(id, one)).await;
    let AppendMessageOutcome::Appended(last) = last else {
        panic!()
    };
    assert_eq!((last.seq, last.created_at), (count + 1, at(7)));
    let conversation = world.conversation_now(id).await;
    assert_eq!(conversation.last_seq, count + 1);
    assert_eq!(conversation.last_message_at, Some(at(7)));
    // Another conversation has its own numbers.
    let untouched = world.conversation_now(second).await;
    assert_eq!((untouched.last_seq, untouched.last_message_at), (0, None));
}

async fn an_outsider_appends_nothing(world: Arc<World>) {
    let (id, one, _) = world.two().await;
    let outsider = world.patient().await;
    let unknown = ConversationId::new(world.uuid());
    for (id, sender) in [(id, outsider), (id, user_id(999)), (unknown, one)] {
        let mut new = world.new_message(id, sender);
        new.client = Some(client_message("a", 1));
        let refused = world.unchanged(world.append_at(NOW, &new)).await;
        assert_eq!(refused, AppendMessageOutcome::NotFound);
    }
}

/// A message under a client's id.
fn sent_as(world: &World, id: ConversationId, sender: UserId, name: &str) -> AppendMessage {
    AppendMessage {
        client: Some(client_message(name, 1)),
        ..world.new_message(id, sender)
    }
}

async fn a_clients_id_sends_once(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    let first = world.append(&sent_as(&world, id, one, "m-1")).await;
    assert_eq!(first.client_id, Some(client_message("m-1", 1).id));
    world.send(id, other, 2).await;
    // The same again: what was sent then, with the id that it was given then.
    let again = sent_as(&world, id, one, "m-1");
    let answer = world.unchanged(world.append_at(at(9), &again)).await;
    assert_eq!(answer, AppendMessageOutcome::Repeated(first.clone()));
    let mut another = again;
    another.client = Some(client_message("m-1", 2));
    let answer = world.unchanged(world.append_at(at(9), &another)).await;
    assert_eq!(answer, AppendMessageOutcome::ClientIdReused);
    // Another spelling, another sender, another conversation, and none at all.
    let (second, third, _) = world.two().await;
    let both = world.conversation([one, third]).await;
    for new in [
        sent_as(&world, id, one, "M-1"),
        sent_as(&world, id, other, "m-1"),
        sent_as(&world, both, one, "m-1"),
        sent_as(&world, second, third, "m-1"),
        world.new_message(id, one),
        world.new_message(id, one),
    ] {
        assert_eq!(world.append(&new).await.id, new.id);
    }
    // In parallel one is added, and everybody is given that one.
    let outcomes = together(16, |_| {
        let world = Arc::clone(&world);
        async move { world.append_at(NOW, &sent_as(&world, id, one, "m-2")).await }
    })
    .await;
    let (mut added, mut ids) = (0, Vec::new());
    for outcome in outcomes {
        match outcome {
            AppendMessageOutcome::Appended(message) => {
                added += 1;
                ids.push(message.id);
            }
            AppendMessageOutcome::Repeated(message) => ids.push(message.id),
            other => panic!("{other:?}"),
        }
    }
    ids.dedup();
    assert_eq!((added, ids.len()), (1, 1));
}

async fn a_message_counts_as_unread(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    let unread = async |user| world.place(id, user).await.unread;
    world.send(id, one, 3).await;
    assert_eq!((unread(one).await, unread(other).await), (0, 3));
    world.send(id, other, 2).await;
    assert_eq!((unread(one).await, unread(other).await), (2, 3));
    let place = world.place(id, one).await;
    // Sending says nothing about what the sender has received.
    assert_eq!((place.delivered_up_to, place.read_up_to), (0, 0));
    // What is answered as sent before does not count again.
    world.append(&sent_as(&world, id, one, "a")).await;
    world.append_at(NOW, &sent_as(&world, id, one, "a")).await;
    assert_eq!((unread(one).await, unread(other).await), (2, 4));
}

async fn a_message_brings_a_conversation_back(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    let away = world.conversation([one, world.patient().await]).await;
    let archive = async |id: ConversationId, user| {
        let write = world.write(Subject::uuid(Resource::Conversation, id.get()));
        let answer = world.storage.archive_conversation(&write, id, user, true);
        applied(answer.await.unwrap());
    };
    for sender in [one, other] {
        archive(id, one).await;
        archive(id, other).await;
        world.send(id, sender, 1).await;
        for user in [one, other] {
            assert!(!world.place(id, user).await.is_archived);
        }
    }
    archive(away, one).await;
    world.send(id, one, 1).await;
    assert!(world.place(away, one).await.is_archived);
    // A message that was sent before brings nothing back.
    world.append(&sent_as(&world, id, one, "a")).await;
    archive(id, other).await;
    world.append_at(NOW, &sent_as(&world, id, one, "a")).await;
    assert!(world.place(id, other).await.is_archived);
}

async fn a_message_replays_its_key(world: Arc<World>) {
    let (id, one, _) = world.two().await;
    let new = world.new_message(id, one);
    let subject = Subject::uuid(Resource::Message, new.id.get());
    let send = async |request, new: &AppendMessage| {
        let about = Subject::uuid(Resource::Message, new.id.get());
        let write = with_key(world.write(about), "key", request);
        world.storage.append_message(&write, new).await.unwrap()
    };
    let first = applied(send(1, &new).await);
    assert!(matches!(first, AppendMessageOutcome::Appended(_)));
    let again = world.new_message(id, one);
    let replayed = world.unchanged(send(1, &again)).await;
    assert_eq!(replayed, Written::Replayed(subject));
    let mismatch = world.unchanged(send(2, &again)).await;
    assert_eq!(mismatch, Written::KeyMismatch);
    // The key comes before the client's id.
    let mut named = world.new_message(id, one);
    named.client = Some(client_message("a", 1));
    let replayed = world.unchanged(send(1, &named)).await;
    assert_eq!(replayed, Written::Replayed(subject));
}

async fn messages_are_read_by_id(world: Arc<World>) {
    let sender = world.user(Role::Patient).await;
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let id = world.conversation([sender.id, doctor]).await;
    let mut sent = Vec::new();
    for kind in MessageKind::ALL {
        let new = AppendMessage {
            kind: *kind,
            body: sealed("a\0b'\u{fffd}"),
            appointment: Some(AppointmentId::from_row(i64::MAX)),
            service: ServiceLabel::new("cardiology'; --").ok(),
            call: Some(CallId::new(world.uuid())),
            client: Some(client_message(&format!("عميل {kind}"), 1)),
            ..world.new_message(id, sender.id)
        };
        let message = world.append(&new).await;
        let expected = StoredMessage {
            id: new.id,
            conversation: id,
            seq: sent.len() as u64 + 1,
            sender: sender.id,
            sender_name: sender.full_name.clone(),
            recipient: Some(doctor),
            kind: *kind,
            body: new.body,
            appointment: new.appointment,
            service: new.service,
            call: new.call,
            client_id: new.client.map(|client| client.id),
            created_at: NOW,
            delivered_at: None,
            read_at: None,
        };
        assert_eq!(message, expected);
        sent.push(message);
    }
    sent.extend(world.send(id, doctor, 1).await);
    let plain = sent.last().unwrap();
    assert_eq!((plain.sender, plain.recipient), (doctor, Some(sender.id)));
    assert_eq!(
        (&plain.service, plain.call, &plain.client_id),
        (&None, None, &None)
    );

    let read = async |ids: &[MessageId]| {
        let mut found = world.storage.messages_by_ids(ids).await.unwrap();
        found.sort_by_key(|message| message.seq);
        found
    };
    let mut ids: Vec<_> = sent.iter().rev().map(|message| message.id).collect();
    ids.push(MessageId::new(world.uuid()));
    ids.push(ids[0]);
    assert_eq!(read(&ids).await, sent);
    assert_eq!(read(&ids[1..2]).await, sent[sent.len() - 2..sent.len() - 1]);
    assert_eq!(read(&[]).await, []);
    // The name is the present one.
    let edit = UserEdit {
        full_name: FullName::new("Renamed").ok(),
        ..UserEdit::default()
    };
    let write = world.changes(Resource::User, sender.id.get());
    applied(
        world
            .storage
            .edit_user(&write, sender.id, &edit)
            .await
            .unwrap(),
    );
    assert_eq!(read(&[sent[0].id]).await[0].sender_name.as_str(), "Renamed");
}

async fn a_window_is_read_by_place(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    let mut sent = world.send(id, one, 3).await;
    let second = world.conversation([one, world.patient().await]).await;
    world.send(second, one, 9).await;
    sent.extend(world.send(id, other, 4).await);
    for (from, to, expected) in [
        (1, 7, 0..7),
        (2, 4, 1..4),
        (5, 5, 4..5),
        (6, 100, 5..7),
        (0, 1, 0..1),
        (1, u64::MAX, 0..7),
        (8, 9, 0..0),
        (5, 4, 0..0),
        (0, 0, 0..0),
    ] {
        let found = window(&world, id, from, to).await;
        assert_eq!(found, sent[expected], "{from} to {to}");
    }
    let unknown = ConversationId::new(world.uuid());
    assert_eq!(window(&world, unknown, 1, 9).await, []);
}
