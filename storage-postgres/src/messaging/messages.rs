//! Looking at messages.

use telemed_core::id::{ConversationId, MessageId};
use telemed_core::messaging::StoredMessage;
use telemed_core::store::StoreResult;
use uuid::Uuid;

use super::{row, rows};
use crate::connection::Connection;
use crate::statement::all;

pub(super) async fn by_ids(
    connection: &mut Connection,
    ids: &[MessageId],
) -> StoreResult<Vec<StoredMessage>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE messages.id = ANY($1)",
        rows::MESSAGE,
        rows::MESSAGES
    );
    let ids: Vec<Uuid> = ids.iter().map(|id| id.get()).collect();
    let action = "reading messages by their ids";
    all(connection, action, &sql, (ids,), rows::message).await
}

/// The message at a place.
pub(super) async fn at_place(
    connection: &mut Connection,
    conversation: ConversationId,
    seq: u64,
) -> StoreResult<Option<StoredMessage>> {
    Ok(window(connection, conversation, seq, seq).await?.pop())
}

/// The messages from one place to another, ascending.
pub(super) async fn window(
    connection: &mut Connection,
    conversation: ConversationId,
    from: u64,
    to: u64,
) -> StoreResult<Vec<StoredMessage>> {
    let sql = format!(
        "SELECT {} FROM {}
         WHERE messages.conversation_id = $1 AND messages.seq BETWEEN $2 AND $3
         ORDER BY messages.seq",
        rows::MESSAGE,
        rows::MESSAGES
    );
    let range = (conversation.get(), row(from), row(to));
    all(connection, "reading messages", &sql, range, rows::message).await
}
