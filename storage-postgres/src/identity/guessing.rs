//! Counting failed logins, and opening a session for one that did not fail.

use telemed_core::crypto::Fingerprint;
use telemed_core::id::UserId;
use telemed_core::identity::{
    ConcludeLogin, ConcludeLoginOutcome, GuessingLimits, LoginKeys, LoginStanding,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{locked_user, open_session};
use crate::connection::Connection;
use crate::journal::Decided;
use crate::statement::{Columns, all, any, change, lock_names};

/// In which pile a failure of the account lies: that of a live session of its own, else that of
/// a network from which it has opened a session; `None` is everywhere else.
pub(super) async fn place(
    connection: &mut Connection,
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
        "SELECT 1 FROM sessions WHERE user_id = $1 AND network = $2 LIMIT 1",
        (account.get(), network.0),
    )
    .await?;
    Ok(is_known.then_some(network))
}

/// Where a login stands whose failure would lie in this place.
pub(super) async fn standing(
    connection: &mut Connection,
    keys: &LoginKeys,
    place: Option<Fingerprint>,
    limits: &GuessingLimits,
    now: Timestamp,
) -> StoreResult<LoginStanding> {
    let reading = "reading failed logins";
    let opens = now.minus(limits.window).micros();
    // The newest ones decide; they come newest first and are turned around.
    let time = |columns: &mut Columns<'_>| columns.make(Timestamp::from_micros);
    let (account, most) = (keys.account.0, i64::from(limits.per_account));
    let mut of_account = match place {
        Some(place) => {
            let sql = "SELECT at FROM login_failures
                       WHERE account = $1 AND at > $2 AND place = $4
                       ORDER BY at DESC LIMIT $3";
            all(
                connection,
                reading,
                sql,
                (account, opens, most, place.0),
                time,
            )
            .await?
        }
        None => {
            let sql = "SELECT at FROM login_failures
                       WHERE account = $1 AND at > $2 AND place IS NULL
                       ORDER BY at DESC LIMIT $3";
            all(connection, reading, sql, (account, opens, most), time).await?
        }
    };
    let mut of_network = match keys.network {
        Some(network) => {
            let sql = "SELECT at FROM login_failures WHERE network = $1 AND at > $2
                       ORDER BY at DESC LIMIT $3";
            let most = i64::from(limits.per_network);
            all(connection, reading, sql, (network.0, opens, most), time).await?
        }
        None => Vec::new(),
    };
    of_account.reverse();
    of_network.reverse();
    Ok(LoginStanding::decide(limits, &of_account, &of_network))
}

pub(super) async fn conclude_login(
    connection: &mut Connection,
    at: Timestamp,
    login: &ConcludeLogin,
) -> StoreResult<Decided<ConcludeLoginOutcome>> {
    // One at a time for an account, and for a network: those who guess in parallel are counted
    // like those who guess one after another.
    let network = login.keys.network.map(|network| name("network", network));
    let names: Vec<String> = [Some(name("account", login.keys.account)), network]
        .into_iter()
        .flatten()
        .collect();
    lock_names(connection, &names).await?;
    let place = place(connection, &login.keys, login.account).await?;
    let standing = standing(connection, &login.keys, place, &login.limits, at).await?;
    if let LoginStanding::Limited(until) = standing {
        return Ok(Decided::Refused(ConcludeLoginOutcome::Limited(until)));
    }
    let Some((user, session)) = &login.opened else {
        change(
            connection,
            "counting a failed login",
            "INSERT INTO login_failures (at, account, network, place) VALUES ($1, $2, $3, $4)",
            (
                at.micros(),
                login.keys.account.0,
                login.keys.network.map(|network| network.0),
                place.map(|place| place.0),
            ),
        )
        .await?;
        return Ok(Decided::Changed(ConcludeLoginOutcome::Refused));
    };
    let known = locked_user(connection, *user).await?;
    let Some(mut known) = known.filter(|user| user.is_active) else {
        return Ok(Decided::Refused(ConcludeLoginOutcome::Deactivated));
    };
    open_session(connection, *user, session, at).await?;
    known.last_login = Some(at);
    Ok(Decided::Changed(ConcludeLoginOutcome::Opened(known)))
}

/// What a lock on the failures of an account or a network is called.
fn name(whose: &str, fingerprint: Fingerprint) -> String {
    use std::fmt::Write;
    let mut name = format!("logins of {whose} ");
    for byte in fingerprint.0 {
        let _ = write!(name, "{byte:02x}");
    }
    name
}
