//! Which sockets are open, whose they are, and how many there may be.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use telemed_core::Engine;
use telemed_core::actor::Origin;
use telemed_core::error::{Code, Error};
use telemed_core::id::UserId;
use telemed_core::presence::RENEW_EVERY;
use tokio::sync::{Notify, OnceCell, mpsc, watch};
use tokio::time::timeout;

use super::leases::{self, Errand};
use super::member::{Member, Renamed};
use super::outbox::{End, Outbox};
use super::{fanout, observer};
use crate::server::network_of;

/// How long who says something of a socket waits until its lease is there.
const SETTLING: Duration = Duration::from_secs(2);
/// How long a client that polls may be away before it gives way to another of its user: more than
/// from one poll to the next.
const LEFT: Duration = Duration::from_secs(2);

/// What a host decides about sockets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketConfig {
    /// Sockets at one time, of everybody.
    pub most: usize,
    /// Sockets of one user at one time.
    pub most_of_a_user: usize,
    /// Sockets that have not said yet who they are. Beyond it one of the network that has most of
    /// them is closed, the one that has waited longest: whoever comes with a credential finds a
    /// place, and no network takes those of others.
    pub most_unauthenticated: usize,
    /// How long a socket may take to say who it is.
    pub authenticate_within: Duration,
    /// How often a client is asked whether it lives.
    pub ping_interval: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// How often the leases of open sockets are renewed, by which everybody knows that they are:
    /// well within a minute, after which they lapse.
    pub renew_leases_every: Duration,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            most: 10_000,
            most_of_a_user: 32,
            most_unauthenticated: 1024,
            authenticate_within: Duration::from_secs(5),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            renew_leases_every: RENEW_EVERY,
        }
    }
}

/// Every socket of this node.
#[derive(Debug)]
pub(crate) struct Hub {
    config: SocketConfig,
    open: AtomicUsize,
    numbers: AtomicU64,
    waiting: Mutex<Waiting>,
    users: Mutex<HashMap<UserId, Vec<Arc<Member>>>>,
    /// What is to be done for the leases of sockets, once there are any.
    errands: OnceCell<mpsc::UnboundedSender<Errand>>,
    /// Whoever waits for a lease is told that one was taken, or could not be.
    settled: Notify,
    /// Dropped with the hub, which ends the fan-out.
    alive: watch::Sender<()>,
}

/// Who has not said yet who he is.
#[derive(Debug, Default)]
struct Waiting {
    count: usize,
    /// Of each network, the longest waiting first.
    networks: HashMap<Option<IpAddr>, BTreeMap<u64, Weak<Outbox>>>,
}

impl Waiting {
    fn insert(&mut self, network: Option<IpAddr>, number: u64, outbox: &Arc<Outbox>) {
        let sockets = self.networks.entry(network).or_default();
        sockets.insert(number, Arc::downgrade(outbox));
        self.count += 1;
    }

    fn remove(&mut self, network: Option<IpAddr>, number: u64) {
        let Some(sockets) = self.networks.get_mut(&network) else {
            return;
        };
        if sockets.remove(&number).is_some() {
            self.count -= 1;
        }
        if sockets.is_empty() {
            self.networks.remove(&network);
        }
    }

    /// The longest waiting of the network that has most.
    fn pop(&mut self) -> Option<Weak<Outbox>> {
        let most = self.networks.values_mut().max_by_key(|one| one.len())?;
        let (_, longest) = most.pop_first()?;
        self.count -= 1;
        self.networks.retain(|_, sockets| !sockets.is_empty());
        Some(longest)
    }
}

