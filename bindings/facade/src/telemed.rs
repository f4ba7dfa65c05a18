//! An open engine with everything around it.

use std::sync::Arc;

use telemed_core::limits::RateLimiter;
use telemed_core::store::Storage;
use telemed_core::{Engine, Error};

use crate::config::Config;
use crate::jobs::{Driver, seal_once};
use crate::open::{OpenError, Opened, open};

/// An open engine, and what keeps it going: jobs, sealing, purging.
///
/// It has to be opened inside a Tokio runtime, on which its background tasks run. Close it at the
/// end; if it is only dropped, the tasks stop and the next start seals what was left open.
pub struct Telemed {
    engine: Engine,
    storage: Arc<dyn Storage>,
    limiter: Arc<dyn RateLimiter>,
    driver: Option<Driver>,
}

impl Telemed {
    /// Opens the engine of a configuration.
    ///
    /// # Errors
    /// [`OpenError`]: one line for the operator that says what to do.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let Opened {
            engine,
            storage,
            limiter,
        } = open(&config).await?;
        let driver = config.background.then(|| Driver::start(&engine));
        Ok(Self {
            engine,
            storage,
            limiter,
            driver,
        })
    }

    /// The engine, with all of its operations.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who counts how often something is done: all servers of a PostgreSQL together, else this
    /// process.
    #[must_use]
    pub fn limiter(&self) -> Arc<dyn RateLimiter> {
        Arc::clone(&self.limiter)
    }

    /// A value that the host has left in the database.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn host_value(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.storage.installation_value(&host_name(name)).await?)
    }

    /// Leaves a value in the database unless there is one under this name, and returns the one
    /// that is there then. It is never changed: by it a host knows a database again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim_host_value(&self, name: &str, value: &str) -> Result<String, Error> {
        let name = host_name(name);
        Ok(self.storage.claim_installation_value(&name, value).await?)
    }

    /// Stops the background tasks, seals the audit trail for the last time and lets go of the
    /// database. Copies of the engine that are still about keep it open.
    ///
    /// # Errors
    /// When the trail could not be sealed; everything is closed all the same.
    pub async fn close(self) -> Result<(), Error> {
        if let Some(driver) = self.driver {
            driver.stop().await;
        }
        let sealed = seal_once(&self.engine).await;
        let (engine, storage, limiter) = (self.engine, self.storage, self.limiter);
        // The last to let go waits for the threads of the store.
        let _ = tokio::task::spawn_blocking(move || drop((engine, storage, limiter))).await;
        sealed
    }
}

/// Names of the host's never meet those of the engine.
fn host_name(name: &str) -> String {
    format!("host/{name}")
}
