//! A wire that loses answers: what was asked has been done, and who asked is not told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::pen::{Pen, Stored, Way};
use super::{Dice, UNLIMITED};
use crate::practice::{Practice, Visit};
use crate::server::ServerFolder;

/// Of a hundred answers so many are lost.
const LOST: u64 = 30;
/// Messages of each writer.
const MESSAGES: usize = 15;

/// Passes connections on to a server and loses some of its answers, and the connection with each.
pub struct LossyWire {
    /// Where it listens.
    pub address: String,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    lost: AtomicUsize,
    passed: AtomicUsize,
    dice: Dice,
}

impl LossyWire {
    /// A wire to a server that loses so many of a hundred answers.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn to(server: &str, lost: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let counts = Arc::new(Counts::default());
        let (server, counting) = (server.to_owned(), Arc::clone(&counts));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, counts) = (server.clone(), Arc::clone(&counting));
                connections.spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    pass(client, server, lost, &counts).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            counts,
            task,
        }
    }

    /// How many answers were lost, and how many were not.
    #[must_use]
    pub fn counted(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        (count(&self.counts.lost), count(&self.counts.passed))
    }
}

impl Drop for LossyWire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends with the connection of one of the two, or with an answer that is lost.
async fn pass(mut client: TcpStream, mut server: TcpStream, lost: u64, counts: &Counts) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let forth = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let back = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if is_answer(&buffer[..length]) {
                if counts.dice.below(100) < lost {
                    counts.lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                counts.passed.fetch_add(1, Ordering::Relaxed);
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = forth => {}
        () = back => {}
    }
}

/// Whether these bytes tell that something was done: the head of an answer over HTTP, an
/// acknowledgement on a socket.
fn is_answer(bytes: &[u8]) -> bool {
    let marks: [&[u8]; 4] = [
        b"HTTP/1.1 2",
        b"[{\"data\":",
        b"[{\"success\":true",
        b"\"type\":\"ack\"",
    ];
    let has = |mark: &[u8]| bytes.windows(mark.len()).any(|part| part == mark);
    marks.into_iter().any(has)
}

/// People write in every way over a wire that loses 30 of a hundred answers, each message until it
/// is acknowledged. Returns how many messages there are, when no server runs any more.
///
/// # Panics
/// When one is missing or there twice.
#[allow(clippy::print_stdout)] // How much was lost is what one needs to know of a failure.
pub async fn written_over_a_lossy_wire(folder: ServerFolder) -> (usize, ServerFolder) {
    let practice = Practice::open_in(folder, UNLIMITED, &[]).await;
    let visit = Visit::at(Arc::clone(&practice));
    let wire = LossyWire::to(practice.server.address(), LOST).await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patients = [visit.patient().await, visit.patient().await];
    let mut talks = Vec::new();
    for patient in &patients {
        talks.push(visit.talk(patient, &doctor).await);
    }
    let mut writers = JoinSet::new();
    for (number, way) in (0..2).flat_map(|_| Way::ALL).enumerate() {
        let talk = number % talks.len();
        let (servers, side) = (vec![wire.address.clone()], number / 2 % 2);
        let mut pen = Pen::new(way, &talks[talk], side, &wire.address);
        writers.spawn(async move {
            let mut written = Vec::new();
            for count in 0..MESSAGES {
                let id = format!("{number}-{count}");
                let stored = pen.insist(&servers, &id, &id).await;
                written.push((id, stored));
            }
            (talk, written)
        });
    }
    let mut expected: Vec<Vec<(String, Stored)>> = vec![Vec::new(); talks.len()];
    for (talk, written) in writers.join_all().await {
        expected[talk].extend(written);
    }
    let (lost, passed) = wire.counted();
    println!("{lost} answers were lost, and {passed} were not");
    // As many as chance would have it; without one nothing is shown here.
    let all = lost + passed;
    assert!(
        lost * 100 > all * 20 && lost * 100 < all * 40,
        "{lost} of {all}"
    );

    for (talk, mut expected) in talks.iter().zip(expected.clone()) {
        let client = visit.of(&talk.pair[0]);
        let found: Vec<_> = { talk.messages(&client).await }.iter().map(told).collect();
        expected.sort_by_key(|(_, stored)| stored.seq);
        assert_eq!(found, expected);
    }
    drop(visit);
    let practice = Arc::into_inner(practice).expect("nobody else is here");
    practice.server.stop();
    (expected.iter().map(Vec::len).sum(), practice.folder)
}

/// The text of a message, and what its writer was told of it.
fn told(message: &Value) -> (String, Stored) {
    let stored = Stored {
        id: super::text_of(&message["message_id"]),
        seq: message["seq"].as_u64().unwrap(),
    };
    (super::text_of(&message["body"]), stored)
}
