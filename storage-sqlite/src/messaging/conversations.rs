//! Looking at conversations.

use rusqlite::{Connection, Params};
use telemed_core::crypto::WrappedDataKey;
use telemed_core::id::{ConversationId, UserId};
use telemed_core::messaging::{Conversation, ConversationRow};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::StoreResult;

use super::rows;
use crate::statement::{all, one, only};

pub(super) fn by_id(
    connection: &Connection,
    id: ConversationId,
) -> StoreResult<Option<Conversation>> {
    let sql = format!(
        "SELECT {} FROM conversations WHERE id = ?1",
        rows::CONVERSATION
    );
    find(connection, &sql, [id.get().as_bytes()])
}

pub(super) fn of_pair(
    connection: &Connection,
    [low, high]: [UserId; 2],
) -> StoreResult<Option<Conversation>> {
    let sql = format!(
        "SELECT {} FROM conversations WHERE low_user = ?1 AND high_user = ?2",
        rows::CONVERSATION
    );
    find(connection, &sql, (low.get(), high.get()))
}

/// The lower user and the higher.
pub(super) fn sorted(mut pair: [UserId; 2]) -> [UserId; 2] {
    pair.sort_unstable();
    pair
}

fn find(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> StoreResult<Option<Conversation>> {
    let action = "reading a conversation";
    let mut found = one(connection, action, sql, params, rows::conversation)?;
    add_participants(connection, found.iter_mut())?;
    Ok(found)
}

/// A user's conversations, the most recently active first.
pub(super) fn page(
    connection: &Connection,
    user: UserId,
    with_archived: bool,
    page: PageRequest,
) -> StoreResult<Page<ConversationRow>> {
    let action = "listing conversations";
    let shown = if with_archived {
        ""
    } else {
        "AND is_archived = 0"
    };
    let count =
        format!("SELECT count(*) FROM conversation_participants WHERE user_id = ?1 {shown}");
    let total: Option<i64> = one(connection, action, &count, [user.get()], only)?;
    let total = u64::try_from(total.unwrap_or(0)).unwrap_or(0);
    // The keys of the page first: what OFFSET skips is joined to nothing.
    let sql = format!(
        "SELECT {}, {} FROM (
             SELECT conversation_id AS own_id, active_at FROM conversation_participants
             WHERE user_id = ?1 {shown}
             ORDER BY active_at DESC, conversation_id DESC LIMIT ?2 OFFSET ?3)
         CROSS JOIN conversations ON conversations.id = own_id
         LEFT JOIN messages ON messages.conversation_id = own_id
             AND messages.seq = conversations.last_seq
         LEFT JOIN users AS sender ON sender.id = messages.sender_id
         ORDER BY active_at DESC, own_id DESC",
        rows::CONVERSATION,
        rows::MESSAGE
    );
    let skip = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    let part = (user.get(), page.limit(), skip);
    let mut items = all(connection, action, &sql, part, rows::conversation_row)?;
    add_participants(
        connection,
        items.iter_mut().map(|row| &mut row.conversation),
    )?;
    Ok(Page { items, total })
}

/// The wrapped keys of a user's most recently active conversations.
pub(super) fn keys(
    connection: &Connection,
    user: UserId,
    limit: u32,
) -> StoreResult<Vec<(ConversationId, WrappedDataKey)>> {
    all(
        connection,
        "reading the keys of conversations",
        "SELECT conversations.id, data_keys.id, data_keys.tenant_key, data_keys.wrapped
         FROM conversation_participants AS own
         CROSS JOIN conversations ON conversations.id = own.conversation_id
         CROSS JOIN data_keys ON data_keys.id = conversations.data_key
         WHERE own.user_id = ?1
         ORDER BY own.active_at DESC, own.conversation_id DESC LIMIT ?2",
        (user.get(), limit),
        |columns| Ok((columns.uuid()?, crate::rows::data_key(columns)?)),
    )
}

/// Reads the participants of some conversations into them, in one statement.
fn add_participants<'a>(
    connection: &Connection,
    conversations: impl Iterator<Item = &'a mut Conversation>,
) -> StoreResult<()> {
    let mut conversations: Vec<_> = conversations.collect();
    if conversations.is_empty() {
        return Ok(());
    }
    let ids = conversations.iter().map(|one| one.id.get().simple());
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    let sql = format!(
        "SELECT {} FROM json_each(?1)
         CROSS JOIN conversation_participants AS place
             ON place.conversation_id = unhex(json_each.value)
         {}",
        rows::PARTICIPANT,
        rows::PARTICIPANT_JOINS
    );
    let ids = serde_json::Value::from(ids).to_string();
    let action = "reading the participants of conversations";
    // They come conversation by conversation, in the order of the ids.
    let mut at = conversations.iter_mut().peekable();
    for (id, participant) in all(connection, action, &sql, [ids], rows::participant)? {
        while at.next_if(|one| one.id != id).is_some() {}
        if let Some(conversation) = at.peek_mut() {
            conversation.participants.push(participant);
        }
    }
    for conversation in conversations {
        conversation
            .participants
            .sort_unstable_by_key(|one| one.user);
    }
    Ok(())
}
