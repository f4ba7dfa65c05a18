//! What clients ask for that has to do with calls and presence.

use serde::Deserialize;
use serde_json::{Value, json};
use telemed_core::Engine;
use telemed_core::calls::{
    AcceptCall, Call, CallReference, CallSide, CallState, ClientCallId, DeviceId, EndReason,
    HangUp, InitiateCall, Initiated, SendSignal, SignalKind,
};
use telemed_core::error::Error;
use telemed_core::id::AppointmentId;
use telemed_core::limits::LimitName;
use telemed_core::presence::{DeviceType, PresenceStatus, SayPresence};
use telemed_core::value::Checks;

use super::commands::Done;
use super::packet::Payload;
use super::signal::opaque;
use crate::auth::HasEngine;
use crate::calls::{
    DeclineReason, QualityBody, RecordedLine, call_kind, current_call, ice_lines, whole_seconds,
};
use crate::connection::{Joined, Person, Sockets};
use crate::extract::{Figure, Id, Skip, unless_blank};

/// Who asks: somebody, on a socket.
#[derive(Clone, Copy)]
pub(super) struct Asker<'s> {
    pub(super) sockets: &'s Sockets,
    pub(super) person: &'s Person,
    pub(super) socket: &'s Joined,
}

impl Asker<'_> {
    fn engine(&self) -> &Engine {
        self.sockets.engine()
    }

    /// The device that an event names, by which the socket goes from now on; else the socket's.
    fn device(&self, named: Option<DeviceId>) -> Option<DeviceId> {
        if let Some(device) = named {
            self.socket.go_by(device);
        }
        self.socket.device()
    }

    fn status(&self, call: &Call) -> &'static str {
        let side = call.side_of(self.person.user());
        let status = call.progress.shown_to(side.unwrap_or(CallSide::Caller));
        status.as_str()
    }

    /// What a party is told of a call that goes on.
    fn shown(&self, call: &Call) -> Value {
        json!({
            "call_id": call.id.to_string(),
            "status": self.status(call),
            "room_id": call.room(),
            "ice_servers": self.ice_servers(call),
        })
    }

    fn ice_servers(&self, call: &Call) -> Value {
        let servers = ice_lines(self.engine().calls().ice_servers(call));
        serde_json::to_value(servers).unwrap_or_default()
    }
}

fn named(checks: &mut Checks, device: Option<String>) -> Option<DeviceId> {
    checks.optional("device_id", unless_blank(device), DeviceId::new)
}

fn reference(checks: &mut Checks, call: Option<String>) -> Option<CallReference> {
    checks.required("call_id", unless_blank(call), CallReference::new)
}

#[derive(Deserialize)]
struct InitiateBody {
    callee_id: Option<Id>,
    appointment_id: Option<Id>,
    call_type: Option<String>,
    client_call_id: Option<String>,
    device_id: Option<String>,
}

pub(super) async fn initiate(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: InitiateBody = payload.read()?;
    let mut checks = Checks::new();
    let callee = checks.required("callee_id", body.callee_id, Id::typed);
    let appointment = checks.optional("appointment_id", body.appointment_id, Id::typed);
    let kind = checks.required("call_type", unless_blank(body.call_type), call_kind);
    let client_id = unless_blank(body.client_call_id);
    let client_id = checks.optional("client_call_id", client_id, ClientCallId::new);
    let device = named(&mut checks, body.device_id);
    let (callee, kind) = checks.finish(callee.zip(kind))?;
    asker.sockets.spend(LimitName::Calls, asker.person).await?;
    let request = InitiateCall {
        callee,
        appointment,
        kind,
        client_id,
        device: asker.device(device),
        by_socket: true,
    };
    let calls = asker.engine().calls();
    let Initiated { call, is_glare } = calls.initiate(asker.person.actor(), request).await?;
    let mut data = asker.shown(&call);
    let client_id = call.client_id.as_ref().map(ClientCallId::as_str);
    data["client_call_id"] = client_id.into();
    data["glare"] = is_glare.into();
    Ok(Done::with(data))
}

#[derive(Deserialize)]
struct CallBody {
    call_id: Option<String>,
    device_id: Option<String>,
    reason: Option<String>,
    duration: Option<Figure>,
    last_seq: Option<Skip>,
}

pub(super) async fn accept(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let device = named(&mut checks, body.device_id);
    let call = checks.finish(call)?;
    let request = AcceptCall {
        call,
        device: asker.device(device),
        by_socket: true,
    };
    let calls = asker.engine().calls();
    let call = calls.accept(asker.person.actor(), request).await?;
    let mut data = asker.shown(&call);
    // Also where it has gone on since: accepted again it is the same.
    data["status"] = CallState::Accepted.as_str().into();
    Ok(Done::with(data))
}

