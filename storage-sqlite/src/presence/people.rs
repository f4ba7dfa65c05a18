//! Who can be reached, and who is told of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use telemed_core::actor::Role;
use telemed_core::id::UserId;
use telemed_core::identity::FullName;
use telemed_core::presence::{ContactBounds, Lease, PresenceRow, PresenceStatus};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;
use uuid::Uuid;

use super::leases::{LEASE, lease};
use crate::rows::{LISTED, LISTED_DOCTORS, maybe_instant, word};
use crate::statement::{all, any, change, one};
use crate::writer::Verdict;

/// What says of these users whether they can be reached.
pub(super) fn rows(
    connection: &Connection,
    users: BTreeSet<UserId>,
    now: Timestamp,
) -> StoreResult<Vec<PresenceRow>> {
    let users: Vec<i64> = users.into_iter().map(UserId::get).collect();
    let users = serde_json::Value::from(users).to_string();
    let sql = format!(
        "SELECT {LEASE} FROM json_each(?1)
         CROSS JOIN presence_leases ON presence_leases.user_id = json_each.value
         WHERE expires_at > ?2"
    );
    let action = "reading the leases of users";
    let mut of_users: BTreeMap<UserId, Vec<Lease>> = BTreeMap::new();
    for lease in all(connection, action, &sql, (&users, now.micros()), lease)? {
        of_users.entry(lease.user).or_default().push(lease);
    }
    all(
        connection,
        "reading whether users can be reached",
        "SELECT users.id, users.full_name, users.role, presence.last_seen,
             (SELECT call_id FROM call_parties
              WHERE call_parties.user_id = users.id AND is_live = 1
              ORDER BY initiated_at DESC, call_id DESC LIMIT 1)
         FROM json_each(?1) CROSS JOIN users ON users.id = json_each.value
         LEFT JOIN presence ON presence.user_id = users.id",
        [&users],
        |columns| {
            let user = columns.make(UserId::from_row)?;
            let mut leases = of_users.remove(&user).unwrap_or_default();
            leases.sort_unstable_by_key(|lease| Reverse((lease.heard_at, lease.id)));
            Ok(PresenceRow {
                user,
                name: columns.make(FullName::from_row)?,
                role: word(columns, Role::parse)?,
                last_seen: maybe_instant(columns)?,
                leases,
                live_call: columns.maybe(|id| Uuid::from_bytes(id).into())?,
            })
        },
    )
}

pub(super) fn note_told(
    connection: &Connection,
    user: UserId,
    status: PresenceStatus,
) -> StoreResult<Verdict<PresenceStatus>> {
    let told = one(
        connection,
        "reading what was told of somebody",
        "SELECT told FROM presence WHERE user_id = ?1",
        [user.get()],
        |columns| word(columns, PresenceStatus::parse),
    )?;
    let before = told.unwrap_or(PresenceStatus::Offline);
    if before == status {
        return Ok(Verdict::Undo(before));
    }
    change(
        connection,
        "noting what is told of somebody",
        "INSERT INTO presence (user_id, told) VALUES (?1, ?2)
         ON CONFLICT (user_id) DO UPDATE SET told = excluded.told",
        (user.get(), status.as_str()),
    )?;
    Ok(Verdict::Keep(before))
}

pub(super) fn are_contacts(
    connection: &Connection,
    [one, other]: [UserId; 2],
    bounds: ContactBounds,
) -> StoreResult<bool> {
    if one == other {
        return Ok(false);
    }
    any(
        connection,
        "looking whether two are contacts",
        "SELECT 1 FROM appointments
         WHERE patient_id = ?1 AND +doctor_id = ?2 AND ends_at > ?3
             AND status NOT IN ('rejected', 'cancelled')
         UNION ALL
         SELECT 1 FROM appointments
         WHERE patient_id = ?2 AND +doctor_id = ?1 AND ends_at > ?3
             AND status NOT IN ('rejected', 'cancelled')
         UNION ALL
         SELECT 1 FROM conversations WHERE low_user = min(?1, ?2) AND high_user = max(?1, ?2)
         LIMIT 1",
        (one.get(), other.get(), bounds.cared_after.micros()),
    )
}

/// Who has a lease that is believed, or is in a live call, about a user's number in a column.
fn is_present(user: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM presence_leases
                  WHERE presence_leases.user_id = {user} AND expires_at > ?1)
          OR EXISTS (SELECT 1 FROM call_parties
                     WHERE call_parties.user_id = {user} AND is_live = 1))"
    )
}

/// The contacts of a user who are there, by id.
pub(super) fn contacts(
    connection: &Connection,
    user: UserId,
    bounds: ContactBounds,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<UserId>> {
    let sql = format!(
        "SELECT contact FROM (
             SELECT patient_id AS contact FROM appointments
             WHERE doctor_id = ?3 AND ends_at > ?4 AND status NOT IN ('rejected', 'cancelled')
             UNION
             SELECT doctor_id FROM appointments
             WHERE patient_id = ?3 AND +ends_at > ?4 AND status NOT IN ('rejected', 'cancelled')
             UNION
             SELECT other.user_id FROM conversation_participants AS own
             CROSS JOIN conversation_participants AS other
                 ON other.conversation_id = own.conversation_id
             WHERE own.user_id = ?3)
         WHERE contact <> ?3 AND {}
         ORDER BY contact LIMIT ?2",
        is_present("contact")
    );
    all(
        connection,
        "listing the contacts of a user who are there",
        &sql,
        (now.micros(), limit, user.get(), bounds.cared_after.micros()),
        |columns| columns.make(UserId::from_row),
    )
}

/// The listed doctors who are there, by id.
pub(super) fn doctors(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<UserId>> {
    let sql = format!(
        "SELECT users.id FROM {LISTED_DOCTORS} WHERE {LISTED} AND {}
         ORDER BY users.id LIMIT ?2",
        is_present("users.id")
    );
    let action = "listing the doctors who are there";
    all(connection, action, &sql, (now.micros(), limit), |columns| {
        columns.make(UserId::from_row)
    })
}
