//! Cases of finding messages by their tokens.

use std::sync::Arc;

use telemed_core::id::{ConversationId, MessageId, UserId};
use telemed_core::messaging::{AppendMessage, SearchNeedle, SearchToken, StoredMessage};
use uuid::Uuid;

use crate::build::{World, needle};
use crate::suite::case_list;

case_list! { "messaging":
    a_candidate_has_every_token,
    candidates_come_newest_first,
}

/// Sends a message that is found by these tokens.
async fn tell(world: &World, id: ConversationId, sender: UserId, tokens: &[i64]) -> MessageId {
    let new = AppendMessage {
        tokens: tokens.iter().copied().map(SearchToken).collect(),
        ..world.new_message(id, sender)
    };
    world.append(&new).await.id
}

async fn search(
    world: &World,
    needles: &[SearchNeedle],
    before: Option<MessageId>,
    limit: u32,
) -> Vec<StoredMessage> {
    let store = &world.storage;
    store.search_messages(needles, before, limit).await.unwrap()
}

async fn found(world: &World, needles: &[SearchNeedle]) -> Vec<MessageId> {
    let found = search(world, needles, None, 1000).await;
    found.iter().map(|message| message.id).collect()
}

async fn a_candidate_has_every_token(world: Arc<World>) {
    let (a, one, other) = world.two().await;
    let b = world.conversation([one, world.patient().await]).await;
    let first = tell(&world, a, one, &[1, 2, 3]).await;
    let second = tell(&world, a, other, &[2, 3, 4]).await;
    // A token may be named twice, and is any number.
    let third = tell(&world, a, one, &[i64::MIN, -1, 0, i64::MAX, 3, 3]).await;
    let fourth = tell(&world, b, one, &[1, 3]).await;
    tell(&world, a, one, &[]).await;
    for (tokens, expected) in [
        (&[1][..], vec![first]),
        (&[2], vec![second, first]),
        (&[3], vec![third, second, first]),
        (&[2, 3], vec![second, first]),
        (&[3, 2, 1], vec![first]),
        (&[4, 1], vec![]),
        (&[1, 4], vec![]),
        (&[5], vec![]),
        (&[3, 5], vec![]),
        (&[i64::MIN, i64::MAX, 0, -1], vec![third]),
        (&[3, 3], vec![third, second, first]),
    ] {
        assert_eq!(
            found(&world, &[needle(a, tokens)]).await,
            expected,
            "{tokens:?}"
        );
    }
    // Every conversation has a needle of its own, and is looked into with no other.
    let needles = [needle(a, &[4]), needle(b, &[1])];
    assert_eq!(found(&world, &needles).await, [fourth, second]);
    let needles = [needle(a, &[1]), needle(b, &[4])];
    assert_eq!(found(&world, &needles).await, [first]);
    assert_eq!(found(&world, &[]).await, []);
    let unknown = ConversationId::new(world.uuid());
    assert_eq!(found(&world, &[needle(unknown, &[1])]).await, []);
    // As many tokens as a search has at most, in many messages that have nearly all of them.
    let all: Vec<i64> = (100..116).collect();
    let mut whole = Vec::new();
    for missing in 0..20 {
        let some: Vec<i64> = all
            .iter()
            .copied()
            .filter(|one| *one != 100 + missing)
            .collect();
        let id = tell(&world, b, one, &some).await;
        whole.extend((missing >= 16).then_some(id));
    }
    whole.reverse();
    assert_eq!(found(&world, &[needle(b, &all)]).await, whole);
    // They come whole.
    let message = &search(&world, &[needle(a, &[1])], None, 9).await[0];
    let by_id = world.storage.messages_by_ids(&[first]).await.unwrap();
    assert_eq!(by_id, std::slice::from_ref(message));
}

async fn candidates_come_newest_first(world: Arc<World>) {
    let me = world.patient().await;
    let mut conversations = Vec::new();
    for _ in 0..5 {
        let other = world.patient().await;
        conversations.push(world.conversation([me, other]).await);
    }
    let mut expected = Vec::new();
    for number in 0..60 {
        // Some conversations have most of them, and not everything matches.
        let id = conversations[[0, 0, 1, 2, 0, 1, 3][number % 7]];
        let tokens: &[i64] = if number % 4 == 3 { &[1] } else { &[1, 2] };
        let message = tell(&world, id, me, tokens).await;
        if number % 4 != 3 {
            expected.push(message);
        }
    }
    // Ids decide, not places: this one was made before the others and arrived after them.
    let late = AppendMessage {
        id: MessageId::new(Uuid::from_u128(0)),
        tokens: vec![SearchToken(1), SearchToken(2)],
        ..world.new_message(conversations[4], me)
    };
    world.append(&late).await;
    expected.insert(0, late.id);
    expected.reverse();
    let needles: Vec<_> = conversations
        .iter()
        .map(|id| needle(*id, &[1, 2]))
        .collect();
    assert_eq!(found(&world, &needles).await, expected);
    // Page by page, from a message that is among them, or that is not.
    for limit in [1, 7, 64] {
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = search(&world, &needles, before, limit).await;
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            paged.extend(page.iter().map(|message| message.id));
        }
        assert_eq!(paged, expected);
    }
    let end = MessageId::new(Uuid::max());
    assert_eq!(search(&world, &needles, Some(end), 3).await.len(), 3);
    let begin = MessageId::new(Uuid::from_u128(0));
    assert_eq!(search(&world, &needles, Some(begin), 3).await, []);
    let second = MessageId::new(Uuid::from_u128(1));
    let first = search(&world, &needles, Some(second), 3).await;
    assert_eq!(first.len(), 1);
    assert_eq!(search(&world, &needles, None, 0).await, []);
    // A conversation that is named twice is one conversation.
    let twice = [needles[0].clone(), needles[0].clone(), needles[1].clone()];
    let once = [needles[0].clone(), needles[1].clone()];
    assert_eq!(found(&world, &twice).await, found(&world, &once).await);
}
