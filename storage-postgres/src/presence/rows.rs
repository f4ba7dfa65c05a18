//! From rows to leases and to what they say of their users. Each list of columns stands beside the
//! function that reads them, in the same order.

use telemed_core::actor::Role;
use telemed_core::calls::DeviceId;
use telemed_core::id::{AppointmentId, LeaseId, UserId};
use telemed_core::identity::FullName;
use telemed_core::presence::{DeviceType, Lease, LeaseSource, PresenceRow, PresenceStatus};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use crate::rows::{instant, maybe_instant, word};
use crate::statement::Columns;

pub(super) const LEASE: &str = "lease.id, lease.user_id, lease.device, lease.session_id, \
     lease.device_type, lease.source, lease.status, lease.current_call, \
     lease.current_appointment, lease.heard_at, lease.expires_at";

pub(super) fn lease(columns: &mut Columns<'_>) -> StoreResult<Lease> {
    let id = columns.uuid()?;
    lease_with(id, columns)
}

/// The columns of [`LEASE`] after the first.
fn lease_with(id: LeaseId, columns: &mut Columns<'_>) -> StoreResult<Lease> {
    Ok(Lease {
        id,
        user: columns.make(UserId::from_row)?,
        device: columns.make(DeviceId::from_row)?,
        session: columns.uuid()?,
        device_type: columns.make(DeviceType::from_row)?,
        source: word(columns, LeaseSource::parse)?,
        status: word(columns, PresenceStatus::parse)?,
        current_call: columns.maybe(|id: Uuid| id.into())?,
        current_appointment: columns.maybe(AppointmentId::from_row)?,
        heard_at: instant(columns)?,
        expires_at: instant(columns)?,
    })
}

/// The user, the role, when he was last seen, and his newest live call; then the columns of
/// [`LEASE`]: one lease, or NULLs where there is none.
pub(super) fn presence(columns: &mut Columns<'_>) -> StoreResult<PresenceRow> {
    Ok(PresenceRow {
        user: columns.make(UserId::from_row)?,
        name: columns.make(FullName::from_row)?,
        role: word(columns, Role::parse)?,
        last_seen: maybe_instant(columns)?,
        live_call: columns.maybe(|id: Uuid| id.into())?,
        leases: match columns.maybe(|id: Uuid| id.into())? {
            Some(id) => vec![lease_with(id, columns)?],
            None => vec![],
        },
    })
}

/// Puts the rows of each user together, which follow one another.
pub(super) fn together(rows: Vec<PresenceRow>) -> Vec<PresenceRow> {
    let mut whole: Vec<PresenceRow> = Vec::new();
    for mut row in rows {
        match whole.last_mut() {
            Some(last) if last.user == row.user => last.leases.append(&mut row.leases),
            _ => whole.push(row),
        }
    }
    whole
}
