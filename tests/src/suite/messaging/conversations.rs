//! Cases of conversations: opening them, their lists, putting them away.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::directory::Specialty;
use telemed_core::id::{ConversationId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::messaging::{
    ArchiveOutcome, Conversation, ConversationKind, ConversationRow, OpenConversationOutcome,
};

use crate::build::{NOW, World, applied, at, page, user_id, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "messaging":
    a_pair_has_one_conversation,
    opening_writes_only_once,
    an_unknown_conversation_is_none,
    participants_come_with_their_names,
    conversations_are_listed_by_activity,
    archived_conversations_are_left_out,
    the_most_recently_active_conversations_are_searched,
    a_conversation_is_archived_for_one,
}

async fn a_pair_has_one_conversation(world: Arc<World>) {
    let people = world.patients(3).await;
    let [one, other, third] = people[..] else {
        panic!()
    };
    // In parallel, from both sides: one is opened, and everybody is given that one.
    let outcomes = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let pair = if caller % 2 == 0 {
                [one, other]
            } else {
                [other, one]
            };
            world.open_at(NOW, &world.new_conversation(pair)).await
        }
    })
    .await;
    let mut opened = 0;
    let mut ids = Vec::new();
    for outcome in outcomes {
        match outcome {
            OpenConversationOutcome::Opened(conversation) => {
                opened += 1;
                ids.push(conversation.id);
            }
            OpenConversationOutcome::Existing(conversation) => ids.push(conversation.id),
        }
    }
    ids.dedup();
    assert_eq!((opened, ids.len()), (1, 1));
    // Others have others.
    let second = world.conversation([third, one]).await;
    let third_one = world.conversation([third, other]).await;
    for (pair, id) in [
        ([one, other], ids[0]),
        ([third, one], second),
        ([third, other], third_one),
    ] {
        for pair in [pair, [pair[1], pair[0]]] {
            let found = world.storage.conversation_of_pair(pair).await.unwrap();
            assert_eq!(found.unwrap().id, id);
        }
    }
    let nobody = world
        .storage
        .conversation_of_pair([one, user_id(999)])
        .await;
    assert_eq!(nobody.unwrap(), None);
}

async fn opening_writes_only_once(world: Arc<World>) {
    let (one, other) = (world.patient().await, world.patient().await);
    let new = world.new_conversation([other, one]);
    let OpenConversationOutcome::Opened(opened) = world.open_at(at(5), &new).await else {
        panic!("there was one")
    };
    assert_eq!(opened.id, new.id);
    assert_eq!(opened.kind, ConversationKind::Direct);
    assert_eq!(opened.key, new.key.id);
    assert_eq!(opened.created_at, at(5));
    assert_eq!((opened.last_seq, opened.last_message_at), (0, None));
    assert_eq!(opened.users(), [one, other]);
    for place in &opened.participants {
        let stands = (place.delivered_up_to, place.read_up_to, place.unread);
        assert_eq!(stands, (0, 0, 0));
        assert!(!place.is_archived);
    }
    assert_eq!(world.conversation_now(new.id).await, opened);
    // Its key is there among the other data keys.
    let keys = world.storage.data_keys(&[new.key.id]).await.unwrap();
    assert_eq!(keys, [new.key]);

    let again = world.new_conversation([one, other]);
    let subject = Subject::uuid(Resource::Conversation, again.id.get());
    let mut write = with_key(world.write(subject), "open", 1);
    write.events = vec![world.event(&[one], subject)];
    let store = &world.storage;
    let answer = world
        .unchanged(store.open_conversation(&write, &again))
        .await
        .unwrap();
    assert_eq!(applied(answer), OpenConversationOutcome::Existing(opened));
    let key = telemed_core::journal::IdempotencyKey::new("open").unwrap();
    assert_eq!(store.key_record("test", &key).await.unwrap(), None);
    assert_eq!(store.data_keys(&[again.key.id]).await.unwrap(), []);
    assert_eq!(store.conversation_by_id(again.id).await.unwrap(), None);
}

