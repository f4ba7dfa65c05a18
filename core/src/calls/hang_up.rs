//! Ends a call.

use crate::actor::Actor;
use crate::calls::{Call, CallAction, CallReference, Calls};
use crate::engine::RequestParts;
use crate::error::Error;
use crate::policy::Action;

/// A call to be ended.
#[derive(Clone, Debug)]
pub struct HangUp {
    /// The call.
    pub call: CallReference,
    /// Whether nobody touched the ringing device.
    pub unanswered: bool,
    /// How long it took by the client's claim, in seconds: kept aside, it decides nothing.
    pub reported_duration: Option<u32>,
}

impl Calls<'_> {
    /// Ends a call, whatever its state; one that is over stays as it is. Before it is answered the
    /// caller cancels it by this, and the callee declines it.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but the parties.
    pub async fn hang_up(&self, actor: &Actor, request: HangUp) -> Result<Call, Error> {
        let (call, side) = self.own(actor, &request.call, Action::EndCall).await?;
        let parts = RequestParts::default().text(Some(&call.id.to_string()));
        let keyed = self.command(actor, Action::EndCall, parts);
        if keyed.replay(self.inner()).await?.is_some() {
            return Ok(call);
        }
        let action = CallAction::Hangup {
            side,
            unanswered: request.unanswered,
            reported_duration: request.reported_duration,
        };
        let advanced = self.advance(actor, Action::EndCall, call, &action, Some(&keyed));
        Ok(advanced.await?.0)
    }
}
