//! The standalone server over an open engine.

use telemed_transport_http::server::{ServeOptions, Stopped, serve};
use telemed_transport_http::{RouterConfig, standalone_router};
use tokio::net::TcpListener;

use crate::Telemed;

/// How [`Telemed::serve`] serves.
#[derive(Clone, Default)]
pub struct ServerOptions {
    /// About the surfaces: which origins may call, what they offer.
    pub surfaces: RouterConfig,
    /// About connections: timeouts, limits, TLS, how long a stop may take.
    pub connections: ServeOptions,
}

impl Telemed {
    /// Serves every surface on `listener` until `shutdown` completes, then answers what is in
    /// flight and returns. The engine stays open.
    ///
    /// Session cookies are for TLS only, unless the listener speaks none and no other machine
    /// reaches it.
    pub async fn serve(
        &self,
        listener: TcpListener,
        mut options: ServerOptions,
        shutdown: impl Future<Output = ()>,
    ) -> Stopped {
        let connections = &options.connections;
        let is_local = !connections.behind_proxy
            && connections.tls.is_none()
            && listener
                .local_addr()
                .is_ok_and(|address| address.ip().to_canonical().is_loopback());
        if is_local {
            options.surfaces.cookies.secure = false;
        }
        let router = standalone_router(self.engine(), options.surfaces);
        serve(listener, router, options.connections, shutdown).await
    }
}
