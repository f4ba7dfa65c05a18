//! Opens a SQLite database.

use std::path::Path;
use std::sync::Arc;

use telemed_core::journal::LocalBus;
use telemed_core::store::{Storage, StoreErrorKind};
use telemed_storage_sqlite::{OpenError as SqliteError, SqliteOptions, SqliteStore};

use crate::config::Config;
use crate::files::make_private_file;
use crate::open::OpenError;

/// Opens the database at this path, which is made if there is none.
pub(super) async fn open(
    config: &Config,
    path: &Path,
    bus: Arc<LocalBus>,
) -> Result<Arc<dyn Storage>, OpenError> {
    let unusable = |reason: String| OpenError::Unusable {
        database: format!("the database {}", path.display()),
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
    let file = path.to_owned();
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
