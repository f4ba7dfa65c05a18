//! Calls: who calls whom, how it goes, and how good the connection is. The media go from device
//! to device; the server owns the state of a call.

mod answer;
mod call;
mod connect;
mod hang_up;
mod history;
mod ice;
mod initiate;
mod machine;
pub(crate) mod memory;
mod quality;
mod record_quality;
mod relay;
mod service;
mod settings;
mod signal;
mod store;

pub use answer::AcceptCall;

pub use call::{
    Call, CallKind, CallParty, CallProgress, CallSide, CallState, CallStatus, ClientCallId,
    DeviceId, EndReason, room_of,
};
pub use hang_up::HangUp;
pub use history::CallStatistics;
pub use ice::{IceServer, IceSettings, TurnCredential};
pub use initiate::{InitiateCall, Initiated};
pub use machine::{CallAction, Decision, decide};
pub use quality::{
    Measured, NamedSample, PartyQuality, QualityGrade, QualityHint, QualitySample, Resolution,
    assessment, figure,
};
pub(crate) use relay::Relay;
pub use relay::SignalKind;
pub use service::CallReference;
pub use settings::CallSettings;
pub use signal::SendSignal;
pub use store::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, CallFilter, CallRow, CallStore, CallTally,
    NewCall, StartCall, StartCallOutcome,
};

crate::engine::operations! {
    /// Calls, their signals and their quality.
    Calls
}
