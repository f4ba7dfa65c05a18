//! The state machine of a call: pure, and the only place that says what follows what.

use crate::calls::{CallProgress, CallSide, CallState, DeviceId, EndReason};
use crate::id::UserId;
use crate::time::Timestamp;

/// What is asked of a call, or happens to it.
#[derive(Clone, Debug, PartialEq)]
pub enum CallAction {
    /// A device of the callee got it.
    Ring,
    /// A device of the callee answers.
    Accept {
        /// The device.
        device: DeviceId,
        /// Neither party has a socket: they signal elsewhere, and count as connected.
        is_elsewhere: bool,
    },
    /// The callee does not want it.
    Decline(EndReason),
    /// A party hangs up.
    Hangup {
        /// On which side.
        side: CallSide,
        /// Whether nobody touched the ringing device.
        unanswered: bool,
        /// How long the call took by the client's claim, in seconds.
        reported_duration: Option<u32>,
    },
    /// It has rung for as long as a call may ring.
    RingDeadline,
    /// An offer or an answer was handed on.
    Signalled,
    /// The two devices hear each other.
    Connect,
    /// The devices had long enough to find to each other.
    ConnectDeadline,
    /// A party's device was gone for longer than the grace.
    Lost(CallSide),
    /// It has lasted as long as a call may.
    Maximum,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The call goes on like this.
    Change(CallProgress),
    /// It is so already, or it does not concern this state.
    Same,
    /// The state refuses it.
    Refused,
}

/// Decides what an action makes of a call; `parties` are the caller and the callee.
#[must_use]
pub fn decide(
    call: &CallProgress,
    parties: [UserId; 2],
    action: &CallAction,
    now: Timestamp,
) -> Decision {
    use CallState as S;
    let state = call.state;
    let rings = matches!(state, S::Initiated | S::Ringing);
    let connects = matches!(state, S::Accepted | S::Connecting);
    let changed = |to| CallProgress {
        state: to,
        ..call.clone()
    };
    let over = |to, reason, by: Option<CallSide>| {
        Decision::Change(CallProgress {
            end_reason: Some(reason),
            ended_by: by.map(|side| match side {
                CallSide::Caller => parties[0],
                CallSide::Callee => parties[1],
            }),
            ended_at: Some(now),
            ..changed(to)
        })
    };
    match action {
        CallAction::Ring if state == S::Initiated => Decision::Change(CallProgress {
            ringing_at: Some(now),
            ..changed(S::Ringing)
        }),
        CallAction::Accept {
            device,
            is_elsewhere,
        } if rings => Decision::Change(CallProgress {
            accepted_at: Some(now),
            connected_at: is_elsewhere.then_some(now),
            callee_device: Some(device.clone()),
            ..changed(if *is_elsewhere {
                S::Connected
            } else {
                S::Accepted
            })
        }),
        CallAction::Accept { device, .. }
            if state.is_live() && call.callee_device.as_ref() == Some(device) =>
        {
            Decision::Same
        }
        CallAction::Accept { .. } => Decision::Refused,
        CallAction::Decline(reason) if rings => {
            let to = match reason {
                EndReason::Unanswered => S::Missed,
                _ => S::Declined,
            };
            over(to, *reason, Some(CallSide::Callee))
        }
        CallAction::Decline(_) if state.is_live() => Decision::Refused,
        CallAction::Hangup {
            side,
            unanswered,
            reported_duration,
        } if state.is_live() => {
            let (to, reason) = match side {
                CallSide::Caller if rings => (S::Missed, EndReason::Cancelled),
                CallSide::Callee if rings && *unanswered => (S::Missed, EndReason::Unanswered),
                CallSide::Callee if rings => (S::Declined, EndReason::UserDeclined),
                _ => (S::Ended, EndReason::UserHangup),
            };
            match over(to, reason, Some(*side)) {
                Decision::Change(next) => Decision::Change(CallProgress {
                    reported_duration: *reported_duration,
                    ..next
                }),
                other => other,
            }
        }
        CallAction::RingDeadline if state == S::Initiated => {
            over(S::Missed, EndReason::Unreachable, None)
        }
        CallAction::RingDeadline if state == S::Ringing => {
            over(S::Missed, EndReason::NoAnswer, None)
        }
        CallAction::Signalled if state == S::Accepted => Decision::Change(changed(S::Connecting)),
        CallAction::Connect if connects => Decision::Change(CallProgress {
            connected_at: Some(now),
            ..changed(S::Connected)
        }),
        CallAction::Connect if state != S::Connected => Decision::Refused,
        CallAction::ConnectDeadline if connects => {
            over(S::Failed, EndReason::ConnectionFailed, None)
        }
        CallAction::Lost(CallSide::Caller) if rings => over(S::Missed, EndReason::Cancelled, None),
        CallAction::Lost(_) if connects => over(S::Failed, EndReason::NetworkError, None),
        CallAction::Lost(_) if state == S::Connected => {
            over(S::Ended, EndReason::NetworkError, None)
        }
        CallAction::Maximum if state == S::Connected => over(S::Ended, EndReason::Timeout, None),
        CallAction::Ring
        | CallAction::Decline(_)
        | CallAction::Hangup { .. }
        | CallAction::RingDeadline
        | CallAction::Signalled
        | CallAction::Connect
        | CallAction::ConnectDeadline
        | CallAction::Lost(_)
        | CallAction::Maximum => Decision::Same,
    }
}

#[cfg(test)]
mod tests;
