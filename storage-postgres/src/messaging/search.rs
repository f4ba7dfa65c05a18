//! Finding the newest messages that have every token of their conversation's needle.
//!
//! A thousand conversations may have a common word a hundred thousand times, and fifty of its
//! messages are wanted. So nothing is collected and sorted: every conversation has an upper bound
//! for its next candidate, and those with the highest bounds take steps. A step asks for each token
//! where it occurs next at or below the bound, which is one look into the key; the lowest of the
//! answers is the next bound, and when they are all the same, it is a candidate. A rare word beside
//! a common one lets the bound jump over nearly everything. Once there are as many candidates as
//! are wanted, the last of them is the floor: no conversation goes down below it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use telemed_core::id::MessageId;
use telemed_core::messaging::{SearchNeedle, SearchToken, StoredMessage};
use telemed_core::store::{StoreError, StoreResult};
use uuid::Uuid;

use super::messages;
use crate::connection::Connection;
use crate::statement::all;

/// How many conversations take how many steps with one statement, after the first.
const TOGETHER: usize = 64;
const STEPS: i32 = 8;

/// A conversation has no candidate above its bound that is not known. The highest bound comes
/// first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    at: Uuid,
    /// The message there is a candidate: it goes on below.
    is_candidate: bool,
    needle: usize,
}

/// Candidates, the newest first.
pub(super) async fn candidates(
    connection: &mut Connection,
    needles: &[SearchNeedle],
    before: Option<MessageId>,
    limit: u32,
) -> StoreResult<Vec<StoredMessage>> {
    let limit = limit as usize;
    let Some(start) = before.map_or(Some(Uuid::max()), below) else {
        return Ok(Vec::new());
    };
    if limit == 0 {
        return Ok(Vec::new());
    }
    let first = |needle| Bound {
        at: start,
        is_candidate: false,
        needle,
    };
    let mut found: BTreeSet<Reverse<Uuid>> = BTreeSet::new();
    let mut bounds: BinaryHeap<Bound> = BinaryHeap::new();
    let mut next: Vec<Bound> = (0..needles.len()).map(first).collect();
    // The first look is at all of them, and finds most without the word.
    let mut steps = 1;
    while !next.is_empty() {
        let floor = found.iter().nth(limit - 1).map(|Reverse(at)| *at);
        let looks = look(connection, needles, &next, steps, floor).await?;
        // A conversation that has taken fewer steps has come to its end, or to the floor.
        let mut last: BTreeMap<usize, Bound> = BTreeMap::new();
        for (step, bound) in looks {
            if bound.is_candidate {
                found.insert(Reverse(bound.at));
            }
            if step == steps {
                last.insert(bound.needle, bound);
            }
        }
        bounds.extend(last.into_values());
        let floor = found.iter().nth(limit - 1).map(|Reverse(at)| *at);
        next.clear();
        while next.len() < TOGETHER
            && let Some(bound) = bounds.pop()
        {
            if floor.is_none_or(|floor| bound.at > floor) {
                next.push(bound);
            } else {
                // Nor has any other one more.
                bounds.clear();
            }
        }
        steps = STEPS;
    }
    let ids = found.into_iter().take(limit);
    let ids: Vec<MessageId> = ids.map(|Reverse(id)| MessageId::new(id)).collect();
    let mut messages = messages::by_ids(connection, &ids).await?;
    messages.sort_unstable_by_key(|message| Reverse(message.id));
    Ok(messages)
}

/// The next lower id.
fn below(id: MessageId) -> Option<Uuid> {
    id.get().as_u128().checked_sub(1).map(Uuid::from_u128)
}

/// Where each of these bounds comes to in at most so many steps: every step with its number.
async fn look(
    connection: &mut Connection,
    needles: &[SearchNeedle],
    bounds: &[Bound],
    steps: i32,
    floor: Option<Uuid>,
) -> StoreResult<Vec<(i32, Bound)>> {
    // One entry a token.
    let (mut places, mut conversations, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    let (mut starts, mut are_candidates) = (Vec::new(), Vec::new());
    for (place, bound) in (0_i32..).zip(bounds) {
        let needle = &needles[bound.needle];
        for SearchToken(token) in &needle.tokens {
            places.push(place);
            conversations.push(needle.conversation.get());
            starts.push(bound.at);
            are_candidates.push(bound.is_candidate);
            tokens.push(*token);
        }
    }
    // OFFSET 0 keeps the planner from writing the look-up out wherever its answer is named.
    all(
        connection,
        "looking for words",
        "WITH RECURSIVE steps AS (
             SELECT place, conversation_id, array_agg(token) AS tokens, 0 AS step, bound,
                    is_candidate
             FROM unnest($1::INTEGER[], $2::UUID[], $3::UUID[], $4::BOOLEAN[], $5::BIGINT[])
                 AS starts (place, conversation_id, bound, is_candidate, token)
             GROUP BY place, conversation_id, bound, is_candidate
             UNION ALL
             SELECT place, conversation_id, tokens, step + 1, next.bound, next.is_candidate
             FROM steps CROSS JOIN LATERAL (
                 SELECT (array_agg(id ORDER BY id NULLS FIRST))[1] AS bound,
                        count(DISTINCT id) = 1 AS is_candidate
                 FROM (
                     SELECT (SELECT message_id FROM message_tokens
                             WHERE message_tokens.conversation_id = steps.conversation_id
                                 AND message_tokens.token = one AND message_id <= steps.bound
                                 AND NOT (steps.is_candidate AND message_id = steps.bound)
                             ORDER BY message_id DESC LIMIT 1) AS id
                     FROM unnest(steps.tokens) AS one OFFSET 0
                 ) AS occurrences
             ) AS next
             WHERE step < $6 AND next.bound >= $7
         )
         SELECT step, place, bound, is_candidate FROM steps WHERE step > 0",
        (
            places,
            conversations,
            starts,
            are_candidates,
            tokens,
            steps,
            floor.unwrap_or_default(),
        ),
        |columns| {
            let step = columns.next()?;
            let place: i32 = columns.next()?;
            let start = usize::try_from(place).ok().and_then(|at| bounds.get(at));
            let start = start.ok_or_else(|| StoreError::corrupt("an answer to no question"))?;
            let bound = Bound {
                at: columns.next()?,
                is_candidate: columns.next()?,
                needle: start.needle,
            };
            Ok((step, bound))
        },
    )
    .await
}
