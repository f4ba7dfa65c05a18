//! Refresh tokens: each is exchanged once for the next one.

use rusqlite::Connection;
use telemed_core::crypto::Fingerprint;
use telemed_core::id::SessionId;
use telemed_core::identity::{RefreshCommand, RefreshOutcome, SessionWithUser};
use telemed_core::journal::Write;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::journal::{Decided, unkeyed};
use crate::rows;
use crate::statement::{change, one};
use crate::writer::{Verdict, WriteContext};

/// A token that was given.
pub(super) struct Given {
    /// Its session.
    pub(super) found: SessionWithUser,
    is_used: bool,
}

/// What is known about a token.
pub(super) fn given(connection: &Connection, token: Fingerprint) -> StoreResult<Option<Given>> {
    let sql = format!(
        "SELECT refresh_tokens.used_at IS NOT NULL, {}, {}
         FROM refresh_tokens
         CROSS JOIN sessions ON sessions.id = refresh_tokens.session_id
         CROSS JOIN users ON users.id = sessions.user_id
         WHERE refresh_tokens.fingerprint = ?1",
        rows::SESSION,
        rows::USER
    );
    one(
        connection,
        "reading a refresh token",
        &sql,
        [token.0],
        |columns| {
            Ok(Given {
                is_used: columns.next()?,
                found: rows::session_with_user(columns)?,
            })
        },
    )
}

/// Keeps a token of a session.
pub(super) fn give(
    connection: &Connection,
    token: Fingerprint,
    session: SessionId,
) -> StoreResult<()> {
    change(
        connection,
        "keeping a refresh token",
        "INSERT INTO refresh_tokens (fingerprint, session_id) VALUES (?1, ?2)",
        (token.0, session.get().as_bytes()),
    )?;
    Ok(())
}

/// Exchanges a token. What is left behind depends on whether it had been used before.
pub(super) fn refresh(
    context: &mut WriteContext<'_>,
    write: &Write,
    command: &RefreshCommand,
) -> StoreResult<Verdict<RefreshOutcome>> {
    let given = given(context.connection(), command.presented)?;
    let is_used = given.as_ref().is_some_and(|given| given.is_used);
    let write = if is_used { &command.reuse } else { write };
    unkeyed(context, write.clone(), |connection, write| {
        exchange(connection, write.at, given, command)
    })
}

fn exchange(
    connection: &Connection,
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
            "UPDATE sessions SET ended_at = ?2 WHERE id = ?1",
            (session.get().as_bytes(), at.micros()),
        )?;
        return Ok(Decided::Changed(RefreshOutcome::Reused));
    }
    change(
        connection,
        "using up a refresh token",
        "UPDATE refresh_tokens SET used_at = ?2 WHERE fingerprint = ?1",
        (command.presented.0, at.micros()),
    )?;
    give(connection, command.next, session)?;
    change(
        connection,
        "prolonging a session",
        "UPDATE sessions SET expires_at = ?2 WHERE id = ?1",
        (session.get().as_bytes(), command.expires_at.micros()),
    )?;
    found.session.expires_at = command.expires_at;
    Ok(Decided::Changed(RefreshOutcome::Refreshed(found)))
}
