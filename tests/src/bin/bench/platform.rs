//! What the platform surface costs: logins, lists, bookings by date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telemed_core::env::SeededEntropy;
use telemed_core::identity::{Password, PasswordHasher};
use telemed_facade::{ArgonCost, ArgonHasher};
use tokio::net::TcpStream;

use crate::Options;
use crate::http::{self, Child};
use crate::load;
use crate::report::{Figures, median_of, ratio};
use crate::seed::{self, PASSWORD, SIDE};

/// Bookings, and lists, of a round.
const CROWD: usize = 4096;
/// Logins of a round.
const LOGINS: usize = 128;
/// Passwords that are guessed for each median.
const GUESSES: usize = 60;

/// Runs and prints the whole comparison.
pub async fn run(options: &Options) {
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = &folder.join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(folder).expect("a folder");
    let rounds = options.rounds;
    let practice = seed::practice(&folder.join("practice.db"), rounds * CROWD).await;
    seed::people(&folder.join("login.db")).await;
    let mut server = Child::engine(&folder.join("practice.db"));
    let mut doors = Child::doors(&folder.join("login.db"));
    let cost = ArgonCost::default();
    println!(
        "{rounds} rounds over {SIDE} connections (median, least to most); Argon2id with {} KiB, \
         {} passes, {} lanes",
        cost.memory_kib, cost.passes, cost.lanes
    );

    let mut by_date = Measured::new();
    let mut lists = Measured::new();
    let mut logins = Measured::new();
    let mut raw = Measured::new();
    for round in 0..rounds {
        let pairs = &practice.pairs[round * CROWD..(round + 1) * CROWD];
        let requests = http::bookings_by_date(pairs, &practice.tokens);
        by_date.round(&server, &requests, 201).await;
        lists
            .round(&server, &http::lists(CROWD, &practice.tokens), 200)
            .await;
        logins.round(&doors, &http::logins(LOGINS), 200).await;
        raw.passwords().await;
    }
    println!("booking by date             {}", by_date.shown());
    println!("list of 50 appointments     {}", lists.shown());
    println!("login                       {}", logins.shown());
    println!("Argon2id alone              {}", raw.shown());
    println!(
        "logins to Argon2id alone: {:.2}",
        ratio(&logins.rate, &raw.rate).median()
    );
    guesses(doors.port).await;
    server.stop();
    doors.stop();
    let _ = std::fs::remove_dir_all(folder);
}

/// How long the refusal of an unknown user and of a wrong password takes, in turn.
async fn guesses(port: u16) {
    let address = ("127.0.0.1", port);
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for number in 0..GUESSES {
        let mut pair = [
            (format!("nobody{number}"), &mut unknown),
            ("person0".to_owned(), &mut wrong),
        ];
        // Whoever comes second finds the processor and the disk in another state.
        if number % 2 == 1 {
            pair.reverse();
        }
        for (name, times) in pair {
            let request = http::login(&name, "not the password");
            let start = Instant::now();
            let (status, _) = load::ask(&mut stream, &request).await;
            assert_eq!(status, 401);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let (unknown, wrong) = (median_of(unknown), median_of(wrong));
    println!(
        "a refused login, median of {GUESSES}: unknown user {unknown:.2} ms, wrong password \
         {wrong:.2} ms"
    );
}

/// Requests a second, and the processor's time for each.
struct Measured {
    rate: Figures,
    processor: Figures,
}

impl Measured {
    fn new() -> Self {
        Self {
            rate: Figures::new(),
            processor: Figures::new(),
        }
    }

    async fn round(&mut self, server: &Child, requests: &[Vec<u8>], expected: u16) {
        let before = server.processor_time();
        self.rate
            .add(load::rate(server.port, requests, expected).await);
        self.note(server.processor_time() - before, requests.len());
    }

    fn note(&mut self, spent: Duration, requests: usize) {
        self.processor
            .add(spent.as_secs_f64() * 1e6 / requests as f64);
    }

    /// As many passwords as logins, verified by nothing but the hasher, one for each core.
    async fn passwords(&mut self) {
        let entropy = Arc::new(SeededEntropy::new(1));
        let hasher = Arc::new(ArgonHasher::recommended(entropy));
        let password = Password::typed(PASSWORD);
        let hash = hasher.hash(&password).await.expect("a hash");
        let before = http::processor_time(std::process::id());
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let (hasher, password, hash) = (hasher.clone(), password.clone(), hash.clone());
            tasks.push(tokio::spawn(async move {
                for _ in 0..LOGINS / 2 {
                    assert!(
                        hasher
                            .verify(&password, Some(&hash))
                            .await
                            .expect("a verdict")
                    );
                }
            }));
        }
        for task in tasks {
            task.await.expect("a thread");
        }
        self.rate.add(LOGINS as f64 / start.elapsed().as_secs_f64());
        self.note(http::processor_time(std::process::id()) - before, LOGINS);
    }

    fn shown(&self) -> String {
        format!(
            "{}  processor {}",
            self.rate.shown("/s"),
            self.processor.shown("us")
        )
    }
}
