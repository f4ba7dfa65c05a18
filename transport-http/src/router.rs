//! All surfaces of an engine in one router.

use std::sync::Arc;

use axum::Router;
use telemed_core::Engine;
use telemed_core::env::Clock;
use telemed_core::time::Timestamp;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{InfoBuilder, OpenApi};

use crate::auth::cookie::CookieConfig;
use crate::booking::{self, BookingConfig};
use crate::calls;
use crate::chat;
use crate::connection::{SocketConfig, Sockets};
use crate::cors::Cors;
use crate::limits::LimitConfig;
use crate::ops::{self, Metrics, Probe};
use crate::platform;
use crate::rawchat;
use crate::socketio;
use crate::surface::{RouteEntry, Shared, answer_unknown_paths};

/// What a host decides about the surfaces.
#[derive(Clone, Default)]
pub struct RouterConfig {
    /// The origins whose pages may call.
    pub cors: Cors,
    /// Where requests are counted; a host may add figures of its own.
    pub metrics: Metrics,
    /// About the booking surface.
    pub booking: BookingConfig,
    /// How session cookies are set.
    pub cookies: CookieConfig,
    /// How often something may be done.
    pub limits: LimitConfig,
    /// How many sockets there may be, and how long they may be silent.
    pub sockets: SocketConfig,
}

/// Every surface of the engine, to be merged into or nested in a host's router, under any prefix.
///
/// Limits on slow clients, on connections and the drain at a stop belong to the host's server;
/// [`crate::server::serve`] is ours. A host's server that wants the limits on guessing passwords
/// to know the network of a client puts `ConnectInfo<SocketAddr>` into the extensions.
pub fn router(engine: &Engine, config: RouterConfig) -> Router {
    surfaces(engine, config).0
}

/// As [`router`], for a server that serves nothing else: every unknown path is answered in JSON.
pub fn standalone_router(engine: &Engine, config: RouterConfig) -> Router {
    let (router, _, shared) = surfaces(engine, config);
    answer_unknown_paths(router, booking::envelope::BookingFamily, &shared)
}

/// The OpenAPI 3.1 document of every surface.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut document = booking::openapi();
    document.merge(platform::openapi());
    document.merge(chat::openapi());
    document.merge(calls::openapi());
    document.merge(rawchat::openapi());
    document.merge(socketio::openapi());
    document.merge(ops::openapi());
    for operation in operations(&mut document) {
        // Handlers of two resources have the same name; clients are generated from these.
        let tag = operation
            .tags
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default();
        operation.operation_id = operation
            .operation_id
            .take()
            .map(|name| format!("{tag}_{name}"));
    }
    document.info = InfoBuilder::new()
        .title("Telemed")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Bookings, messages and calls between patients and doctors.",
        ))
        .build();
    document
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|path| {
        [
            &mut path.get,
            &mut path.put,
            &mut path.post,
            &mut path.delete,
        ]
        .into_iter()
        .flatten()
    })
}

/// Every surface, and the list of their routes.
pub(crate) fn surfaces(
    engine: &Engine,
    config: RouterConfig,
) -> (Router, Vec<RouteEntry>, Arc<Shared>) {
    let clock = Arc::new(EngineClock(engine.clone()));
    let shared = Shared::new(clock, config.cors, config.metrics)
        .with_cookies(config.cookies)
        .with_limits(config.limits);
    let shared = Arc::new(shared);
    let sockets = Sockets::new(engine, &shared, config.sockets);
    let probe = {
        let engine = engine.clone();
        Probe::new(move || {
            let engine = engine.clone();
            async move { engine.ready().await.is_ok() }
        })
    };
    let mut router = Router::new();
    let mut routes = Vec::new();
    for mount in [
        platform::platform(engine, &shared),
        chat::chat(engine, &shared),
        calls::calls(engine, &shared),
        rawchat::rawchat(&sockets),
        socketio::socketio(&sockets),
        booking::booking(engine, config.booking, &shared),
        ops::ops(&shared, probe, &openapi()),
    ] {
        router = router.merge(mount.router);
        routes.extend(mount.routes);
    }
    (router, routes, shared)
}

/// The surfaces tell the time of the engine.
struct EngineClock(Engine);

impl Clock for EngineClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
