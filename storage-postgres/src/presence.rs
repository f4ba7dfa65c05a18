//! Presence: what devices say, until when it is believed, and what was told of it.
//!
//! Who writes here waits for no disk: see the schema. Leases are locked by id, and what stays of
//! users by theirs.

mod contacts;
mod leases;
mod rows;
mod told;

use async_trait::async_trait;
use telemed_core::id::{LeaseId, UserId};
use telemed_core::presence::{ContactBounds, Lease, PresenceRow, PresenceStatus, PresenceStore};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use crate::PostgresStore;
use crate::store::Repeat;

/// In the FROM of a statement: its commit does not wait for the disk.
const AT_ONCE: &str = "set_config('synchronous_commit', 'off', true)";

#[async_trait]
impl PresenceStore for PostgresStore {
    async fn put_lease(&self, lease: &Lease) -> StoreResult<bool> {
        self.call(Repeat::Always, lease.clone(), |connection, lease| {
            Box::pin(leases::put(connection, lease))
        })
        .await
    }

    async fn renew_leases(
        &self,
        leases: &[LeaseId],
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<LeaseId>> {
        let renewal = (leases.to_vec(), now, until);
        self.call(
            Repeat::Always,
            renewal,
            |connection, (leases, now, until)| {
                Box::pin(leases::renew(connection, leases, *now, *until))
            },
        )
        .await
    }

    async fn end_lease(&self, lease: LeaseId, now: Timestamp, at: Timestamp) -> StoreResult<()> {
        let end = (lease, now, at);
        self.call(Repeat::Always, end, |connection, (lease, now, at)| {
            Box::pin(leases::end(connection, *lease, *now, *at))
        })
        .await
    }

    async fn lapsed_leases(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Lease>> {
        self.read((now, limit), |connection, (now, limit)| {
            Box::pin(leases::lapsed(connection, *now, *limit))
        })
        .await
    }

    async fn note_lapsed_leases(&self, leases: &[LeaseId], now: Timestamp) -> StoreResult<()> {
        let lapsed = (leases.to_vec(), now);
        self.call(Repeat::Always, lapsed, |connection, (leases, now)| {
            Box::pin(leases::note_lapsed(connection, leases, *now))
        })
        .await
    }

    async fn next_lease_lapse(&self) -> StoreResult<Option<Timestamp>> {
        self.read((), |connection, ()| {
            Box::pin(leases::next_lapse(connection))
        })
        .await
    }

    async fn leases_of(&self, user: UserId) -> StoreResult<Vec<Lease>> {
        self.read(user, |connection, user| {
            Box::pin(leases::of(connection, *user))
        })
        .await
    }

    async fn drop_lapsed_leases(&self, before: Timestamp) -> StoreResult<u64> {
        let mut gone = 0;
        // In portions, so that other writers do not wait for a long one.
        loop {
            let portion = self
                .call(Repeat::Always, before, |connection, before| {
                    Box::pin(leases::drop_some(connection, *before))
                })
                .await?;
            match portion {
                0 => return Ok(gone),
                rows => gone += rows,
            }
        }
    }

    async fn presence_rows(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> StoreResult<Vec<PresenceRow>> {
        self.read((users.to_vec(), now), |connection, (users, now)| {
            Box::pin(contacts::rows_of(connection, users, *now))
        })
        .await
    }

    async fn note_told_status(
        &self,
        user: UserId,
        status: PresenceStatus,
    ) -> StoreResult<PresenceStatus> {
        // The second time it would say that it was told before.
        self.call(Repeat::IfUndone, (user, status), |connection, note| {
            let (user, status) = *note;
            Box::pin(told::note(connection, user, status))
        })
        .await
    }

    async fn are_contacts(&self, pair: [UserId; 2], bounds: ContactBounds) -> StoreResult<bool> {
        self.read((pair, bounds), |connection, (pair, bounds)| {
            Box::pin(contacts::are(connection, *pair, *bounds))
        })
        .await
    }

    async fn present_contacts(
        &self,
        user: UserId,
        bounds: ContactBounds,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<UserId>> {
        let question = (user, bounds, now, limit);
        self.read(question, |connection, question| {
            let (user, bounds, now, limit) = *question;
            Box::pin(contacts::present(connection, user, bounds, now, limit))
        })
        .await
    }

    async fn present_doctors(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<UserId>> {
        self.read((now, limit), |connection, (now, limit)| {
            Box::pin(contacts::present_doctors(connection, *now, *limit))
        })
        .await
    }
}
