//! Calls: who calls whom, how it goes, and how good the connection is. The media go from device
//! to device; the server owns the state of a call.

mod call;
mod machine;
pub(crate) mod memory;
mod quality;
mod store;

pub use call::{
    Call, CallKind, CallParty, CallProgress, CallSide, CallState, CallStatus, ClientCallId,
    DeviceId, EndReason, room_of,
};
pub use machine::{CallAction, Decision, decide};
pub use quality::{
    Measured, NamedSample, PartyQuality, QualityGrade, QualityHint, QualitySample, Resolution,
    assessment,
};
pub use store::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, CallFilter, CallRow, CallStore, CallTally,
    NewCall, StartCall, StartCallOutcome,
};
