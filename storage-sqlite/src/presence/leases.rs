//! Making, keeping, ending and dropping leases.

use std::cmp::Reverse;

use rusqlite::{Connection, params};
use telemed_core::calls::DeviceId;
use telemed_core::id::{AppointmentId, LeaseId, UserId};
use telemed_core::presence::{DeviceType, Lease, LeaseSource, PresenceStatus};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;
use uuid::Uuid;

use crate::rows::{instant, word};
use crate::statement::{Columns, all, change, one};
use crate::writer::Verdict;

pub(super) const LEASE: &str = "presence_leases.id, presence_leases.user_id, presence_leases.device, \
     presence_leases.session_id, presence_leases.device_type, presence_leases.source, \
     presence_leases.status, presence_leases.current_call, \
     presence_leases.current_appointment, presence_leases.heard_at, presence_leases.expires_at";

pub(super) fn lease(columns: &mut Columns<'_>) -> StoreResult<Lease> {
    Ok(Lease {
        id: columns.uuid()?,
        user: columns.make(UserId::from_row)?,
        device: columns.make(DeviceId::from_row)?,
        session: columns.uuid()?,
        device_type: columns.make(DeviceType::from_row)?,
        source: word(columns, LeaseSource::parse)?,
        status: word(columns, PresenceStatus::parse)?,
        current_call: columns.maybe(|id| Uuid::from_bytes(id).into())?,
        current_appointment: columns.maybe(AppointmentId::from_row)?,
        heard_at: instant(columns)?,
        expires_at: instant(columns)?,
    })
}

pub(super) fn put(connection: &Connection, lease: &Lease) -> StoreResult<Verdict<bool>> {
    let put = change(
        connection,
        "putting a lease",
        "INSERT INTO presence_leases (id, user_id, device, session_id, device_type, source, status,
                                      current_call, current_appointment, heard_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (id) DO UPDATE
         SET device = excluded.device, session_id = excluded.session_id,
             device_type = excluded.device_type, source = excluded.source,
             status = excluded.status, current_call = excluded.current_call,
             current_appointment = excluded.current_appointment, heard_at = excluded.heard_at,
             expires_at = excluded.expires_at, is_noted = 0
         WHERE user_id = excluded.user_id",
        params![
            lease.id.get().as_bytes(),
            lease.user.get(),
            lease.device.as_str(),
            lease.session.get().as_bytes(),
            lease.device_type.as_str(),
            lease.source.as_str(),
            lease.status.as_str(),
            lease.current_call.map(|call| call.get().into_bytes()),
            lease.current_appointment.map(AppointmentId::get),
            lease.heard_at.micros(),
            lease.expires_at.micros(),
        ],
    )?;
    if put == 0 {
        return Ok(Verdict::Undo(false));
    }
    heard_of(connection, &[lease.user], lease.heard_at)?;
    Ok(Verdict::Keep(true))
}

/// Somebody's device was heard of.
fn heard_of(connection: &Connection, users: &[UserId], at: Timestamp) -> StoreResult<()> {
    let users: Vec<i64> = users.iter().map(|user| user.get()).collect();
    change(
        connection,
        "noting when somebody was seen last",
        // The condition is there for the parser: it tells the conflict from a join.
        "INSERT INTO presence (user_id, last_seen) SELECT DISTINCT value, ?2 FROM json_each(?1)
         WHERE true
         ON CONFLICT (user_id) DO UPDATE SET last_seen = excluded.last_seen
         WHERE last_seen IS NULL OR last_seen < excluded.last_seen",
        (serde_json::Value::from(users).to_string(), at.micros()),
    )?;
    Ok(())
}

