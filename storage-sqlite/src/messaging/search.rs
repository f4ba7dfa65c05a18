//! Finding the newest messages that have every token of their conversation's needle.
//!
//! A thousand conversations may have a common word a hundred thousand times, and fifty of its
//! messages are wanted. So nothing is collected and sorted: every conversation has an upper bound
//! for its next candidate, and only the one with the highest bound takes a step. A step asks for
//! each token where it occurs next at or below the bound, which is one look into the key; the
//! lowest of the answers is the next bound. Where a bound does not move, every token occurs: that
//! is a candidate, and no other conversation has a newer one. A rare word beside a common one
//! lets the bound jump over nearly everything.
//!
//! The tokens of the newest messages are not in the index yet: they are looked through once, for
//! which of the needle's they have.

use std::collections::BinaryHeap;

use rusqlite::Connection;
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::messaging::{SearchNeedle, SearchToken};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use super::tokens;
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
    let needles: Vec<Needle<'_>> = needles
        .iter()
        .map(|needle| Needle::look(connection, needle))
        .collect::<StoreResult<_>>()?;
    let mut bounds: BinaryHeap<Bound> = (0..needles.len())
        .map(|needle| Bound { at: start, needle })
        .collect();
    while found.len() < limit as usize {
        let Some(Bound { at, needle }) = bounds.pop() else {
            break;
        };
        let Some(next) = needles[needle].lowest(connection, at)? else {
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

/// What is looked for in a conversation, and the messages there that are not in the index yet and
/// have some of it, the newest first.
struct Needle<'n> {
    conversation: ConversationId,
    tokens: &'n [SearchToken],
    /// With whether they have each of the tokens.
    waiting: Vec<(MessageId, Vec<bool>)>,
}

impl<'n> Needle<'n> {
    fn look(connection: &Connection, needle: &'n SearchNeedle) -> StoreResult<Self> {
        let mut waiting = Vec::new();
        for (message, kept) in tokens::waiting_of(connection, needle.conversation)? {
            if needle.tokens.iter().any(|token| kept.have(*token)) {
                let has = needle.tokens.iter().map(|token| kept.have(*token));
                waiting.push((message, has.collect()));
            }
        }
        Ok(Self {
            conversation: needle.conversation,
            tokens: &needle.tokens,
            waiting,
        })
    }

    /// The lowest of the messages at or below a bound in which each token occurs next; `None` when
    /// one of them does not occur any more.
    fn lowest(
        &self,
        connection: &Connection,
        mut bound: MessageId,
    ) -> StoreResult<Option<MessageId>> {
        for (number, token) in self.tokens.iter().enumerate() {
            let waiting = self.waiting.iter();
            let mut waiting = waiting.filter(|(message, has)| *message <= bound && has[number]);
            let next = match waiting.next() {
                // What waits is newer than what is in the index, unless ids were made in another
                // order than that of the messages.
                Some((message, _)) if *message == bound => Some(bound),
                Some((message, _)) => {
                    let kept = at_or_below(connection, self.conversation, *token, bound)?;
                    kept.max(Some(*message))
                }
                None => at_or_below(connection, self.conversation, *token, bound)?,
            };
            match next {
                Some(next) => bound = next,
                None => return Ok(None),
            }
        }
        Ok((!self.tokens.is_empty()).then_some(bound))
    }
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
