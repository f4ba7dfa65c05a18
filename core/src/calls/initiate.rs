//! Begins a call.

use crate::actor::{Actor, Role};
use crate::calls::service::{in_state, told, user_of};
use crate::calls::{
    Call, CallAction, CallKind, CallProgress, CallState, Calls, ClientCallId, DeviceId, EndReason,
    NewCall, StartCall, StartCallOutcome,
};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, CallId, EventId, UserId};
use crate::identity::StoredUser;
use crate::journal::{JobKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::presence::PresenceStatus;
use crate::scheduling::care_relation;

/// A call to be begun.
#[derive(Clone, Debug)]
pub struct InitiateCall {
    /// Who is called.
    pub callee: UserId,
    /// The appointment that it belongs to: one of the two.
    pub appointment: Option<AppointmentId>,
    /// What is sent in it.
    pub kind: CallKind,
    /// The id that the client gives it: under it, it is begun once, for ever.
    pub client_id: Option<ClientCallId>,
    /// The device; the session's if it is not said.
    pub device: Option<DeviceId>,
    /// Whether it is said over a socket.
    pub by_socket: bool,
}

/// A call that was begun, or that was met.
#[derive(Clone, Debug, PartialEq)]
pub struct Initiated {
    /// The call.
    pub call: Call,
    /// The callee was calling the caller at the same time: that call is accepted.
    pub is_glare: bool,
}

impl Calls<'_> {
    /// Begins a call with somebody to whom there is a care relation. Where he is calling the
    /// actor at the same time, that call is accepted instead.
    ///
    /// # Errors
    /// [`Code::BrokenRule`]: `callee_id` for oneself, `appointment_id` for one that is not of the
    /// two; [`Code::NotFound`] for an unknown user; [`Code::Forbidden`] without a care relation;
    /// [`Code::CallerInCall`] with the call; [`Code::CalleeBusy`] with the call that was
    /// recorded; [`Code::IdempotencyMismatch`] for another call under the same client's id.
    pub async fn initiate(&self, actor: &Actor, request: InitiateCall) -> Result<Initiated, Error> {
        let inner = self.inner();
        let forbidden = || Error::new(Code::Forbidden);
        require(actor, Action::InitiateCall, Relation::Own, forbidden)?;
        let user = user_of(actor)?;
        if request.callee == user {
            return Err(Error::broken_rule("callee_id", "must be somebody else"));
        }
        let other = inner.storage().user_by_id(request.callee).await?;
        let other = other.ok_or_else(|| Error::not_found(What::User, request.callee.get()))?;
        let keyed = self.command(actor, Action::InitiateCall, request.parts());
        if let Some(subject) = keyed.replay(inner).await? {
            return self.begun_before(subject).await;
        }
        let relation = self.relation_to(actor, &other).await?;
        require(actor, Action::InitiateCall, relation, forbidden)?;
        self.require_appointment(&request, user).await?;
        let device = self.device_of(actor, request.device.clone())?;
        let now = self.engine.now();
        let id = CallId::new(inner.uuid(now));
        let callee = self.engine.presence().of(other.id).await?;
        let start = self
            .start(actor, id, &request, device.clone(), user)
            .await?
            .with_key(keyed.claim())
            .refused(callee.status == PresenceStatus::DoNotDisturb);
        match settle(inner.storage().start_call(&start).await?)? {
            Settled::Now(StartCallOutcome::Started(call)) => {
                self.has_changed(&call).await;
                Ok(begun(call))
            }
            Settled::Now(StartCallOutcome::Repeated(call)) => Ok(begun(call)),
            Settled::Now(StartCallOutcome::Glare(call)) => {
                self.meet(actor, call, device, request.by_socket).await
            }
            Settled::Now(StartCallOutcome::ClientIdReused) => {
                Err(Error::new(Code::IdempotencyMismatch))
            }
            Settled::Now(StartCallOutcome::CallerBusy(call)) => {
                Err(in_state(Code::CallerInCall, &call))
            }
            Settled::Now(StartCallOutcome::CalleeBusy(call)) => {
                Err(in_state(Code::CalleeBusy, &call))
            }
            Settled::Before(subject) => self.begun_before(subject).await,
        }
    }

    /// Accepts the call of somebody who calls the actor at the same time.
    async fn meet(
        &self,
        actor: &Actor,
        call: Call,
        device: DeviceId,
        by_socket: bool,
    ) -> Result<Initiated, Error> {
        let is_elsewhere = !by_socket
            && !self.has_socket(call.callee.user, Some(&device)).await?
            && !self
                .has_socket(call.caller.user, call.progress.caller_device.as_ref())
                .await?;
        let accept = CallAction::Accept {
            device,
            is_elsewhere,
        };
        let (call, _) = self
            .advance(actor, Action::AnswerCall, call, &accept, None)
            .await?;
        Ok(Initiated {
            call,
            is_glare: true,
        })
    }

    async fn begun_before(&self, subject: Subject) -> Result<Initiated, Error> {
        let id = subject
            .as_uuid()
            .ok_or_else(|| Error::new(Code::Internal).message("a key names no call"))?;
        let call = self.stored(CallId::new(id)).await?;
        if call.progress.state == CallState::Busy {
            return Err(in_state(Code::CalleeBusy, &call));
        }
        Ok(begun(call))
    }

    /// The device of a request: the one that it names, or else the session's.
    pub(super) fn device_of(
        &self,
        actor: &Actor,
        named: Option<DeviceId>,
    ) -> Result<DeviceId, Error> {
        match (named, actor) {
            (Some(device), _) => Ok(device),
            (None, Actor::User(user)) => Ok(DeviceId::of_session(user.session)),
            (None, _) => Err(Error::new(Code::Unauthenticated)),
        }
    }

    async fn relation_to(&self, actor: &Actor, other: &StoredUser) -> Result<Relation, Error> {
        let Actor::User(user) = actor else {
            return Ok(Relation::None);
        };
        let (doctor, patient) = match (user.role, other.role) {
            (Role::Doctor, Role::Patient) => (user.user, other.id),
            (Role::Patient, Role::Doctor) if other.is_verified => (other.id, user.user),
            _ => return Ok(Relation::None),
        };
        let care = care_relation(self.inner(), doctor, patient, self.engine.now()).await?;
        Ok(Relation::own(other.is_active && care >= Relation::Care))
    }

    async fn require_appointment(
        &self,
        request: &InitiateCall,
        caller: UserId,
    ) -> Result<(), Error> {
        let Some(id) = request.appointment else {
            return Ok(());
        };
        let found = self.inner().storage().appointment_by_id(id).await?;
        let is_theirs = found.is_some_and(|row| {
            let parties = [row.patient, row.facts.doctor];
            parties.contains(&caller) && parties.contains(&request.callee)
        });
        if is_theirs {
            Ok(())
        } else {
            // The same for one that is not there: whose appointments there are does not show.
            Err(Error::broken_rule(
                "appointment_id",
                "must be an appointment of the two",
            ))
        }
    }

    async fn start(
        &self,
        actor: &Actor,
        id: CallId,
        request: &InitiateCall,
        device: DeviceId,
        user: UserId,
    ) -> Result<StartCall, Error> {
        let inner = self.inner();
        let now = self.engine.now();
        let settings = &self.engine.settings().calls;
        let begun = CallProgress::begun(Some(device.clone()));
        let busy = CallProgress {
            state: CallState::Busy,
            end_reason: Some(EndReason::Busy),
            ended_at: Some(now),
            ..begun.clone()
        };
        let party = async |id| {
            let found = inner.storage().user_by_id(id).await?;
            let found = found.ok_or_else(|| Error::not_found(What::User, id.get()))?;
            Ok::<_, Error>(crate::calls::CallParty {
                user: id,
                name: found.full_name,
            })
        };
        let mut call = Call {
            id,
            caller: party(user).await?,
            callee: party(request.callee).await?,
            kind: request.kind,
            appointment: request.appointment,
            client_id: request.client_id.clone(),
            initiated_at: now,
            progress: begun.clone(),
            version: 1,
        };
        let subject = Subject::uuid(Resource::Call, id.get());
        let mut writes = [&begun, &busy].map(|progress| {
            call.progress.clone_from(progress);
            let mut write = inner.write(actor, now, Action::InitiateCall, subject);
            let told = told(&call, progress, 1);
            let state = progress.state;
            write
                .audit
                .data
                .insert("state".into(), state.as_str().into());
            inner.announce(&mut write, state.event(), &call.users(), told);
            for event in &mut write.events {
                event.id = EventId::new(id.get());
            }
            write
        });
        let due = now.plus(settings.ring_for);
        inner.schedule(
            &mut writes[0],
            JobKind::CallRingDeadline,
            due,
            serde_json::Map::new(),
        );
        let [write, write_busy] = writes;
        Ok(StartCall {
            write,
            write_busy,
            call: NewCall {
                id,
                caller: user,
                callee: request.callee,
                caller_device: Some(device),
                kind: request.kind,
                appointment: request.appointment,
                client_id: request.client_id.clone(),
            },
            busy,
            callee_refuses: false,
            most_live: settings.most_live,
        })
    }
}

impl StartCall {
    fn with_key(mut self, claim: Option<crate::journal::KeyClaim>) -> Self {
        self.write.idempotency.clone_from(&claim);
        self.write_busy.idempotency = claim;
        self
    }

    fn refused(mut self, refuses: bool) -> Self {
        self.callee_refuses = refuses;
        self
    }
}

fn begun(call: Call) -> Initiated {
    Initiated {
        call,
        is_glare: false,
    }
}

impl InitiateCall {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .number(self.callee.get())
            .number(self.appointment.map_or(0, AppointmentId::get))
            .text(Some(self.kind.as_str()))
            .text(self.client_id.as_ref().map(ClientCallId::as_str))
    }
}
