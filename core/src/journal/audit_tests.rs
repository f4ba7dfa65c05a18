//! The audit trail against somebody who can change what is stored.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use uuid::Uuid;

use super::audit::{Checkpoint, CheckpointSink};
use super::{
    AuditFault, AuditHead, AuditRow, LocalBus, MemoryCheckpoints, Resource, Subject, Write,
};
use crate::actor::ActorReference;
use crate::crypto::FixedKeyProvider;
use crate::engine::{Engine, EngineParts, Settings};
use crate::env::{Clock, ManualClock, SeededEntropy};
use crate::error::Code;
use crate::id::AuditId;
use crate::identity::{HmacTokenSigner, Pbkdf2Hasher};
use crate::journal::JournalStore;
use crate::memory::MemoryStorage;
use crate::notifications::MemoryNotifier;
use crate::store::{Intercepted, Interceptor};
use crate::time::Timestamp;

/// Checkpoints that claim to outlive the process, as a file does.
#[derive(Default)]
struct Lasting(
    MemoryCheckpoints,
    std::sync::atomic::AtomicBool,
    Option<&'static str>,
);

impl CheckpointSink for Lasting {
    fn keep(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        self.0.keep(checkpoint)
    }

    fn newest(&self) -> std::io::Result<Option<Checkpoint>> {
        if self.is_emptied() {
            Ok(None)
        } else {
            self.0.newest()
        }
    }

    fn all(&self) -> std::io::Result<Vec<Checkpoint>> {
        if self.is_emptied() {
            Ok(Vec::new())
        } else {
            self.0.all()
        }
    }

    fn name(&self) -> Option<&str> {
        self.2
    }
}

impl Lasting {
    fn of_server(name: &'static str) -> Arc<Self> {
        let (kept, is_emptied) = <(MemoryCheckpoints, std::sync::atomic::AtomicBool)>::default();
        Arc::new(Self(kept, is_emptied, Some(name)))
    }

    fn empty(&self) {
        self.1.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    fn is_emptied(&self) -> bool {
        self.1.load(std::sync::atomic::Ordering::SeqCst)
    }
}

struct Desk {
    engine: Engine,
    storage: Arc<MemoryStorage>,
    checkpoints: Arc<Lasting>,
    clock: Arc<ManualClock>,
}

impl Desk {
    async fn open() -> Self {
        Self::over(Arc::new(Lasting::default())).await
    }

    async fn over(checkpoints: Arc<Lasting>) -> Self {
        let bus = Arc::new(LocalBus::default());
        let storage = Arc::new(MemoryStorage::new(bus.clone()));
        Self::at(storage.clone(), storage, bus, checkpoints).await
    }

    /// Another server of the same database; something may stand between the two.
    async fn beside(
        &self,
        storage: Arc<dyn crate::store::Storage>,
        checkpoints: Arc<Lasting>,
    ) -> Self {
        let bus = Arc::new(LocalBus::default());
        Self::at(self.storage.clone(), storage, bus, checkpoints).await
    }

    async fn at(
        rows: Arc<MemoryStorage>,
        storage: Arc<dyn crate::store::Storage>,
        bus: Arc<LocalBus>,
        checkpoints: Arc<Lasting>,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_900_000_000_000_000,
        )));
        let entropy = Arc::new(SeededEntropy::new(5));
        let parts = EngineParts {
            storage,
            bus,
            clock: clock.clone(),
            entropy: entropy.clone(),
            hasher: Arc::new(Pbkdf2Hasher::new(1, entropy)),
            signer: Arc::new(HmacTokenSigner::new([1; 32])),
            notifier: Arc::new(MemoryNotifier::default()),
            checkpoints: checkpoints.clone(),
            settings: Settings::default(),
        };
        let engine = Engine::open(parts, &FixedKeyProvider::new([2; 32]))
            .await
            .unwrap();
        Self {
            engine,
            storage: rows,
            checkpoints,
            clock,
        }
    }

    /// Does something that leaves an audit row.
    async fn act(&self) {
        let at = self.clock.now();
        let write = Write {
            at,
            actor: ActorReference::Operator,
            audit: AuditRow {
                id: AuditId::new(Uuid::from_u128(at.micros().unsigned_abs().into())),
                at,
                actor: ActorReference::Operator,
                session: None,
                action: "patient.read".to_owned(),
                subject: Subject::number(Resource::Patient, 7),
                data: Map::new(),
            },
            events: vec![],
            drop_jobs: vec![],
            jobs: vec![],
            idempotency: None,
        };
        self.storage.record(&write).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
    }

    async fn sealed(&self, rows: u32) {
        for _ in 0..rows {
            self.act().await;
            self.engine.seal_audit().await.unwrap();
        }
    }

    async fn fault(&self) -> Option<AuditFault> {
        self.engine.verify_audit().await.unwrap().fault
    }
}

#[tokio::test]
async fn a_whole_trail_is_whole() {
    let desk = Desk::open().await;
    assert_eq!(desk.fault().await, None);
    desk.sealed(5).await;
    desk.act().await;
    let report = desk.engine.verify_audit().await.unwrap();
    assert_eq!((report.rows, report.fault), (6, None));
}

