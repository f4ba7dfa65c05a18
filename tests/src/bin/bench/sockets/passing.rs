//! How fast something passes that is kept nowhere, such as typing: beside the bare relay with
//! texts of the same length.

use std::time::{Duration, Instant};

use super::client::Client;
use crate::http::Child;
use crate::report::{Figures, goal, ratio};

/// Texts of one sender that are on their way at one time.
const WINDOW: usize = 16;

/// Two connections to one server: what the one sends comes out at the other.
pub struct Pair {
    pub sender: Client,
    pub receiver: Client,
    /// What is sent, in turn.
    pub texts: Vec<String>,
    /// What stands in whatever comes out for it.
    pub shows: &'static str,
}

/// What passed.
pub struct Passed {
    pub each_second: f64,
    /// The server's share of the processor for one, in microseconds.
    pub processor: f64,
}

/// Sends so many texts through each pair, all pairs at once, never more than [`WINDOW`] ahead of
/// what has come out.
pub async fn rate(server: &Child, pairs: Vec<Pair>, each: usize) -> Passed {
    let all = pairs.len() * each;
    let used = server.processor_time();
    let start = Instant::now();
    let tasks: Vec<_> = pairs
        .into_iter()
        .map(|mut pair| {
            tokio::spawn(async move {
                let mut texts = pair.texts.iter().cycle().take(each);
                for text in texts.by_ref().take(WINDOW) {
                    pair.sender.send(text.clone()).await;
                }
                for _ in 0..each {
                    let shows = pair.shows;
                    pair.receiver
                        .receive_that(shows, |text| text.contains(shows))
                        .await;
                    if let Some(text) = texts.next() {
                        pair.sender.send(text.clone()).await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a pair");
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = server.processor_time() - used;
    Passed {
        each_second: all as f64 / seconds,
        processor: used.as_secs_f64() * 1e6 / all as f64,
    }
}

/// Pairs of the bare relay with these texts.
pub async fn relayed(
    relay: &Child,
    pairs: usize,
    texts: &[String],
    shows: &'static str,
) -> Vec<Pair> {
    let mut made = Vec::with_capacity(pairs);
    for number in 0..pairs {
        let path = format!("/{number}");
        made.push(Pair {
            sender: Client::relayed(relay.port, &path).await,
            receiver: Client::relayed(relay.port, &path).await,
            texts: texts.to_vec(),
            shows,
        });
    }
    made
}

/// The rates of both sides, round by round.
pub struct Comparison {
    ours: (Figures, Figures),
    relay: (Figures, Figures),
}

impl Comparison {
    pub fn new() -> Self {
        Self {
            ours: (Figures::new(), Figures::new()),
            relay: (Figures::new(), Figures::new()),
        }
    }

    pub fn ours(&mut self, passed: &Passed) {
        self.ours.0.add(passed.each_second);
        self.ours.1.add(passed.processor);
    }

    pub fn relay(&mut self, passed: &Passed) {
        self.relay.0.add(passed.each_second);
        self.relay.1.add(passed.processor);
    }

    pub fn print(&self, what: &str) {
        println!("{what:<10} ours         {}", self.ours.0.shown("/s"));
        println!("{:<10} bare relay   {}", "", self.relay.0.shown("/s"));
        println!("{:<10} ours, processor   {}", "", self.ours.1.shown("us"));
        println!("{:<10} bare relay        {}", "", self.relay.1.shown("us"));
        let share = ratio(&self.ours.0, &self.relay.0);
        goal(
            &format!("{what}, of the relay's rate"),
            share.median(),
            0.85,
            false,
            "",
        );
    }
}

/// A little rest, after which connections are closed on both sides.
pub async fn rest() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}
