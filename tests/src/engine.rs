//! An engine over any store, with a clock that stands and randomness that repeats.

use std::sync::Arc;

use telemed_core::crypto::FixedKeyProvider;
use telemed_core::env::{ManualClock, SeededEntropy};
use telemed_core::identity::{HmacTokenSigner, Pbkdf2Hasher};
use telemed_core::journal::{EventBus, MemoryCheckpoints};
use telemed_core::notifications::MemoryNotifier;
use telemed_core::store::Storage;
use telemed_core::{Engine, EngineParts, OpenError, Settings};

/// Opens an engine; the same seed over the same content makes the same ids and keys.
///
/// # Errors
/// As [`Engine::open`].
pub async fn open(
    storage: Arc<dyn Storage>,
    bus: Arc<dyn EventBus>,
    clock: Arc<ManualClock>,
    notifier: Arc<MemoryNotifier>,
    seed: u64,
) -> Result<Engine, OpenError> {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let parts = EngineParts {
        storage,
        bus,
        clock,
        // A costly hash would only cost time.
        hasher: Arc::new(Pbkdf2Hasher::new(1, entropy.clone())),
        entropy,
        signer: Arc::new(HmacTokenSigner::new([8; 32])),
        notifier,
        checkpoints: Arc::new(MemoryCheckpoints::default()),
        settings: Settings::default(),
    };
    Engine::open(parts, &FixedKeyProvider::new([9; 32])).await
}