pub(super) async fn decline(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let reason = unless_blank(body.reason);
    let reason = checks.optional("reason", reason, DeclineReason::parse);
    let call = checks.finish(call)?;
    let calls = asker.engine().calls();
    let DeclineReason(reason) = reason.unwrap_or_default();
    let call = calls.decline(asker.person.actor(), &call, reason).await?;
    Ok(Done::with(over(&asker, &call)))
}

pub(super) async fn end(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let reported_duration = checks.optional("duration", body.duration, whole_seconds);
    let call = checks.finish(call)?;
    let request = HangUp {
        call,
        unanswered: body.reason.as_deref().map(str::trim) == Some(EndReason::Unanswered.as_str()),
        reported_duration,
    };
    let calls = asker.engine().calls();
    let call = calls.hang_up(asker.person.actor(), request).await?;
    Ok(Done::with(over(&asker, &call)))
}

/// How a call has ended.
fn over(asker: &Asker<'_>, call: &Call) -> Value {
    json!({
        "call_id": call.id.to_string(),
        "status": asker.status(call),
        "reason": call.progress.end_reason.map(EndReason::as_str),
        "duration": call.progress.duration().as_secs(),
    })
}

pub(super) async fn connected(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let call = checks.finish(call)?;
    let calls = asker.engine().calls();
    let call = calls.report_connected(asker.person.actor(), &call).await?;
    Ok(Done::with(json!({
        "call_id": call.id.to_string(),
        "status": asker.status(&call),
    })))
}

pub(super) async fn resume(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let device = named(&mut checks, body.device_id);
    let call = checks.finish(call)?;
    let after = body
        .last_seq
        .map_or(0, |last_seq| last_seq.get().unsigned_abs());
    let device = asker.device(device);
    let calls = asker.engine().calls();
    let call = calls
        .resume(asker.person.actor(), &call, device, after)
        .await?;
    Ok(Done::with(asker.shown(&call)))
}

pub(super) async fn signal(
    asker: Asker<'_>,
    payload: Payload<'_>,
    kind: SignalKind,
) -> Result<Done, Error> {
    let body = match payload {
        Payload::Signal(body) => body,
        other => other.read()?,
    };
    let mut checks = Checks::new();
    let handed = body.payload(kind);
    let call = reference(&mut checks, body.call_id);
    let payload = checks.required(kind.as_str(), handed, opaque);
    let device = named(&mut checks, body.device_id);
    let (call, payload) = checks.finish(call.zip(payload))?;
    let request = SendSignal {
        call,
        kind,
        payload,
        device: asker.device(device),
    };
    let calls = asker.engine().calls();
    let call = calls.signal(asker.person.actor(), request).await?;
    Ok(Done::with(json!({"call_id": call.to_string()})))
}

#[derive(Deserialize)]
struct PresenceBody {
    status: Option<String>,
    current_call_id: Option<String>,
    current_appointment_id: Option<Id>,
    device_id: Option<String>,
    device_type: Option<String>,
}

pub(super) async fn presence(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let body: PresenceBody = payload.read()?;
    let mut checks = Checks::new();
    let status = unless_blank(body.status);
    let status = checks.required("status", status, PresenceStatus::parse);
    let call = unless_blank(body.current_call_id);
    let call = checks.optional("current_call_id", call, CallReference::new);
    let appointment = body.current_appointment_id;
    let current_appointment: Option<AppointmentId> =
        checks.optional("current_appointment_id", appointment, Id::typed);
    let device = named(&mut checks, body.device_id);
    let device_type = unless_blank(body.device_type);
    let device_type = checks.optional("device_type", device_type, DeviceType::new);
    let status = checks.finish(status)?;
    let actor = asker.person.actor();
    let said = SayPresence {
        status,
        current_call: current_call(asker.engine(), actor, call).await?,
        current_appointment,
        device: asker.device(device),
        device_type,
    };
    // It is said of the socket's lease.
    asker.socket.settled().await;
    let presence = asker.engine().presence().say(actor, said).await?;
    Ok(Done::with(json!({
        "user_id": presence.user.get(),
        "status": presence.status.as_str(),
        "last_heartbeat": presence.last_seen.map(|at| at.to_string()),
    })))
}

pub(super) async fn quality(asker: Asker<'_>, payload: Payload<'_>) -> Result<Done, Error> {
    let measured: QualityBody = payload.read()?;
    let body: CallBody = payload.read()?;
    let mut checks = Checks::new();
    let call = reference(&mut checks, body.call_id);
    let call = checks.finish(call)?;
    let measured = measured.measured()?;
    let calls = asker.engine().calls();
    let actor = asker.person.actor();
    // By its id: a call that goes by two names is counted once.
    let call = calls.own_call(actor, &call).await?.id;
    asker
        .sockets
        .spend_on(LimitName::Quality, asker.person, call)
        .await?;
    let sample = calls.record_quality(actor, &call.into(), measured).await?;
    let recorded = serde_json::to_value(RecordedLine::from(sample));
    Ok(Done::with(recorded.unwrap_or_default()))
}
