//! Hands signals from device to device.

use serde_json::{Map, Value};

use crate::actor::{Actor, SystemActor};
use crate::calls::relay::{Follows, Outgoing, Refused, Signal};
use crate::calls::service::{refused, user_of};
use crate::calls::{Call, CallAction, CallReference, Calls, DeviceId, SignalKind};
use crate::engine::data;
use crate::error::{Code, Error};
use crate::id::{CallId, EventId, UserId};
use crate::journal::{Audience, Frame, FrameKind, PassedSignal, SubscriptionItem};
use crate::policy::Action;
use crate::value::JsonText;

/// Something that a party hands the other one.
#[derive(Clone)]
pub struct SendSignal {
    /// The call.
    pub call: CallReference,
    /// What it is.
    pub kind: SignalKind,
    /// The description or the candidate, as the client gave it.
    pub payload: JsonText,
    /// The device; the session's if it is not said.
    pub device: Option<DeviceId>,
}

impl Calls<'_> {
    /// Hands an offer, an answer or a candidate to the other device of a call: in order, and once
    /// that device is bound. The server does not look into it.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::PayloadTooLarge`] for one that is
    /// too large, or when too much waits for the other device; [`Code::CallState`] for a call
    /// that is over, that this party has not answered, or that another device of his has.
    pub async fn signal(&self, actor: &Actor, request: SendSignal) -> Result<CallId, Error> {
        let user = user_of(actor)?;
        if request.payload.as_str().len() > request.kind.most() {
            return Err(Error::new(Code::PayloadTooLarge));
        }
        let session = self.device_of(actor, None)?;
        let device = self.device_of(actor, request.device)?;
        let signal = Signal {
            kind: request.kind,
            payload: request.payload,
        };
        // Most signals are of a call that is known here: nothing else is asked.
        let known = request.call.id().and_then(|id| {
            let taken = self.take(id, user, [&device, &session], signal.clone());
            (!matches!(taken, Err(Refused::Unknown))).then_some((id, taken))
        });
        let (id, taken) = match known {
            Some((id, Ok(Follows::NOTHING))) => return Ok(id),
            Some(known) => known,
            None => {
                let id = Box::pin(self.taken_up(actor, &request.call)).await?;
                (id, self.take(id, user, [&device, &session], signal))
            }
        };
        match taken {
            Ok(follows) => {
                Box::pin(self.follow(actor, id, follows)).await?;
                Ok(id)
            }
            Err(Refused::Full) => Err(Error::new(Code::PayloadTooLarge)
                .message("Too much waits for the other device")
                .detail("call_id", id.to_string().as_str())),
            Err(_) => Err(Box::pin(self.untaken(actor, id)).await),
        }
    }

    fn take(
        &self,
        id: CallId,
        user: UserId,
        devices: [&DeviceId; 2],
        signal: Signal,
    ) -> Result<Follows, Refused> {
        let send = |outgoing| self.send(id, outgoing);
        self.inner().relay.take(id, user, devices, signal, send)
    }

    /// Why a signal is not taken: the call is of others, over, or not this device's.
    async fn untaken(&self, actor: &Actor, id: CallId) -> Error {
        match self.own(actor, &id.into(), Action::SignalCall).await {
            Ok((call, _)) => refused(&call),
            Err(error) => error,
        }
    }

    /// The call that is meant, known to this node's relay.
    async fn taken_up(&self, actor: &Actor, reference: &CallReference) -> Result<CallId, Error> {
        let relay = &self.inner().relay;
        let (call, _) = self.own(actor, reference, Action::SignalCall).await?;
        if !call.progress.state.is_live() {
            return Err(refused(&call));
        }
        relay.take_up(&call, self.engine.now());
        // It may have changed between the two, and its event may have come before it was known.
        let call = self.stored(call.id).await?;
        relay.take_up(&call, self.engine.now());
        if !call.progress.state.is_live() {
            relay.forget(call.id);
            return Err(refused(&call));
        }
        Ok(call.id)
    }

    fn send(&self, call: CallId, outgoing: Outgoing) {
        let inner = self.inner();
        let Outgoing {
            seq,
            signal,
            sender,
            receiver,
            device,
        } = outgoing;
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(self.engine.now())),
            kind: FrameKind::Signal,
            audience: vec![Audience::User(receiver)],
            data: Map::new(),
            signal: Some(Box::new(PassedSignal {
                call,
                kind: signal.kind,
                seq,
                sender,
                receiver,
                device,
                payload: signal.payload,
            })),
        });
    }

    async fn follow(&self, actor: &Actor, id: CallId, follows: Follows) -> Result<(), Error> {
        if follows.is_first {
            let call = self.stored(id).await?;
            let signalled = CallAction::Signalled;
            let advanced = self.advance(actor, Action::SignalCall, call, &signalled, None);
            match Box::pin(advanced).await {
                // It was over in this moment.
                Err(error) if error.code == Code::CallState => return Ok(()),
                other => drop(other?),
            }
        }
        if follows.is_answered {
            self.assume_connected(actor, id).await?;
        }
        Ok(())
    }

    /// Sends what has waited for a change of the call, on this node.
    pub(super) async fn release(&self, id: CallId) {
        let send = |outgoing| self.send(id, outgoing);
        let Some(follows) = self.inner().relay.release(id, send) else {
            return;
        };
        let jobs = Actor::System(SystemActor::Jobs);
        // What went out is out; the parties say themselves when they hear each other.
        if let Err(error) = Box::pin(self.follow(&jobs, id, follows)).await {
            tracing::warn!(call = %id, %error, "a call's signals went out and it was not noted");
        }
    }

    /// A device of a party is back: it is bound to the call already, and is sent again what it has
    /// missed after `last_seq`, in order.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::CallState`] for a call that is
    /// over, or that another device takes part in.
    pub async fn resume(
        &self,
        actor: &Actor,
        reference: &CallReference,
        device: Option<DeviceId>,
        last_seq: u64,
    ) -> Result<Call, Error> {
        let (call, side) = self.own(actor, reference, Action::SignalCall).await?;
        let names = [self.device_of(actor, device)?, self.device_of(actor, None)?];
        let is_bound = call.device(side).is_some_and(|bound| names.contains(bound));
        if !call.progress.state.is_live() || !is_bound {
            return Err(refused(&call));
        }
        let told = data([
            ("call_id", call.id.to_string().into()),
            ("user_id", call.party(side).user.get().into()),
            ("after", last_seq.into()),
        ]);
        let inner = self.inner();
        // To whichever node holds what the other party has sent.
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(self.engine.now())),
            kind: FrameKind::SignalsWanted,
            audience: vec![Audience::User(call.party(side).user)],
            data: told,
            signal: None,
        });
        Ok(call)
    }

    /// A node with sockets begins to listen: from now on it looks at everything that it hears.
    pub fn attend(&self) {
        self.inner().relay.attend();
    }

    /// Whether something that a node with sockets hears is to be observed by it.
    #[must_use]
    pub fn observes(&self, item: &SubscriptionItem) -> bool {
        match item {
            SubscriptionItem::Event(logged) => {
                let id = logged.event.subject.as_uuid().map(CallId::new);
                id.is_some_and(|id| self.inner().relay.knows(id))
            }
            SubscriptionItem::Frame(frame) => frame.kind == FrameKind::SignalsWanted,
            SubscriptionItem::Lagged => true,
        }
    }

    /// What a node with sockets does with what it [observes](Self::observes): its relay follows
    /// the calls whose signals pass it.
    ///
    /// # Errors
    /// When the store fails; the item may be observed again.
    pub async fn observe(&self, item: &SubscriptionItem) -> Result<(), Error> {
        let relay = &self.inner().relay;
        match item {
            SubscriptionItem::Event(logged) => {
                let event = &logged.event;
                let id = event.subject.as_uuid().map(CallId::new);
                let Some(id) = id.filter(|id| relay.knows(*id)) else {
                    return Ok(());
                };
                self.look_again(id).await
            }
            SubscriptionItem::Frame(frame) if frame.kind == FrameKind::SignalsWanted => {
                self.send_again(&frame.data);
                Ok(())
            }
            SubscriptionItem::Frame(_) => Ok(()),
            SubscriptionItem::Lagged => {
                for id in relay.known() {
                    self.look_again(id).await?;
                }
                Ok(())
            }
        }
    }

    async fn look_again(&self, id: CallId) -> Result<(), Error> {
        let relay = &self.inner().relay;
        match self.inner().storage().call_by_id(id).await? {
            Some(call) => relay.note(&call),
            None => relay.forget(id),
        }
        self.release(id).await;
        Ok(())
    }

    fn send_again(&self, wanted: &Map<String, Value>) {
        let id = wanted.get("call_id").and_then(Value::as_str);
        let id = id.and_then(|text| uuid::Uuid::parse_str(text).ok());
        let user = wanted.get("user_id").and_then(Value::as_i64);
        let (Some(id), Some(user)) = (id.map(CallId::new), user.and_then(UserId::new)) else {
            return;
        };
        let after = wanted.get("after").and_then(Value::as_u64).unwrap_or(0);
        let send = |outgoing| self.send(id, outgoing);
        self.inner().relay.send_again(id, user, after, send);
    }
}
