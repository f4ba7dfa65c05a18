//! Cases of what is delivered and read.

use std::sync::Arc;

use telemed_core::id::{ConversationId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::messaging::MarkMessagesOutcome as Outcome;
use telemed_core::messaging::ReceiptKind::{Delivered, Read};
use telemed_core::messaging::StoredMessage;
use telemed_core::store::Written;
use telemed_core::time::Timestamp;

use crate::build::{NOW, World, at, page, user_id, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "messaging":
    reading_clears_what_was_unread,
    marks_never_go_back,
    reading_is_a_delivery,
    a_message_is_dated_by_the_first_receipt,
    parallel_marks_count_once,
}

fn marked(after: u64, up_to: u64, count: u64) -> Outcome {
    Outcome::Marked {
        after,
        up_to,
        count,
    }
}

/// Up to where the user has received and read, and what is unread.
async fn stands(world: &World, id: ConversationId, user: UserId) -> (u64, u64, u64) {
    let place = world.place(id, user).await;
    (place.delivered_up_to, place.read_up_to, place.unread)
}

async fn reading_clears_what_was_unread(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    // 1 to 3 are of one, 4 and 5 of the other, 6 to 9 of one.
    world.send(id, one, 3).await;
    world.send(id, other, 2).await;
    world.send(id, one, 4).await;
    assert_eq!(stands(&world, id, other).await, (0, 0, 7));
    let read = async |up_to| world.mark_at(NOW, id, other, Read, up_to).await;
    assert_eq!(read(2).await, marked(0, 2, 2));
    assert_eq!(stands(&world, id, other).await, (2, 2, 5));
    assert_eq!(read(7).await, marked(2, 7, 3));
    assert_eq!(stands(&world, id, other).await, (7, 7, 2));
    // What is beyond the newest counts as the newest.
    assert_eq!(read(u64::MAX).await, marked(7, 9, 2));
    assert_eq!(stands(&world, id, other).await, (9, 9, 0));
    world.send(id, one, 1).await;
    assert_eq!(stands(&world, id, other).await, (9, 9, 1));
    // The other's own place is his own.
    assert_eq!(stands(&world, id, one).await, (0, 0, 2));
    // A delivery clears nothing.
    let delivered = world.mark_at(NOW, id, one, Delivered, 9).await;
    assert_eq!(delivered, marked(0, 9, 2));
    assert_eq!(stands(&world, id, one).await, (9, 0, 2));

    // The events say from where to where; so the write is known only now.
    let subject = Subject::uuid(Resource::Conversation, id.get());
    let mut mark = world.marking(NOW, id, one, Read, 50);
    mark.write = with_key(mark.write, "key", 1);
    mark.write.events = vec![world.event(&[other], subject)];
    let store = &world.storage;
    let answer = store.mark_messages(&mark).await.unwrap();
    assert_eq!(answer, Written::Applied(marked(0, 10, 2)));
    let events = world.dump().await.events;
    let data = &events.last().unwrap().data;
    assert_eq!((&data["after"], &data["up_to"]), (&0.into(), &10.into()));
    let again = world.unchanged(store.mark_messages(&mark)).await.unwrap();
    assert_eq!(again, Written::Replayed(subject));
    mark.write = with_key(mark.write, "key", 2);
    let other_request = world.unchanged(store.mark_messages(&mark)).await.unwrap();
    assert_eq!(other_request, Written::KeyMismatch);
}

async fn marks_never_go_back(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    // 1 to 4 are of one, 5 and 6 of the other.
    world.send(id, one, 4).await;
    world.send(id, other, 2).await;
    for kind in [Delivered, Read] {
        let mark = |up_to| world.mark_at(NOW, id, other, kind, up_to);
        assert_eq!(world.unchanged(mark(0)).await, Outcome::Unchanged);
        assert_eq!(mark(3).await, marked(0, 3, 3));
        for up_to in [0, 2, 3] {
            let nothing = world.unchanged(mark(up_to)).await;
            assert_eq!(nothing, Outcome::Unchanged, "{kind} {up_to}");
        }
        assert_eq!(mark(4).await, marked(3, 4, 1));
        // What is his own he has neither received nor read.
        for up_to in [5, 6, 7] {
            let nothing = world.unchanged(mark(up_to)).await;
            assert_eq!(nothing, Outcome::Unchanged, "{kind} {up_to}");
        }
    }
    assert_eq!(stands(&world, id, other).await, (4, 4, 0));
    let outsider = world.patient().await;
    let unknown = ConversationId::new(world.uuid());
    for (id, user) in [(id, outsider), (id, user_id(999)), (unknown, one)] {
        let mark = world.mark_at(NOW, id, user, Read, 6);
        assert_eq!(world.unchanged(mark).await, Outcome::NotFound);
    }
}

async fn reading_is_a_delivery(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    world.send(id, one, 6).await;
    world.mark_at(at(1), id, other, Delivered, 2).await;
    assert_eq!(stands(&world, id, other).await, (2, 0, 6));
    world.mark_at(at(2), id, other, Read, 4).await;
    assert_eq!(stands(&world, id, other).await, (4, 4, 2));
    // What was delivered further than it is read stays so.
    world.mark_at(at(3), id, other, Delivered, 6).await;
    world.mark_at(at(4), id, other, Read, 5).await;
    assert_eq!(stands(&world, id, other).await, (6, 5, 1));
    let dates = [
        (Some(1), Some(2)),
        (Some(1), Some(2)),
        (Some(2), Some(2)),
        (Some(2), Some(2)),
        (Some(3), Some(4)),
        (Some(3), None),
    ];
    assert_eq!(dated(&window(&world, id).await), dates);
    let nothing = world.mark_at(at(5), id, other, Delivered, 6);
    assert_eq!(world.unchanged(nothing).await, Outcome::Unchanged);
}

async fn window(world: &World, id: ConversationId) -> Vec<StoredMessage> {
    let window = world.storage.message_window(id, 1, 100).await;
    window.unwrap()
}

/// When each message was delivered and read, in minutes.
fn dated(messages: &[StoredMessage]) -> Vec<(Option<i64>, Option<i64>)> {
    let minute = |time: Timestamp| (time.micros() - NOW.micros()) / 60_000_000;
    messages
        .iter()
        .map(|one| (one.delivered_at.map(minute), one.read_at.map(minute)))
        .collect()
}

async fn a_message_is_dated_by_the_first_receipt(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    let first = world.send(id, one, 2).await;
    world.send(id, other, 1).await;
    world.send(id, one, 1).await;
    let nothing = vec![(None, None); 4];
    assert_eq!(dated(&window(&world, id).await), nothing);
    world.mark_at(at(10), id, other, Delivered, 1).await;
    world.mark_at(at(20), id, other, Delivered, 4).await;
    // Reading comes after, and does not move what was delivered before.
    world.mark_at(at(30), id, other, Read, 2).await;
    // The clock may go back: the first receipt is the one that came first.
    world.mark_at(at(25), id, other, Read, 4).await;
    let dates = [
        (Some(10), Some(30)),
        (Some(20), Some(30)),
        // It is of the other: his receipts do not date it.
        (None, None),
        (Some(20), Some(25)),
    ];
    let messages = window(&world, id).await;
    assert_eq!(dated(&messages), dates);
    world.mark_at(at(40), id, one, Read, 3).await;
    let messages = window(&world, id).await;
    assert_eq!(dated(&messages)[2], (Some(40), Some(40)));
    assert_eq!(dated(&messages)[..2], dates[..2]);
    // The same wherever a message is read.
    let ids = [first[0].id, first[1].id];
    let mut by_id = world.storage.messages_by_ids(&ids).await.unwrap();
    by_id.sort_by_key(|message| message.seq);
    assert_eq!(by_id, messages[..2]);
    let listed = world.storage.conversation_page(one, false, page(0, 1));
    let last = listed.await.unwrap().items.remove(0).last_message;
    assert_eq!(last.as_ref(), messages.last());
    // Receipts in another conversation are none of this one's.
    let third = world.patient().await;
    let second = world.conversation([other, third]).await;
    world.send(second, third, 3).await;
    world.mark_at(at(50), second, other, Read, 3).await;
    assert_eq!(window(&world, id).await, messages);
}

async fn parallel_marks_count_once(world: Arc<World>) {
    let (id, one, other) = world.two().await;
    world.send(id, one, 5).await;
    world.send(id, other, 2).await;
    world.send(id, one, 4).await;
    for kind in [Delivered, Read] {
        let outcomes = together(12, |caller| {
            let world = Arc::clone(&world);
            // Some go all the way, some half of it.
            let up_to = if caller % 3 == 0 { 4 } else { 11 };
            async move { world.mark_at(NOW, id, other, kind, up_to).await }
        })
        .await;
        let counts = outcomes.iter().map(|outcome| match outcome {
            Outcome::Marked { count, .. } => *count,
            Outcome::Unchanged => 0,
            Outcome::NotFound => panic!("it is there"),
        });
        assert_eq!(counts.sum::<u64>(), 9, "{kind}");
    }
    assert_eq!(stands(&world, id, other).await, (11, 11, 0));
}
