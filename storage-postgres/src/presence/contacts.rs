//! Who can be reached, and who may know it.

use telemed_core::id::UserId;
use telemed_core::presence::{ContactBounds, PresenceRow};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::rows;
use crate::calls;
use crate::connection::Connection;
use crate::rows::LISTED;
use crate::statement::{all, single};

/// Appointments by which two care for one another, but for their end.
const CARES: &str = "appointments.status NOT IN ('rejected', 'cancelled')";

/// The newest live call of a user.
fn live_call(user: &str) -> String {
    format!(
        "(SELECT place.call_id FROM call_parties AS place
          WHERE place.user_id = {user} AND {}
          ORDER BY place.initiated_at DESC, place.call_id DESC LIMIT 1)",
        calls::LIVE
    )
}

/// Whether a user has a lease at a time, or is in a live call. It is asked for each user by
/// itself: an EXISTS could be answered by reading all leases that there are.
fn is_present(user: &str, now: &str) -> String {
    format!(
        "((SELECT 1 FROM presence_leases
           WHERE presence_leases.user_id = {user} AND presence_leases.expires_at > {now}
           LIMIT 1) IS NOT NULL
          OR {} IS NOT NULL)",
        live_call(user)
    )
}

/// What says of users whether they can be reached.
pub(super) async fn rows_of(
    connection: &mut Connection,
    users: &[UserId],
    now: Timestamp,
) -> StoreResult<Vec<PresenceRow>> {
    let sql = format!(
        "SELECT users.id, users.full_name, users.role,
                greatest(presence.last_seen, (SELECT max(seen_at) FROM presence_leases AS seen
                                              WHERE seen.user_id = users.id)),
                {}, {}
         FROM users
         LEFT JOIN presence ON presence.user_id = users.id
         LEFT JOIN presence_leases AS lease
             ON lease.user_id = users.id AND lease.expires_at > $2
         WHERE users.id = ANY ($1)
         ORDER BY users.id, lease.heard_at DESC, lease.id DESC",
        live_call("users.id"),
        rows::LEASE
    );
    let ids: Vec<i64> = users.iter().map(|user| user.get()).collect();
    let action = "reading the presence of users";
    let found = all(
        connection,
        action,
        &sql,
        (ids, now.micros()),
        rows::presence,
    )
    .await?;
    Ok(rows::together(found))
}

/// Whether two care for one another, or have a conversation.
pub(super) async fn are(
    connection: &mut Connection,
    pair: [UserId; 2],
    bounds: ContactBounds,
) -> StoreResult<bool> {
    let sql = format!(
        "SELECT $1::BIGINT <> $2::BIGINT AND (
             (SELECT 1 FROM appointments
              WHERE patient_id = $1 AND doctor_id = $2 AND ends_at > $3 AND {CARES}
              LIMIT 1) IS NOT NULL
             OR (SELECT 1 FROM appointments
                 WHERE patient_id = $2 AND doctor_id = $1 AND ends_at > $3 AND {CARES}
                 LIMIT 1) IS NOT NULL
             OR (SELECT 1 FROM conversations
                 WHERE low_user = least($1, $2) AND high_user = greatest($1, $2))
                IS NOT NULL)"
    );
    let [one, other] = pair;
    let values = (one.get(), other.get(), bounds.cared_after.micros());
    single(
        connection,
        "looking for contacts",
        &sql,
        values,
        |columns| columns.next(),
    )
    .await
}

/// The contacts of a user who can be reached, by id.
pub(super) async fn present(
    connection: &mut Connection,
    user: UserId,
    bounds: ContactBounds,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<UserId>> {
    let sql = format!(
        "SELECT id FROM (
             SELECT doctor_id AS id FROM appointments
             WHERE patient_id = $1 AND ends_at > $2 AND {CARES}
             UNION SELECT patient_id FROM appointments
             WHERE doctor_id = $1 AND ends_at > $2 AND {CARES}
             UNION SELECT CASE low_user WHEN $1 THEN high_user ELSE low_user END
             FROM conversation_participants AS own
             JOIN conversations ON conversations.id = own.conversation_id
             WHERE own.user_id = $1
         ) AS contacts
         WHERE id <> $1 AND {}
         ORDER BY id LIMIT $4",
        is_present("contacts.id", "$3")
    );
    all(
        connection,
        "listing present contacts",
        &sql,
        (
            user.get(),
            bounds.cared_after.micros(),
            now.micros(),
            i64::from(limit),
        ),
        |columns| columns.make(UserId::from_row),
    )
    .await
}

/// The listed doctors who can be reached, by id.
pub(super) async fn present_doctors(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> StoreResult<Vec<UserId>> {
    let sql = format!(
        "SELECT users.id FROM users
         WHERE {LISTED} AND (SELECT 1 FROM doctors WHERE doctors.id = users.id) IS NOT NULL
             AND {} ORDER BY users.id LIMIT $2",
        is_present("users.id", "$1")
    );
    let action = "listing present doctors";
    let values = (now.micros(), i64::from(limit));
    all(connection, action, &sql, values, |columns| {
        columns.make(UserId::from_row)
    })
    .await
}
