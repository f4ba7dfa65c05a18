//! What was told of a user.

use telemed_core::id::UserId;
use telemed_core::presence::PresenceStatus;
use telemed_core::store::StoreResult;

use super::AT_ONCE;
use crate::connection::Connection;
use crate::statement::single;

/// Notes what is told of a user, and says what was told before.
pub(super) async fn note(
    connection: &mut Connection,
    user: UserId,
    status: PresenceStatus,
) -> StoreResult<PresenceStatus> {
    let sql = format!(
        "INSERT INTO presence (user_id, told) SELECT $1, $2 FROM {AT_ONCE}
         ON CONFLICT (user_id) DO UPDATE SET told = excluded.told, told_before = presence.told
         RETURNING told_before"
    );
    let before = single(
        connection,
        "noting what was told of a user",
        &sql,
        (user.get(), status.as_str()),
        |columns| {
            columns.known(|word: Option<String>| word.map(PresenceStatus::parse).transpose().ok())
        },
    )
    .await?;
    Ok(before.unwrap_or(PresenceStatus::Offline))
}
