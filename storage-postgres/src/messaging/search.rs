//! Finding the newest messages that have every token of their conversation's needle.

use telemed_core::id::MessageId;
use telemed_core::messaging::{SearchNeedle, SearchToken, StoredMessage};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use super::rows;
use crate::connection::Connection;
use crate::statement::all;

/// Candidates, the newest first.
///
/// A thousand conversations may have a common word a hundred thousand times, and fifty of its
/// messages are wanted: so nothing is collected that cannot be among them. In each conversation a
/// bound goes down to the next candidate in steps: a step asks for each token where it occurs next
/// at or below the bound, which is one look into the key, and the lowest of the answers is the new
/// bound; when they are all the same, it is a candidate. A rare word beside a common one lets the
/// bound jump over nearly everything.
///
/// First every conversation goes down to its newest candidate. The newest of those, as many as
/// are wanted, are of the only conversations that can have more of them, and the last of them is
/// the floor below which nobody has to go.
pub(super) async fn candidates(
    connection: &mut Connection,
    needles: &[SearchNeedle],
    before: Option<MessageId>,
    limit: u32,
) -> StoreResult<Vec<StoredMessage>> {
    let Some(start) = before.map_or(Some(Uuid::max()), below) else {
        return Ok(Vec::new());
    };
    // One entry a token.
    let mut wanted: (Vec<i32>, Vec<Uuid>, Vec<i64>) = Default::default();
    for (number, needle) in (0..).zip(needles) {
        for SearchToken(token) in &needle.tokens {
            wanted.0.push(number);
            wanted.1.push(needle.conversation.get());
            wanted.2.push(*token);
        }
    }
    let sql = format!(
        "WITH RECURSIVE needles AS (
             SELECT conversation_id, array_agg(token) AS tokens
             FROM unnest($1::INTEGER[], $2::UUID[], $3::BIGINT[])
                 AS wanted (needle, conversation_id, token)
             GROUP BY needle, conversation_id
         ), newest AS (
             SELECT conversation_id, tokens, $4::UUID AS bound, false AS is_found FROM needles
             UNION ALL
             SELECT conversation_id, tokens, next.bound, next.is_found
             FROM newest AS step {STEP}
             WHERE NOT step.is_found AND next.bound IS NOT NULL
         ), ranked AS (
             SELECT conversation_id, tokens, bound, dense_rank() OVER (ORDER BY bound DESC) AS rank
             FROM newest WHERE is_found
         ), likely AS (
             SELECT conversation_id, tokens, bound FROM ranked WHERE rank <= $5
         ), floor AS (
             SELECT (SELECT bound FROM ranked WHERE rank = $5 LIMIT 1) AS bound
         ), found AS (
             SELECT conversation_id, tokens, bound, true AS is_found FROM likely
             UNION ALL
             SELECT conversation_id, tokens, next.bound, next.is_found
             FROM found AS step {STEP}
             WHERE next.bound >= coalesce((SELECT bound FROM floor), next.bound)
         ), candidates AS (
             SELECT DISTINCT bound AS id FROM found WHERE is_found ORDER BY id DESC LIMIT $5
         )
         SELECT {} FROM candidates JOIN ({}) ON messages.id = candidates.id
         ORDER BY messages.id DESC",
        rows::MESSAGE,
        rows::MESSAGES
    );
    let (numbers, conversations, tokens) = wanted;
    all(
        connection,
        "searching messages",
        &sql,
        (numbers, conversations, tokens, start, i64::from(limit)),
        rows::message,
    )
    .await
}

/// From the bound of `step` to the next one, which is `next`: NULL when a token does not occur any
/// more. From a candidate it goes on below. OFFSET 0 keeps the planner from writing the look out
/// wherever its answer is named.
const STEP: &str = "CROSS JOIN LATERAL (
     SELECT (array_agg(id ORDER BY id NULLS FIRST))[1] AS bound,
            count(DISTINCT id) = 1 AS is_found
     FROM (
         SELECT (SELECT message_id FROM message_tokens
                 WHERE message_tokens.conversation_id = step.conversation_id
                     AND message_tokens.token = one AND message_id <= step.bound
                     AND NOT (step.is_found AND message_id = step.bound)
                 ORDER BY message_id DESC LIMIT 1) AS id
         FROM unnest(step.tokens) AS one OFFSET 0
     ) AS occurrences
 ) AS next";

/// The next lower id.
fn below(id: MessageId) -> Option<Uuid> {
    id.get().as_u128().checked_sub(1).map(Uuid::from_u128)
}
