//! The tokens of messages: how they are kept, and those that wait.
//!
//! A message has dozens of tokens, and in the index of a long conversation each of them lies on a
//! page of its own. A commit writes whole pages, twice: a message cost as much as forty. So the
//! tokens of new messages wait, a row for each message, and are sorted into the index for some
//! messages at a time. A search looks through those that wait, too.

use rusqlite::Connection;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::messaging::{AppendMessage, SearchToken};
use telemed_core::store::StoreResult;

use crate::statement::{all, change, one};

/// How many messages of a conversation have tokens that wait, at most.
const MOST_WAITING: i64 = 16;
/// How many bytes of tokens wait, at most, unless those of one message are more.
const MOST_BYTES: i64 = 8 * 1024;

/// The tokens of a message, the lowest first, as a row keeps them.
pub(super) struct Tokens(Vec<i64>);

impl Tokens {
    fn bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|token| token.to_le_bytes())
            .collect()
    }

    pub(super) fn have(&self, SearchToken(token): SearchToken) -> bool {
        self.0.binary_search(&token).is_ok()
    }
}

impl FromSql for Tokens {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (tokens, rest) = value.as_blob()?.as_chunks();
        if !rest.is_empty() {
            return Err(FromSqlError::InvalidType);
        }
        let tokens = tokens.iter().map(|token| i64::from_le_bytes(*token));
        Ok(Self(tokens.collect()))
    }
}

/// Keeps the tokens of a new message.
pub(super) fn keep(connection: &Connection, new: &AppendMessage) -> StoreResult<()> {
    let mut tokens: Vec<i64> = new.tokens.iter().map(|SearchToken(token)| *token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    if tokens.is_empty() {
        return Ok(());
    }
    let tokens = Tokens(tokens);
    let bytes = tokens.bytes();
    let (count, waiting) = how_many_wait(connection, new.conversation)?;
    let own = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if count + 1 < MOST_WAITING && waiting.saturating_add(own) < MOST_BYTES {
        change(
            connection,
            "keeping the tokens of a message for now",
            "INSERT INTO waiting_tokens (conversation_id, message_id, tokens) VALUES (?1, ?2, ?3)",
            (
                new.conversation.get().as_bytes(),
                new.id.get().as_bytes(),
                bytes,
            ),
        )?;
        return Ok(());
    }
    for (message, tokens) in waiting_of(connection, new.conversation)? {
        sort_in(connection, new.conversation, message, &tokens)?;
    }
    sort_in(connection, new.conversation, new.id, &tokens)?;
    change(
        connection,
        "forgetting the tokens that have waited",
        "DELETE FROM waiting_tokens WHERE conversation_id = ?1",
        [new.conversation.get().as_bytes()],
    )?;
    Ok(())
}

fn how_many_wait(connection: &Connection, conversation: ConversationId) -> StoreResult<(i64, i64)> {
    let found = one(
        connection,
        "counting the tokens that wait",
        "SELECT count(*), coalesce(sum(length(tokens)), 0) FROM waiting_tokens
         WHERE conversation_id = ?1",
        [conversation.get().as_bytes()],
        |columns| Ok((columns.next()?, columns.next()?)),
    )?;
    Ok(found.unwrap_or((0, 0)))
}

/// The tokens of a conversation that wait, those of the newest message first.
pub(super) fn waiting_of(
    connection: &Connection,
    conversation: ConversationId,
) -> StoreResult<Vec<(MessageId, Tokens)>> {
    all(
        connection,
        "reading the tokens that wait",
        "SELECT message_id, tokens FROM waiting_tokens
         WHERE conversation_id = ?1 ORDER BY message_id DESC",
        [conversation.get().as_bytes()],
        |columns| Ok((columns.uuid()?, columns.next()?)),
    )
}

fn sort_in(
    connection: &Connection,
    conversation: ConversationId,
    message: MessageId,
    Tokens(tokens): &Tokens,
) -> StoreResult<()> {
    change(
        connection,
        "keeping the tokens of a message",
        "INSERT INTO message_tokens (conversation_id, token, message_id)
         SELECT ?1, value, ?2 FROM json_each(?3)",
        (
            conversation.get().as_bytes(),
            message.get().as_bytes(),
            serde_json::Value::from(&tokens[..]).to_string(),
        ),
    )?;
    Ok(())
}
