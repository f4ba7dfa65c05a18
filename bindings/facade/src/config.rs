//! What a host decides before it opens an engine.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use telemed_core::Settings;
use telemed_core::crypto::KeyProvider;
use telemed_core::env::{Clock, Entropy};
use telemed_core::identity::{PasswordHasher, TokenSigner};
use telemed_core::journal::CheckpointSink;
use telemed_core::notifications::Notifier;

use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::files::folder_of;
use crate::log_notifier::LogNotifier;

/// What [`crate::Telemed::open`] is told. [`Config::new`] is enough for most hosts; set a field to
/// change something.
///
/// ```
/// use std::time::Duration;
/// use telemed_facade::Config;
///
/// let mut config = Config::new("sqlite:data/telemed.db");
/// config.settings.access_lifetime = Duration::from_secs(3600);
/// ```
#[non_exhaustive]
pub struct Config {
    /// Where the data are: `memory:` keeps them in this process, `sqlite:PATH` in a file,
    /// `postgres://USER:PASSWORD@HOST/DATABASE` in a PostgreSQL that several servers may share.
    pub database: String,
    /// The folder of what is kept beside the database, such as the checkpoints of the audit
    /// trail: one for each server. If it is not set, the folder of a SQLite database, and `data`
    /// in the working folder beside a PostgreSQL.
    pub data_dir: Option<PathBuf>,
    /// The folder of the key files, the same ones for all servers of a database. The data folder
    /// if it is not set.
    pub key_dir: Option<PathBuf>,
    /// Whether a database that is not there is made. A command that only looks at one says no.
    pub create: bool,
    /// Whether this process runs jobs, seals the audit trail and purges old rows in the
    /// background. A command that comes and goes beside a server says no.
    pub background: bool,
    /// Commit without waiting for the disk: a crash of the machine, not of the program, may lose
    /// the newest commits. For phones and tests; off otherwise.
    pub relaxed_durability: bool,
    /// How long tokens last, when patients are reminded, how often a password may be guessed, how
    /// long a call rings, by which servers two devices find to each other.
    pub settings: Settings,
    /// The clock: the machine's own if nothing else is set.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness, of which keys and salts are made too: the operating system's if
    /// nothing else is set.
    pub entropy: Arc<dyn Entropy>,
    /// Where notifications go: the log if nothing else is set.
    pub notifier: Arc<dyn Notifier>,
    /// How passwords are hashed: [`crate::ArgonHasher`] if it is not set.
    pub hasher: Option<Arc<dyn PasswordHasher>>,
    /// How access tokens are signed: [`crate::JwtSigner`] with `signing.key` if it is not set.
    pub signer: Option<Arc<dyn TokenSigner>>,
    /// Where the tenant keys come from: `master.key` if it is not set.
    pub keys: Option<Arc<dyn KeyProvider>>,
    /// Where checkpoints of the audit trail go: `audit-checkpoints.log` in the data folder if it
    /// is not set.
    pub checkpoints: Option<Arc<dyn CheckpointSink>>,
}

impl Config {
    /// A configuration for this database, with everything else as it usually is.
    #[must_use]
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            data_dir: None,
            key_dir: None,
            create: true,
            background: true,
            relaxed_durability: false,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            notifier: Arc::new(LogNotifier),
            hasher: None,
            signer: None,
            keys: None,
            checkpoints: None,
        }
    }

    /// The data folder and the key folder of a database.
    pub(crate) fn folders(&self, database: &Database) -> (PathBuf, PathBuf) {
        let data = match (&self.data_dir, database) {
            (Some(folder), _) => folder.clone(),
            (None, Database::Sqlite(path)) => folder_of(path).to_owned(),
            (None, Database::Memory | Database::Postgres(_)) => "data".into(),
        };
        let keys = self.key_dir.clone().unwrap_or_else(|| data.clone());
        (data, keys)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL of a database may hold a password.
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("key_dir", &self.key_dir)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Where the data are.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Database {
    Memory,
    Sqlite(PathBuf),
    /// A URL, which may hold a password.
    Postgres(String),
}

/// Why the text in [`Config::database`] names no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It begins with nothing that is known. It is not repeated: it may hold a password.
    #[error(
        "the database has to be `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/DATABASE`, or \
         `memory:` to keep nothing"
    )]
    Unknown,
    /// A SQLite database without a path.
    #[error("`sqlite:` needs a path, such as sqlite:data/telemed.db")]
    NoPath,
    /// SQLite's own database in memory.
    #[error("SQLite's database in memory is not offered: use `memory:`")]
    SqliteMemory,
    /// A database that this build cannot reach.
    #[error("this build has no {0} store: name another database")]
    NotInThisBuild(&'static str),
}

