//! The calls of the past: listed, looked at, counted.

use crate::actor::Actor;
use crate::calls::service::{missing, user_of};
use crate::calls::{
    Call, CallFilter, CallKind, CallReference, CallRow, CallSide, CallStatus, CallTally, Calls,
    PartyQuality,
};
use crate::error::{Code, Error};
use crate::id::CallId;
use crate::journal::Event;
use crate::page::{Page, PageRequest};
use crate::policy::{Action, Relation, require};
use crate::time::Timestamp;

/// How many calls of a user there were, and how they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallStatistics {
    /// All of them.
    pub total: u64,
    /// Where the two heard each other.
    pub completed: u64,
    /// That the user has missed.
    pub missed: u64,
    /// That the callee did not want.
    pub declined: u64,
    /// Whose devices did not find to each other.
    pub failed: u64,
    /// That the user has begun with somebody who was busy.
    pub busy: u64,
    /// That the user has begun, and that were given up before the two heard each other.
    pub cancelled: u64,
    /// With a picture.
    pub video: u64,
    /// With sound alone.
    pub voice: u64,
    /// How long a completed one took on average, in whole seconds; 0 when there is none.
    pub average_duration: u64,
}

impl CallStatistics {
    fn of(tallies: &[CallTally]) -> Self {
        let mut all = Self::default();
        let mut seconds = 0;
        for tally in tallies {
            let calls = tally.calls;
            all.total += calls;
            *match tally.kind {
                CallKind::Video => &mut all.video,
                CallKind::Voice => &mut all.voice,
            } += calls;
            match (tally.status, tally.side) {
                (CallStatus::Completed, _) => {
                    all.completed += calls;
                    seconds += tally.seconds;
                }
                (CallStatus::Missed, CallSide::Callee) => all.missed += calls,
                (CallStatus::Declined, _) => all.declined += calls,
                (CallStatus::Failed, _) => all.failed += calls,
                (CallStatus::Busy, CallSide::Caller) => all.busy += calls,
                (CallStatus::Cancelled, CallSide::Caller) => all.cancelled += calls,
                _ => {}
            }
        }
        all.average_duration = seconds.checked_div(all.completed).unwrap_or(0);
        all
    }
}

impl Calls<'_> {
    /// The actor's calls, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn history(
        &self,
        actor: &Actor,
        filter: CallFilter,
        page: PageRequest,
    ) -> Result<Page<CallRow>, Error> {
        let forbidden = || Error::new(Code::Forbidden);
        require(actor, Action::ListCalls, Relation::Own, forbidden)?;
        let user = user_of(actor)?;
        Ok(self
            .inner()
            .storage()
            .call_page(user, &filter, page)
            .await?)
    }

    /// A call with the quality of its parties.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties and administrators.
    pub async fn detail(&self, actor: &Actor, reference: &CallReference) -> Result<CallRow, Error> {
        let call = self.readable(actor, reference).await?;
        let quality = self.inner().storage().call_quality(call.id).await?;
        Ok(CallRow {
            quality: quality.unwrap_or_else(|| call.users().map(PartyQuality::none)),
            call,
        })
    }

    /// A call that the actor may look at.
    pub(super) async fn readable(
        &self,
        actor: &Actor,
        reference: &CallReference,
    ) -> Result<Call, Error> {
        let hidden = || missing(reference);
        require(actor, Action::ReadCall, Relation::Own, hidden)?;
        let user = user_of(actor)?;
        let found = self.find(reference, user).await?;
        let is_party = found
            .as_ref()
            .is_some_and(|call| call.side_of(user).is_some());
        require(actor, Action::ReadCall, Relation::own(is_party), hidden)?;
        found.ok_or_else(hidden)
    }

    /// How the actor's calls went that were begun at `from` or later.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn statistics(
        &self,
        actor: &Actor,
        from: Option<Timestamp>,
    ) -> Result<CallStatistics, Error> {
        let forbidden = || Error::new(Code::Forbidden);
        require(actor, Action::ListCalls, Relation::Own, forbidden)?;
        let user = user_of(actor)?;
        let tallies = self.inner().storage().call_tallies(user, from).await?;
        Ok(CallStatistics::of(&tallies))
    }

    /// The call of an event, for those who are told of it; none if the event is of none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn call_of_event(&self, event: &Event) -> Result<Option<Call>, Error> {
        let is_of_call = event.subject.resource == crate::journal::Resource::Call;
        let id = event.subject.as_uuid().filter(|_| is_of_call);
        match id.map(CallId::new) {
            Some(id) => Ok(self.inner().storage().call_by_id(id).await?),
            None => Ok(None),
        }
    }

    /// The live calls of the actor, the newest first: those that ring for him too.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn live(&self, actor: &Actor) -> Result<Vec<Call>, Error> {
        let user = user_of(actor)?;
        Ok(self.inner().storage().live_calls_of(user).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_counts_what_is_its_own() {
        let tally = |side, status, calls, seconds| CallTally {
            side,
            status,
            kind: CallKind::Video,
            calls,
            seconds,
        };
        use CallSide::{Callee, Caller};
        let all = CallStatistics::of(&[
            tally(Caller, CallStatus::Completed, 2, 100),
            tally(Callee, CallStatus::Completed, 1, 50),
            tally(Caller, CallStatus::Missed, 4, 0),
            tally(Callee, CallStatus::Missed, 8, 0),
            tally(Caller, CallStatus::Cancelled, 16, 0),
            tally(Callee, CallStatus::Cancelled, 32, 0),
            tally(Caller, CallStatus::Busy, 64, 0),
            tally(Callee, CallStatus::Failed, 128, 0),
            tally(Callee, CallStatus::Declined, 256, 0),
        ]);
        let expected = CallStatistics {
            total: 511,
            completed: 3,
            missed: 8,
            declined: 256,
            failed: 128,
            busy: 64,
            cancelled: 16,
            video: 511,
            voice: 0,
            average_duration: 50,
        };
        assert_eq!(all, expected);
        assert_eq!(CallStatistics::of(&[]), CallStatistics::default());
    }
}
