//! Steps of presence.

use telemed_core::id::{LeaseId, UserId};
use telemed_core::presence::{ContactBounds, Lease};
use telemed_core::time::Timestamp;

use super::Pair;
use crate::build::{at, user_id};
use crate::lockstep::operation::{Operation, Step};

impl Pair {
    /// A lease that was made, counted from the newest.
    fn lease_at(&self, back: usize) -> Option<&Lease> {
        self.leases.iter().rev().nth(back)
    }

    fn lease_id_at(&self, back: usize) -> LeaseId {
        let unknown = LeaseId::new(uuid::Uuid::from_u128(7));
        self.lease_at(back).map_or(unknown, |lease| lease.id)
    }

    pub(super) async fn presence(&mut self, step: &Step) {
        match &step.operation {
            Operation::PutLease {
                lease,
                user,
                status,
                minutes,
            } => {
                let user = user_id(*user);
                let new = self.world.new_lease(user, self.now + minutes);
                let before = lease.and_then(|back| self.lease_at(back));
                let put = Lease {
                    id: before.map_or(new.id, |before| before.id),
                    status: *status,
                    heard_at: self.at(),
                    ..new
                };
                if before.is_none() {
                    self.leases.push(put.clone());
                }
                both!(self, put_lease(&put));
            }
            Operation::RenewLeases { leases, minutes } => {
                let ids: Vec<_> = leases.iter().map(|back| self.lease_id_at(*back)).collect();
                let until = at(self.now + minutes);
                let mut answers = Vec::new();
                for store in [&self.world.storage, &self.other.storage] {
                    let renewed = store.renew_leases(&ids, self.at(), until).await;
                    let mut renewed = renewed.unwrap();
                    renewed.sort_unstable();
                    answers.push(renewed);
                }
                self.same("renew_leases", &answers);
            }
            Operation::EndLease { lease, minutes } => {
                let id = self.lease_id_at(*lease);
                let end = at(self.now + minutes);
                both!(self, end_lease(id, self.at(), end));
            }
            Operation::NoteLapses { limit } => {
                let mut answers = Vec::new();
                for store in [&self.world.storage, &self.other.storage] {
                    let lapsed = store.lapsed_leases(self.at(), *limit).await.unwrap();
                    let ids: Vec<_> = lapsed.iter().map(|lease| lease.id).collect();
                    store.note_lapsed_leases(&ids, self.at()).await.unwrap();
                    answers.push(lapsed);
                }
                self.same("lapsed_leases", &answers);
                both!(self, next_lease_lapse());
            }
            Operation::DropLeases { minutes } => {
                both!(self, drop_lapsed_leases(at(self.now - minutes)));
            }
            Operation::NoteTold { user, status } => {
                both!(self, note_told_status(user_id(*user), *status));
            }
            Operation::ReadPresence {
                user,
                other,
                minutes,
                limit,
            } => {
                let (user, other) = (user_id(*user), user_id(*other));
                self.look(user, other, at(self.now + minutes), *limit).await;
            }
            _ => {}
        }
    }

    async fn look(&mut self, user: UserId, other: UserId, bound: Timestamp, limit: u32) {
        let now = self.at();
        both!(self, leases_of(user));
        let bounds = ContactBounds { cared_after: bound };
        both!(self, are_contacts([user, other], bounds));
        both!(self, present_contacts(user, bounds, now, limit));
        both!(self, present_doctors(now, limit));
        let mut answers = Vec::new();
        for store in [&self.world.storage, &self.other.storage] {
            let rows = store.presence_rows(&[user, other, user], now).await;
            let mut rows = rows.unwrap();
            rows.sort_unstable_by_key(|row| row.user);
            answers.push(rows);
        }
        self.same("presence_rows", &answers);
    }

    /// Notes what both have answered, once it is in one order.
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, method: &str, answers: &[T]) {
        assert_eq!(answers[0], answers[1], "the stores answer differently");
        self.note(method, &answers[0]);
    }
}
