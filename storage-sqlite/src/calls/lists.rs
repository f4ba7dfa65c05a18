//! Looking at calls.

use rusqlite::{Connection, Params};
use telemed_core::calls::{Call, CallFilter, CallRow, CallTally, ClientCallId};
use telemed_core::id::{CallId, UserId};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::rows;
use crate::statement::{Conditions, List, all, one};

pub(super) fn by_id(connection: &Connection, id: CallId) -> StoreResult<Option<Call>> {
    find(connection, "calls.id = ?1", [id.get().as_bytes()])
}

pub(super) fn by_client_id(
    connection: &Connection,
    caller: UserId,
    id: &ClientCallId,
) -> StoreResult<Option<Call>> {
    let condition = "calls.caller_id = ?1 AND calls.client_id = ?2";
    find(connection, condition, (caller.get(), id.as_str()))
}

fn find(
    connection: &Connection,
    condition: &str,
    params: impl Params,
) -> StoreResult<Option<Call>> {
    let sql = format!(
        "SELECT {} FROM calls {} WHERE {condition}",
        rows::CALL,
        rows::NAMES
    );
    one(connection, "reading a call", &sql, params, rows::call)
}

/// The live calls of a user, the newest first.
pub(super) fn live(connection: &Connection, user: UserId) -> StoreResult<Vec<Call>> {
    let sql = format!(
        "SELECT {} FROM call_parties AS own CROSS JOIN calls ON calls.id = own.call_id {}
         WHERE own.user_id = ?1 AND own.is_live = 1
         ORDER BY own.initiated_at DESC, own.call_id DESC",
        rows::CALL,
        rows::NAMES
    );
    let action = "reading the live calls of a user";
    all(connection, action, &sql, [user.get()], rows::call)
}

/// A user's calls, the newest first.
pub(super) fn page(
    connection: &Connection,
    user: UserId,
    filter: &CallFilter,
    page: PageRequest,
) -> StoreResult<Page<CallRow>> {
    let mut conditions = Conditions::new("true");
    conditions.and("own.user_id = ?", Some(user.get()));
    let word = |word: &'static str| word.to_owned();
    conditions.and("own.kind = ?", filter.kind.map(|kind| word(kind.as_str())));
    conditions.and("own.side = ?", filter.side.map(|side| word(side.as_str())));
    let status = filter.status.map(|status| word(status.as_str()));
    conditions.and("own.status = ?", status);
    let (from, before) = (filter.from, filter.before);
    conditions.and("own.initiated_at >= ?", from.map(Timestamp::micros));
    conditions.and("own.initiated_at < ?", before.map(Timestamp::micros));
    let list = List {
        columns: &format!("{}, {}", rows::CALL, rows::QUALITY),
        from: "call_parties AS own",
        key: "own.call_id, own.user_id",
        joined: &format!(
            "CROSS JOIN calls ON calls.id = own.call_id {} {}",
            rows::NAMES,
            rows::PARTIES
        ),
        order: "own.initiated_at DESC, own.call_id DESC",
    };
    conditions.page(connection, "listing calls", &list, page, rows::call_row)
}

/// How many of a user's calls are alike.
pub(super) fn tallies(
    connection: &Connection,
    user: UserId,
    from: Option<Timestamp>,
) -> StoreResult<Vec<CallTally>> {
    all(
        connection,
        "counting the calls of a user",
        "SELECT side, status, kind, count(*), sum(seconds) FROM call_parties
         WHERE user_id = ?1 AND initiated_at >= ?2 GROUP BY side, status, kind",
        (user.get(), from.map_or(i64::MIN, Timestamp::micros)),
        rows::tally,
    )
}
