//! Tells the contacts of somebody whether he can be reached, when that changes.

use std::time::Duration;

use crate::engine::data;
use crate::error::Error;
use crate::id::{EventId, LeaseId, UserId};
use crate::journal::{Audience, Frame, FrameKind};
use crate::presence::{ContactBounds, Presence, PresenceStatus, Presences};
use crate::scheduling::CARE;
use crate::time::Timestamp;

/// How many lapsed leases are looked at in one go.
const BATCH: u32 = 256;
/// How many contacts are told at most.
const MOST_TOLD: u32 = 2000;
/// How long a lapsed lease is kept: longer than a call waits for a party.
const KEPT: Duration = Duration::from_secs(3600);

impl Presences<'_> {
    /// Looks at leases that have lapsed: contacts are told who cannot be reached any more, and
    /// live calls wait for the party that is gone. The host calls it with what else is due.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<u32, Error> {
        let storage = self.inner().storage();
        let mut swept = 0;
        loop {
            let now = self.engine.now();
            let lapsed = storage.lapsed_leases(now, BATCH).await?;
            if lapsed.is_empty() {
                return Ok(swept);
            }
            // What is done twice, by another node or after a failure, comes to the same.
            for lease in &lapsed {
                self.engine.calls().socket_is_gone(lease).await?;
            }
            let mut users: Vec<UserId> = lapsed.iter().map(|lease| lease.user).collect();
            users.sort();
            users.dedup();
            for user in users {
                self.try_settle(user).await?;
            }
            let ids: Vec<LeaseId> = lapsed.iter().map(|lease| lease.id).collect();
            storage.note_lapsed_leases(&ids, now).await?;
            swept += u32::try_from(lapsed.len()).unwrap_or(u32::MAX);
        }
    }

    /// Drops lapsed leases that nobody looks at any more.
    pub(crate) async fn drop_lapsed(&self) -> Result<u64, Error> {
        let before = self.engine.now().minus(KEPT);
        Ok(self.inner().storage().drop_lapsed_leases(before).await?)
    }

    /// Tells the contacts of a user whether he can be reached, if that is other than what they
    /// were told last. What fails here is told with the next change.
    pub(crate) async fn settle(&self, user: UserId) {
        if let Err(error) = self.try_settle(user).await {
            tracing::warn!(%error, "a change of presence was not told");
        }
    }

    async fn try_settle(&self, user: UserId) -> Result<(), Error> {
        let storage = self.inner().storage();
        let mut now = self.of(user).await?;
        loop {
            let before = storage.note_told_status(user, now.status).await?;
            if before != now.status {
                self.tell(&now, before).await?;
            }
            // Who has noted last has looked last: another may have noted what he saw before.
            let again = self.of(user).await?;
            if again.status == now.status {
                return Ok(());
            }
            now = again;
        }
    }

    async fn tell(&self, presence: &Presence, before: PresenceStatus) -> Result<(), Error> {
        let inner = self.inner();
        let at = self.engine.now();
        let contacts = inner
            .storage()
            .present_contacts(presence.user, bounds(at), at, MOST_TOLD)
            .await?;
        let audience = contacts.into_iter().chain([presence.user]);
        let seen = presence.last_seen.map(|at| at.to_string());
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(at)),
            kind: FrameKind::PresenceChanged,
            audience: audience.map(Audience::User).collect(),
            data: data([
                ("user_id", presence.user.get().into()),
                ("status", presence.status.as_str().into()),
                ("previous_status", before.as_str().into()),
                ("last_seen", seen.into()),
            ]),
            signal: None,
        });
        Ok(())
    }
}

/// Who counts as a contact.
pub(super) fn bounds(now: Timestamp) -> ContactBounds {
    ContactBounds {
        cared_after: now.minus(CARE),
    }
}
