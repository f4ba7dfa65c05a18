//! The in-memory store of presence.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{ContactBounds, Lease, PresenceRow, PresenceStatus, PresenceStore};
use crate::id::{LeaseId, UserId};
use crate::memory::{MemoryStorage, State};
use crate::store::StoreResult;
use crate::time::Timestamp;

/// What presence keeps.
#[derive(Default)]
pub(crate) struct PresenceState {
    leases: BTreeMap<LeaseId, Row>,
    last_seen: BTreeMap<UserId, Timestamp>,
    told: BTreeMap<UserId, PresenceStatus>,
}

struct Row {
    lease: Lease,
    is_noted: bool,
}

impl PresenceState {
    fn heard_of(&mut self, user: UserId, at: Timestamp) {
        let seen = self.last_seen.entry(user).or_insert(at);
        *seen = (*seen).max(at);
    }

    /// Leases that are believed, the one that was heard of last first.
    fn believed(&self, user: UserId, now: Timestamp) -> Vec<Lease> {
        let rows = self.leases.values();
        let mut leases: Vec<_> = rows
            .filter(|row| row.lease.user == user && row.lease.expires_at > now)
            .map(|row| row.lease.clone())
            .collect();
        leases.sort_by_key(|lease| Reverse((lease.heard_at, lease.id)));
        leases
    }
}

impl State {
    fn is_present(&self, user: UserId, now: Timestamp) -> bool {
        !self.presence.believed(user, now).is_empty() || self.calls.newest_live(user).is_some()
    }

    fn presence_row(&self, user: UserId, now: Timestamp) -> Option<PresenceRow> {
        let account = self.identity.user(user)?;
        Some(PresenceRow {
            user,
            name: account.full_name.clone(),
            role: account.role,
            last_seen: self.presence.last_seen.get(&user).copied(),
            leases: self.presence.believed(user, now),
            live_call: self.calls.newest_live(user),
        })
    }

    fn are_contacts(&self, one: UserId, other: UserId, bounds: ContactBounds) -> bool {
        let pair = [one, other];
        let cares = self.scheduling.appointments.values().any(|appointment| {
            pair.contains(&appointment.patient)
                && pair.contains(&appointment.facts.doctor)
                && appointment.status.takes_seat()
                && appointment.facts.ends_at > bounds.cared_after
        });
        one != other && (cares || self.messaging.have_conversation(pair))
    }
}

#[async_trait]
impl PresenceStore for MemoryStorage {
    async fn put_lease(&self, lease: &Lease) -> StoreResult<bool> {
        Ok(self.transaction(|state, _| {
            let presence = &mut state.presence;
            let is_foreign = |row: &Row| row.lease.user != lease.user;
            if presence.leases.get(&lease.id).is_some_and(is_foreign) {
                return false;
            }
            let row = Row {
                lease: lease.clone(),
                is_noted: false,
            };
            presence.leases.insert(lease.id, row);
            presence.heard_of(lease.user, lease.heard_at);
            true
        }))
    }

    async fn renew_leases(
        &self,
        leases: &[LeaseId],
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Vec<LeaseId>> {
        Ok(self.transaction(|state, _| {
            let mut renewed = BTreeSet::new();
            for id in leases {
                let row = state.presence.leases.get_mut(id);
                let believed = |row: &&mut Row| row.lease.expires_at > now && !row.is_noted;
                let Some(row) = row.filter(believed) else {
                    continue;
                };
                row.lease.heard_at = now;
                row.lease.expires_at = until;
                let user = row.lease.user;
                state.presence.heard_of(user, now);
                renewed.insert(*id);
            }
            renewed.into_iter().collect()
        }))
    }

    async fn end_lease(&self, lease: LeaseId, now: Timestamp, at: Timestamp) -> StoreResult<()> {
        self.transaction(|state, _| {
            let row = state.presence.leases.get_mut(&lease);
            if let Some(row) = row.filter(|row| row.lease.expires_at > now) {
                row.lease.heard_at = now;
                row.lease.expires_at = row.lease.expires_at.min(at);
                let user = row.lease.user;
                state.presence.heard_of(user, now);
            }
        });
        Ok(())
    }

    async fn lapsed_leases(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Lease>> {
        Ok(self.read(|state| {
            let rows = state.presence.leases.values();
            let mut lapsed: Vec<_> = rows
                .filter(|row| row.lease.expires_at <= now && !row.is_noted)
                .map(|row| row.lease.clone())
                .collect();
            lapsed.sort_by_key(|lease| (lease.expires_at, lease.id));
            lapsed.truncate(limit as usize);
            lapsed
        }))
    }

    async fn note_lapsed_leases(&self, leases: &[LeaseId], now: Timestamp) -> StoreResult<()> {
        self.transaction(|state, _| {
            for id in leases {
                let row = state.presence.leases.get_mut(id);
                if let Some(row) = row.filter(|row| row.lease.expires_at <= now) {
                    row.is_noted = true;
                }
            }
        });
        Ok(())
    }

    async fn next_lease_lapse(&self) -> StoreResult<Option<Timestamp>> {
        Ok(self.read(|state| {
            let rows = state.presence.leases.values();
            rows.filter(|row| !row.is_noted)
                .map(|row| row.lease.expires_at)
                .min()
        }))
    }

    async fn leases_of(&self, user: UserId) -> StoreResult<Vec<Lease>> {
        Ok(self.read(|state| {
            let rows = state.presence.leases.values();
            let own = rows.filter(|row| row.lease.user == user);
            let mut leases: Vec<_> = own.map(|row| row.lease.clone()).collect();
            leases.sort_by_key(|lease| Reverse((lease.expires_at, lease.id)));
            leases
        }))
    }

    async fn drop_lapsed_leases(&self, before: Timestamp) -> StoreResult<u64> {
        Ok(self.transaction(|state, _| {
            let leases = &mut state.presence.leases;
            let count = leases.len();
            leases.retain(|_, row| !row.is_noted || row.lease.expires_at >= before);
            (count - leases.len()) as u64
        }))
    }

    async fn presence_rows(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> StoreResult<Vec<PresenceRow>> {
        Ok(self.read(|state| {
            let mut users = users.to_vec();
            users.sort();
            users.dedup();
            let rows = users.into_iter();
            rows.filter_map(|user| state.presence_row(user, now))
                .collect()
        }))
    }

    async fn note_told_status(
        &self,
        user: UserId,
        status: PresenceStatus,
    ) -> StoreResult<PresenceStatus> {
        Ok(self.transaction(|state, _| {
            let before = state.presence.told.insert(user, status);
            before.unwrap_or(PresenceStatus::Offline)
        }))
    }

    async fn are_contacts(&self, pair: [UserId; 2], bounds: ContactBounds) -> StoreResult<bool> {
        Ok(self.read(|state| state.are_contacts(pair[0], pair[1], bounds)))
    }

    async fn present_contacts(
        &self,
        user: UserId,
        bounds: ContactBounds,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<UserId>> {
        Ok(self.read(|state| {
            let others = state.identity.user_ids();
            others
                .filter(|other| state.are_contacts(user, *other, bounds))
                .filter(|other| state.is_present(*other, now))
                .take(limit as usize)
                .collect()
        }))
    }

    async fn present_doctors(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<UserId>> {
        Ok(self.read(|state| {
            let users = state.identity.user_ids();
            users
                .filter(|user| state.doctor(*user).is_some_and(|doctor| doctor.is_listed()))
                .filter(|user| state.is_present(*user, now))
                .take(limit as usize)
                .collect()
        }))
    }
}
