//! The stores that the suite runs on.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use telemed_core::journal::{EventBus, LocalBus};
use telemed_core::memory::MemoryStorage;
use telemed_core::store::Storage;
use telemed_storage_sqlite::{SqliteOptions, SqliteStore};

/// A store to be tested.
#[async_trait]
pub trait StoreUnderTest: Send + Sync + 'static {
    /// The name in front of its cases.
    fn name(&self) -> &'static str;

    /// An empty database of its own.
    async fn fresh(&self) -> Fixture;
}

/// An empty store and what has to live as long as it is used.
pub struct Fixture {
    /// The store.
    pub storage: Arc<dyn Storage>,
    /// The bus on which it announces its commits.
    pub bus: Arc<dyn EventBus>,
    // After the store: a directory must not go before the files in it are closed.
    _guard: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A store, its bus, and a guard that is dropped after both.
    pub fn new(
        storage: Arc<dyn Storage>,
        bus: Arc<dyn EventBus>,
        guard: impl Any + Send + Sync,
    ) -> Self {
        Self {
            storage,
            bus,
            _guard: Box::new(guard),
        }
    }
}

/// The in-memory store of core.
pub struct MemoryUnderTest;

#[async_trait]
impl StoreUnderTest for MemoryUnderTest {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn fresh(&self) -> Fixture {
        let bus = Arc::new(LocalBus::new(4096));
        Fixture::new(Arc::new(MemoryStorage::new(bus.clone())), bus, ())
    }
}

/// SQLite, in a directory of its own.
pub struct SqliteUnderTest;

#[async_trait]
impl StoreUnderTest for SqliteUnderTest {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn fresh(&self) -> Fixture {
        let bus = Arc::new(LocalBus::new(4096));
        let directory = tempfile::tempdir().unwrap();
        // Nothing here tests the disk; the store's own tests do.
        let options = SqliteOptions {
            relaxed_durability: true,
            ..SqliteOptions::default()
        };
        let path = directory.path().join("telemed.db");
        let store = SqliteStore::open(path, &options, bus.clone()).unwrap();
        Fixture::new(Arc::new(store), bus, directory)
    }
}
