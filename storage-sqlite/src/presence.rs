//! Leases of presence, and who is there.

mod leases;
mod people;

use async_trait::async_trait;
use telemed_core::id::{LeaseId, UserId};
use telemed_core::presence::{ContactBounds, Lease, PresenceRow, PresenceStatus, PresenceStore};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::writer::Verdict;

#[async_trait]
impl PresenceStore for SqliteStore {
    async fn put_lease(&self, lease: &Lease) -> StoreResult<bool> {
        let lease = lease.clone();
        self.write(move |context| leases::put(context.connection(), &lease))
            .await
    }

    async fn renew_leases(
        &self,
        leases: &[LeaseId],
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<LeaseId>> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let leases = leases.to_vec();
        self.write(move |context| leases::renew(context.connection(), &leases, now, until))
            .await
    }

    async fn end_lease(&self, lease: LeaseId, now: Timestamp, at: Timestamp) -> StoreResult<()> {
        self.write(move |context| leases::end(context.connection(), lease, now, at))
            .await
    }

    async fn lapsed_leases(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Lease>> {
        self.read(move |connection| leases::lapsed(connection, now, limit))
            .await
    }

    async fn note_lapsed_leases(&self, leases: &[LeaseId], now: Timestamp) -> StoreResult<()> {
        let leases = leases.to_vec();
        self.write(move |context| leases::note_lapsed(context.connection(), &leases, now))
            .await
    }

    async fn next_lease_lapse(&self) -> StoreResult<Option<Timestamp>> {
        self.read(leases::next_lapse).await
    }

    async fn leases_of(&self, user: UserId) -> StoreResult<Vec<Lease>> {
        self.read(move |connection| leases::of_user(connection, user))
            .await
    }

    async fn drop_lapsed_leases(&self, before: Timestamp) -> StoreResult<u64> {
        self.write(move |context| {
            leases::drop_lapsed(context.connection(), before).map(Verdict::Keep)
        })
        .await
    }

    async fn presence_rows(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> StoreResult<Vec<PresenceRow>> {
        let users = users.iter().copied().collect();
        self.read(move |connection| people::rows(connection, users, now))
            .await
    }

    async fn note_told_status(
        &self,
        user: UserId,
        status: PresenceStatus,
    ) -> StoreResult<PresenceStatus> {
        self.write(move |context| people::note_told(context.connection(), user, status))
            .await
    }

    async fn are_contacts(&self, pair: [UserId; 2], bounds: ContactBounds) -> StoreResult<bool> {
        self.read(move |connection| people::are_contacts(connection, pair, bounds))
            .await
    }

    async fn present_contacts(
        &self,
        user: UserId,
        bounds: ContactBounds,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<UserId>> {
        self.read(move |connection| people::contacts(connection, user, bounds, now, limit))
            .await
    }

    async fn present_doctors(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<UserId>> {
        self.read(move |connection| people::doctors(connection, now, limit))
            .await
    }
}
