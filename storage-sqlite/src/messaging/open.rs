//! Opening the conversation of a pair.

use rusqlite::Connection;
use telemed_core::messaging::{ConversationKind, NewConversation, OpenConversationOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::conversations;
use crate::journal::Decided;
use crate::rows::there;
use crate::statement::change;

pub(super) fn open(
    connection: &Connection,
    at: Timestamp,
    new: &NewConversation,
) -> StoreResult<Decided<OpenConversationOutcome>> {
    let pair = conversations::sorted(new.pair);
    if let Some(found) = conversations::of_pair(connection, pair)? {
        return Ok(Decided::Refused(OpenConversationOutcome::Existing(found)));
    }
    let key = &new.key;
    change(
        connection,
        "keeping the key of a conversation",
        "INSERT INTO data_keys (id, tenant_key, wrapped) VALUES (?1, ?2, ?3)",
        (key.id.get().as_bytes(), key.tenant_key.0, &key.wrapped),
    )?;
    let id = new.id.get();
    change(
        connection,
        "opening a conversation",
        "INSERT INTO conversations (id, kind, low_user, high_user, data_key, created_at, last_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        (
            id.as_bytes(),
            ConversationKind::Direct.as_str(),
            pair[0].get(),
            pair[1].get(),
            key.id.get().as_bytes(),
            at.micros(),
        ),
    )?;
    for user in pair {
        change(
            connection,
            "adding a participant",
            "INSERT INTO conversation_participants (conversation_id, user_id, active_at)
             VALUES (?1, ?2, ?3)",
            (id.as_bytes(), user.get(), at.micros()),
        )?;
    }
    let opened = there(conversations::by_id(connection, new.id)?)?;
    Ok(Decided::Changed(OpenConversationOutcome::Opened(opened)))
}
