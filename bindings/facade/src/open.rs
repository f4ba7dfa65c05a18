//! Opens an engine: the store, the keys, and everything that core is given from outside.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemed_core::crypto::{FixedKeyProvider, KeyProvider, KeyProviderError};
use telemed_core::env::Entropy;
use telemed_core::identity::{PasswordHasher, TokenSigner};
use telemed_core::journal::{CheckpointSink, EventBus, LocalBus, MemoryCheckpoints};
use telemed_core::limits::{LocalLimiter, RateLimiter};
use telemed_core::memory::MemoryStorage;
use telemed_core::store::{Storage, StoreError};
use telemed_core::{Engine, EngineParts, KEY_CHECK};

use crate::checkpoints::FileCheckpoints;
use crate::config::{Config, Database, DatabaseError};
use crate::entropy::SystemEntropy;
use crate::files::{make_private_file, make_private_folder, read_made_file};
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
    #[error("{database} cannot be opened: {reason}")]
    Unusable {
        /// The database: its path; of its address, which may hold a password, nothing is shown.
        database: String,
        /// What is the matter and what to do.
        reason: String,
    },
    /// A file of the data folder cannot be read or made.
    #[error("{} cannot be read or made: {error}; check who owns it and its folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// There is something else in the place of the file by which a server of several is known.
    #[error(
        "{} is not the name that a server gave itself: remove it, and a new one is made", .0.display()
    )]
    ServerName(PathBuf),
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

/// An engine that was opened, and what the host keeps of it.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) limiter: Arc<dyn RateLimiter>,
}

/// Opens the engine of a configuration.
pub(crate) async fn open(config: &Config) -> Result<Opened, OpenError> {
    if !SystemEntropy.works() {
        return Err(OpenError::NoEntropy);
    }
    let database = Database::parse(&config.database)?;
    let (data, key_dir) = config.folders(&database);
    let (store, outside) = match &database {
        Database::Memory => (in_memory(), None),
        Database::Sqlite(path) => {
            if !config.create && !path.exists() {
                return Err(OpenError::NoDatabase(path.clone()));
            }
            make_folder(&data)?;
            (
                on_sqlite(config, path).await?,
                Some(KeyFolder::new(key_dir)),
            )
        }
        Database::Postgres(url) => {
            let store = on_postgres(config, url).await?;
            make_folder(&data)?;
            (store, Some(KeyFolder::new(key_dir)))
        }
    };
    let keys = match &outside {
        None => passing_keys(config),
        // Keys are made for a new database only: new ones would not open what is in an old one.
        Some(folder) => {
            let known = store.storage.installation_value(KEY_CHECK).await?;
            keys_of(config, folder, known.is_some())?
        }
    };
    let parts = EngineParts {
        storage: Arc::clone(&store.storage),
        bus: store.bus,
        clock: Arc::clone(&config.clock),
        entropy: Arc::clone(&config.entropy),
        hasher: hasher(config),
        signer: keys.signer,
        notifier: Arc::clone(&config.notifier),
        checkpoints: match &config.checkpoints {
            Some(checkpoints) => Arc::clone(checkpoints),
            None => checkpoints(config, &database, &data)?,
        },
        settings: config.settings.clone(),
    };
    let engine = Engine::open(parts, &*keys.tenant)
        .await
        .map_err(|error| match error {
            telemed_core::OpenError::Keys(error) => OpenError::KeyProvider(error),
            telemed_core::OpenError::KeysDoNotMatch => {
                OpenError::KeysDoNotMatch { keys: keys.from }
            }
            telemed_core::OpenError::Store(error) => OpenError::Store(error),
        })?;
    if let Some((folder, keys)) = keys.signing
        && !know_signing_keys(&*store.storage, &keys).await?
    {
        return Err(OpenError::SigningKeysDoNotMatch(folder));
    }
    Ok(Opened {
        engine,
        storage: store.storage,
        limiter: store.limiter,
    })
}

/// What depends on where the data are.
struct Store {
    storage: Arc<dyn Storage>,
    bus: Arc<dyn EventBus>,
    limiter: Arc<dyn RateLimiter>,
}

impl Store {
    /// A store that no other server reaches.
    fn alone(storage: Arc<dyn Storage>, bus: Arc<LocalBus>) -> Self {
        Self {
            storage,
            bus,
            limiter: Arc::new(LocalLimiter::default()),
        }
    }
}

