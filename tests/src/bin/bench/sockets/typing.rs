//! Typing, over Socket.IO, beside the bare relay.

use super::client::Client;
use super::house::House;
use super::passing::{self, Comparison, Pair, Passed};
use crate::http::Child;

/// Pairs that write at one time.
pub const PAIRS: usize = 8;
/// Events of each pair in a round.
const EACH: usize = 3_000;

/// Runs and prints the comparison.
pub async fn run(house: &House, rounds: usize) {
    println!(
        "\nTyping: {PAIRS} pairs, {EACH} events each, {rounds} rounds (median, least to most)"
    );
    let (server, relay) = (house.serve(), Child::relay(None));
    let mut comparison = Comparison::new();
    for _ in 0..rounds {
        let (_, text) = event(house, 0);
        let pairs = passing::relayed(&relay, PAIRS, &[text], "is_typing").await;
        comparison.relay(&passing::rate(&relay, pairs, EACH).await);
        comparison.ours(&ours(house, &server).await);
        passing::rest().await;
    }
    comparison.print("typing");
}

async fn ours(house: &House, server: &Child) -> Passed {
    let mut pairs = Vec::with_capacity(PAIRS);
    for number in 0..PAIRS {
        let (talk, text) = event(house, number);
        pairs.push(Pair {
            sender: Client::connect(server.port, &talk.patient.token).await,
            receiver: Client::connect(server.port, &talk.doctor.token).await,
            texts: vec![text],
            shows: "is_typing",
        });
    }
    passing::rate(server, pairs, EACH).await
}

fn event(house: &House, number: usize) -> (&crate::seed::Talk, String) {
    let talk = &house.talks[number];
    let text = format!(
        "42[\"typing\",{{\"conversation_id\":\"{}\",\"is_typing\":true}}]",
        talk.conversation
    );
    (talk, text)
}
