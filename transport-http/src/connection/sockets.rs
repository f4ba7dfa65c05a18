//! What the surfaces of sockets share.

use std::sync::Arc;

use telemed_core::Engine;
use telemed_core::error::Error;
use telemed_core::limits::LimitName;

use super::hub::{Hub, SocketConfig};
use super::person::Person;
use crate::auth::HasEngine;
use crate::surface::Shared;

/// The engine, what all surfaces share, and every socket. Copies are the same.
#[derive(Clone)]
pub(crate) struct Sockets {
    engine: Engine,
    shared: Arc<Shared>,
    hub: Arc<Hub>,
}

impl Sockets {
    pub(crate) fn new(engine: &Engine, shared: &Arc<Shared>, config: SocketConfig) -> Self {
        Self {
            engine: engine.clone(),
            hub: Hub::new(config),
            shared: Arc::clone(shared),
        }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(crate) fn config(&self) -> &SocketConfig {
        self.hub.config()
    }

    pub(crate) fn shared_state(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Counts something that somebody does, together with what he does over HTTP.
    ///
    /// # Errors
    /// [`telemed_core::Code::RateLimited`] with the time to wait.
    pub(crate) async fn spend(&self, name: LimitName, person: &Person) -> Result<(), Error> {
        let now = self.engine.now();
        self.shared.limits().spend(name, person.actor(), now).await
    }

    /// Counts something that somebody does to one thing of many.
    ///
    /// # Errors
    /// As [`Sockets::spend`].
    pub(crate) async fn spend_on(
        &self,
        name: LimitName,
        person: &Person,
        thing: impl std::fmt::Display,
    ) -> Result<(), Error> {
        let limits = self.shared.limits();
        let now = self.engine.now();
        limits.spend_on(name, person.actor(), thing, now).await
    }
}

impl HasEngine for Sockets {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }
}
