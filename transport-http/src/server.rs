//! The accept loop of the standalone server.
//!
//! `axum::serve` sets no timers, has no cap on connections and no TLS; this loop has them, because
//! it stands on the open network: slow senders are cut off, nobody can take all connections, and a
//! stop answers what is in flight. A host that mounts the routers brings its own server.

mod body;
mod connection;
mod descriptors;
mod draining;
mod framing;
mod guard;
mod idle;
mod lifeline;
mod options;
mod proxy;
mod tls;
mod unread;

pub use body::BodyTimeout;
pub use draining::Draining;
pub(crate) use lifeline::Lifeline;
pub use options::ServeOptions;
pub use proxy::Client;
pub use tls::{TlsError, tls_config};

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use idle::Idle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// After a stop is asked for, open connections may send a request for this long, so that what is
/// on its way is answered and not cut off. Each is told to close with its answer.
const LAME_DUCK: Duration = Duration::from_millis(250);
/// How long a client that has found every seat taken waits before the next one is asked for.
const ROOM: Duration = Duration::from_millis(20);
/// How long accepting rests after an error that is the machine's and not one connection's, such
/// as no file descriptors being left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were still busy at the deadline and were cut off.
    pub cut_off: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Answers tell the client to close; sockets close.
    LameDuck,
    /// Idle connections are closed; busy ones after their answer.
    Closing,
    /// What is still open is cut off.
    Cut,
}

/// Serves `router` on `listener` until `shutdown` completes, then answers every request in flight
/// within the options' deadline and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Stopped {
    let router = if options.compress {
        compressed(router)
    } else {
        router
    };
    let seats = seats(options.max_connections, descriptors::room_for_connections());
    let (phase, _) = watch::channel(Phase::Open);
    let mut server = Server {
        seats: Arc::new(Semaphore::new(seats)),
        networks: Arc::default(),
        idle: Arc::default(),
        options: Arc::new(options),
        router,
        phase,
        connections: JoinSet::new(),
        all_seats: seats,
    };
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let (stream, peer) = listener.accept().await?;
            // One at a time waits for a seat here, and the others in the kernel's queue.
            let admitted = match server.place_of(peer) {
                Some(place) => server.seat().await.map(|seat| (seat, place)),
                None => None,
            };
            io::Result::Ok((stream, peer, admitted))
        };
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer, Some((seat, place)))) => server.admit(stream, peer, seat, place),
            Ok(_) => {}
            Err(error) if is_one_connections(&error) => {}
            Err(error) => {
                tracing::warn!(kind = %error.kind(), "cannot accept connections for now");
                sleep(ACCEPT_REST).await;
            }
        }
        while server.connections.try_join_next().is_some() {}
    }
    server.take_the_queue(&listener).await;
    drop(listener);
    server.drain().await
}

struct Server {
    seats: Arc<Semaphore>,
    networks: Arc<Networks>,
    idle: Arc<Idle>,
    options: Arc<ServeOptions>,
    router: Router,
    phase: watch::Sender<Phase>,
    connections: JoinSet<()>,
    all_seats: usize,
}

impl Server {
    /// A place for one more connection of this peer's network, if it may have one.
    fn place_of(&self, peer: SocketAddr) -> Option<NetworkPlace> {
        let most = most_of_a_network(&self.options, peer.ip());
        self.networks.enter(network_of(peer.ip()), most)
    }

