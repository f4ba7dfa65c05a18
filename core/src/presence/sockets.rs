//! Leases of open sockets.

use std::time::Duration;

use crate::actor::Actor;
use crate::calls::DeviceId;
use crate::error::Error;
use crate::id::LeaseId;
use crate::presence::{DeviceType, Lease, LeaseSource, PresenceStatus, Presences};

/// How long an open socket is believed without being renewed: what a server leaves behind that
/// dies.
const BY_SOCKET: Duration = Duration::from_secs(60);
/// How long a closed one is believed: a page that is loaded anew is not gone.
pub const AFTER_CLOSE: Duration = Duration::from_secs(5);
/// How often the leases of open sockets are to be renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(20);

impl Presences<'_> {
    /// A device of the actor has opened a socket: the lease of it, to be renewed and ended.
    ///
    /// # Errors
    /// [`crate::Code::Unauthenticated`].
    pub async fn open_socket(
        &self,
        actor: &Actor,
        device: Option<DeviceId>,
        device_type: Option<DeviceType>,
    ) -> Result<Lease, Error> {
        let user = self.speaker(actor)?;
        let inner = self.inner();
        let now = self.engine.now();
        let lease = Lease {
            id: LeaseId::new(inner.uuid(now)),
            user: user.user,
            device: device.unwrap_or_else(|| DeviceId::of_session(user.session)),
            session: user.session,
            device_type: device_type.unwrap_or_else(|| DeviceType::from_row("web".to_owned())),
            source: LeaseSource::Socket,
            status: PresenceStatus::Online,
            current_call: None,
            current_appointment: None,
            heard_at: now,
            expires_at: now.plus(BY_SOCKET),
        };
        inner.storage().put_lease(&lease).await?;
        self.settle(user.user).await;
        Ok(lease)
    }

    /// Renews the leases of sockets that are open. One that has lapsed all the same, because this
    /// node or its store stood still, is made anew; what it said is still true.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn renew_sockets(&self, leases: &[Lease]) -> Result<(), Error> {
        let storage = self.inner().storage();
        let now = self.engine.now();
        let until = now.plus(BY_SOCKET);
        let ids: Vec<LeaseId> = leases.iter().map(|lease| lease.id).collect();
        let mut renewed = storage.renew_leases(&ids, now, until).await?;
        renewed.sort();
        for lease in leases {
            if renewed.binary_search(&lease.id).is_err() {
                let lapsed = storage.leases_of(lease.user).await?;
                let lapsed = lapsed.into_iter().find(|other| other.id == lease.id);
                let anew = Lease {
                    heard_at: now,
                    expires_at: until,
                    // It may go by another name by now.
                    device: lease.device.clone(),
                    ..lapsed.unwrap_or_else(|| lease.clone())
                };
                storage.put_lease(&anew).await?;
                self.settle(lease.user).await;
            }
        }
        Ok(())
    }

    /// A socket is closed: its lease ends a little later, unless the device comes back.
    ///
    /// # Errors
    /// When the store fails; the lease then lapses by itself.
    pub async fn close_socket(&self, lease: LeaseId) -> Result<(), Error> {
        let now = self.engine.now();
        let at = now.plus(AFTER_CLOSE);
        Ok(self.inner().storage().end_lease(lease, now, at).await?)
    }
}
