//! Putting a conversation away for one participant, or bringing it back.

use rusqlite::Connection;
use telemed_core::id::{ConversationId, UserId};
use telemed_core::messaging::ArchiveOutcome;
use telemed_core::store::StoreResult;

use super::conversations;
use crate::journal::Decided;
use crate::rows::there;
use crate::statement::change;

pub(super) fn archive(
    connection: &Connection,
    id: ConversationId,
    user: UserId,
    archived: bool,
) -> StoreResult<Decided<ArchiveOutcome>> {
    let found = conversations::by_id(connection, id)?;
    let Some(found) = found.filter(|found| found.participant(user).is_some()) else {
        return Ok(Decided::Refused(ArchiveOutcome::NotFound));
    };
    let is_so = found
        .participant(user)
        .is_some_and(|place| place.is_archived == archived);
    if is_so {
        return Ok(Decided::Refused(ArchiveOutcome::Unchanged(found)));
    }
    change(
        connection,
        "archiving a conversation",
        "UPDATE conversation_participants SET is_archived = ?3
         WHERE conversation_id = ?1 AND user_id = ?2",
        (id.get().as_bytes(), user.get(), archived),
    )?;
    let changed = there(conversations::by_id(connection, id)?)?;
    Ok(Decided::Changed(ArchiveOutcome::Changed(changed)))
}