    /// A seat: when all are taken, that of the connection that has been idle longest.
    async fn seat(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            return Some(seat);
        }
        loop {
            self.idle.ask_one();
            let room = Instant::now() + ROOM;
            if let Ok(seat) = timeout_at(room, Arc::clone(&self.seats).acquire_owned()).await {
                return seat.ok();
            }
        }
    }

    fn admit(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: OwnedSemaphorePermit,
        place: NetworkPlace,
    ) {
        let router = self.router.clone();
        let options = Arc::clone(&self.options);
        let lifeline = Lifeline::new(self.phase.subscribe(), seat, place);
        let idle = self.idle.connection();
        self.connections.spawn(connection::drive(
            stream, peer, router, options, lifeline, idle,
        ));
    }

    /// Clients whose connection the kernel has completed already may have sent a request.
    async fn take_the_queue(&mut self, listener: &TcpListener) {
        while let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                () = std::future::ready(()) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = self.place_of(peer) {
                        self.admit(stream, peer, seat, place);
                    }
                }
                Err(error) if is_one_connections(&error) => {}
                Err(_) => return,
            }
        }
    }

    async fn drain(mut self) -> Stopped {
        let deadline = Instant::now() + self.options.drain_deadline;
        self.phase.send_replace(Phase::LameDuck);
        let lame_duck = deadline.min(Instant::now() + LAME_DUCK);
        if timeout_at(lame_duck, self.all_ended()).await.is_err() {
            self.phase.send_replace(Phase::Closing);
            let _ = timeout_at(deadline, self.all_ended()).await;
        }
        // Each holds a seat: the connections that are driven here, and what they became.
        let cut_off = self.all_seats - self.seats.available_permits();
        self.phase.send_replace(Phase::Cut);
        self.connections.shutdown().await;
        let _ = timeout_at(Instant::now() + LAME_DUCK, self.all_ended()).await;
        Stopped { cut_off }
    }

    /// Waits for the connections, and for the sockets that some of them have become.
    async fn all_ended(&mut self) {
        while self.connections.join_next().await.is_some() {}
        let all = u32::try_from(self.all_seats).unwrap_or(u32::MAX);
        let _ = self.seats.acquire_many(all).await;
    }
}

/// Errors of accept(2) that belong to the connection that failed and say nothing about the next.
fn is_one_connections(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// How many connections may be open: with more than the system has descriptors for, nothing else
/// could open a file any more.
fn seats(wanted: usize, room: Option<usize>) -> usize {
    let seats = wanted
        .min(room.unwrap_or(usize::MAX))
        .min(Semaphore::MAX_PERMITS)
        .min(u32::MAX as usize);
    if seats < wanted {
        tracing::info!(
            seats,
            "fewer connections than configured: the limit on open files has no room for more"
        );
    }
    seats
}

/// How many connections the network of this peer may have open. Behind a proxy on this machine or
/// beside it stand many clients, and programs on this machine are the operator's own.
fn most_of_a_network(options: &ServeOptions, peer: IpAddr) -> Option<usize> {
    let is_exempt =
        peer.to_canonical().is_loopback() || (options.behind_proxy && proxy::is_trusted(peer));
    options.max_connections_per_network.filter(|_| !is_exempt)
}

/// How many connections each network has open.
#[derive(Default)]
struct Networks(Mutex<HashMap<IpAddr, usize>>);

/// One connection of a network; it is counted until this is dropped.
struct NetworkPlace {
    networks: Arc<Networks>,
    network: Option<IpAddr>,
}

impl Networks {
    /// A place for one more connection, or `None` if the network has `most` already.
    fn enter(self: &Arc<Self>, network: IpAddr, most: Option<usize>) -> Option<NetworkPlace> {
        let Some(most) = most else {
            return Some(NetworkPlace {
                networks: Arc::clone(self),
                network: None,
            });
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(NetworkPlace {
            networks: Arc::clone(self),
            network: Some(network),
        })
    }
}

impl Drop for NetworkPlace {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self
            .networks
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

/// What one customer of a network provider is given: an IPv4 address or an IPv6 /64.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// Small answers do not get smaller; what is not text is compressed already.
fn compressed(router: Router) -> Router {
    let worth = SizeAbove::new(1024)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::new("application/octet-stream"));
    router.layer(CompressionLayer::new().gzip(true).compress_when(worth))
}

#[cfg(test)]
mod tests;
