//! What every write leaves behind: events, jobs, idempotency keys and audit rows, all in the
//! transaction of their effect; and the machinery that reads them: the bus, the job runner, the
//! sealer and the verifier of the audit trail.

pub mod audit;
#[cfg(test)]
mod audit_tests;
mod bus;
mod event;
mod frame;
mod idempotency;
mod job;
mod local_bus;
pub(crate) mod memory;
mod read_events;
mod run_due;
mod seal_audit;
mod store;
mod verify_audit;
mod write;

pub use audit::{
    AuditHead, AuditRow, Checkpoint, CheckpointSink, MemoryCheckpoints, SealedAuditRow,
};
pub use bus::{EventBus, Subscription, SubscriptionItem};
pub use event::{Audience, Event, EventKind, EventSpan, LoggedEvent};
pub use frame::{Frame, FrameKind, PassedSignal};
pub use idempotency::{IdempotencyKey, KeyClaim, KeyRecord};
pub use job::{ClaimedJob, Job, JobEnd, JobKind, JobSelector};
pub use local_bus::LocalBus;
pub use read_events::EventPage;
pub use run_due::RunReport;
pub use store::{AuditStore, JournalStore, Retention};
pub use verify_audit::{AuditFault, AuditReport};
pub use write::{Resource, Subject, SubjectId, Write};
