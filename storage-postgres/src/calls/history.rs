//! Looking at calls.

use telemed_core::calls::{
    Call, CallFilter, CallKind, CallRow, CallSide, CallStatus, CallTally, ClientCallId,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{LIVE, rows};
use crate::connection::Connection;
use crate::rows::{number, word};
use crate::statement::{Conditions, List, all, can_be_stored, one};

pub(super) async fn by_id(connection: &mut Connection, id: CallId) -> StoreResult<Option<Call>> {
    let sql = format!(
        "SELECT {} FROM calls {} WHERE calls.id = $1",
        rows::CALL,
        rows::CALL_JOINS
    );
    one(connection, "reading a call", &sql, (id.get(),), rows::call).await
}

pub(super) async fn by_client_id(
    connection: &mut Connection,
    caller: UserId,
    id: &ClientCallId,
) -> StoreResult<Option<Call>> {
    if !can_be_stored(id.as_str()) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {} FROM calls {} WHERE calls.caller_id = $1 AND calls.client_id = $2",
        rows::CALL,
        rows::CALL_JOINS
    );
    let action = "reading a call by its client's id";
    let values = (caller.get(), id.as_str());
    one(connection, action, &sql, values, rows::call).await
}

/// The live calls of a user, the newest first.
pub(super) async fn live(connection: &mut Connection, user: UserId) -> StoreResult<Vec<Call>> {
    let sql = format!(
        "SELECT {} FROM call_parties AS place JOIN calls ON calls.id = place.call_id {}
         WHERE place.user_id = $1 AND {LIVE}
         ORDER BY place.initiated_at DESC, place.call_id DESC",
        rows::CALL,
        rows::CALL_JOINS
    );
    let action = "reading live calls";
    all(connection, action, &sql, (user.get(),), rows::call).await
}

/// A user's calls, the newest first.
pub(super) async fn page(
    connection: &mut Connection,
    user: UserId,
    filter: &CallFilter,
    page: PageRequest,
) -> StoreResult<Page<CallRow>> {
    let mut conditions = Conditions::new("true");
    conditions.and("place.user_id = ?", Some(user.get()))?;
    conditions.and("place.kind = ?", filter.kind.map(CallKind::as_str))?;
    conditions.and("place.status = ?", filter.status.map(CallStatus::as_str))?;
    conditions.and("place.side = ?", filter.side.map(CallSide::as_str))?;
    let (from, before) = (filter.from, filter.before);
    conditions.and("place.initiated_at >= ?", from.map(Timestamp::micros))?;
    conditions.and("place.initiated_at < ?", before.map(Timestamp::micros))?;
    let columns = format!("{}, {}", rows::CALL, rows::QUALITY);
    let joined = format!(
        "JOIN calls ON calls.id = place.call_id {}",
        rows::CALL_JOINS
    );
    // The page is of the user's own places, and comes with the places of both parties.
    let list = List {
        columns: &columns,
        from: "call_parties AS place",
        key: "place.call_id",
        joined: &joined,
        order: "place.initiated_at DESC, place.call_id DESC",
    };
    let found = conditions
        .page(connection, "listing calls", &list, page, |columns| {
            Ok((rows::call(columns)?, rows::quality(columns)?))
        })
        .await?;
    Ok(Page {
        items: rows::together(found.items),
        total: found.total,
    })
}

/// How many of a user's calls are alike.
pub(super) async fn tallies(
    connection: &mut Connection,
    user: UserId,
    from: Option<Timestamp>,
) -> StoreResult<Vec<CallTally>> {
    all(
        connection,
        "counting calls",
        "SELECT side, status, kind, count(*), sum(seconds)::BIGINT FROM call_parties
         WHERE user_id = $1 AND initiated_at >= $2 GROUP BY side, status, kind",
        (user.get(), from.map_or(i64::MIN, Timestamp::micros)),
        |columns| {
            Ok(CallTally {
                side: word(columns, CallSide::parse)?,
                status: word(columns, CallStatus::parse)?,
                kind: word(columns, CallKind::parse)?,
                calls: number(columns)?,
                seconds: number(columns)?,
            })
        },
    )
    .await
}