async fn an_unknown_conversation_is_none(world: Arc<World>) {
    let (known, ..) = world.two().await;
    let unknown = ConversationId::new(world.uuid());
    let store = &world.storage;
    assert_eq!(store.conversation_by_id(unknown).await.unwrap(), None);
    assert!(store.conversation_by_id(known).await.unwrap().is_some());
}

async fn participants_come_with_their_names(world: Arc<World>) {
    // The higher id belongs to whom the pair names first.
    let patient = world.user(Role::Patient).await;
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let id = world.conversation([doctor, patient.id]).await;
    let conversation = world.conversation_now(id).await;
    let [first, second] = &conversation.participants[..] else {
        panic!("{conversation:?}")
    };
    assert_eq!((first.user, second.user), (patient.id, doctor));
    assert_eq!(first.name, patient.full_name);
    assert_eq!((first.role, &first.specialty), (Role::Patient, &None));
    let account = world.storage.user_by_id(doctor).await.unwrap().unwrap();
    assert_eq!(second.name, account.full_name);
    let cardiology = Specialty::new("Cardiology").ok();
    assert_eq!(
        (second.role, &second.specialty),
        (Role::Doctor, &cardiology)
    );
    // Everywhere the same.
    let of_pair = world.storage.conversation_of_pair([patient.id, doctor]);
    assert_eq!(of_pair.await.unwrap().as_ref(), Some(&conversation));
    let listed = list(&world, doctor, true).await;
    assert_eq!(listed[0].conversation, conversation);
}

async fn list(world: &World, user: UserId, with_archived: bool) -> Vec<ConversationRow> {
    let page = page(0, 100);
    let listed = world.storage.conversation_page(user, with_archived, page);
    let listed = listed.await.unwrap();
    assert_eq!(listed.total, listed.items.len() as u64);
    listed.items
}

fn ids(rows: &[ConversationRow]) -> Vec<ConversationId> {
    rows.iter().map(|row| row.conversation.id).collect()
}

async fn conversations_are_listed_by_activity(world: Arc<World>) {
    let people = world.patients(5).await;
    let me = people[0];
    let mut opened = Vec::new();
    // Two are opened at one time: the one with the higher id comes first.
    for (other, minute) in [(1, 10), (2, 20), (3, 20), (4, 30)] {
        let new = world.new_conversation([me, people[other]]);
        world.open_at(at(minute), &new).await;
        opened.push(new.id);
    }
    let [a, b, c, d] = opened[..] else { panic!() };
    assert_eq!(ids(&list(&world, me, false).await), [d, c, b, a]);
    assert!(
        list(&world, me, false)
            .await
            .iter()
            .all(|row| row.last_message.is_none())
    );
    // Whoever sends: it comes to the front, for both.
    let first = world.new_message(b, people[2]);
    world.append_at(at(40), &first).await;
    let second = world.new_message(a, me);
    world.append_at(at(35), &second).await;
    let rows = list(&world, me, false).await;
    assert_eq!(ids(&rows), [b, a, d, c]);
    let last: Vec<_> = rows
        .iter()
        .map(|row| row.last_message.as_ref().map(|message| message.id))
        .collect();
    assert_eq!(last, [Some(first.id), Some(second.id), None, None]);
    assert_eq!(rows[0].conversation.last_message_at, Some(at(40)));
    assert_eq!(rows[0].conversation.last_seq, 1);
    let whole = world.storage.messages_by_ids(&[first.id]).await.unwrap();
    assert_eq!(rows[0].last_message.as_ref(), whole.first());
    // The newest message is the one that was added last, and its time decides, even if it is
    // earlier than another's.
    let third = world.new_message(b, me);
    world.append_at(at(25), &third).await;
    let rows = list(&world, me, false).await;
    assert_eq!(ids(&rows), [a, d, b, c]);
    assert_eq!(rows[2].last_message.as_ref().unwrap().id, third.id);
    // Each has a list of his own.
    assert_eq!(ids(&list(&world, people[2], true).await), [b]);
    assert_eq!(ids(&list(&world, user_id(999), true).await), []);
    // Page by page it is the same list.
    for with_archived in [false, true] {
        let mut paged = Vec::new();
        for skip in 0..5 {
            let part = page(skip, 1);
            let listed = world.storage.conversation_page(me, with_archived, part);
            let listed = listed.await.unwrap();
            assert_eq!(listed.total, 4);
            paged.extend(listed.items);
        }
        assert_eq!(paged, rows);
    }
}

