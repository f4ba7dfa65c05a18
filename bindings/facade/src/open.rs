//! Opens an engine: the store, the keys, and everything that core is given from outside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemed_core::crypto::{FixedKeyProvider, KeyProvider, KeyProviderError};
use telemed_core::identity::{PasswordHasher, TokenSigner};
use telemed_core::journal::{CheckpointSink, EventBus, LocalBus, MemoryCheckpoints};
use telemed_core::memory::MemoryStorage;
use telemed_core::store::{Storage, StoreError};
use telemed_core::{Engine, EngineParts, KEY_CHECK};

use crate::checkpoints::FileCheckpoints;
use crate::config::{Config, Database, DatabaseError};
use crate::entropy::SystemEntropy;
use crate::files::make_private_folder;
use crate::hashing::ArgonHasher;
use crate::keys::{KeyFileError, KeyFolder, passing_signer, passing_tenant_keys};
use crate::tokens::KeyCheck;

/// Why an engine does not open: one line for the operator that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration names no database that this build can open.
    #[error("{0}")]
    Database(#[from] DatabaseError),
    /// The database is not there and must not be made.
    #[error("there is no database at {}: check the path", .0.display())]
    NoDatabase(PathBuf),
    /// A folder cannot be made.
    #[error("the folder {} cannot be made: {error}; make it, or name another", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("the database {} cannot be opened: {reason}", path.display())]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What is the matter and what to do.
        reason: String,
    },
    /// The key files cannot be used.
    #[error("{0}")]
    Keys(#[from] KeyFileError),
    /// The host's own key provider gave no keys.
    #[error("there are no keys: {0}")]
    KeyProvider(KeyProviderError),
    /// The database was made with other keys.
    #[error(
        "these are not the keys that the database was made with ({keys}): use the key folder that \
         belongs to this database, or put its master.key back from your backup"
    )]
    KeysDoNotMatch {
        /// Where the keys came from.
        keys: String,
    },
    /// The database was made with other signing keys.
    #[error(
        "signing.key in {} has no key that this database was served with: put it back from your \
         backup; to change keys, write the new one above the old one and start once with both",
        .0.display()
    )]
    SigningKeysDoNotMatch(PathBuf),
    /// The store failed.
    #[error("the database does not answer: {0}; try again, and check the disk if it stays so")]
    Store(#[from] StoreError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: check that /dev/urandom is there")]
    NoEntropy,
}

/// Opens the engine of a configuration.
pub(crate) async fn open(config: &Config) -> Result<(Engine, Arc<dyn Storage>), OpenError> {
    if !SystemEntropy.works() {
        return Err(OpenError::NoEntropy);
    }
    let bus: Arc<dyn EventBus> = Arc::new(LocalBus::default());
    let base = match Database::parse(&config.database)? {
        Database::Memory => in_memory(config, &bus)?,
        Database::Sqlite(path) => on_sqlite(config, &path, &bus).await?,
    };
    let storage = Arc::clone(&base.storage);
    let parts = EngineParts {
        storage: base.storage,
        bus,
        clock: Arc::clone(&config.clock),
        entropy: Arc::clone(&config.entropy),
        hasher: hasher(config),
        signer: base.signer,
        notifier: Arc::clone(&config.notifier),
        checkpoints: base.checkpoints,
        settings: config.settings.clone(),
    };
    let engine = Engine::open(parts, &*base.keys)
        .await
        .map_err(|error| match error {
            telemed_core::OpenError::Keys(error) => OpenError::KeyProvider(error),
            telemed_core::OpenError::KeysDoNotMatch => OpenError::KeysDoNotMatch {
                keys: base.keys_from,
            },
            telemed_core::OpenError::Store(error) => OpenError::Store(error),
        })?;
    if let Some((folder, keys)) = base.signing_keys
        && !know_signing_keys(&*storage, &keys).await?
    {
        return Err(OpenError::SigningKeysDoNotMatch(folder));
    }
    Ok((engine, storage))
}

/// What depends on where the data are.
struct Base {
    storage: Arc<dyn Storage>,
    keys: Arc<dyn KeyProvider>,
    keys_from: String,
    signer: Arc<dyn TokenSigner>,
    /// The folder of `signing.key` and what is in it, if the signer is ours.
    signing_keys: Option<(PathBuf, Vec<KeyCheck>)>,
    checkpoints: Arc<dyn CheckpointSink>,
}

/// The name of the value by which a database knows its first signing key.
const SIGNING_KEY_CHECK: &str = "signing_key_check";

/// Whether these are signing keys of this database: at least one has to be known, and none may
/// go by the id of another. A database without any takes the oldest for its own; each that comes
/// beside a known one is known from then on, so that a key which is no longer used can go.
async fn know_signing_keys(storage: &dyn Storage, keys: &[KeyCheck]) -> Result<bool, StoreError> {
    let Some(oldest) = keys.last() else {
        return Ok(false);
    };
    let line = |key: &KeyCheck| format!("{} {}", key.id, key.value);
    let first = storage
        .claim_installation_value(SIGNING_KEY_CHECK, &line(oldest))
        .await?;
    let mut is_known = false;
    for key in keys {
        match storage.installation_value(&name_of(key)).await? {
            Some(value) if value == key.value => is_known = true,
            Some(_) => return Ok(false),
            None => is_known |= first == line(key),
        }
    }
    if !is_known {
        return Ok(false);
    }
    for key in keys {
        let value = storage
            .claim_installation_value(&name_of(key), &key.value)
            .await?;
        if value != key.value {
            return Ok(false);
        }
    }
    Ok(true)
}