impl Database {
    pub(crate) fn parse(text: &str) -> Result<Self, DatabaseError> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return if cfg!(feature = "postgres") {
                Ok(Self::Postgres(text.to_owned()))
            } else {
                Err(DatabaseError::NotInThisBuild("PostgreSQL"))
            };
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseError::Unknown)?;
        // Others write the path behind two slashes; then a third begins an absolute one.
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => Err(DatabaseError::NoPath),
            ":memory:" => Err(DatabaseError::SqliteMemory),
            _ if !cfg!(feature = "sqlite") => Err(DatabaseError::NotInThisBuild("SQLite")),
            path => Ok(Self::Sqlite(path.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_named_by_url() {
        let sqlite = |path: &str| Ok(Database::Sqlite(path.into()));
        for (text, expected) in [
            ("memory:", Ok(Database::Memory)),
            ("sqlite:a.db", sqlite("a.db")),
            ("sqlite:data/a b.db", sqlite("data/a b.db")),
            ("sqlite:/var/a.db", sqlite("/var/a.db")),
            ("sqlite:///var/a.db", sqlite("/var/a.db")),
            ("sqlite://a.db", sqlite("a.db")),
            ("sqlite:", Err(DatabaseError::NoPath)),
            ("sqlite://", Err(DatabaseError::NoPath)),
            ("sqlite::memory:", Err(DatabaseError::SqliteMemory)),
            ("", Err(DatabaseError::Unknown)),
            ("a.db", Err(DatabaseError::Unknown)),
            ("memory", Err(DatabaseError::Unknown)),
            ("mysql://u:secret@h/d", Err(DatabaseError::Unknown)),
            ("postgres", Err(DatabaseError::Unknown)),
            ("postgres:telemed", Err(DatabaseError::Unknown)),
        ] {
            assert_eq!(Database::parse(text), expected, "{text}");
        }
        for text in ["postgres://u:secret@h/d", "postgresql:///d?host=/run"] {
            let expected = if cfg!(feature = "postgres") {
                Ok(Database::Postgres(text.to_owned()))
            } else {
                Err(DatabaseError::NotInThisBuild("PostgreSQL"))
            };
            assert_eq!(Database::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn folders_follow_the_database_unless_they_are_named() {
        let mut config = Config::new("sqlite:a/b.db");
        let sqlite = |path: &str| Database::Sqlite(path.into());
        let folders = |config: &Config, path: &str| config.folders(&sqlite(path));
        let shared = Database::Postgres("postgres://h/d".to_owned());
        assert_eq!(config.folders(&shared), ("data".into(), "data".into()));
        assert_eq!(folders(&config, "a/b.db"), ("a".into(), "a".into()));
        assert_eq!(folders(&config, "b.db"), (".".into(), ".".into()));
        config.data_dir = Some("d".into());
        assert_eq!(folders(&config, "a/b.db"), ("d".into(), "d".into()));
        config.key_dir = Some("k".into());
        assert_eq!(folders(&config, "a/b.db"), ("d".into(), "k".into()));
        assert_eq!(config.folders(&shared), ("d".into(), "k".into()));
    }
}
