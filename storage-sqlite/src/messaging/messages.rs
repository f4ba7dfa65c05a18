//! Looking at messages.

use rusqlite::Connection;
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::messaging::StoredMessage;
use telemed_core::store::StoreResult;

use super::rows;
use crate::statement::{all, one};

/// The messages with these ids, in their order.
pub(super) fn by_ids(
    connection: &Connection,
    ids: impl IntoIterator<Item = MessageId>,
) -> StoreResult<Vec<StoredMessage>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE messages.id = ?1",
        rows::MESSAGE,
        rows::MESSAGES
    );
    let action = "reading a message";
    let mut found = Vec::new();
    for id in ids {
        let id = id.get();
        found.extend(one(
            connection,
            action,
            &sql,
            [id.as_bytes()],
            rows::message,
        )?);
    }
    Ok(found)
}

/// The message at a place.
pub(super) fn at_place(
    connection: &Connection,
    conversation: ConversationId,
    seq: u64,
) -> StoreResult<Option<StoredMessage>> {
    Ok(window(connection, conversation, seq, seq)?.pop())
}

/// The messages from one place to another, ascending.
pub(super) fn window(
    connection: &Connection,
    conversation: ConversationId,
    from: u64,
    to: u64,
) -> StoreResult<Vec<StoredMessage>> {
    let sql = format!(
        "SELECT {} FROM {}
         WHERE messages.conversation_id = ?1 AND messages.seq BETWEEN ?2 AND ?3
         ORDER BY messages.seq",
        rows::MESSAGE,
        rows::MESSAGES
    );
    let place = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let range = (conversation.get().into_bytes(), place(from), place(to));
    all(connection, "reading messages", &sql, range, rows::message)
}
