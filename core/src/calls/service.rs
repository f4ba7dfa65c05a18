//! What the operations of calls share: which call is meant, and how it goes on.

use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::calls::{
    AdvanceCall, AdvanceCallOutcome, Call, CallAction, CallProgress, CallSide, CallState, Calls,
    ClientCallId, Decision, EndReason, decide,
};
use crate::engine::{Keyed, Settled, data, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, CallId, UserId};
use crate::journal::{EventKind, JobKind, JobSelector, Resource, Subject, Write};
use crate::policy::{Action, Relation, require};
use crate::scheduling::{AppointmentStatus, StoredAppointment};
use crate::time::Timestamp;
use crate::value::ValueError;

/// How often a change that another has overtaken is decided anew.
const ATTEMPTS: u32 = 16;

/// How long before its start an appointment goes in progress when its call connects.
const EARLY: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// A call as a client names it: by its id, or by the id that the client gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct CallReference {
    text: ClientCallId,
    id: Option<CallId>,
}

impl CallReference {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ValueError> {
        let text = ClientCallId::new(text)?;
        let id = uuid::Uuid::parse_str(text.as_str()).ok().map(CallId::new);
        Ok(Self { text, id })
    }

    /// The id, if it looks like one.
    #[must_use]
    pub fn id(&self) -> Option<CallId> {
        self.id
    }

    /// What the client wrote.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl From<CallId> for CallReference {
    fn from(id: CallId) -> Self {
        Self {
            text: ClientCallId::from_row(id.to_string()),
            id: Some(id),
        }
    }
}

impl std::fmt::Debug for CallReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CallReference").field(&self.id).finish()
    }
}

impl Calls<'_> {
    /// A call that the actor takes part in, and his side. To anybody else it is not there.
    pub(super) async fn own(
        &self,
        actor: &Actor,
        reference: &CallReference,
        action: Action,
    ) -> Result<(Call, CallSide), Error> {
        let hidden = || missing(reference);
        // Whether there is one does not show to somebody who may not do this at all.
        require(actor, action, Relation::Own, hidden)?;
        let user = user_of(actor)?;
        let found = self.find(reference, user).await?;
        let side = found.as_ref().and_then(|call| call.side_of(user));
        require(actor, action, Relation::own(side.is_some()), hidden)?;
        found.zip(side).ok_or_else(hidden)
    }

    /// A call that the actor takes part in, to measure it or to say that he is in it.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties.
    pub async fn own_call(&self, actor: &Actor, reference: &CallReference) -> Result<Call, Error> {
        Ok(self.own(actor, reference, Action::MeasureCall).await?.0)
    }

    /// The call that a user means.
    pub(crate) async fn find(
        &self,
        reference: &CallReference,
        user: UserId,
    ) -> Result<Option<Call>, Error> {
        let storage = self.inner().storage();
        if let Some(id) = reference.id
            && let Some(call) = storage.call_by_id(id).await?
        {
            return Ok(Some(call));
        }
        Ok(storage.call_by_client_id(user, &reference.text).await?)
    }

    /// Lets a call go on by an action of an actor, and answers it as it is then, with whether
    /// this has changed it.
    ///
    /// # Errors
    /// [`Code::CallState`] where the state refuses it.
    pub(super) async fn advance(
        &self,
        actor: &Actor,
        reason: Action,
        mut call: Call,
        action: &CallAction,
        keyed: Option<&Keyed>,
    ) -> Result<(Call, bool), Error> {
        let inner = self.inner();
        for _ in 0..ATTEMPTS {
            let now = self.engine.now();
            let progress = match decide(&call.progress, call.users(), action, now) {
                Decision::Same => return Ok((call, false)),
                Decision::Refused => return Err(refused(&call)),
                Decision::Change(progress) => progress,
            };
            let subject = Subject::uuid(Resource::Call, call.id.get());
            let mut write = inner.write(actor, now, reason, subject);
            let told = told(&call, &progress, call.version + 1);
            write
                .audit
                .data
                .insert("state".into(), progress.state.as_str().into());
            inner.announce(&mut write, progress.state.event(), &call.users(), told);
            self.plan(&mut write, &call, &progress);
            let appointment = self.begins(&mut write, &call, &progress).await?;
            write.idempotency = keyed.and_then(Keyed::claim);
            let change = AdvanceCall {
                call: call.id,
                seen: call.version,
                progress,
                appointment,
            };
            match settle(inner.storage().advance_call(&write, &change).await?)? {
                Settled::Now(AdvanceCallOutcome::Advanced(after)) => {
                    self.has_changed(&after).await;
                    return Ok((after, true));
                }
                Settled::Now(AdvanceCallOutcome::Superseded) => {}
                Settled::Now(AdvanceCallOutcome::NotFound) => return Err(missing(&call.id.into())),
                Settled::Before(_) => return Ok((self.stored(call.id).await?, false)),
            }
            call = self.stored(call.id).await?;
        }
        Err(Error::new(Code::VersionConflict))
    }

    /// A call that is there.
    pub(super) async fn stored(&self, id: CallId) -> Result<Call, Error> {
        let found = self.inner().storage().call_by_id(id).await?;
        found.ok_or_else(|| missing(&id.into()))
    }

    /// Drops the deadlines that a change has made pointless and sets those that follow from it.
    fn plan(&self, write: &mut Write, call: &Call, next: &CallProgress) {
        let inner = self.inner();
        let settings = &self.engine.settings().calls;
        let subject = write.audit.subject;
        let at = write.at;
        let mut drop = |kinds: &[JobKind]| {
            let selectors = kinds.iter().map(|kind| JobSelector {
                kind: *kind,
                subject,
            });
            write.drop_jobs.extend(selectors);
        };
        match next.state {
            CallState::Initiated | CallState::Ringing | CallState::Connecting => {}
            CallState::Accepted => {
                drop(&[JobKind::CallRingDeadline]);
                let due = at.plus(settings.connect_within);
                inner.schedule(write, JobKind::CallConnectDeadline, due, Map::new());
            }
            CallState::Connected => {
                drop(&[
                    JobKind::CallRingDeadline,
                    JobKind::CallConnectDeadline,
                    JobKind::CallAssumeConnected,
                ]);
                let due = at.plus(settings.maximum);
                inner.schedule(write, JobKind::CallMaximum, due, Map::new());
            }
            CallState::Ended
            | CallState::Missed
            | CallState::Declined
            | CallState::Failed
            | CallState::Busy => {
                drop(DEADLINES);
                let unseen = matches!(
                    next.end_reason,
                    Some(EndReason::NoAnswer | EndReason::Unreachable)
                );
                if unseen {
                    let recipient = data([("recipient", call.callee.user.get().into())]);
                    inner.schedule(write, JobKind::CallMissedNotice, at, recipient);
                }
            }
        }
    }

    /// The appointment that goes in progress because its call connects, with the event of it.
    async fn begins(
        &self,
        write: &mut Write,
        call: &Call,
        next: &CallProgress,
    ) -> Result<Option<(AppointmentId, AppointmentStatus)>, Error> {
        let connects = next.connected_at.is_some() && call.progress.connected_at.is_none();
        let Some(id) = call.appointment.filter(|_| connects) else {
            return Ok(None);
        };
        let found = self.inner().storage().appointment_by_id(id).await?;
        let Some(row) = found.filter(|row| goes_in_progress(row, write.at)) else {
            return Ok(None);
        };
        let status = AppointmentStatus::InProgress.as_str();
        let told = [row.patient, row.facts.doctor];
        self.inner().announce(
            write,
            EventKind::AppointmentUpdated,
            &told,
            data([
                ("slot_id", row.slot.get().into()),
                ("patient_id", row.patient.get().into()),
                ("doctor_id", row.facts.doctor.get().into()),
                ("status", status.into()),
            ]),
        );
        if let Some(event) = write.events.last_mut() {
            event.subject = Subject::number(Resource::Appointment, id.get());
        }
        Ok(Some((id, row.status)))
    }

    /// What this node does once a change of a call is committed.
    pub(super) async fn has_changed(&self, call: &Call) {
        let relay = &self.inner().relay;
        match call.progress.state {
            CallState::Initiated | CallState::Ringing | CallState::Accepted => {
                relay.begin(call, self.engine.now());
            }
            _ => {}
        }
        relay.note(call);
        if call.version == 1 || !call.progress.state.is_live() {
            for user in call.users() {
                self.engine.presence().settle(user).await;
            }
        }
        self.release(call.id).await;
    }
}

