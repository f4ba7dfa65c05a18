//! Builders of leases.

use telemed_core::id::{LeaseId, SessionId, UserId};
use telemed_core::presence::{
    ContactBounds, DeviceType, Lease, LeaseSource, PresenceRow, PresenceStatus,
};
use telemed_core::time::Timestamp;

use super::{NOW, World, at, device};

/// Contacts of whoever has cared or will.
#[must_use]
pub fn all_contacts() -> ContactBounds {
    ContactBounds {
        cared_after: Timestamp::from_micros(0),
    }
}

impl World {
    /// A lease of a user who is online, from [`NOW`] until some minutes later.
    #[must_use]
    pub fn new_lease(&self, user: UserId, minutes: i64) -> Lease {
        let id = self.uuid();
        Lease {
            id: LeaseId::new(id),
            user,
            device: device(&format!("device {id}")),
            session: SessionId::new(self.uuid()),
            device_type: DeviceType::new("web").unwrap(),
            source: LeaseSource::Socket,
            status: PresenceStatus::Online,
            current_call: None,
            current_appointment: None,
            heard_at: NOW,
            expires_at: at(minutes),
        }
    }

    /// Makes this lease.
    pub async fn put(&self, lease: &Lease) {
        assert!(self.storage.put_lease(lease).await.unwrap());
    }

    /// Makes a lease as [`World::new_lease`] describes it.
    pub async fn lease(&self, user: UserId, minutes: i64) -> Lease {
        let lease = self.new_lease(user, minutes);
        self.put(&lease).await;
        lease
    }

    /// What says now whether a user can be reached.
    pub async fn presence(&self, user: UserId, now: Timestamp) -> PresenceRow {
        let mut rows = self.storage.presence_rows(&[user], now).await.unwrap();
        assert_eq!(rows.len(), 1, "{user}");
        rows.remove(0)
    }

    /// Leases that have lapsed and were not noted, by id; they are noted by this.
    pub async fn lapsed(&self, now: Timestamp) -> Vec<LeaseId> {
        let lapsed = self.storage.lapsed_leases(now, 1000).await.unwrap();
        let mut ids: Vec<_> = lapsed.iter().map(|lease| lease.id).collect();
        self.storage.note_lapsed_leases(&ids, now).await.unwrap();
        ids.sort_unstable();
        ids
    }
}