impl Hub {
    pub(crate) fn new(config: SocketConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            open: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            waiting: Mutex::default(),
            users: Mutex::default(),
            errands: OnceCell::new(),
            settled: Notify::new(),
            alive: watch::Sender::new(()),
        })
    }

    pub(crate) fn config(&self) -> &SocketConfig {
        &self.config
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Member>>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more socket.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when there is none.
    pub(crate) fn seat(self: &Arc<Self>) -> Result<Seat, Error> {
        let taken = self.open.fetch_add(1, Ordering::AcqRel);
        // Given back by its drop in either case.
        let seat = Seat {
            hub: Arc::clone(self),
            waiting: None,
        };
        if taken >= self.config.most {
            return Err(Error::new(Code::Unavailable).retry_after(Duration::from_secs(5)));
        }
        Ok(seat)
    }

    /// Begins to listen to what happens, once for all sockets. Whoever joins after it misses
    /// nothing that happens from then on.
    pub(crate) async fn listen(self: &Arc<Self>, engine: &Engine) {
        self.errands
            .get_or_init(|| async {
                let subscription = engine.subscribe().await;
                let listening = fanout::run(
                    Arc::downgrade(self),
                    engine.clone(),
                    observer::observe(engine),
                    subscription,
                    self.alive.subscribe(),
                );
                tokio::spawn(listening);
                let (sender, errands) = mpsc::unbounded_channel();
                tokio::spawn(leases::keep(
                    Arc::downgrade(self),
                    engine.clone(),
                    errands,
                    self.config.renew_leases_every,
                ));
                sender
            })
            .await;
    }

    /// Has a socket told of what concerns its user, until what is returned is dropped.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when the user has too many already.
    pub(crate) fn join(self: &Arc<Self>, mut member: Member) -> Result<Joined, Error> {
        member.number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let member = Arc::new(member);
        let mut users = self.users();
        let sockets = users.entry(member.user()).or_default();
        if sockets.len() >= self.config.most_of_a_user {
            // One whose client has gone away in the middle of a poll makes room.
            let left = sockets.iter().enumerate().filter_map(|(at, other)| {
                let since = other.outbox().unattended_for(LEFT)?;
                Some((since, at))
            });
            if let Some((_, at)) = left.max() {
                sockets.swap_remove(at).outbox().end(End::Left);
            }
        }
        if sockets.len() >= self.config.most_of_a_user {
            return Err(Error::new(Code::RateLimited)
                .message("Too many connections of this user")
                .retry_after(Duration::from_secs(5)));
        }
        sockets.push(Arc::clone(&member));
        drop(users);
        self.send(Errand::Arrived(Arc::downgrade(&member)));
        Ok(Joined {
            hub: Arc::clone(self),
            member,
        })
    }

    fn send(&self, errand: Errand) {
        if let Some(errands) = self.errands.get() {
            // The task that does it ends with the hub.
            let _ = errands.send(errand);
        }
    }

    /// By what those are woken who wait for a lease.
    pub(super) fn settled(&self) -> &Notify {
        &self.settled
    }

    /// The sockets of these users.
    pub(super) fn members_of(&self, users: impl Iterator<Item = UserId>) -> Vec<Arc<Member>> {
        let open = self.users();
        let mut members: Vec<Arc<Member>> = Vec::new();
        for user in users {
            for member in open.get(&user).into_iter().flatten() {
                if !members.iter().any(|other| Arc::ptr_eq(other, member)) {
                    members.push(Arc::clone(member));
                }
            }
        }
        members
    }

    /// Every socket that has joined.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.users().values().flatten().cloned().collect()
    }
}

/// A socket's place among all.
#[derive(Debug)]
pub(crate) struct Seat {
    hub: Arc<Hub>,
    waiting: Option<(Option<IpAddr>, u64)>,
}

impl Seat {
    /// Notes that nobody knows yet whose socket it is.
    pub(crate) fn wait(&mut self, outbox: &Arc<Outbox>, origin: Origin) {
        self.seated();
        let network = origin.address.map(network_of);
        let number = self.hub.numbers.fetch_add(1, Ordering::Relaxed);
        self.waiting = Some((network, number));
        let mut waiting = self.hub.waiting();
        waiting.insert(network, number, outbox);
        while waiting.count > self.hub.config.most_unauthenticated {
            let Some(longest) = waiting.pop() else { break };
            if let Some(outbox) = longest.upgrade() {
                outbox.end(End::Unauthenticated);
            }
        }
    }

    /// Notes that it has become known.
    pub(crate) fn seated(&mut self) {
        if let Some((network, number)) = self.waiting.take() {
            self.hub.waiting().remove(network, number);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seated();
        self.hub.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A socket that is told of what concerns its user.
#[derive(Debug)]
pub(crate) struct Joined {
    hub: Arc<Hub>,
    member: Arc<Member>,
}

impl Joined {
    /// From now on the socket is one of this device.
    pub(crate) fn go_by(&self, device: telemed_core::calls::DeviceId) {
        if let Renamed::Anew(lease) = self.member.rename(device) {
            self.hub.send(Errand::Gone(lease));
            self.hub.send(Errand::Renamed(Arc::downgrade(&self.member)));
        }
    }

    /// Waits until the socket has its lease, and not for long.
    pub(crate) async fn settled(&self) {
        let settled = async {
            loop {
                let mut next = std::pin::pin!(self.hub.settled.notified());
                next.as_mut().enable();
                if !self.member.waits_for_lease() {
                    return;
                }
                next.await;
            }
        };
        let _ = timeout(SETTLING, settled).await;
    }
}

impl std::ops::Deref for Joined {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut users = self.hub.users();
        if let Some(sockets) = users.get_mut(&self.member.user()) {
            sockets.retain(|other| !Arc::ptr_eq(other, &self.member));
            if sockets.is_empty() {
                users.remove(&self.member.user());
            }
        }
        drop(users);
        if let Some(lease) = self.member.leave() {
            self.hub.send(Errand::Gone(lease));
        }
    }
}
