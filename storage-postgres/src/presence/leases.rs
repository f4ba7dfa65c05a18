//! Leases, from the first word of a device to when nobody remembers it.

use telemed_core::id::{AppointmentId, LeaseId, UserId};
use telemed_core::presence::Lease;
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::{AT_ONCE, rows};
use crate::connection::Connection;
use crate::rows::instant;
use crate::statement::{all, change, one, only, single};

/// Makes a lease, or changes the user's own.
pub(super) async fn put(connection: &mut Connection, lease: &Lease) -> StoreResult<bool> {
    let sql = format!(
        "INSERT INTO presence_leases AS held
             (id, user_id, device, session_id, device_type, source, status, current_call,
              current_appointment, heard_at, expires_at, seen_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10 FROM {AT_ONCE}
         ON CONFLICT (id) DO UPDATE
             SET device = excluded.device, session_id = excluded.session_id,
                 device_type = excluded.device_type, source = excluded.source,
                 status = excluded.status, current_call = excluded.current_call,
                 current_appointment = excluded.current_appointment,
                 heard_at = excluded.heard_at, expires_at = excluded.expires_at,
                 seen_at = greatest(held.seen_at, excluded.seen_at), is_noted = false
             WHERE held.user_id = excluded.user_id"
    );
    let put = change(
        connection,
        "putting a lease",
        &sql,
        (
            lease.id.get(),
            lease.user.get(),
            lease.device.as_str(),
            lease.session.get(),
            lease.device_type.as_str(),
            lease.source.as_str(),
            lease.status.as_str(),
            lease.current_call.map(|call| call.get()),
            lease.current_appointment.map(AppointmentId::get),
            lease.heard_at.micros(),
            lease.expires_at.micros(),
        ),
    )
    .await?;
    Ok(put > 0)
}

/// Moves the end of leases that are still believed. Servers renew many at once: in one order.
pub(super) async fn renew(
    connection: &mut Connection,
    leases: &[LeaseId],
    now: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<LeaseId>> {
    let sql = format!(
        "UPDATE presence_leases
         SET heard_at = $2, expires_at = $3, seen_at = greatest(seen_at, $2)
         FROM {AT_ONCE}
         WHERE id = ANY (ARRAY(
             SELECT id FROM presence_leases
             WHERE id = ANY ($1) AND expires_at > $2 AND NOT is_noted
             ORDER BY id FOR NO KEY UPDATE))
         RETURNING id"
    );
    let ids: Vec<Uuid> = leases.iter().map(|id| id.get()).collect();
    all(
        connection,
        "renewing leases",
        &sql,
        (ids, now.micros(), until.micros()),
        |columns| columns.uuid(),
    )
    .await
}

pub(super) async fn end(
    connection: &mut Connection,
    lease: LeaseId,
    now: Timestamp,
    at: Timestamp,
) -> StoreResult<()> {
    let sql = format!(
        "UPDATE presence_leases
         SET heard_at = $2, expires_at = least(expires_at, $3), seen_at = greatest(seen_at, $2)
         FROM {AT_ONCE} WHERE id = $1 AND expires_at > $2"
    );
    let values = (lease.get(), now.micros(), at.micros());
    change(connection, "ending a lease", &sql, values)
        .await
        .map(drop)
}

/// Leases that have lapsed and were not noted as such, the earliest first.
pub(super) async fn lapsed(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<Lease>> {
    let sql = format!(
        "SELECT {} FROM presence_leases AS lease
         WHERE NOT is_noted AND expires_at <= $1
         ORDER BY expires_at, id LIMIT $2",
        rows::LEASE
    );
    let action = "reading lapsed leases";
    let values = (now.micros(), i64::from(limit));
    all(connection, action, &sql, values, rows::lease).await
}

/// Notes that leases had lapsed. They are locked in the order of their ids, as everywhere.
pub(super) async fn note_lapsed(
    connection: &mut Connection,
    leases: &[LeaseId],
    now: Timestamp,
) -> StoreResult<()> {
    let ids: Vec<_> = leases.iter().map(|lease| lease.get()).collect();
    let sql = format!(
        "UPDATE presence_leases AS lease SET is_noted = true
         FROM {AT_ONCE}
         WHERE id = ANY (ARRAY(
             SELECT id FROM presence_leases
             WHERE id = ANY ($1) AND expires_at <= $2 AND NOT is_noted
             ORDER BY id FOR NO KEY UPDATE))"
    );
    change(
        connection,
        "noting lapsed leases",
        &sql,
        (ids, now.micros()),
    )
    .await
    .map(drop)
}

pub(super) async fn next_lapse(connection: &mut Connection) -> StoreResult<Option<Timestamp>> {
    one(
        connection,
        "finding the next lapse",
        "SELECT expires_at FROM presence_leases WHERE NOT is_noted
         ORDER BY expires_at LIMIT 1",
        (),
        instant,
    )
    .await
}

/// The leases of a user, the one that lapses last first.
pub(super) async fn of(connection: &mut Connection, user: UserId) -> StoreResult<Vec<Lease>> {
    let sql = format!(
        "SELECT {} FROM presence_leases AS lease WHERE user_id = $1
         ORDER BY expires_at DESC, id DESC",
        rows::LEASE
    );
    let action = "reading the leases of a user";
    all(connection, action, &sql, (user.get(),), rows::lease).await
}

/// Drops some leases that have lapsed before and were noted, and keeps when their users were
/// seen. Returns how many went.
pub(super) async fn drop_some(connection: &mut Connection, before: Timestamp) -> StoreResult<u64> {
    let sql = format!(
        "WITH gone AS (
             DELETE FROM presence_leases USING {AT_ONCE}
             WHERE id = ANY (ARRAY(
                 SELECT id FROM presence_leases WHERE is_noted AND expires_at < $1
                 LIMIT 1000 FOR UPDATE SKIP LOCKED))
             RETURNING user_id, seen_at
         ), kept AS (
             INSERT INTO presence (user_id, last_seen)
             SELECT user_id, max(seen_at) FROM gone GROUP BY user_id ORDER BY user_id
             ON CONFLICT (user_id) DO UPDATE
                 SET last_seen = greatest(presence.last_seen, excluded.last_seen)
         )
         SELECT count(*) FROM gone"
    );
    let action = "dropping lapsed leases";
    let gone: i64 = single(connection, action, &sql, (before.micros(),), only).await?;
    Ok(u64::try_from(gone).unwrap_or(0))
}
