//! Builders of calls and of samples of their quality.

use telemed_core::calls::{
    AdvanceCall, AdvanceCallOutcome, Call, CallAction, CallKind, CallProgress, CallSide, CallState,
    ClientCallId, Decision, DeviceId, EndReason, Measured, NewCall, PartyQuality, QualitySample,
    StartCall, StartCallOutcome, decide,
};
use telemed_core::id::{CallId, SampleId, UserId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::time::Timestamp;

use super::{NOW, World, applied};

/// The device with this name.
///
/// # Panics
/// When it is no name.
#[must_use]
pub fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

/// What a device of the callee does that answers.
#[must_use]
pub fn accept(name: &str) -> CallAction {
    CallAction::Accept {
        device: device(name),
        is_elsewhere: false,
    }
}

/// What a party does that hangs up.
#[must_use]
pub fn hangup(side: CallSide) -> CallAction {
    CallAction::Hangup {
        side,
        unanswered: false,
        reported_duration: None,
    }
}

/// What it is that a call is about.
#[must_use]
pub fn about_call(call: CallId) -> Subject {
    Subject::uuid(Resource::Call, call.get())
}

impl World {
    /// A video call to be begun, without a device, an appointment or a client's id.
    #[must_use]
    pub fn new_call(&self, caller: UserId, callee: UserId) -> NewCall {
        NewCall {
            id: CallId::new(self.uuid()),
            caller,
            callee,
            caller_device: None,
            kind: CallKind::Video,
            appointment: None,
            client_id: None,
        }
    }

    /// The same under a client's id.
    ///
    /// # Panics
    /// When it is no such id.
    #[must_use]
    pub fn call_under(&self, caller: UserId, callee: UserId, id: &str) -> NewCall {
        NewCall {
            client_id: Some(ClientCallId::new(id).unwrap()),
            ..self.new_call(caller, callee)
        }
    }

    /// The beginning of this call at a time, where each user is in one live call at most.
    #[must_use]
    pub fn starting(&self, at: Timestamp, call: &NewCall) -> StartCall {
        let subject = about_call(call.id);
        StartCall {
            write: self.write_at(at, subject),
            write_busy: self.write_at(at, subject),
            call: call.clone(),
            busy: CallProgress {
                state: CallState::Busy,
                end_reason: Some(EndReason::Busy),
                ended_at: Some(at),
                ..CallProgress::begun(call.caller_device.clone())
            },
            callee_refuses: false,
            most_live: 1,
        }
    }

    /// Begins a call, whatever comes of it.
    pub async fn start(&self, start: &StartCall) -> StartCallOutcome {
        applied(self.storage.start_call(start).await.unwrap())
    }

    /// Begins a call at a time, whatever comes of it.
    pub async fn start_at(&self, at: Timestamp, call: &NewCall) -> StartCallOutcome {
        self.start(&self.starting(at, call)).await
    }

    /// Begins this call at a time.
    pub async fn begin(&self, at: Timestamp, call: &NewCall) -> Call {
        match self.start_at(at, call).await {
            StartCallOutcome::Started(call) => call,
            other => panic!("the call was refused: {other:?}"),
        }
    }

    /// Begins a call of two.
    pub async fn call(&self, caller: UserId, callee: UserId) -> Call {
        self.begin(NOW, &self.new_call(caller, callee)).await
    }

    /// The call with this id.
    pub async fn call_now(&self, call: CallId) -> Call {
        self.storage.call_by_id(call).await.unwrap().unwrap()
    }

    /// Changes a call at a time, whatever comes of it.
    pub async fn advance_at(&self, at: Timestamp, change: &AdvanceCall) -> AdvanceCallOutcome {
        let write = self.write_at(at, about_call(change.call));
        applied(self.storage.advance_call(&write, change).await.unwrap())
    }

    /// Changes a call to this.
    pub async fn advance(&self, at: Timestamp, call: &Call, progress: CallProgress) -> Call {
        match self.advance_at(at, &advancing(call, progress)).await {
            AdvanceCallOutcome::Advanced(call) => call,
            other => panic!("the change was refused: {other:?}"),
        }
    }

    /// Does to a call, as it is now, one thing after the other.
    pub async fn act(&self, at: Timestamp, call: CallId, actions: &[CallAction]) -> Call {
        let mut call = self.call_now(call).await;
        for action in actions {
            call = self.advance(at, &call, following(&call, action, at)).await;
        }
        call
    }

    /// A sample in which nothing was measured.
    #[must_use]
    pub fn sample(&self, at: Timestamp, call: CallId, user: UserId) -> QualitySample {
        QualitySample {
            id: SampleId::new(self.uuid()),
            call,
            user,
            at,
            measured: Measured::default(),
        }
    }

    /// The quality of the caller and of the callee.
    pub async fn quality(&self, call: CallId) -> [PartyQuality; 2] {
        self.storage.call_quality(call).await.unwrap().unwrap()
    }
}

/// The change of a call, as it was seen, to this.
#[must_use]
pub fn advancing(call: &Call, progress: CallProgress) -> AdvanceCall {
    AdvanceCall {
        call: call.id,
        seen: call.version,
        progress,
        appointment: None,
    }
}

/// What an action makes of a call.
///
/// # Panics
/// When it changes nothing.
#[must_use]
pub fn following(call: &Call, action: &CallAction, at: Timestamp) -> CallProgress {
    match decide(&call.progress, call.users(), action, at) {
        Decision::Change(progress) => progress,
        other => panic!("{action:?} in {:?}: {other:?}", call.progress.state),
    }
}
