//! Messages over Socket.IO beside Node's own server, from the same client: how many there are for
//! a second of the server's processor.

use std::path::Path;
use std::time::Instant;

use super::client::Client;
use super::house::House;
use super::node;
use super::passing::rest;
use crate::http::Child;
use crate::report::{Figures, goal, ratio};
use crate::seed::Person;

/// Pairs that talk at one time; each has one message on its way.
pub const PAIRS: usize = 32;
/// Messages of each pair in a round.
const EACH: usize = 100;
/// What every message says.
const TEXT: &str = "The pain in my knee is back since Tuesday and it is worse on the stairs";

struct Side {
    /// Messages for a second of the server's processor.
    of_processor: Figures,
    /// Messages in a second.
    each_second: Figures,
}

impl Side {
    fn new() -> Self {
        Self {
            of_processor: Figures::new(),
            each_second: Figures::new(),
        }
    }

    fn print(&self, what: &str) {
        println!(
            "{what:<8} for a second of its processor {}",
            self.of_processor.shown("")
        );
        println!(
            "{:<8} in a second                    {}",
            "",
            self.each_second.shown("")
        );
    }
}

/// Runs and prints the comparison.
pub async fn run(house: &House, folder: &Path, rounds: usize) {
    println!(
        "\nSocket.IO messages, stored with synchronous=FULL, acknowledged and told to both: {PAIRS} \
         pairs, {EACH} messages each, {rounds} rounds (median, least to most)"
    );
    let (server, node) = (house.serve(), node::serve(house, folder));
    let [mut ours, mut nodes] = [(); 2].map(|()| Side::new());
    let by_token = |person: &Person| person.token.clone();
    let by_id = |person: &Person| person.id.to_string();
    // Both once before it counts.
    talk(&server, house, by_token).await;
    talk(&node, house, by_id).await;
    for _ in 0..rounds {
        for (side, figures) in [
            (&mut ours, talk(&server, house, by_token).await),
            (&mut nodes, talk(&node, house, by_id).await),
        ] {
            side.of_processor.add(figures.0);
            side.each_second.add(figures.1);
        }
    }
    ours.print("ours");
    nodes.print("Node's");
    let more = ratio(&ours.of_processor, &nodes.of_processor);
    goal(
        "messages for a second of the processor, over Node's",
        more.median(),
        3.0,
        false,
        "",
    );
}

/// Messages for a second of the server's processor, and in a second.
async fn talk(server: &Child, house: &House, credential: impl Fn(&Person) -> String) -> (f64, f64) {
    let mut pairs = Vec::with_capacity(PAIRS);
    for talk in &house.talks[..PAIRS] {
        let sender = Client::connect(server.port, &credential(&talk.patient)).await;
        let receiver = Client::connect(server.port, &credential(&talk.doctor)).await;
        pairs.push((sender, receiver, talk.conversation.to_string()));
    }
    let used = server.processor_time();
    let start = Instant::now();
    let tasks: Vec<_> = pairs
        .into_iter()
        .map(|(mut sender, mut receiver, conversation)| {
            tokio::spawn(async move {
                for number in 0..EACH {
                    let id = uuid::Uuid::now_v7();
                    sender
                        .send(format!(
                            "42{number}[\"chat:message\",{{\"conversation_id\":\"{conversation}\",\
                             \"body\":\"{TEXT}\",\"client_msg_id\":\"{id}\"}}]"
                        ))
                        .await;
                    // A message is known by the id that its sender gave it.
                    let id = id.to_string();
                    let arrives = |text: &str| text.starts_with("42") && text.contains(&id);
                    receiver.receive_that("a message", arrives).await;
                    let answer = format!("43{number}[");
                    let (mut is_told, mut is_answered) = (false, false);
                    while !(is_told && is_answered) {
                        let text = sender
                            .receive_that("an answer", |text| {
                                arrives(text) || text.starts_with(&answer)
                            })
                            .await;
                        assert!(!text.contains("\"success\":false"), "{text}");
                        is_answered |= text.starts_with(&answer);
                        is_told |= text.starts_with("42");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a pair");
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = (server.processor_time() - used).as_secs_f64();
    rest().await;
    let all = (PAIRS * EACH) as f64;
    (all / used, all / seconds)
}