async fn archive(world: &World, id: ConversationId, user: UserId, is: bool) -> ArchiveOutcome {
    let write = world.write(Subject::uuid(Resource::Conversation, id.get()));
    let store = &world.storage;
    applied(
        store
            .archive_conversation(&write, id, user, is)
            .await
            .unwrap(),
    )
}

async fn archived_conversations_are_left_out(world: Arc<World>) {
    let people = world.patients(4).await;
    let me = people[0];
    let mut opened = Vec::new();
    for (minute, other) in (1..).zip(&people[1..]) {
        let new = world.new_conversation([me, *other]);
        world.open_at(at(minute), &new).await;
        opened.push(new.id);
    }
    let [a, b, c] = opened[..] else { panic!() };
    archive(&world, b, me, true).await;
    assert_eq!(ids(&list(&world, me, false).await), [c, a]);
    assert_eq!(ids(&list(&world, me, true).await), [c, b, a]);
    let listed = world.storage.conversation_page(me, false, page(1, 1));
    let listed = listed.await.unwrap();
    assert_eq!((listed.total, ids(&listed.items)), (2, vec![a]));
    // The other one has put nothing away.
    assert_eq!(ids(&list(&world, people[2], false).await), [b]);
    archive(&world, b, me, false).await;
    assert_eq!(ids(&list(&world, me, false).await), [c, b, a]);
}

async fn the_most_recently_active_conversations_are_searched(world: Arc<World>) {
    let people = world.patients(5).await;
    let me = people[0];
    let mut opened = Vec::new();
    for (minute, other) in (1..).zip(&people[1..]) {
        let new = world.new_conversation([me, *other]);
        world.open_at(at(minute), &new).await;
        opened.push((new.id, new.key));
    }
    let [a, b, c, d] = &opened[..] else { panic!() };
    world.append_at(at(50), &world.new_message(b.0, me)).await;
    archive(&world, c.0, me, true).await;
    let keys = async |user, limit| {
        let keys = world.storage.conversation_keys(user, limit).await;
        keys.unwrap()
    };
    // What was put away is searched too.
    let all = [b, d, c, a].map(Clone::clone);
    assert_eq!(keys(me, 100).await, all);
    assert_eq!(keys(me, 2).await, all[..2]);
    assert_eq!(keys(me, 0).await, []);
    assert_eq!(keys(people[1], 100).await, std::slice::from_ref(a));
    assert_eq!(keys(user_id(999), 100).await, []);
}

async fn a_conversation_is_archived_for_one(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    world.send(id, other, 2).await;
    let before = world.conversation_now(id).await;
    let archived = |conversation: &Conversation, user| {
        let place = conversation.participant(user);
        place.unwrap().is_archived
    };
    let ArchiveOutcome::Changed(changed) = archive(&world, id, one, true).await else {
        panic!()
    };
    assert_eq!(world.conversation_now(id).await, changed);
    assert!(archived(&changed, one) && !archived(&changed, other));
    // Nothing else changes.
    let mut expected = before.clone();
    expected.participants[usize::from(one > other)].is_archived = true;
    assert_eq!(changed, expected);

    let again = world.unchanged(archive(&world, id, one, true)).await;
    assert_eq!(again, ArchiveOutcome::Unchanged(changed));
    let never = world.unchanged(archive(&world, id, other, false)).await;
    assert_eq!(never, ArchiveOutcome::Unchanged(expected));
    let back = archive(&world, id, one, false).await;
    assert_eq!(back, ArchiveOutcome::Changed(before));

    let outsider = world.patient().await;
    let unknown = ConversationId::new(world.uuid());
    for (id, user) in [(id, outsider), (unknown, one), (id, user_id(999))] {
        let refused = world.unchanged(archive(&world, id, user, true)).await;
        assert_eq!(refused, ArchiveOutcome::NotFound);
    }
}
