//! From the moment a message is sent to the moment it is there, over the raw WebSocket, beside a
//! bare relay with one fsync for each message.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::client::Client;
use super::house::House;
use super::passing::rest;
use crate::http::Child;
use crate::report::{Figures, at_rank, goal, ratio};

/// Messages of a lone sender in a round, and how long he rests after each.
const ALONE: usize = 300;
const REST: Duration = Duration::from_millis(5);
/// Pairs that talk at a steady rate, how many messages a second all of them send together, and
/// for how long.
pub const PAIRS: usize = 16;
const EACH_SECOND: usize = 200;
const SECONDS: usize = 4;
/// No message is on its way for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// What every message says.
const TEXT: &str = "The pain in my knee is back since Tuesday and it is worse on the stairs";

/// What one side took: the median and the 99th of a hundred, in microseconds.
struct Side {
    p50: Figures,
    p99: Figures,
}

impl Side {
    fn new() -> Self {
        Self {
            p50: Figures::new(),
            p99: Figures::new(),
        }
    }

    fn add(&mut self, times: &[f64]) {
        self.p50.add(at_rank(times, 0.5));
        self.p99.add(at_rank(times, 0.99));
    }

    fn print(&self, what: &str) {
        println!("{what:<24} p50 {}", self.p50.shown("us"));
        println!("{:<24} p99 {}", "", self.p99.shown("us"));
    }
}

/// Runs and prints the comparison.
pub async fn run(house: &House, folder: &Path, rounds: usize) {
    println!(
        "\nSent to delivered, raw WebSocket: a lone sender with {ALONE} messages, {REST:?} apart, and {PAIRS} \
         pairs with {EACH_SECOND} messages a second for {SECONDS} s; {rounds} rounds (median, \
         least to most)"
    );
    let file = folder.join("relayed");
    let (server, relay) = (house.serve(), Child::relay(Some(&file)));
    let [mut alone, mut steady] = [(); 2].map(|()| (Side::new(), Side::new()));
    for _ in 0..rounds {
        for (times, server, house) in [
            (&mut alone.1, &relay, None),
            (&mut alone.0, &server, Some(house)),
        ] {
            let (sender, receiver) = pair(server.port, house, 0).await;
            times.add(&one_by_one(sender, receiver, house).await);
            rest().await;
        }
        for (times, server, house) in [
            (&mut steady.1, &relay, None),
            (&mut steady.0, &server, Some(house)),
        ] {
            times.add(&at_a_rate(server.port, house).await);
            rest().await;
        }
    }
    for (what, (ours, relay)) in [("lone sender", &alone), ("steady rate", &steady)] {
        ours.print(&format!("{what}: ours"));
        relay.print(&format!("{what}: relay and fsync"));
        let (p50, p99) = (ratio(&ours.p50, &relay.p50), ratio(&ours.p99, &relay.p99));
        goal(
            &format!("{what}, p50 over the relay's"),
            p50.median(),
            1.5,
            true,
            "",
        );
        goal(
            &format!("{what}, p99 over the relay's"),
            p99.median(),
            1.5,
            true,
            "",
        );
    }
}

/// The two connections of a pair: of ours if there is a house, else of the relay.
async fn pair(port: u16, house: Option<&House>, number: usize) -> (Client, Client) {
    match house {
        None => {
            let path = format!("/{number}");
            (
                Client::relayed(port, &path).await,
                Client::relayed(port, &path).await,
            )
        }
        Some(house) => {
            let talk = &house.talks[number];
            let open = |person: &crate::seed::Person| {
                let (path, token) = (format!("/ws/{}", person.id), person.token.clone());
                async move { Client::open(port, &path, Some(&token)).await }
            };
            (open(&talk.patient).await, open(&talk.doctor).await)
        }
    }
}

/// The frame of a message of a pair. The relay is sent the same.
fn frame(house: Option<&House>, pair: usize, number: usize) -> String {
    let receiver = house.map_or(0, |house| house.talks[pair].doctor.id.get());
    // Under another id each time: what is sent again is told to nobody.
    let id = uuid::Uuid::now_v7();
    format!(
        "{{\"receiver_id\":\"{receiver}\",\"message_text\":\"{TEXT} #{number};\",\
         \"client_msg_id\":\"{id}\"}}"
    )
}

/// The number of the message that a text carries; none for an acknowledgement.
fn number_of(text: &str) -> Option<usize> {
    let (_, after) = text.split_once(" #")?;
    after.split_once(';')?.0.parse().ok()
}

/// Sends a message when the one before has arrived and some time has passed: by then ours has
/// noted that it was delivered, which the relay does not.
async fn one_by_one(mut sender: Client, mut receiver: Client, house: Option<&House>) -> Vec<f64> {
    let mut times = Vec::with_capacity(ALONE);
    for number in 0..ALONE {
        let text = frame(house, 0, number);
        let start = Instant::now();
        sender.send(text).await;
        let fits = |text: &str| number_of(text) == Some(number);
        receiver.receive_that("a message", fits).await;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        if house.is_some() {
            sender
                .receive_that("a word of it", |text| text.contains("\"ack\""))
                .await;
        }
        sleep(REST).await;
    }
    times
}

/// Sends messages when it is time, whether or not those before have arrived.
async fn at_a_rate(port: u16, house: Option<&House>) -> Vec<f64> {
    let each = EACH_SECOND * SECONDS / PAIRS;
    let gap = Duration::from_secs(1) * PAIRS as u32 / EACH_SECOND as u32;
    let begin = tokio::time::Instant::now() + Duration::from_millis(500);
    let mut tasks = Vec::new();
    for pair_number in 0..PAIRS {
        let (sender, receiver) = pair(port, house, pair_number).await;
        let texts: Vec<String> = (0..each)
            .map(|number| frame(house, pair_number, number))
            .collect();
        let first = begin + gap * pair_number as u32 / PAIRS as u32;
        let due = move |number: usize| first + gap * number as u32;
        let (mut sink, mut acks) = sender.split();
        let sending = tokio::spawn(async move {
            for (number, text) in texts.into_iter().enumerate() {
                sleep_until(due(number)).await;
                sink.send(Message::Text(text.into()))
                    .await
                    .expect("it is sent");
            }
            sink
        });
        let acknowledged =
            tokio::spawn(async move { while let Some(Ok(_)) = acks.next().await {} });
        tasks.push(tokio::spawn(async move {
            let mut receiver = receiver;
            let mut times = Vec::with_capacity(each);
            for _ in 0..each {
                let arrived = timeout(
                    PATIENCE,
                    receiver.receive_that("a message", |text| number_of(text).is_some()),
                );
                let text = arrived.await.expect("a message");
                let number = number_of(&text).expect("a number");
                times.push(due(number).elapsed().as_secs_f64() * 1e6);
            }
            drop(sending.await);
            acknowledged.abort();
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a pair"));
    }
    times
}
