//! Leases of presence: what a device says of its user, for as long as it is heard of.

use crate::actor::Role;
use crate::calls::DeviceId;
use crate::id::{AppointmentId, CallId, LeaseId, SessionId, UserId};
use crate::identity::FullName;
use crate::time::Timestamp;
use crate::value::{text_values, words};

words! {
    /// Whether somebody can be reached.
    PresenceStatus {
        /// He is there.
        Online = "online",
        /// He is not at the device.
        Away = "away",
        /// The device has not been touched for a while.
        Idle = "idle",
        /// He is there and has no time.
        Busy = "busy",
        /// He is not there.
        Offline = "offline",
        /// He is there and wants no call.
        DoNotDisturb = "do_not_disturb",
    }
}

impl PresenceStatus {
    /// Of several devices the strongest counts: do not disturb, busy, online, idle, away.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Offline => 0,
            Self::Away => 1,
            Self::Idle => 2,
            Self::Online => 3,
            Self::Busy => 4,
            Self::DoNotDisturb => 5,
        }
    }
}

words! {
    /// By what a device is heard of.
    LeaseSource {
        /// By requests.
        Http = "http",
        /// By an open socket.
        Socket = "socket",
    }
}

text_values! {
    /// What kind of device it is, such as `web`: 1 to 32 characters.
    DeviceType = line 1..=32;
}

/// What a device says of its user, until when that is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The id: of the socket, or of what the device has said over HTTP.
    pub id: LeaseId,
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The session that it has signed in with.
    pub session: SessionId,
    /// What kind of device it is.
    pub device_type: DeviceType,
    /// By what it is heard of.
    pub source: LeaseSource,
    /// What it says.
    pub status: PresenceStatus,
    /// The call that it says its user is in.
    pub current_call: Option<CallId>,
    /// The appointment that it says its user is in.
    pub current_appointment: Option<AppointmentId>,
    /// When it was heard of last.
    pub heard_at: Timestamp,
    /// Until when it is believed.
    pub expires_at: Timestamp,
}

impl Lease {
    /// Whether the lease is of this device: by its name, or by the session that it signed in with.
    #[must_use]
    pub fn is_of(&self, device: &DeviceId) -> bool {
        self.device == *device || DeviceId::of_session(self.session) == *device
    }
}

/// A user, and all that says whether he can be reached, joined in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct PresenceRow {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: FullName,
    /// The user's role.
    pub role: Role,
    /// When a device of the user was heard of last.
    pub last_seen: Option<Timestamp>,
    /// The leases that are believed, the one that was heard of last first.
    pub leases: Vec<Lease>,
    /// The newest live call that the user is in.
    pub live_call: Option<CallId>,
}

/// Whether somebody can be reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: FullName,
    /// The user's role.
    pub role: Role,
    /// Whether he can be reached.
    pub status: PresenceStatus,
    /// When a device of his was heard of last.
    pub last_seen: Option<Timestamp>,
    /// The call that he is in.
    pub current_call: Option<CallId>,
    /// The appointment that he is in.
    pub current_appointment: Option<AppointmentId>,
    /// The kind of the device that was heard of last, of those that say the status.
    pub device_type: Option<DeviceType>,
}

impl From<PresenceRow> for Presence {
    /// The strongest of what the devices say; a live call shows busy until it ends.
    fn from(row: PresenceRow) -> Self {
        let strongest = row
            .leases
            .iter()
            .map(|lease| lease.status)
            .max_by_key(|status| status.strength())
            .unwrap_or(PresenceStatus::Offline);
        let in_call = row.live_call.map(|_| PresenceStatus::Busy);
        let status = in_call
            .into_iter()
            .chain([strongest])
            .max_by_key(|status| status.strength())
            .unwrap_or(strongest);
        let speaks = |lease: &&Lease| lease.status == strongest;
        Self {
            user: row.user,
            name: row.name,
            role: row.role,
            status,
            last_seen: row.last_seen,
            current_call: row
                .live_call
                .or_else(|| row.leases.iter().find_map(|lease| lease.current_call)),
            current_appointment: row
                .leases
                .iter()
                .find_map(|lease| lease.current_appointment),
            device_type: row
                .leases
                .iter()
                .find(speaks)
                .map(|lease| lease.device_type.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::PresenceStatus::{Away, Busy, DoNotDisturb, Idle, Offline, Online};
    use super::*;

    fn of(says: &[PresenceStatus], live_call: Option<CallId>) -> PresenceStatus {
        let lease = |status: &PresenceStatus| Lease {
            id: LeaseId::new(uuid::Uuid::nil()),
            user: UserId::from_row(1),
            device: DeviceId::new("phone").expect("a device"),
            session: SessionId::new(uuid::Uuid::nil()),
            device_type: DeviceType::new("web").expect("a kind"),
            source: LeaseSource::Socket,
            status: *status,
            current_call: None,
            current_appointment: None,
            heard_at: Timestamp::from_micros(0),
            expires_at: Timestamp::from_micros(1),
        };
        Presence::from(PresenceRow {
            user: UserId::from_row(1),
            name: FullName::from_row("Amal".to_owned()),
            role: Role::Patient,
            last_seen: None,
            leases: says.iter().map(lease).collect(),
            live_call,
        })
        .status
    }

    #[test]
    fn the_strongest_device_counts() {
        let call = Some(CallId::new(uuid::Uuid::nil()));
        assert_eq!(of(&[], None), Offline);
        assert_eq!(of(&[Offline], None), Offline);
        assert_eq!(of(&[Away, Idle], None), Idle);
        assert_eq!(of(&[Idle, Online, Away], None), Online);
        assert_eq!(of(&[Online, Busy], None), Busy);
        assert_eq!(of(&[Busy, DoNotDisturb, Online], None), DoNotDisturb);
        assert_eq!(of(&[], call), Busy);
        assert_eq!(of(&[Online, Away], call), Busy);
        assert_eq!(of(&[DoNotDisturb], call), DoNotDisturb);
    }
}
