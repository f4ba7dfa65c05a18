//! What the parties of a call are told of it, each side and each device what concerns it.

use serde_json::{Map, Value, json};
use telemed_core::Engine;
use telemed_core::calls::{
    Call, CallProgress, CallSide, CallState, CallStatus, DeviceId, EndReason,
};
use telemed_core::error::Error;
use telemed_core::id::UserId;
use telemed_core::journal::{Event, EventKind};

use super::{To, Told, field, named, number, object};
use crate::calls::ice_lines;

/// Why a call is over for the devices that somebody has not answered on.
const ELSEWHERE: &str = "answered_elsewhere";

/// Whether an event is one of a call.
pub(super) fn is_of_call(kind: EventKind) -> bool {
    CallState::ALL.iter().any(|state| state.event() == kind)
}

/// What is told of an event of a call: one after the other what is told to the same.
///
/// # Errors
/// When the store fails.
pub(super) async fn of_event(engine: &Engine, event: &Event) -> Result<Vec<Told>, Error> {
    if event.kind == EventKind::CallInitiated {
        let call = engine.calls().call_of_event(event).await?;
        return Ok(call.map_or_else(Vec::new, |call| begun(engine, &call)));
    }
    Ok(Happened::of(event).map_or_else(Vec::new, |happened| happened.told()))
}

/// The entry of an event of a call in a party's feed.
///
/// # Errors
/// When the store fails.
pub(super) async fn in_feed(
    engine: &Engine,
    event: &Event,
    reader: Option<UserId>,
) -> Result<Option<Told>, Error> {
    if event.kind == EventKind::CallInitiated {
        let Some(call) = engine.calls().call_of_event(event).await? else {
            return Ok(None);
        };
        let side = reader.and_then(|user| call.side_of(user));
        return Ok(side.map(|side| beginning(engine, &call, side)));
    }
    let told = Happened::of(event).map_or_else(Vec::new, |happened| happened.told());
    // The devices of the reader are not known here: he hears of his call as its own device does.
    let concerns = |told: &Told| match &told.to {
        To::All => true,
        To::User(user) | To::Device(user, _) => Some(*user) == reader,
        To::OtherDevices(..) => false,
    };
    Ok(told.into_iter().find(concerns))
}

/// What a callee is told whose device comes while the call rings; nothing if it does not.
pub(crate) fn ringing(engine: &Engine, call: &Call) -> Option<Told> {
    let rings = matches!(
        call.progress.state,
        CallState::Initiated | CallState::Ringing
    );
    rings.then(|| {
        let mut told = beginning(engine, call, CallSide::Callee);
        // The event of a call's beginning has the call's id.
        number(
            std::slice::from_mut(&mut told),
            telemed_core::id::EventId::new(call.id.get()),
        );
        told
    })
}

/// The beginning of a call. A callee hears of it as long as it rings: what became of it is told
/// by what follows.
fn begun(engine: &Engine, call: &Call) -> Vec<Told> {
    let caller = beginning(engine, call, CallSide::Caller);
    let callee = ringing(engine, call);
    [caller].into_iter().chain(callee).collect()
}

fn beginning(engine: &Engine, call: &Call, side: CallSide) -> Told {
    let servers = ice_lines(engine.calls().ice_servers(call));
    let servers = serde_json::to_value(servers).unwrap_or_default();
    let status = call.progress.shown_to(side).as_str();
    let to = To::User(call.party(side).user);
    let mut data = object(&json!({
        "call_id": call.id.to_string(),
        "caller_id": call.caller.user.get(),
        "callee_id": call.callee.user.get(),
        "appointment_id": call.appointment.map(|id| id.get()),
        "call_type": call.kind.as_str(),
        "room_id": call.room(),
        "ice_servers": servers,
        "status": status,
    }));
    match side {
        CallSide::Caller => {
            let id = call.client_id.as_ref().map(|id| id.as_str());
            data.insert("client_call_id".to_owned(), id.into());
            Told {
                data,
                to,
                ..named("call_initiated")
            }
        }
        CallSide::Callee => {
            let name = call.caller.name.as_str();
            data.insert("caller_name".to_owned(), name.into());
            Told {
                twin: Some("call_initiated"),
                data,
                to,
                ..named("call:ringing")
            }
        }
    }
}

/// An event of a call after its beginning.
struct Happened<'e> {
    event: &'e Event,
    state: CallState,
    before: Option<CallState>,
    caller: UserId,
    callee: UserId,
    /// The device that has answered.
    device: Option<DeviceId>,
    reason: Option<EndReason>,
}