/// Every job that ends a call by itself.
const DEADLINES: &[JobKind] = &[
    JobKind::CallRingDeadline,
    JobKind::CallAssumeConnected,
    JobKind::CallConnectDeadline,
    JobKind::CallMaximum,
    JobKind::CallGrace,
];

/// A pending appointment counts as confirmed by its call.
fn goes_in_progress(row: &StoredAppointment, now: Timestamp) -> bool {
    let is_ahead = matches!(
        row.status,
        AppointmentStatus::Pending | AppointmentStatus::Confirmed
    );
    is_ahead && row.facts.starts_at.minus(EARLY) <= now && now < row.facts.ends_at
}

/// What the event of a call's coming into a state tells: ids and states. For its beginning `call`
/// stands in that state already.
pub(super) fn told(call: &Call, next: &CallProgress, seq: u64) -> Map<String, Value> {
    let word = |word: Option<&str>| word.map_or(Value::Null, Value::from);
    let device = |device: Option<&crate::calls::DeviceId>| word(device.map(|one| one.as_str()));
    data([
        ("caller_id", call.caller.user.get().into()),
        ("callee_id", call.callee.user.get().into()),
        ("call_type", call.kind.as_str().into()),
        (
            "appointment_id",
            call.appointment.map_or(Value::Null, |id| id.get().into()),
        ),
        ("status", next.state.as_str().into()),
        ("previous_status", call.progress.state.as_str().into()),
        ("end_reason", word(next.end_reason.map(EndReason::as_str))),
        (
            "ended_by",
            next.ended_by.map_or(Value::Null, |user| user.get().into()),
        ),
        ("duration", next.duration().as_secs().into()),
        ("caller_device", device(next.caller_device.as_ref())),
        ("callee_device", device(next.callee_device.as_ref())),
        ("seq", seq.into()),
    ])
}

/// The user who acts.
pub(super) fn user_of(actor: &Actor) -> Result<UserId, Error> {
    actor
        .user_id()
        .ok_or_else(|| Error::new(Code::Unauthenticated))
}

/// A call that is not there, or not for this actor.
pub(super) fn missing(reference: &CallReference) -> Error {
    Error::not_found(What::Call, reference.as_str())
}

/// The refusal of what a call's state does not allow.
pub(super) fn refused(call: &Call) -> Error {
    in_state(Code::CallState, call).message(format!("The call is {}", call.progress.state))
}

/// An error with the call that stands in the way.
pub(super) fn in_state(code: Code, call: &Call) -> Error {
    Error::new(code)
        .detail("call_id", call.id.to_string().as_str())
        .detail("status", call.progress.state.as_str())
}
