//! Counting failed logins, and opening a session for one that did not fail.

use rusqlite::Connection;
use telemed_core::crypto::Fingerprint;
use telemed_core::id::UserId;
use telemed_core::identity::{
    ConcludeLogin, ConcludeLoginOutcome, GuessingLimits, LoginKeys, LoginStanding,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{open_session, user_by_id};
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Columns, all, any, change};

/// In which pile a failure of the account lies: that of a live session of its own, else that of
/// a network from which it has opened a session; `None` is everywhere else.
pub(super) fn place(
    connection: &Connection,
    keys: &LoginKeys,
    account: Option<UserId>,
) -> StoreResult<Option<Fingerprint>> {
    let Some(account) = account else {
        return Ok(None);
    };
    if keys.session.is_some() {
        return Ok(keys.session);
    }
    let Some(network) = keys.network else {
        return Ok(None);
    };
    let is_known = any(
        connection,
        "looking for a known network",
        "SELECT 1 FROM sessions WHERE user_id = ?1 AND network = ?2 LIMIT 1",
        (account.get(), network.0),
    )?;
    Ok(is_known.then_some(network))
}

/// Where a login stands whose failure would lie in this place.
pub(super) fn standing(
    connection: &Connection,
    keys: &LoginKeys,
    place: Option<Fingerprint>,
    limits: &GuessingLimits,
    now: Timestamp,
) -> StoreResult<LoginStanding> {
    let reading = "reading failed logins";
    let opens = now.minus(limits.window).micros();
    let network = keys.network.map(|network| network.0);
    // The newest ones decide; they come newest first and are turned around.
    let time = |columns: &mut Columns<'_>| columns.make(Timestamp::from_micros);
    let mut of_account = all(
        connection,
        reading,
        "SELECT at FROM login_failures WHERE account = ?1 AND place IS ?2 AND at > ?3
         ORDER BY at DESC LIMIT ?4",
        (
            keys.account.0,
            place.map(|place| place.0),
            opens,
            limits.per_account,
        ),
        time,
    )?;
    let mut of_network = all(
        connection,
        reading,
        "SELECT at FROM login_failures WHERE network = ?1 AND at > ?2
         ORDER BY at DESC LIMIT ?3",
        (network, opens, limits.per_network),
        time,
    )?;
    of_account.reverse();
    of_network.reverse();
    Ok(LoginStanding::decide(limits, &of_account, &of_network))
}

pub(super) fn conclude_login(
    connection: &Connection,
    at: Timestamp,
    login: &ConcludeLogin,
) -> StoreResult<Decided<ConcludeLoginOutcome>> {
    let place = place(connection, &login.keys, login.account)?;
    let standing = standing(connection, &login.keys, place, &login.limits, at)?;
    if let LoginStanding::Limited(until) = standing {
        return Ok(Decided::Refused(ConcludeLoginOutcome::Limited(until)));
    }
    let Some((user, session)) = &login.opened else {
        change(
            connection,
            "counting a failed login",
            "INSERT INTO login_failures (at, account, network, place) VALUES (?1, ?2, ?3, ?4)",
            (
                at.micros(),
                login.keys.account.0,
                login.keys.network.map(|network| network.0),
                place.map(|place| place.0),
            ),
        )?;
        return Ok(Decided::Changed(ConcludeLoginOutcome::Refused));
    };
    if !user_by_id(connection, *user)?.is_some_and(|user| user.is_active) {
        return Ok(Decided::Refused(ConcludeLoginOutcome::Deactivated));
    }
    open_session(connection, *user, session, at)?;
    let user = rows::there(user_by_id(connection, *user)?)?;
    Ok(Decided::Changed(ConcludeLoginOutcome::Opened(user)))
}
