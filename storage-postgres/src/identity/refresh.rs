//! Refresh tokens: each is exchanged once for the next one.

use telemed_core::crypto::Fingerprint;
use telemed_core::id::SessionId;
use telemed_core::identity::{RefreshCommand, RefreshOutcome, SessionWithUser};
use telemed_core::journal::Write;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::connection::Connection;
use crate::journal::{Decided, Verdict, settle};
use crate::rows;
use crate::statement::{any, change, one};

/// A token that was given.
pub(super) struct Given {
    /// Its session.
    pub(super) found: SessionWithUser,
    is_used: bool,
}

/// What is known about a token.
pub(super) async fn given(
    connection: &mut Connection,
    token: Fingerprint,
) -> StoreResult<Option<Given>> {
    let sql = format!(
        "SELECT refresh_tokens.used_at IS NOT NULL, {}, {}
         FROM refresh_tokens
         JOIN sessions ON sessions.id = refresh_tokens.session_id
         JOIN users ON users.id = sessions.user_id
         WHERE refresh_tokens.fingerprint = $1",
        rows::SESSION,
        rows::USER
    );
    one(
        connection,
        "reading a refresh token",
        &sql,
        (token.0,),
        |columns| {
            Ok(Given {
                is_used: columns.next()?,
                found: rows::session_with_user(columns)?,
            })
        },
    )
    .await
}

/// Keeps a token of a session.
pub(super) async fn give(
    connection: &mut Connection,
    token: Fingerprint,
    session: SessionId,
) -> StoreResult<()> {
    change(
        connection,
        "keeping a refresh token",
        "INSERT INTO refresh_tokens (fingerprint, session_id) VALUES ($1, $2)",
        (token.0, session.get()),
    )
    .await
    .map(drop)
}

/// Exchanges a token. What is left behind depends on whether it had been used before.
pub(super) async fn refresh(
    connection: &mut Connection,
    write: &Write,
    command: &RefreshCommand,
) -> StoreResult<Verdict<RefreshOutcome>> {
    // The token and its session first: who waits here sees afterwards what the other has done.
    let is_known = any(
        connection,
        "locking a refresh token",
        "SELECT 1 FROM refresh_tokens JOIN sessions ON sessions.id = session_id
         WHERE fingerprint = $1 FOR NO KEY UPDATE",
        (command.presented.0,),
    )
    .await?;
    let given = match is_known {
        true => given(connection, command.presented).await?,
        false => None,
    };
    let is_used = given.as_ref().is_some_and(|given| given.is_used);
    let write = if is_used { &command.reuse } else { write };
    let decided = exchange(connection, write.at, given, command).await?;
    Ok(settle(connection, write, decided))
}

async fn exchange(
    connection: &mut Connection,
    at: Timestamp,
    given: Option<Given>,
    command: &RefreshCommand,
) -> StoreResult<Decided<RefreshOutcome>> {
    let Some(Given { mut found, is_used }) = given else {
        return Ok(Decided::Refused(RefreshOutcome::Unknown));
    };
    if !found.session.is_live(at) || !found.user.is_active {
        return Ok(Decided::Refused(RefreshOutcome::Ended));
    }
    let session = found.session.id;
    if is_used {
        change(
            connection,
            "ending the session of a token that was used twice",
            "UPDATE sessions SET ended_at = $2 WHERE id = $1",
            (session.get(), at.micros()),
        )
        .await?;
        return Ok(Decided::Changed(RefreshOutcome::Reused));
    }
    change(
        connection,
        "using up a refresh token",
        "UPDATE refresh_tokens SET used_at = $2 WHERE fingerprint = $1",
        (command.presented.0, at.micros()),
    )
    .await?;
    give(connection, command.next, session).await?;
    change(
        connection,
        "prolonging a session",
        "UPDATE sessions SET expires_at = $2 WHERE id = $1",
        (session.get(), command.expires_at.micros()),
    )
    .await?;
    found.session.expires_at = command.expires_at;
    Ok(Decided::Changed(RefreshOutcome::Refreshed(found)))
}
