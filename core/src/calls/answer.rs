//! Answers a call: accepts it or declines it.

use crate::actor::Actor;
use crate::calls::service::missing;
use crate::calls::{Call, CallAction, CallReference, CallSide, Calls, DeviceId, EndReason};
use crate::engine::RequestParts;
use crate::error::{Code, Error};
use crate::id::UserId;
use crate::policy::Action;
use crate::presence::LeaseSource;

/// A call to be accepted.
#[derive(Clone, Debug)]
pub struct AcceptCall {
    /// The call.
    pub call: CallReference,
    /// The device; the session's if it is not said.
    pub device: Option<DeviceId>,
    /// Whether it is said over a socket.
    pub by_socket: bool,
}

impl Calls<'_> {
    /// Accepts a call on one device of the callee; his other devices stop ringing. Where neither
    /// party has a socket they signal elsewhere, and the call counts as connected.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::Forbidden`] for the caller;
    /// [`Code::CallState`] unless it is initiated or rings, or was accepted by this device.
    pub async fn accept(&self, actor: &Actor, request: AcceptCall) -> Result<Call, Error> {
        let call = self.of_callee(actor, &request.call).await?;
        let device = self.device_of(actor, request.device)?;
        let parts = RequestParts::default()
            .text(Some(&call.id.to_string()))
            .text(Some(device.as_str()));
        let keyed = self.command(actor, Action::AnswerCall, parts);
        if keyed.replay(self.inner()).await?.is_some() {
            return Ok(call);
        }
        let is_elsewhere = !request.by_socket
            && !self.has_socket(call.callee.user, Some(&device)).await?
            && !self
                .has_socket(call.caller.user, call.progress.caller_device.as_ref())
                .await?;
        let action = CallAction::Accept {
            device,
            is_elsewhere,
        };
        let advanced = self.advance(actor, Action::AnswerCall, call, &action, Some(&keyed));
        Ok(advanced.await?.0)
    }

    /// Declines a call; every device of the callee stops ringing. Declined again it stays as it
    /// is.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::Forbidden`] for the caller;
    /// [`Code::CallState`] once it is accepted.
    pub async fn decline(
        &self,
        actor: &Actor,
        reference: &CallReference,
        reason: EndReason,
    ) -> Result<Call, Error> {
        let call = self.of_callee(actor, reference).await?;
        let parts = RequestParts::default()
            .text(Some(&call.id.to_string()))
            .text(Some(reason.as_str()));
        let keyed = self.command(actor, Action::AnswerCall, parts);
        if keyed.replay(self.inner()).await?.is_some() {
            return Ok(call);
        }
        let action = CallAction::Decline(reason);
        let advanced = self.advance(actor, Action::AnswerCall, call, &action, Some(&keyed));
        Ok(advanced.await?.0)
    }

    async fn of_callee(&self, actor: &Actor, reference: &CallReference) -> Result<Call, Error> {
        let (call, side) = self.own(actor, reference, Action::AnswerCall).await?;
        match side {
            CallSide::Callee => Ok(call),
            CallSide::Caller => {
                Err(Error::new(Code::Forbidden).message("Only the callee can answer a call"))
            }
        }
    }

    /// Whether a device of a user has a socket open, on any node.
    pub(super) async fn has_socket(
        &self,
        user: UserId,
        device: Option<&DeviceId>,
    ) -> Result<bool, Error> {
        let Some(device) = device else {
            return Ok(false);
        };
        let now = self.engine.now();
        let leases = self.inner().storage().leases_of(user).await?;
        Ok(leases.iter().any(|lease| {
            lease.source == LeaseSource::Socket && lease.expires_at > now && lease.is_of(device)
        }))
    }

    /// A device of the callee got the call: it rings. Nothing happens where it rings already or
    /// is answered.
    ///
    /// # Errors
    /// When the store fails; [`Code::NotFound`] for anybody but the callee.
    pub async fn ring(&self, actor: &Actor, reference: &CallReference) -> Result<(), Error> {
        let (call, side) = self.own(actor, reference, Action::AnswerCall).await?;
        if side != CallSide::Callee {
            return Err(missing(reference));
        }
        let id = call.id;
        let ring = CallAction::Ring;
        match self
            .advance(actor, Action::AnswerCall, call, &ring, None)
            .await
        {
            // Others have changed it all the time: then it rings no longer.
            Err(error) if error.code == Code::VersionConflict => {}
            other => drop(other?),
        }
        let relay = &self.inner().relay;
        relay.begin(&self.stored(id).await?, self.engine.now());
        // It may have been over in between, and its event may have come before it was known.
        relay.note(&self.stored(id).await?);
        Ok(())
    }
}
