//! The storage trait of calls.

use super::{
    Call, CallKind, CallProgress, CallSide, CallStatus, ClientCallId, DeviceId, NamedSample,
    PartyQuality, QualitySample,
};
use crate::id::{AppointmentId, CallId, UserId};
use crate::journal::Write;
use crate::page::{Page, PageRequest};
use crate::scheduling::AppointmentStatus;
use crate::store::{Written, store_trait};
use crate::time::Timestamp;

/// A call to be begun.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// Its id.
    pub id: CallId,
    /// Who begins it.
    pub caller: UserId,
    /// Who is called: somebody else. Both are there.
    pub callee: UserId,
    /// The device from which it is begun.
    pub caller_device: Option<DeviceId>,
    /// What is sent in it.
    pub kind: CallKind,
    /// The appointment that it belongs to.
    pub appointment: Option<AppointmentId>,
    /// The id that the caller's client gives it.
    pub client_id: Option<ClientCallId>,
}

/// A call to be begun, and what becomes of it where the callee is busy.
#[derive(Clone, Debug)]
pub struct StartCall {
    /// What the write leaves behind when the call begins.
    pub write: Write,
    /// What it leaves behind when the callee is busy; with the same key.
    pub write_busy: Write,
    /// The call.
    pub call: NewCall,
    /// How the call ends at once when the callee is busy.
    pub busy: CallProgress,
    /// The callee does not want to be disturbed.
    pub callee_refuses: bool,
    /// In how many live calls a user can be.
    pub most_live: u32,
}

/// What became of beginning a call, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum StartCallOutcome {
    /// The caller's client gave this id to a call with somebody else, or of another kind or
    /// appointment.
    ClientIdReused,
    /// The caller's client has begun this call before. Nothing was written.
    Repeated(Call),
    /// The callee is calling the caller: that call is initiated or rings. Nothing was written.
    Glare(Call),
    /// The caller is in as many live calls as can be: the newest of them. Nothing was written.
    CallerBusy(Call),
    /// The callee is, or refuses: the call is recorded, and is over.
    CalleeBusy(Call),
    /// The call is there.
    Started(Call),
}

/// A change of a call that core has decided on.
#[derive(Clone, Debug)]
pub struct AdvanceCall {
    /// The call.
    pub call: CallId,
    /// The version that core saw.
    pub seen: u64,
    /// How far the call has come then.
    pub progress: CallProgress,
    /// The appointment that goes in progress by it, and the state that core saw it in: one of those
    /// that take a seat.
    pub appointment: Option<(AppointmentId, AppointmentStatus)>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum AdvanceCallOutcome {
    /// There is no such call.
    NotFound,
    /// The call, or the appointment, is no longer as core saw it. Nothing was written.
    Superseded,
    /// The call after the change.
    Advanced(Call),
}

/// Which of a user's calls to list, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this kind.
    pub kind: Option<CallKind>,
    /// That look like this to the user.
    pub status: Option<CallStatus>,
    /// On this side.
    pub side: Option<CallSide>,
    /// Begun at this time or later.
    pub from: Option<Timestamp>,
    /// Begun before this time.
    pub before: Option<Timestamp>,
}

/// A call with the quality of its parties, joined in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRow {
    /// The call.
    pub call: Call,
    /// The quality of the caller and of the callee.
    pub quality: [PartyQuality; 2],
}

/// How many of a user's calls are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTally {
    /// The user's side.
    pub side: CallSide,
    /// How they look to the user.
    pub status: CallStatus,
    /// What was sent in them.
    pub kind: CallKind,
    /// How many there are.
    pub calls: u64,
    /// For how many whole seconds the parties heard each other, each call rounded down.
    pub seconds: u64,
}

/// What became of a sample, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum AddSampleOutcome {
    /// There is no such call, or the user is no party to it.
    NotFound,
    /// A sample with this id is there already: this one. Nothing was written.
    Repeated(QualitySample),
    /// It is there.
    Added {
        /// The party's newest sample before it.
        before: Option<QualitySample>,
    },
}

