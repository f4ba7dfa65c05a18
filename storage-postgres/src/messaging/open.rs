//! Opening the conversation of a pair.

use telemed_core::messaging::{ConversationKind, NewConversation, OpenConversationOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::conversations;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows::there;
use crate::statement::change;

pub(super) async fn open(
    connection: &mut Connection,
    at: Timestamp,
    new: &NewConversation,
) -> StoreResult<Decided<OpenConversationOutcome>> {
    if let Some(found) = conversations::of_pair(connection, new.pair).await? {
        return Ok(Decided::Refused(OpenConversationOutcome::Existing(found)));
    }
    let [low, high] = conversations::sorted(new.pair);
    let (id, key) = (new.id.get(), &new.key);
    // Another who opens it waits here for this transaction, and then finds it.
    change(
        connection,
        "opening a conversation",
        "INSERT INTO conversations (id, kind, low_user, high_user, data_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        (
            id,
            ConversationKind::Direct.as_str(),
            low.get(),
            high.get(),
            key.id.get(),
            at.micros(),
        ),
    )
    .await?;
    change(
        connection,
        "keeping the key of a conversation",
        "INSERT INTO data_keys (id, conversation_id, tenant_key, wrapped)
         VALUES ($1, $2, $3, $4)",
        (key.id.get(), id, key.tenant_key.0, &key.wrapped),
    )
    .await?;
    change(
        connection,
        "adding the participants of a conversation",
        "INSERT INTO conversation_participants (conversation_id, user_id, active_at)
         SELECT $1, one, $3 FROM unnest($2::BIGINT[]) AS one",
        (id, [low.get(), high.get()], at.micros()),
    )
    .await?;
    let opened = there(conversations::by_id(connection, new.id).await?)?;
    Ok(Decided::Changed(OpenConversationOutcome::Opened(opened)))
}
