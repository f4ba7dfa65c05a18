//! Builds the routes of one surface.
//!
//! Every route is explicit, with and without a trailing slash, and carries all that it needs with
//! it: the answers to other methods, to preflights and to unknown paths under the prefix, the
//! family's error shape, headers and metrics. Nothing hangs on the router as a layer or a
//! fallback, because those are lost when a host nests the router or has a fallback of its own.

mod edge;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, any};
use telemed_core::env::Clock;
use telemed_core::error::Code;

use crate::auth::cookie::CookieConfig;
use crate::cors::Cors;
use crate::envelope::{Family, Refusal};
use crate::extract::{BODY_BUDGET, BodyBudget};
use crate::limits::LimitConfig;
use crate::ops::Metrics;
use edge::{Edge, RequestIds};

/// What all surfaces of one installation share.
pub struct Shared {
    clock: Arc<dyn Clock>,
    cors: Cors,
    metrics: Metrics,
    cookies: CookieConfig,
    limits: LimitConfig,
    request_ids: RequestIds,
    bodies: BodyBudget,
}

impl Shared {
    /// The clock for the timestamps of refusals, the origins that may call, and where requests
    /// are counted.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, cors: Cors, metrics: Metrics) -> Self {
        Self {
            clock,
            cors,
            metrics,
            cookies: CookieConfig::default(),
            limits: LimitConfig::default(),
            request_ids: RequestIds::new(),
            bodies: BodyBudget::new(BODY_BUDGET),
        }
    }

    /// The same with other session cookies.
    #[must_use]
    pub fn with_cookies(mut self, cookies: CookieConfig) -> Self {
        self.cookies = cookies;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: LimitConfig) -> Self {
        self.limits = limits;
        self
    }

    /// The origins that may call.
    #[must_use]
    pub fn cors(&self) -> &Cors {
        &self.cors
    }

    /// How session cookies are set.
    #[must_use]
    pub fn cookies(&self) -> &CookieConfig {
        &self.cookies
    }

    /// How often something may be done.
    #[must_use]
    pub fn limits(&self) -> &LimitConfig {
        &self.limits
    }

    /// The same with another bound, in bytes, on what the bodies of all requests hold together.
    #[cfg(test)]
    pub(crate) fn with_body_budget(mut self, bytes: usize) -> Self {
        self.bodies = BodyBudget::new(bytes);
        self
    }

    /// Where requests are counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// One route of a surface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteEntry {
    /// The template of the whole path, such as `/api/v1/slots/{slot_id}`.
    pub path: String,
    /// The method, in capitals.
    pub method: String,
}

/// A finished surface.
pub struct Mount {
    /// Its routes, ready to be merged into or nested in any other router.
    pub router: Router,
    /// The same routes as a list, in order.
    pub routes: Vec<RouteEntry>,
}

/// Collects the routes of one surface; see the module's description.
pub struct Surface<S> {
    prefix: &'static str,
    family: Arc<dyn Family>,
    shared: Arc<Shared>,
    paths: BTreeMap<&'static str, PathRoutes<S>>,
}

struct PathRoutes<S> {
    methods: Vec<Method>,
    handlers: MethodRouter<S>,
}

impl<S> Surface<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// A surface without routes. Everything under `prefix` is its own; with an empty prefix only
    /// its routes are.
    #[must_use]
    pub fn new(prefix: &'static str, family: impl Family, shared: Arc<Shared>) -> Self {
        Self {
            prefix,
            family: Arc::new(family),
            shared,
            paths: BTreeMap::new(),
        }
    }

    /// Adds a route for GET and HEAD.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(
            MethodFilter::GET,
            &[Method::GET, Method::HEAD],
            path,
            handler,
        )
    }

    /// Adds a route for POST.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(MethodFilter::POST, &[Method::POST], path, handler)
    }

    /// Adds a route for PUT.
    #[must_use]
    pub fn put<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(MethodFilter::PUT, &[Method::PUT], path, handler)
    }

    /// Adds a route for DELETE.
    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(MethodFilter::DELETE, &[Method::DELETE], path, handler)
    }

    fn on<H, T>(
        mut self,
        filter: MethodFilter,
        methods: &[Method],
        path: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let routes = self.paths.entry(path).or_insert_with(|| PathRoutes {
            methods: Vec::new(),
            handlers: MethodRouter::new().fallback(refuse_method),
        });
        routes.methods.extend_from_slice(methods);
        routes.handlers = std::mem::take(&mut routes.handlers).on(filter, handler);
        self
    }

    /// Finishes the surface.
    pub fn build(self, state: S) -> Mount {
        let Self {
            prefix,
            family,
            shared,
            paths,
        } = self;
        let mut router = Router::new();
        let mut list = Vec::new();
        for (path, routes) in paths {
            let template = format!("{prefix}{path}");
            list.extend(
                routes
                    .methods
                    .iter()
                    .filter(|method| *method != Method::HEAD)
                    .map(|method| RouteEntry {
                        path: template.clone(),
                        method: method.to_string(),
                    }),
            );
            let edge = Edge::new(
                &family,
                &shared,
                &template,
                allow_header(&routes.methods),
                true,
            );
            let handlers = routes.handlers.layer(from_fn_with_state(edge, edge::pass));
            router = router
                .route(&format!("{template}/"), handlers.clone())
                .route(&template, handlers);
        }
        if !prefix.is_empty() {
            // What the routes above do not match ends here, and not in the host's fallback.
            let template = format!("{prefix}/{{*rest}}");
            let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");
            let edge = Edge::new(&family, &shared, &template, allow, false);
            let unknown = any(refuse_path).layer(from_fn_with_state(edge, edge::pass));
            router = router
                .route(prefix, unknown.clone())
                .route(&format!("{prefix}/"), unknown.clone())
                .route(&template, unknown);
        }
        list.sort();
        Mount {
            router: router.with_state(state),
            routes: list,
        }
    }
}

/// The answer to everything that a standalone server has no route for. A host that mounts a
/// surface has its own.
pub fn answer_unknown_paths(router: Router, family: impl Family, shared: &Arc<Shared>) -> Router {
    let family: Arc<dyn Family> = Arc::new(family);
    let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");
    let edge = Edge::new(&family, shared, "/{*rest}", allow, false);
    router.fallback_service(
        any(refuse_path)
            .layer(from_fn_with_state(edge, edge::pass))
            .with_state(()),
    )
}

async fn refuse_method() -> Refusal {
    Refusal::code(Code::MethodNotAllowed)
}

async fn refuse_path() -> Refusal {
    Refusal::code(Code::NotFound)
}

fn allow_header(methods: &[Method]) -> HeaderValue {
    let mut text = String::new();
    for method in methods {
        text.push_str(method.as_str());
        text.push_str(", ");
    }
    text.push_str("OPTIONS");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

#[cfg(test)]
mod tests;