impl<'e> Happened<'e> {
    fn of(event: &'e Event) -> Option<Self> {
        let word = |name: &str| event.data.get(name).and_then(Value::as_str);
        let user = |name: &str| {
            let number = event.data.get(name).and_then(Value::as_i64);
            number.and_then(UserId::new)
        };
        Some(Self {
            event,
            state: CallState::parse(word("status")?).ok()?,
            before: word("previous_status").and_then(|word| CallState::parse(word).ok()),
            caller: user("caller_id")?,
            callee: user("callee_id")?,
            device: word("callee_device").and_then(|word| DeviceId::new(word).ok()),
            reason: word("end_reason").and_then(|word| EndReason::parse(word).ok()),
        })
    }

    fn told(&self) -> Vec<Told> {
        let caller = || To::User(self.caller);
        // The others have heard that it was answered elsewhere.
        let callee = || match &self.device {
            Some(device) => To::Device(self.callee, device.clone()),
            None => To::User(self.callee),
        };
        let mut told = Vec::new();
        match self.state {
            CallState::Initiated | CallState::Connecting => {}
            CallState::Ringing => told.push(self.one("call:ringing", CallSide::Caller, caller())),
            CallState::Accepted => {
                told.push(self.both("call:accepted", CallSide::Caller, caller()));
                told.push(self.both("call:accepted", CallSide::Callee, callee()));
                told.extend(self.elsewhere());
            }
            CallState::Connected => {
                told.push(self.both("call:connected", CallSide::Caller, caller()));
                told.push(self.both("call:connected", CallSide::Callee, callee()));
                // Where it was answered and connected at once nothing else tells the others.
                let was_ringing =
                    matches!(self.before, Some(CallState::Initiated | CallState::Ringing));
                told.extend(self.elsewhere().filter(|_| was_ringing));
            }
            CallState::Declined => {
                told.push(self.both("call:declined", CallSide::Caller, caller()));
                told.push(self.both("call:declined", CallSide::Callee, callee()));
            }
            CallState::Missed => {
                for (side, to) in [(CallSide::Caller, caller()), (CallSide::Callee, callee())] {
                    told.push(self.one("call:missed", side, to.clone()));
                    told.push(self.both("call:ended", side, to));
                }
            }
            CallState::Ended => {
                told.push(self.both("call:ended", CallSide::Caller, caller()));
                told.push(self.both("call:ended", CallSide::Callee, callee()));
            }
            CallState::Failed => {
                for (side, to) in [(CallSide::Caller, caller()), (CallSide::Callee, callee())] {
                    told.push(self.one("call:error", side, to.clone()));
                    told.push(self.both("call:ended", side, to));
                }
            }
            CallState::Busy => {
                told.push(self.one("call:busy", CallSide::Caller, caller()));
                told.push(self.both("call:ended", CallSide::Caller, caller()));
                told.push(self.one("call:missed", CallSide::Callee, callee()));
            }
        }
        told
    }

    /// Under one name.
    fn one(&self, name: &'static str, side: CallSide, to: To) -> Told {
        Told {
            data: self.data(side),
            to,
            ..named(name)
        }
    }

    /// Under the name with a colon and its twin.
    fn both(&self, name: &'static str, side: CallSide, to: To) -> Told {
        Told {
            twin: twin(name),
            ..self.one(name, side, to)
        }
    }

    /// The end, for the devices of the callee that did not answer.
    fn elsewhere(&self) -> Option<Told> {
        let device = self.device.clone()?;
        let to = To::OtherDevices(self.callee, device);
        let mut told = self.both("call:ended", CallSide::Callee, to);
        told.data.insert("reason".to_owned(), ELSEWHERE.into());
        Some(told)
    }

    /// What everybody may see of it: no devices.
    fn data(&self, side: CallSide) -> Map<String, Value> {
        let mut data = object(&json!({
            "call_id": self.event.subject.id_text(),
            "status": self.status(side).as_str(),
        }));
        for name in [
            "caller_id",
            "callee_id",
            "call_type",
            "appointment_id",
            "seq",
        ] {
            data.insert(name.to_owned(), field(self.event, name));
        }
        if !self.state.is_live() {
            let reason = self.reason.map(EndReason::as_str);
            data.insert("reason".to_owned(), reason.into());
            for name in ["ended_by", "duration"] {
                data.insert(name.to_owned(), field(self.event, name));
            }
        }
        data
    }

    fn status(&self, side: CallSide) -> CallStatus {
        // Whether they heard each other: only an ended call asks, and only the connected end so.
        let connected = self.before == Some(CallState::Connected);
        let progress = CallProgress {
            state: self.state,
            end_reason: self.reason,
            connected_at: connected.then_some(self.event.at),
            ..CallProgress::begun(None)
        };
        progress.shown_to(side)
    }
}

/// The other name of what has two.
fn twin(name: &str) -> Option<&'static str> {
    match name {
        "call:accepted" => Some("call_accepted"),
        "call:connected" => Some("call_connected"),
        "call:declined" => Some("call_declined"),
        "call:ended" => Some("call_ended"),
        _ => None,
    }
}
