//! Putting a conversation away for one participant, or bringing it back.

use telemed_core::id::{ConversationId, UserId};
use telemed_core::messaging::ArchiveOutcome;
use telemed_core::store::StoreResult;

use super::conversations;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows::there;
use crate::statement::change;

pub(super) async fn archive(
    connection: &mut Connection,
    id: ConversationId,
    user: UserId,
    archived: bool,
) -> StoreResult<Decided<ArchiveOutcome>> {
    conversations::lock(connection, id).await?;
    let found = conversations::by_id(connection, id).await?;
    let place = found.as_ref().and_then(|found| found.participant(user));
    let Some(is_archived) = place.map(|place| place.is_archived) else {
        return Ok(Decided::Refused(ArchiveOutcome::NotFound));
    };
    if is_archived == archived {
        let found = there(found)?;
        return Ok(Decided::Refused(ArchiveOutcome::Unchanged(found)));
    }
    change(
        connection,
        "archiving a conversation",
        "UPDATE conversation_participants SET is_archived = $3
         WHERE conversation_id = $1 AND user_id = $2",
        (id.get(), user.get(), archived),
    )
    .await?;
    let changed = there(conversations::by_id(connection, id).await?)?;
    Ok(Decided::Changed(ArchiveOutcome::Changed(changed)))
}
