//! The storage trait of presence.

use super::{Lease, PresenceRow, PresenceStatus};
use crate::id::{LeaseId, UserId};
use crate::store::store_trait;
use crate::time::Timestamp;

/// The bounds of who is a contact: those with a care relation that reaches beyond this instant,
/// and those with whom there is a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactBounds {
    /// Only appointments that ended after this count.
    pub cared_after: Timestamp,
}

store_trait! {
    /// Leases of presence. They pass: no write leaves anything behind in the journal.
    pub trait PresenceStore in presence_delegation {
        /// Makes a lease, or changes the one with this id; its user was heard of then.
        ///
        /// # Behavior
        /// - `a_lease_is_believed_until_it_expires`
        /// - `a_lease_is_changed_under_its_id`: by its own user; another user's is left as it is,
        ///   and `false` is answered.
        /// - `a_changed_lease_lapses_again`: one that had lapsed is there again, and its next lapse
        ///   is told anew.
        async fn put_lease(&self, lease: &Lease) -> bool;

        /// Moves the end of leases that are still believed; answers which those are, in any order.
        ///
        /// # Behavior
        /// - `a_renewed_lease_lives_on`: its user was heard of at `now`; one that has lapsed, was
        ///   noted as lapsed (the clocks of two servers differ) or is unknown is left out.
        async fn renew_leases(&self, leases: &[LeaseId], now: Timestamp, until: Timestamp) -> Vec<LeaseId>;

        /// Ends a lease at a time, unless it ends before; its device was heard of at `now`, and so
        /// was its user.
        ///
        /// # Behavior
        /// - `a_lease_is_ended_early`: and never made longer by it; one that has lapsed stays as it
        ///   is.
        async fn end_lease(&self, lease: LeaseId, now: Timestamp, at: Timestamp) -> ();

        /// Leases that have lapsed by now and were not noted as such: the earliest first, at most
        /// `limit`. Whoever does what follows from a lapse notes it after that, so that a caller
        /// who dies in between leaves it to the next.
        ///
        /// # Behavior
        /// - `a_lapsed_lease_is_listed_until_it_is_noted`
        async fn lapsed_leases(&self, now: Timestamp, limit: u32) -> Vec<Lease>;

        /// Notes that these leases had lapsed at `now`, and that what follows from it is done.
        ///
        /// # Behavior
        /// - `a_lapsed_lease_is_listed_until_it_is_noted`: one that was made anew since then is not
        ///   noted; noted twice it stays so.
        async fn note_lapsed_leases(&self, leases: &[LeaseId], now: Timestamp) -> ();

        /// When the next lease lapses that was not noted yet.
        ///
        /// # Behavior
        /// - `the_next_lapse_is_the_earliest`
        async fn next_lease_lapse(&self) -> Option<Timestamp>;

        /// The leases of a user, lapsed ones too as long as they are kept; the one that lapses
        /// last first.
        ///
        /// # Behavior
        /// - `lapsed_leases_are_kept_for_a_while`: until [`PresenceStore::drop_lapsed_leases`].
        async fn leases_of(&self, user: UserId) -> Vec<Lease>;

        /// Drops leases that have lapsed before this and were noted; returns how many went.
        ///
        /// # Behavior
        /// - `lapsed_leases_are_kept_for_a_while`
        async fn drop_lapsed_leases(&self, before: Timestamp) -> u64;

        /// What says of these users whether they can be reached now, in any order; unknown users
        /// are left out.
        ///
        /// # Behavior
        /// - `a_lease_is_believed_until_it_expires`
        /// - `a_live_call_stands_with_its_parties`
        /// - `somebody_was_seen_last_when_a_device_was_heard_of`: it stays when leases are gone.
        async fn presence_rows(&self, users: &[UserId], now: Timestamp) -> Vec<PresenceRow>;

        /// Notes what was told of a user, and answers what was told before; offline before
        /// anything was.
        ///
        /// # Behavior
        /// - `what_was_told_is_noted_once`: of N in parallel with the same status one sees another
        ///   before.
        async fn note_told_status(&self, user: UserId, status: PresenceStatus) -> PresenceStatus;

        /// Whether two users are contacts.
        ///
        /// # Behavior
        /// - `contacts_care_or_write`: an appointment of the two that was neither rejected nor
        ///   cancelled and ended after the bound, or a conversation. Nobody is his own contact.
        async fn are_contacts(&self, pair: [UserId; 2], bounds: ContactBounds) -> bool;

        /// The contacts of a user who have a lease now, or are in a live call; by id, at most
        /// `limit`.
        ///
        /// # Behavior
        /// - `contacts_care_or_write`
        /// - `only_present_contacts_are_listed`
        async fn present_contacts(&self, user: UserId, bounds: ContactBounds, now: Timestamp, limit: u32) -> Vec<UserId>;

        /// The listed doctors who have a lease now, or are in a live call; by id, at most `limit`.
        ///
        /// # Behavior
        /// - `present_doctors_are_listed_ones`: active and verified.
        async fn present_doctors(&self, now: Timestamp, limit: u32) -> Vec<UserId>;
    }
}
