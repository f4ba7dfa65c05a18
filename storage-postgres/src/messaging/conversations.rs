//! Looking at conversations.

use telemed_core::crypto::WrappedDataKey;
use telemed_core::id::{ConversationId, UserId};
use telemed_core::messaging::{Conversation, ConversationRow};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::StoreResult;

use super::rows;
use crate::connection::Connection;
use crate::rows::number;
use crate::statement::{Conditions, List, Params, all, one};

pub(super) async fn by_id(
    connection: &mut Connection,
    id: ConversationId,
) -> StoreResult<Option<Conversation>> {
    let sql = format!(
        "SELECT {} FROM conversation_participants AS place {}
         WHERE place.conversation_id = $1 ORDER BY place.user_id",
        rows::CONVERSATION,
        rows::CONVERSATION_JOINS
    );
    find(connection, &sql, (id.get(),)).await
}

pub(super) async fn of_pair(
    connection: &mut Connection,
    pair: [UserId; 2],
) -> StoreResult<Option<Conversation>> {
    let sql = format!(
        "SELECT {} FROM conversation_participants AS place {}
         WHERE conversations.low_user = $1 AND conversations.high_user = $2
         ORDER BY place.user_id",
        rows::CONVERSATION,
        rows::CONVERSATION_JOINS
    );
    let [low, high] = sorted(pair);
    find(connection, &sql, (low.get(), high.get())).await
}

/// The lower user and the higher.
pub(super) fn sorted(mut pair: [UserId; 2]) -> [UserId; 2] {
    pair.sort_unstable();
    pair
}

async fn find(
    connection: &mut Connection,
    sql: &str,
    params: impl Params,
) -> StoreResult<Option<Conversation>> {
    let action = "reading a conversation";
    let found = all(connection, action, sql, params, rows::conversation).await?;
    Ok(rows::together(found, |one| one).pop())
}

/// Waits until this transaction alone changes the conversation; the place of its newest message.
pub(super) async fn lock(
    connection: &mut Connection,
    id: ConversationId,
) -> StoreResult<Option<u64>> {
    one(
        connection,
        "locking a conversation",
        "SELECT last_seq FROM conversations WHERE id = $1 FOR NO KEY UPDATE",
        (id.get(),),
        number,
    )
    .await
}

/// A user's conversations, the most recently active first.
pub(super) async fn page(
    connection: &mut Connection,
    user: UserId,
    with_archived: bool,
    page: PageRequest,
) -> StoreResult<Page<ConversationRow>> {
    let mut conditions = Conditions::new(if with_archived {
        "true"
    } else {
        "NOT place.is_archived"
    });
    conditions.and("place.user_id = ?", Some(user.get()))?;
    let columns = format!("{}, {}", rows::CONVERSATION, rows::MESSAGE);
    let joined = format!(
        "{} LEFT JOIN ({}) ON messages.conversation_id = conversations.id
             AND messages.seq = conversations.last_seq",
        rows::CONVERSATION_JOINS,
        rows::MESSAGES
    );
    // The page is of the user's own places, and comes with the places of everybody in them.
    let list = List {
        columns: &columns,
        from: "conversation_participants AS place",
        key: "place.conversation_id",
        joined: &joined,
        order: "place.active_at DESC, place.conversation_id DESC, place.user_id",
    };
    let action = "listing conversations";
    let found = conditions
        .page(connection, action, &list, page, rows::conversation_row)
        .await?;
    Ok(Page {
        items: rows::together(found.items, |row| &mut row.conversation),
        total: found.total,
    })
}

/// The wrapped keys of a user's most recently active conversations.
pub(super) async fn keys(
    connection: &mut Connection,
    user: UserId,
    limit: u32,
) -> StoreResult<Vec<(ConversationId, WrappedDataKey)>> {
    all(
        connection,
        "reading the keys of conversations",
        "SELECT own.conversation_id, data_keys.id, data_keys.tenant_key, data_keys.wrapped
         FROM (SELECT conversation_id, active_at FROM conversation_participants
               WHERE user_id = $1
               ORDER BY active_at DESC, conversation_id DESC LIMIT $2) AS own
         JOIN data_keys ON data_keys.conversation_id = own.conversation_id
         ORDER BY own.active_at DESC, own.conversation_id DESC",
        (user.get(), i64::from(limit)),
        |columns| Ok((columns.uuid()?, crate::rows::data_key(columns)?)),
    )
    .await
}
