//! Finding the newest messages that have every token of their conversation's needle.
//!
//! A thousand conversations may have a common word a hundred thousand times, and fifty of its
//! messages are wanted. So nothing is collected and sorted: every conversation has an upper bound
//! for its next candidate, and only the one with the highest bound takes a step. A step asks for
//! each token where it occurs next at or below the bound, which is one look into the key; the
//! lowest of the answers is the next bound. Where a bound does not move, every token occurs: that
//! is a candidate, and no other conversation has a newer one. A rare word beside a common one
//! lets the bound jump over nearly everything.

use std::collections::BinaryHeap;

use rusqlite::Connection;
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::messaging::{SearchNeedle, SearchToken};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use crate::statement::one;

/// A conversation has no candidate that is left above its bound. The highest bound comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    /// At or below this message.
    at: MessageId,
    needle: usize,
}

/// The ids of the newest candidates, downwards.
pub(super) fn candidates(
    connection: &Connection,
    needles: &[SearchNeedle],
    before: Option<MessageId>,
    limit: u32,
) -> StoreResult<Vec<MessageId>> {
    let mut found: Vec<MessageId> = Vec::new();
    let start = match before {
        Some(before) => below(before),
        None => Some(MessageId::new(Uuid::max())),
    };
    let Some(start) = start else {
        return Ok(found);
    };
    let mut bounds: BinaryHeap<Bound> = (0..needles.len())
        .map(|needle| Bound { at: start, needle })
        .collect();
    while found.len() < limit as usize {
        let Some(Bound { at, needle }) = bounds.pop() else {
            break;
        };
        let Some(next) = lowest(connection, &needles[needle], at)? else {
            continue;
        };
        let next = if next == at {
            // Two needles may be of one conversation.
            if found.last() != Some(&at) {
                found.push(at);
            }
            below(at)
        } else {
            Some(next)
        };
        bounds.extend(next.map(|at| Bound { at, needle }));
    }
    Ok(found)
}

/// The next lower id.
fn below(id: MessageId) -> Option<MessageId> {
    let number = id.get().as_u128().checked_sub(1)?;
    Some(MessageId::new(Uuid::from_u128(number)))
}

/// The lowest of the messages at or below a bound in which each token occurs next; `None` when
/// one of them does not occur any more.
fn lowest(
    connection: &Connection,
    needle: &SearchNeedle,
    mut bound: MessageId,
) -> StoreResult<Option<MessageId>> {
    for token in &needle.tokens {
        match at_or_below(connection, needle.conversation, *token, bound)? {
            Some(next) => bound = next,
            None => return Ok(None),
        }
    }
    Ok((!needle.tokens.is_empty()).then_some(bound))
}

fn at_or_below(
    connection: &Connection,
    conversation: ConversationId,
    SearchToken(token): SearchToken,
    bound: MessageId,
) -> StoreResult<Option<MessageId>> {
    one(
        connection,
        "looking for a word",
        "SELECT message_id FROM message_tokens
         WHERE conversation_id = ?1 AND token = ?2 AND message_id <= ?3
         ORDER BY message_id DESC LIMIT 1",
        (conversation.get().as_bytes(), token, bound.get().as_bytes()),
        |columns| columns.uuid(),
    )
}
