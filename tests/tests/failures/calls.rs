//! The operations of calls and presence, what has to be there before them, and what they have done.

use std::sync::Arc;

use telemed_core::actor::{Actor, Role};
use telemed_core::calls::{
    AcceptCall, CallFilter, CallKind, CallReference, ClientCallId, DeviceId, EndReason, HangUp,
    InitiateCall, Measured, SendSignal, SignalKind,
};
use telemed_core::id::CallId;
use telemed_core::journal::IdempotencyKey;
use telemed_core::page::PageRequest;
use telemed_core::presence::{Lease, PresenceStatus, SayPresence};
use telemed_core::value::JsonText;
use telemed_core::{Engine, Error};
use telemed_tests::dump::Dump;
use telemed_tests::engine;

use super::operation::Operation;
use super::scene::Scene;

/// What was there before an operation of calls.
#[derive(Clone)]
pub struct Begun {
    /// The patient calls the doctor.
    call: CallId,
    /// The patient's socket.
    socket: Lease,
}

/// How far the call of a scene has come.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Initiated,
    Accepted,
    Connected,
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn initiate(scene: &Scene, client_id: Option<&str>) -> InitiateCall {
    InitiateCall {
        callee: Scene::id(&scene.doctor),
        appointment: Some(scene.pending),
        kind: CallKind::Video,
        client_id: client_id.map(|id| ClientCallId::new(id).unwrap()),
        device: Some(device("phone")),
        by_socket: false,
    }
}

fn accepting(call: CallReference) -> AcceptCall {
    AcceptCall {
        call,
        device: Some(device("desk")),
        by_socket: true,
    }
}

fn measured(round_trip: f64) -> Measured {
    Measured {
        round_trip: Some(round_trip),
        ..Measured::default()
    }
}

impl Operation {
    /// Where the call stands that there is before it; none where there is none.
    fn stage(self) -> Option<Stage> {
        match self {
            Self::RingCall | Self::AcceptCall | Self::DeclineCall | Self::RunRingDeadline => {
                Some(Stage::Initiated)
            }
            Self::ReportConnected | Self::SendSignal => Some(Stage::Accepted),
            Self::HangUpCall
            | Self::RecordQuality
            | Self::ReadCalls
            | Self::RenewSockets
            | Self::CloseSocket
            | Self::LoseSocket => Some(Stage::Connected),
            _ => None,
        }
    }

    /// Whether what follows from it after its commit may fail without its saying so: who is told
    /// of the presence of somebody is told with the next change.
    pub fn may_hide_a_failure(self) -> bool {
        matches!(
            self,
            Self::InitiateCall
                | Self::InitiateNamedCall
                | Self::RingCall
                | Self::AcceptCall
                | Self::DeclineCall
                | Self::HangUpCall
                | Self::ReportConnected
                | Self::SendSignal
                | Self::SayPresence
                | Self::OpenSocket
                | Self::RenewSockets
        )
    }

    /// Makes what has to be there before it, past the tripwire.
    pub async fn prepare(self, scene: &mut Scene) {
        let Some(stage) = self.stage() else { return };
        let (clock, notifier) = (Arc::clone(&scene.clock), Arc::clone(&scene.notifier));
        let (storage, bus) = (scene.fixture.storage.clone(), scene.fixture.bus.clone());
        let plain = engine::open(storage, bus, clock, notifier, 5).await;
        let plain = plain.unwrap();
        let begun = begin(scene, &plain, &stage).await;
        if matches!(self, Self::RunRingDeadline | Self::LoseSocket) {
            scene.wait();
        }
        if self == Self::RunRingDeadline {
            // The caller is still there: what ends the call is the deadline.
            let open = [begun.socket.clone()];
            plain.presence().renew_sockets(&open).await.unwrap();
        }
        scene.live = Some(begun);
    }