pub(super) fn renew(
    connection: &Connection,
    leases: &[LeaseId],
    now: Timestamp,
    until: Timestamp,
) -> StoreResult<Verdict<Vec<LeaseId>>> {
    let ids = leases.iter().map(|id| id.get().simple().to_string());
    let ids: Vec<String> = ids.collect();
    let renewed: Vec<(LeaseId, UserId)> = all(
        connection,
        "renewing leases",
        "UPDATE presence_leases SET heard_at = ?2, expires_at = ?3
         WHERE id IN (SELECT unhex(value) FROM json_each(?1))
             AND expires_at > ?2 AND is_noted = 0
         RETURNING id, user_id",
        (
            serde_json::Value::from(ids).to_string(),
            now.micros(),
            until.micros(),
        ),
        |columns| Ok((columns.uuid()?, columns.make(UserId::from_row)?)),
    )?;
    if renewed.is_empty() {
        return Ok(Verdict::Undo(Vec::new()));
    }
    let (leases, users): (Vec<_>, Vec<_>) = renewed.into_iter().unzip();
    heard_of(connection, &users, now)?;
    Ok(Verdict::Keep(leases))
}

pub(super) fn end(
    connection: &Connection,
    lease: LeaseId,
    now: Timestamp,
    at: Timestamp,
) -> StoreResult<Verdict<()>> {
    let users = all(
        connection,
        "ending a lease",
        "UPDATE presence_leases SET heard_at = ?2, expires_at = min(expires_at, ?3)
         WHERE id = ?1 AND expires_at > ?2
         RETURNING user_id",
        (lease.get().as_bytes(), now.micros(), at.micros()),
        |columns| columns.make(UserId::from_row),
    )?;
    if users.is_empty() {
        return Ok(Verdict::Undo(()));
    }
    heard_of(connection, &users, now)?;
    Ok(Verdict::Keep(()))
}

/// Leases that have lapsed and were not noted as such, the earliest first.
pub(super) fn lapsed(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<Lease>> {
    let sql = format!(
        "SELECT {LEASE} FROM presence_leases
         WHERE is_noted = 0 AND expires_at <= ?1
         ORDER BY expires_at, id LIMIT ?2"
    );
    let action = "reading lapsed leases";
    all(connection, action, &sql, (now.micros(), limit), lease)
}

/// Notes that leases had lapsed.
pub(super) fn note_lapsed(
    connection: &Connection,
    leases: &[LeaseId],
    now: Timestamp,
) -> StoreResult<Verdict<()>> {
    let mut noted = 0;
    for lease in leases {
        noted += change(
            connection,
            "noting a lapsed lease",
            "UPDATE presence_leases SET is_noted = 1
             WHERE id = ?1 AND expires_at <= ?2 AND is_noted = 0",
            (lease.get().as_bytes(), now.micros()),
        )?;
    }
    Ok(if noted == 0 {
        Verdict::Undo(())
    } else {
        Verdict::Keep(())
    })
}

pub(super) fn next_lapse(connection: &Connection) -> StoreResult<Option<Timestamp>> {
    one(
        connection,
        "looking for the next lapse of a lease",
        "SELECT expires_at FROM presence_leases WHERE is_noted = 0
         ORDER BY expires_at, id LIMIT 1",
        [],
        instant,
    )
}

/// The leases of a user, the one that lapses last first.
pub(super) fn of_user(connection: &Connection, user: UserId) -> StoreResult<Vec<Lease>> {
    let sql = format!("SELECT {LEASE} FROM presence_leases WHERE user_id = ?1");
    let action = "reading the leases of a user";
    let mut leases = all(connection, action, &sql, [user.get()], lease)?;
    leases.sort_unstable_by_key(|lease| Reverse((lease.expires_at, lease.id)));
    Ok(leases)
}

pub(super) fn drop_lapsed(connection: &Connection, before: Timestamp) -> StoreResult<u64> {
    let dropped = change(
        connection,
        "dropping lapsed leases",
        "DELETE FROM presence_leases WHERE is_noted = 1 AND expires_at < ?1",
        [before.micros()],
    )?;
    Ok(dropped as u64)
}