store_trait! {
    /// Calls and their quality.
    pub trait CallStore in call_delegation {
        /// Begins a call.
        ///
        /// # Behavior
        /// - `a_call_is_begun_in_order`: the outcomes in the order of [`StartCallOutcome`]; only
        ///   the last two write.
        /// - `a_user_is_in_so_many_live_calls`: however many begin in parallel, as caller and as
        ///   callee.
        /// - `two_who_call_each_other_meet`: in parallel, one begins and the other meets it.
        /// - `a_clients_id_begins_once`: for ever, in parallel too; other callers are not concerned.
        /// - `a_busy_callee_is_recorded`: as over, with what [`StartCall::write_busy`] says.
        /// - `a_begun_call_replays_its_key`: the key comes before every outcome.
        async fn start_call(&self, start: &StartCall) -> Written<StartCallOutcome>;

        /// The call with this id.
        ///
        /// # Behavior
        /// - `an_unknown_call_is_none`
        /// - `parties_come_with_their_names`
        async fn call_by_id(&self, call: CallId) -> Option<Call>;

        /// The call that a caller's client gave this id.
        ///
        /// # Behavior
        /// - `a_clients_id_begins_once`
        async fn call_by_client_id(&self, caller: UserId, id: &ClientCallId) -> Option<Call>;

        /// The live calls of a user, the newest first.
        ///
        /// # Behavior
        /// - `a_live_call_is_live_until_it_ends`: for both parties.
        async fn live_calls_of(&self, user: UserId) -> Vec<Call>;

        /// Changes a call, if it is as core saw it.
        ///
        /// # Behavior
        /// - `one_of_many_changes_wins`: N in parallel from one version make one.
        /// - `a_changed_call_is_one_version_on`
        /// - `a_live_call_is_live_until_it_ends`
        /// - `an_appointment_goes_in_progress_with_its_call`: in the same transaction; one that is
        ///   no longer in the state that core saw, or not there, is [`AdvanceCallOutcome::Superseded`].
        /// - `a_changed_call_replays_its_key`
        async fn advance_call(&self, write: &Write, change: &AdvanceCall) -> Written<AdvanceCallOutcome>;

        /// A user's calls, the newest first: by when they were begun, among equals by id,
        /// downwards.
        ///
        /// # Behavior
        /// - `calls_are_listed_for_their_parties`: to nobody else.
        /// - `calls_are_found_by_kind_status_side_and_time`: the status is the one that the user
        ///   sees, see [`CallProgress::shown_to`].
        async fn call_page(&self, user: UserId, filter: &CallFilter, page: PageRequest) -> Page<CallRow>;

        /// How many of a user's calls, begun at `from` or later, are alike; in any order.
        ///
        /// # Behavior
        /// - `calls_are_tallied`
        async fn call_tallies(&self, user: UserId, from: Option<Timestamp>) -> Vec<CallTally>;

        /// Adds a sample of a party. It leaves nothing behind in the journal: it is a figure.
        ///
        /// # Behavior
        /// - `a_sample_moves_the_medians_of_its_party`: what was not measured does not count; of an
        ///   even number it is the mean of the two in the middle.
        /// - `a_sample_is_added_once`
        /// - `an_outsiders_sample_is_refused`
        async fn add_quality_sample(&self, sample: &QualitySample) -> AddSampleOutcome;

        /// The samples of a call, the newest `limit` of them, in the order of their time and id,
        /// with the names of the parties.
        ///
        /// # Behavior
        /// - `samples_come_in_order`
        async fn quality_samples(&self, call: CallId, limit: u32) -> Vec<NamedSample>;

        /// The quality of a call's parties: of the caller and of the callee; none for an unknown
        /// call.
        ///
        /// # Behavior
        /// - `a_sample_moves_the_medians_of_its_party`
        async fn call_quality(&self, call: CallId) -> Option<[PartyQuality; 2]>;
    }
}
