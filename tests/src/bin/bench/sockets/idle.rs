//! What a connection costs the server that says nothing: its memory, seen from outside, and the
//! processor's time.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::client::Client;
use super::house::House;
use super::node;
use crate::http::Child;
use crate::report::goal;
use crate::seed::Person;

/// Sockets, each of another user.
pub const SOCKETS: usize = 5_000;
/// Sockets that are opened at one time.
const AT_ONCE: usize = 64;
/// Longer than a server waits before it asks every client whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(28);

/// How a socket is opened.
#[derive(Clone, Copy)]
enum Kind {
    Raw,
    SocketIo,
    /// To Node's own server.
    Node,
}

/// What a connection costs.
struct Cost {
    /// Bytes of the server's memory once all are open.
    opened: f64,
    /// And once each was asked whether it lives.
    asked: f64,
    /// The processor's share in a second, for all of them.
    processor: f64,
}

/// Runs and prints the comparison.
pub async fn run(house: &House, folder: &Path) {
    println!(
        "\n{SOCKETS} idle sockets, each of another user, one run each: the server's proportional \
         set size before and after"
    );
    let raw = measure(Kind::Raw, house, &house.serve()).await;
    raw.print("ours, raw");
    let ours = measure(Kind::SocketIo, house, &house.serve()).await;
    ours.print("ours, Socket.IO");
    goal("raw, once asked", raw.asked / 1024.0, 8.0, true, " KiB");
    goal(
        "Socket.IO, once asked",
        ours.asked / 1024.0,
        12.0,
        true,
        " KiB",
    );
    match node::missing() {
        Some(why) => println!("{why}"),
        None => {
            let nodes = measure(Kind::Node, house, &node::serve(house, folder)).await;
            nodes.print("Node's");
            let share = ours.asked / nodes.asked;
            goal("Socket.IO, of Node's memory", share, 0.7, true, "");
        }
    }
}

async fn measure(kind: Kind, house: &House, server: &Child) -> Cost {
    // What is made for the first of all is not counted.
    let warm: Vec<_> = open(kind, server, &house.crowd[..AT_ONCE]).await;
    let before = memory(server.id());
    let clients = open(kind, server, &house.crowd[AT_ONCE..]).await;
    let opened_at = Instant::now();
    sleep(Duration::from_secs(3)).await;
    let opened = memory(server.id());
    let used = server.processor_time();
    let from = Instant::now();
    sleep_until(opened_at + HEARTBEAT).await;
    let idle = (server.processor_time() - used).as_secs_f64() / from.elapsed().as_secs_f64();
    let asked = memory(server.id());
    let count = clients.len() as f64;
    for client in warm.into_iter().chain(clients) {
        assert!(!client.is_finished(), "a socket was closed");
        client.abort();
    }
    Cost {
        opened: (opened - before) / count,
        asked: (asked - before) / count,
        processor: idle,
    }
}

async fn open(kind: Kind, server: &Child, people: &[Person]) -> Vec<tokio::task::JoinHandle<()>> {
    let mut clients = Vec::with_capacity(people.len());
    for some in people.chunks(AT_ONCE) {
        let opening: Vec<_> = some
            .iter()
            .map(|person| tokio::spawn(client(kind, server.port, person.clone())))
            .collect();
        for one in opening {
            let client = one.await.expect("a socket");
            clients.push(tokio::spawn(client.idle()));
        }
    }
    clients
}

async fn client(kind: Kind, port: u16, person: Person) -> Client {
    match kind {
        Kind::Raw => Client::open(port, &format!("/ws/{}", person.id), Some(&person.token)).await,
        Kind::SocketIo => Client::connect(port, &person.token).await,
        Kind::Node => Client::connect(port, &person.id.to_string()).await,
    }
}

/// The proportional set size of a process, in bytes.
fn memory(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    let text = text.expect("its figures");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.expect("a size") * 1024.0
}

impl Cost {
    fn print(&self, what: &str) {
        println!(
            "{what:<16} {:>6.1} KiB a socket once open, {:>6.1} KiB once asked whether it lives; \
             {:.1} % of a processor for all of them",
            self.opened / 1024.0,
            self.asked / 1024.0,
            self.processor * 100.0
        );
    }
}