    pub async fn calls(self, scene: &Scene, key: &str) -> Result<(), Error> {
        let engine = &scene.engine;
        let calls = engine.calls().keyed(IdempotencyKey::new(key).ok());
        let (doctor, patient) = (&scene.doctor, &scene.patient);
        let reference = || CallReference::from(scene.live().call);
        match self {
            Self::InitiateCall => {
                let begun = calls.initiate(patient, initiate(scene, None)).await?;
                assert!(!begun.is_glare);
            }
            // Without a key, the client's id is what it is known by.
            Self::InitiateNamedCall => {
                let request = initiate(scene, Some("c-1"));
                engine.calls().initiate(patient, request).await?;
            }
            Self::RingCall => calls.ring(doctor, &reference()).await?,
            Self::AcceptCall => {
                calls.accept(doctor, accepting(reference())).await?;
            }
            Self::DeclineCall => {
                let reason = EndReason::UserDeclined;
                calls.decline(doctor, &reference(), reason).await?;
            }
            Self::HangUpCall => {
                let request = HangUp {
                    call: reference(),
                    unanswered: false,
                    reported_duration: Some(7),
                };
                calls.hang_up(doctor, request).await?;
            }
            Self::ReportConnected => {
                calls.report_connected(patient, &reference()).await?;
            }
            Self::SendSignal => {
                let request = SendSignal {
                    call: reference(),
                    kind: SignalKind::Offer,
                    payload: JsonText::parse("\"an offer\"").unwrap(),
                    device: Some(device("phone")),
                };
                calls.signal(patient, request).await?;
            }
            Self::RecordQuality => {
                let call = reference();
                let sample = calls.record_quality(patient, &call, measured(90.0)).await?;
                assert_eq!(sample.user, Scene::id(patient));
            }
            _ => {
                let page = PageRequest::default();
                let listed = calls.history(doctor, CallFilter::default(), page).await?;
                assert_eq!(listed.items[0].quality[0].samples, 1);
                let named = CallReference::new("c-0").unwrap();
                calls.detail(patient, &named).await?;
                calls.detail(doctor, &reference()).await?;
                let samples = calls.quality_samples(doctor, &reference()).await?;
                assert_eq!(samples.len(), 1);
                assert_eq!(calls.statistics(doctor, None).await?.total, 1);
                assert_eq!(calls.live(doctor).await?.len(), 1);
            }
        }
        Ok(())
    }

    pub async fn presence(self, scene: &Scene) -> Result<(), Error> {
        let presence = scene.engine.presence();
        let (doctor, patient) = (&scene.doctor, &scene.patient);
        match self {
            Self::SayPresence => {
                let said = SayPresence {
                    status: PresenceStatus::Away,
                    current_call: None,
                    current_appointment: None,
                    device: None,
                    device_type: None,
                };
                let said = presence.say(doctor, said).await?;
                assert_eq!(said.status, PresenceStatus::Away);
            }
            Self::OpenSocket => {
                let device = Some(device("desk"));
                presence.open_socket(doctor, device, None).await?;
            }
            Self::RenewSockets => {
                let open = [scene.live().socket.clone()];
                presence.renew_sockets(&open).await?;
            }
            Self::CloseSocket => presence.close_socket(scene.live().socket.id).await?,
            Self::RunRingDeadline | Self::LoseSocket => {
                for _ in 0..3 {
                    scene.engine.run_due().await?;
                    scene.wait();
                }
            }
            _ => {
                presence.look(doctor, Scene::id(patient)).await?;
                presence.list(patient, Some(Role::Doctor)).await?;
                let users = [Scene::id(patient), Scene::id(doctor)];
                presence.are_online(&users).await?;
            }
        }
        Ok(())
    }
}

/// Begins the call of a scene, in which the patient has a socket, and lets it come so far.
async fn begin(scene: &Scene, plain: &Engine, stage: &Stage) -> Begun {
    let (calls, patient, doctor) = (plain.calls(), &scene.patient, &scene.doctor);
    let open = async |actor: &Actor, name| {
        let presence = plain.presence();
        presence.open_socket(actor, Some(device(name)), None).await
    };
    let socket = open(patient, "phone").await.unwrap();
    let request = initiate(scene, Some("c-0"));
    let begun = calls.initiate(patient, request).await;
    let call = begun.unwrap().call.id;
    let reference = CallReference::from(call);
    if *stage >= Stage::Accepted {
        let accepted = calls.accept(doctor, accepting(reference.clone())).await;
        accepted.unwrap();
    }
    if *stage >= Stage::Connected {
        let sample = calls.record_quality(patient, &reference, measured(80.0));
        sample.await.unwrap();
    }
    Begun { call, socket }
}

/// What is in the calls and leases, without the ids that core makes.
pub fn effects(dump: &Dump) -> Vec<String> {
    let mut lines = Vec::new();
    for (row, samples) in &dump.calls {
        let (call, progress) = (&row.call, &row.call.progress);
        let users = call.users();
        lines.push(format!(
            "call of {users:?} {} {:?} {} {}",
            progress.state,
            progress.end_reason,
            call.version,
            samples.len()
        ));
    }
    for lease in &dump.leases {
        lines.push(format!("lease {} {}", lease.user, lease.status));
    }
    lines
}
