//! How fast signals pass between the devices of a call, over Socket.IO, beside the bare relay.

use crate::Options;
use crate::http::Child;
use crate::seed::Talk;
use crate::sockets::client::Client;
use crate::sockets::house::House;
use crate::sockets::load;
use crate::sockets::passing::{self, Comparison, Pair, Passed};

/// Calls at one time.
const PAIRS: usize = 8;

/// A candidate of a browser.
const CANDIDATE: &str = r#"{"candidate":"candidate:2654361041 1 udp 2113937151 192.0.2.2 46154 typ host generation 0 ufrag Zk1a network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"Zk1a"}"#;
/// The length of the description that a browser makes of a camera and a microphone.
const DESCRIPTION: usize = 6_000;

/// What every event of them shows.
const SHOWS: &str = "webrtc:";
/// Candidates for each description, as a browser with a few networks has them.
const CANDIDATES: usize = 10;

/// What is handed on.
struct Kind {
    what: &'static str,
    /// Of each pair in a round.
    each: usize,
    /// In turn: the event and what it carries.
    events: Vec<(&'static str, String)>,
}

impl Kind {
    fn all() -> [Self; 3] {
        // A line of it as it goes into JSON.
        let line = r"a=rtpmap:96 VP8/90000\r\n";
        let sdp = line.repeat(DESCRIPTION / line.len());
        let candidate = ("webrtc:ice", format!("\"candidate\":{CANDIDATE}"));
        let offer = format!("\"offer\":{{\"type\":\"offer\",\"sdp\":\"{sdp}\"}}");
        let offer = ("webrtc:offer", offer);
        let mut call = vec![offer.clone()];
        call.resize(1 + CANDIDATES, candidate.clone());
        [
            Self {
                what: "candidates",
                each: 3_000,
                events: vec![candidate],
            },
            Self {
                what: "offers",
                each: 3_000,
                events: vec![offer],
            },
            Self {
                what: "of a call",
                each: 3_300,
                events: call,
            },
        ]
    }

    fn texts(&self, call: &str) -> Vec<String> {
        let text = |(event, payload): &(&str, String)| {
            format!("42[\"{event}\",{{\"call_id\":\"{call}\",{payload}}}]")
        };
        self.events.iter().map(text).collect()
    }

    fn bytes(&self) -> usize {
        let all: usize = self.events.iter().map(|(_, payload)| payload.len()).sum();
        all / self.events.len()
    }
}

/// Runs and prints the comparison.
pub async fn run(options: &Options) {
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = folder.join(format!("bench-{}", std::process::id()));
    println!("Databases in {}; the load is {}", folder.display(), load());
    let house = House::make(folder.join("house"), PAIRS, 0).await;
    let (server, relay) = (house.serve(), Child::relay(None));
    for kind in Kind::all() {
        println!(
            "\nSignals: {PAIRS} calls, {} {}, of {} bytes on an average, {} rounds (median, least to most)",
            kind.each,
            kind.what,
            kind.bytes(),
            options.rounds
        );
        let mut comparison = Comparison::new();
        // A round of each before, which does not count.
        for round in 0..=options.rounds {
            let texts = kind.texts("01936c5e-0000-7000-8000-000000000000");
            let pairs = passing::relayed(&relay, PAIRS, &texts, SHOWS).await;
            let bare = passing::rate(&relay, pairs, kind.each).await;
            let ours = ours(&house, &server, &kind).await;
            if round > 0 {
                comparison.relay(&bare);
                comparison.ours(&ours);
            }
            passing::rest().await;
        }
        comparison.print(kind.what);
    }
    println!("\nThe load is {}", load());
    let _ = std::fs::remove_dir_all(folder);
}

async fn ours(house: &House, server: &Child, kind: &Kind) -> Passed {
    let talks = &house.talks[..PAIRS];
    let (mut pairs, mut calls) = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
    for talk in talks {
        let (pair, call) = connected(server, talk, kind).await;
        pairs.push(pair);
        calls.push(call);
    }
    let passed = passing::rate(server, pairs, kind.each).await;
    // The next round begins others, and nobody is in two.
    for (talk, call) in talks.iter().zip(calls) {
        let mut caller = Client::connect(server.port, &talk.patient.token).await;
        caller
            .send(format!("421[\"call:end\",{{\"call_id\":\"{call}\"}}]"))
            .await;
        caller
            .receive_that("an end", |text| text.contains("call:ended"))
            .await;
    }
    passed
}

/// The two devices of a call that has its first descriptions behind it, and its id.
async fn connected(server: &Child, talk: &Talk, kind: &Kind) -> (Pair, String) {
    let mut sender = Client::connect(server.port, &talk.patient.token).await;
    let mut receiver = Client::connect(server.port, &talk.doctor.token).await;
    let initiate = format!(
        "421[\"call:initiate\",{{\"callee_id\":{},\"call_type\":\"video\"}}]",
        talk.doctor.id
    );
    sender.send(initiate).await;
    let told = receiver
        .receive_that("a call", |text| text.contains("call:ringing"))
        .await;
    let (_, rest) = told.split_once("\"call_id\":\"").expect("its id");
    let (call, _) = rest.split_once('"').expect("its id");
    receiver
        .send(format!("421[\"call:accept\",{{\"call_id\":\"{call}\"}}]"))
        .await;
    let offer = format!("42[\"webrtc:offer\",{{\"call_id\":\"{call}\",\"offer\":{{}}}}]");
    sender.send(offer).await;
    receiver
        .receive_that("an offer", |text| text.contains("webrtc:offer"))
        .await;
    let answer = format!("42[\"webrtc:answer\",{{\"call_id\":\"{call}\",\"answer\":{{}}}}]");
    receiver.send(answer).await;
    sender
        .receive_that("an answer", |text| text.contains("webrtc:answer"))
        .await;
    let connected = format!("421[\"call:connected\",{{\"call_id\":\"{call}\"}}]");
    sender.send(connected).await;
    for client in [&mut sender, &mut receiver] {
        client
            .receive_that("a connection", |text| text.contains("call:connected"))
            .await;
    }
    let pair = Pair {
        sender,
        receiver,
        texts: kind.texts(call),
        shows: SHOWS,
    };
    (pair, call.to_owned())
}
