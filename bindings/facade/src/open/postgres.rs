//! Opens a PostgreSQL database.

use std::sync::Arc;

use telemed_core::store::StoreErrorKind;
use telemed_storage_postgres::{OpenError as PostgresError, PostgresOptions, PostgresStore};

use crate::config::Config;
use crate::open::{OpenError, Store};

/// Opens the database at this URL. Of the URL, which may hold a password, nothing is shown.
pub(super) async fn open(config: &Config, url: &str) -> Result<Store, OpenError> {
    let options = PostgresOptions {
        create: config.create,
        relaxed_durability: config.relaxed_durability,
        ..PostgresOptions::default()
    };
    match PostgresStore::open(url, &options).await {
        Ok(store) => Ok(Store {
            bus: store.bus(),
            limiter: Arc::new(store.limiter()),
            storage: Arc::new(store),
        }),
        Err(error) => Err(OpenError::Unusable {
            database: "the PostgreSQL database".to_owned(),
            reason: format!("{error}{}", advice(&error)),
        }),
    }
}

/// What an operator can do.
fn advice(error: &PostgresError) -> &'static str {
    match error {
        PostgresError::Newer { .. } | PostgresError::Unsuitable => "",
        PostgresError::Absent => ": check the address",
        PostgresError::Changed { .. } => ": use the program that made it",
        PostgresError::Foreign => ": name another database, or another schema of it",
        PostgresError::Store(error) => match error.kind {
            StoreErrorKind::StorageFull => ": make room on its disk",
            StoreErrorKind::Corrupt => ": put it back from your backup",
            StoreErrorKind::Unavailable => {
                "; check that PostgreSQL runs, and that the host, user, password and database of \
                 the address are right"
            }
            StoreErrorKind::Internal => {
                "; check the address, and that its user may make tables in the database"
            }
        },
    }
}