fn in_memory() -> Store {
    let bus = Arc::new(LocalBus::default());
    Store::alone(Arc::new(MemoryStorage::new(bus.clone())), bus)
}

#[cfg(feature = "sqlite")]
async fn on_sqlite(config: &Config, path: &Path) -> Result<Store, OpenError> {
    let bus = Arc::new(LocalBus::default());
    Ok(Store::alone(
        sqlite::open(config, path, bus.clone()).await?,
        bus,
    ))
}

#[cfg(not(feature = "sqlite"))]
async fn on_sqlite(_config: &Config, _path: &Path) -> Result<Store, OpenError> {
    Err(DatabaseError::NotInThisBuild("SQLite").into())
}

#[cfg(feature = "postgres")]
use postgres::open as on_postgres;

#[cfg(not(feature = "postgres"))]
async fn on_postgres(_config: &Config, _url: &str) -> Result<Store, OpenError> {
    Err(DatabaseError::NotInThisBuild("PostgreSQL").into())
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    make_private_folder(path).map_err(|error| OpenError::Folder {
        path: path.to_owned(),
        error,
    })
}

/// The keys of an installation.
struct Keys {
    tenant: Arc<dyn KeyProvider>,
    /// Where they came from, as an error says it.
    from: String,
    signer: Arc<dyn TokenSigner>,
    /// The folder of `signing.key` and what is in it, if the signer is ours.
    signing: Option<(PathBuf, Vec<KeyCheck>)>,
}

/// Nothing is kept, so nothing is written either: keys stay in this process.
fn passing_keys(config: &Config) -> Keys {
    let entropy = &*config.entropy;
    let made = || FixedKeyProvider::of(passing_tenant_keys(entropy));
    Keys {
        tenant: config.keys.clone().unwrap_or_else(|| Arc::new(made())),
        from: "the configuration".to_owned(),
        signer: match &config.signer {
            Some(signer) => Arc::clone(signer),
            None => Arc::new(passing_signer(entropy)),
        },
        signing: None,
    }
}

fn keys_of(config: &Config, folder: &KeyFolder, is_known: bool) -> Result<Keys, OpenError> {
    let (tenant, from): (Arc<dyn KeyProvider>, String) = match &config.keys {
        Some(keys) => (Arc::clone(keys), "the host's key provider".to_owned()),
        None => {
            let keys = folder.tenant_keys(is_known, &*config.entropy)?;
            let from = format!("in {}", folder.path().display());
            (Arc::new(FixedKeyProvider::of(keys)), from)
        }
    };
    let mut signing = None;
    let signer: Arc<dyn TokenSigner> = match &config.signer {
        Some(signer) => Arc::clone(signer),
        None => {
            let signer = folder.signer(is_known, &*config.entropy)?;
            signing = Some((folder.path().to_owned(), signer.checks().to_vec()));
            Arc::new(signer)
        }
    };
    Ok(Keys {
        tenant,
        from,
        signer,
        signing,
    })
}

const CHECKPOINTS: &str = "audit-checkpoints.log";
/// The file by which a server of several is known to the database.
const SERVER_NAME: &str = "server.id";

fn checkpoints(
    config: &Config,
    database: &Database,
    data: &Path,
) -> Result<Arc<dyn CheckpointSink>, OpenError> {
    let path = data.join(CHECKPOINTS);
    Ok(match database {
        Database::Memory => Arc::new(MemoryCheckpoints::default()),
        Database::Sqlite(_) => Arc::new(FileCheckpoints::new(path)),
        Database::Postgres(_) => {
            let name = server_name(&data.join(SERVER_NAME), &*config.entropy)?;
            Arc::new(FileCheckpoints::of_server(path, name))
        }
    })
}

/// The name that the servers of a data folder go by, which is made at the first start.
fn server_name(path: &Path, entropy: &dyn Entropy) -> Result<String, OpenError> {
    let failed = |error| OpenError::File {
        path: path.to_owned(),
        error,
    };
    if !path.exists() {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let text = format!("{:032x}\n", u128::from_be_bytes(random));
        make_private_file(path, text.as_bytes(), entropy).map_err(failed)?;
    }
    let text = read_made_file(path).map_err(failed)?;
    let name = text.trim();
    if name.len() != 32 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(OpenError::ServerName(path.to_owned()));
    }
    Ok(name.to_owned())
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

#[cfg(all(test, feature = "sqlite"))]
mod tests;