fn name_of(key: &KeyCheck) -> String {
    format!("signing_key/{}", key.id)
}

fn hasher(config: &Config) -> Arc<dyn PasswordHasher> {
    match &config.hasher {
        Some(hasher) => Arc::clone(hasher),
        None => Arc::new(ArgonHasher::recommended(Arc::clone(&config.entropy))),
    }
}

/// Nothing is kept, so nothing is written either: keys and checkpoints stay in this process.
fn in_memory(config: &Config, bus: &Arc<dyn EventBus>) -> Result<Base, OpenError> {
    let entropy = &*config.entropy;
    let keys = config
        .keys
        .clone()
        .unwrap_or_else(|| Arc::new(FixedKeyProvider::of(passing_tenant_keys(entropy))));
    Ok(Base {
        storage: Arc::new(MemoryStorage::new(Arc::clone(bus))),
        keys,
        keys_from: "the configuration".to_owned(),
        signer: match &config.signer {
            Some(signer) => Arc::clone(signer),
            None => Arc::new(passing_signer(entropy)),
        },
        signing_keys: None,
        checkpoints: config
            .checkpoints
            .clone()
            .unwrap_or_else(|| Arc::new(MemoryCheckpoints::default())),
    })
}

async fn on_sqlite(
    config: &Config,
    path: &Path,
    bus: &Arc<dyn EventBus>,
) -> Result<Base, OpenError> {
    if !config.create && !path.exists() {
        return Err(OpenError::NoDatabase(path.to_owned()));
    }
    let (data_dir, key_dir) = config.folders(path);
    make_private_folder(&data_dir).map_err(|error| OpenError::Folder {
        path: data_dir.clone(),
        error,
    })?;
    let storage = open_sqlite(config, path, bus).await?;
    // Keys are made for a new database only: new ones would not open what is in an old one.
    let is_known = storage.installation_value(KEY_CHECK).await?.is_some();
    let folder = KeyFolder::new(key_dir);
    let (keys, keys_from): (Arc<dyn KeyProvider>, String) = match &config.keys {
        Some(keys) => (Arc::clone(keys), "the host's key provider".to_owned()),
        None => {
            let keys = folder.tenant_keys(is_known, &*config.entropy)?;
            let from = format!("in {}", folder.path().display());
            (Arc::new(FixedKeyProvider::of(keys)), from)
        }
    };
    let mut signing_keys = None;
    let signer: Arc<dyn TokenSigner> = match &config.signer {
        Some(signer) => Arc::clone(signer),
        None => {
            let signer = folder.signer(is_known, &*config.entropy)?;
            signing_keys = Some((folder.path().to_owned(), signer.checks().to_vec()));
            Arc::new(signer)
        }
    };
    let checkpoints: Arc<dyn CheckpointSink> = match &config.checkpoints {
        Some(checkpoints) => Arc::clone(checkpoints),
        None => Arc::new(FileCheckpoints::new(data_dir.join("audit-checkpoints.log"))),
    };
    Ok(Base {
        storage,
        keys,
        keys_from,
        signer,
        signing_keys,
        checkpoints,
    })
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(
    config: &Config,
    path: &Path,
    bus: &Arc<dyn EventBus>,
) -> Result<Arc<dyn Storage>, OpenError> {
    use crate::files::make_private_file;
    use telemed_core::store::StoreErrorKind;
    use telemed_storage_sqlite::{OpenError as SqliteError, SqliteOptions, SqliteStore};

    let unusable = |reason: String| OpenError::Unusable {
        path: path.to_owned(),
        reason,
    };
    // SQLite would make the file for everybody to read. An empty file is an empty database, and
    // its log and its index take over its mode.
    if !path.exists() {
        make_private_file(path, &[], &*config.entropy)
            .map_err(|error| unusable(format!("{error}; check its folder")))?;
    }
    let options = SqliteOptions {
        relaxed_durability: config.relaxed_durability,
        ..SqliteOptions::default()
    };
    let (file, bus) = (path.to_owned(), Arc::clone(bus));
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&file, &options, bus)).await;
    match opened {
        Ok(Ok(store)) => Ok(Arc::new(store)),
        Ok(Err(error)) => {
            let advice = match &error {
                SqliteError::Newer { .. } => "",
                SqliteError::Changed { .. } => ": use the program that made it",
                SqliteError::Foreign => ": name another file",
                SqliteError::Store(error) => match error.kind {
                    StoreErrorKind::StorageFull => ": make room on the disk",
                    StoreErrorKind::Corrupt => ": put it back from your backup",
                    StoreErrorKind::Unavailable | StoreErrorKind::Internal => {
                        "; check that the file and its folder can be written, and that no other \
                         program holds it locked"
                    }
                },
            };
            Err(unusable(format!("{error}{advice}")))
        }
        Err(error) => Err(unusable(format!("its threads do not start: {error}"))),
    }
}

#[cfg(not(feature = "sqlite"))]
async fn open_sqlite(
    _config: &Config,
    _path: &Path,
    _bus: &Arc<dyn EventBus>,
) -> Result<Arc<dyn Storage>, OpenError> {
    Err(DatabaseError::NotInThisBuild("SQLite").into())
}

#[cfg(all(test, feature = "sqlite"))]
mod tests;
