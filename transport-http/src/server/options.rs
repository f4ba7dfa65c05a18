//! The limits of the accept loop.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

/// How [`super::serve`] serves. The defaults are for the open network.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Time for a TLS handshake, and from the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// How long a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
    /// Time for a body beside what `body_rate` allows it.
    pub body_grace: Duration,
    /// Bytes a second that a body has to reach on average once its grace is over.
    pub body_rate: u32,
    /// How long a client may send no byte of a body.
    pub body_stall: Duration,
    /// Time for a whole body of up to 1 MiB at any rate; each further MiB that has come adds as
    /// much.
    pub body_timeout: Duration,
    /// Connections at one time. One more takes the seat of the connection that has been idle
    /// longest; while none is idle, it waits in the kernel's queue. Where the system tells its
    /// limit on open files, 128 of those are left to others.
    pub max_connections: usize,
    /// Connections at one time from one IPv4 address or one IPv6 /64; more are closed at once.
    /// Trusted proxies and peers on this machine are not counted.
    pub max_connections_per_network: Option<usize>,
    /// Whether `X-Forwarded-For` (its last hop), `-Proto` and `-Host` are believed, from loopback
    /// and private peers only.
    pub behind_proxy: bool,
    /// Whether answers are compressed for clients that accept it.
    pub compress: bool,
    /// Certificate and key; see [`super::tls_config`]. Without, the listener speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Time from the request to stop until connections that are still busy are cut off.
    pub drain_deadline: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            body_grace: Duration::from_secs(10),
            body_rate: 1024,
            body_stall: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            max_connections: 10_000,
            max_connections_per_network: Some(512),
            behind_proxy: false,
            compress: true,
            tls: None,
            drain_deadline: Duration::from_secs(30),
        }
    }
}