#[tokio::test]
async fn an_older_database_is_not_signed_and_stays_red() {
    let desk = Desk::open().await;
    desk.sealed(5).await;
    // The database of another day, beside the checkpoints of this one.
    let restored = Desk::over(desk.checkpoints.clone()).await;
    restored.clock.advance(Duration::from_millis(500));
    restored.act().await;
    let refused = restored.engine.seal_audit().await.unwrap_err();
    assert_eq!(refused.code, Code::AuditBroken);
    for _ in 0..9 {
        restored.act().await;
        assert!(restored.engine.seal_audit().await.is_err());
    }
    // It is longer than any checkpoint now, and every checkpoint disproves it.
    assert_eq!(restored.fault().await, Some(AuditFault::Rewritten(1)));
    restored.engine.accept_audit().await.unwrap();
    assert_eq!(restored.engine.seal_audit().await.unwrap().count, 10);
}

#[tokio::test]
async fn checkpoints_that_were_taken_away_are_missed() {
    let desk = Desk::open().await;
    desk.sealed(3).await;
    desk.checkpoints.empty();
    assert_eq!(desk.fault().await, Some(AuditFault::CheckpointsGone));
    desk.act().await;
    assert_eq!(
        desk.engine.seal_audit().await.unwrap_err().code,
        Code::AuditBroken
    );
}

#[tokio::test]
async fn a_line_that_somebody_added_stops_nothing_and_is_told() {
    let desk = Desk::open().await;
    desk.sealed(3).await;
    let bogus = Checkpoint {
        head: AuditHead {
            count: u64::MAX,
            hash: [9; 32],
        },
        at: desk.clock.now(),
        key: desk.checkpoints.newest().unwrap().unwrap().key,
        signature: [7; 32],
    };
    desk.checkpoints.keep(&bogus).unwrap();
    desk.sealed(2).await;
    assert!(
        desk.checkpoints
            .all()
            .unwrap()
            .iter()
            .any(|checkpoint| checkpoint.head.count == 5)
    );
    assert_eq!(desk.fault().await, Some(AuditFault::Forged(u64::MAX)));
}

/// A server that does something and seals it before the next calls of a method that another
/// makes.
struct Colleague(Desk, std::sync::Mutex<(&'static str, u32)>);

impl Interceptor for &'static Colleague {
    fn before(&self, method: &'static str) -> crate::store::StoreResult<()> {
        let mut next = self.1.lock().unwrap();
        if next.0 == method && next.1 > 0 {
            next.1 -= 1;
            let work = std::pin::pin!(self.0.sealed(1));
            // The store in memory waits for nothing.
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(work.poll(&mut context).is_ready());
        }
        Ok(())
    }
}

#[tokio::test]
async fn servers_seal_and_check_one_trail_side_by_side() {
    let first = Desk::over(Lasting::of_server("first")).await;
    first.sealed(3).await;
    let storage = first.storage.clone();
    // It lives as long as the test does.
    let colleague: &'static Colleague = Box::leak(Box::new(Colleague(first, ("", 0).into())));
    let behind = Arc::new(Intercepted {
        store: storage,
        interceptor: colleague,
    });
    let second = colleague
        .0
        .beside(behind, Lasting::of_server("second"))
        .await;
    for method in [
        "newest_checkpoint",
        "seal_audit",
        "unsealed_audit_rows",
        "sealed_audit_rows",
        "audit_head",
        "keep_checkpoint",
    ] {
        for calls in 1..4 {
            colleague.0.act().await;
            *colleague.1.lock().unwrap() = (method, calls);
            second.engine.seal_audit().await.unwrap();
            colleague.0.act().await;
            *colleague.1.lock().unwrap() = (method, calls);
            assert_eq!(second.fault().await, None, "{method}, {calls} calls");
            assert!(
                colleague.1.lock().unwrap().1 < calls,
                "{method} is not called"
            );
        }
    }
    // The first of all, by two processes of one place.
    for method in ["seal_audit", "unsealed_audit_rows", "installation_value"] {
        for verify in [false, true] {
            let desk = Desk::over(Lasting::of_server("shared")).await;
            desk.act().await;
            let (storage, place) = (desk.storage.clone(), desk.checkpoints.clone());
            let colleague: &'static Colleague =
                Box::leak(Box::new(Colleague(desk, ("", 0).into())));
            let behind = Arc::new(Intercepted {
                store: storage,
                interceptor: colleague,
            });
            let beside = colleague.0.beside(behind, place).await;
            *colleague.1.lock().unwrap() = (method, 1);
            if verify {
                assert_eq!(beside.fault().await, None, "{method}");
            } else {
                beside.engine.seal_audit().await.unwrap();
            }
            assert_eq!(colleague.1.lock().unwrap().1, 0, "{method} is not called");
        }
    }
    // Each misses its own checkpoints and not those of the other.
    assert!(!second.checkpoints.all().unwrap().is_empty());
    colleague.0.checkpoints.empty();
    assert_eq!(second.fault().await, None);
    assert_eq!(colleague.0.fault().await, Some(AuditFault::CheckpointsGone));
}
