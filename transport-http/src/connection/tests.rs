#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! What holds for sockets of every kind: bounds, and their end.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use telemed_core::limits::{LimitProfile, RateLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::SocketConfig;
use crate::limits::LimitConfig;
use crate::router::RouterConfig;
use crate::testing::Talk;
use crate::testing::sockets::{Served, Ws};

/// Within this a socket that does not read is cut off.
const CUT_OFF: Duration = Duration::from_secs(10);

/// Has a server answer more than the kernel keeps for a client that does not read, until the
/// server has closed the connection.
async fn stall(mut socket: Ws) {
    let question = format!("2{}", "x".repeat(100 * 1024));
    while socket.socket.send(Message::text(&question)).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_does_not_read_is_cut_off_and_others_are_served() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut stalls = served.connected(&talk.doctor, json!({})).await;
    served.house.say(&talk, &talk.patient, "0").await;
    let cursor = stalls.event_named("new_message").await["feed_seq"].clone();
    let mut reads = served.connected(&talk.doctor, json!({})).await;
    let stalling = tokio::spawn(stall(stalls));
    // Others of the same user hear everything, in order, all the while.
    for number in 1..=5 {
        let text = number.to_string();
        served.house.say(&talk, &talk.patient, &text).await;
        let told = reads.event_named("new_message").await;
        assert_eq!(told["message"]["message"], text);
    }
    timeout(CUT_OFF, stalling).await.expect("cut off").unwrap();
    // It comes back and misses nothing.
    let mut again = served
        .connected(&talk.doctor, json!({"after": cursor}))
        .await;
    for number in 1..=5 {
        let told = again.event_named("new_message").await;
        assert_eq!(told["message"]["message"], number.to_string());
    }
    assert!(again.hears_nothing().await.is_empty());
}

/// How many are served beside one that does not read.
const OTHERS: usize = 99;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Raw,
}

/// A socket that never reads, among others who do.
struct Stalled {
    served: Served,
    kind: Kind,
    /// In which much is said.
    busy: Talk,
    /// In which the others hear something now and then.
    quiet: Talk,
    others: Vec<Ws>,
    /// Hears everything that the one that does not read is sent.
    reads: Ws,
    said: usize,
}

impl Stalled {
    async fn among_others(kind: Kind) -> Self {
        let served = Served::configured(RouterConfig {
            limits: LimitConfig::local(RateLimits::of(LimitProfile::Off)),
            sockets: SocketConfig {
                most: OTHERS + 2,
                most_of_a_user: OTHERS,
                ..SocketConfig::default()
            },
            ..RouterConfig::default()
        })
        .await;
        let (busy, quiet) = (served.house.talk().await, served.house.talk().await);
        let mut others = Vec::new();
        for number in 0..OTHERS {
            others.push(match number % 2 {
                0 => served.raw(&quiet.doctor).await,
                _ => served.connected(&quiet.doctor, json!({})).await,
            });
        }
        let reads = served
            .connected(&busy.doctor, json!({"words": "calls"}))
            .await;
        Self {
            served,
            kind,
            busy,
            quiet,
            others,
            reads,
            said: 0,
        }
    }

    async fn open(&self, after: Option<&Value>) -> Ws {
        let (served, person) = (&self.served, &self.busy.doctor);
        match (self.kind, after) {
            (Kind::Raw, None) => served.raw(person).await,
            (Kind::Raw, Some(after)) => {
                let bearer = format!("Bearer {}", person.token);
                let path = format!("/ws/{}?after={after}", person.id);
                served.socket(&path, &[("authorization", &bearer)]).await
            }
            (Kind::Events, None) => served.connected(person, json!({"words": "calls"})).await,
            (Kind::Events, Some(after)) => {
                let more = json!({"words": "calls", "after": after});
                served.connected(person, more).await
            }
        }
    }

    /// Says something long, which is told before this returns: the cursor of it.
    async fn say(&mut self) -> Value {
        // Six bytes for each character.
        let text = format!("{} {}", self.said, "\u{1}".repeat(4900));
        let path = format!("/conversations/{}/send-message", self.busy.id);
        let body = json!({ "body": text });
        let token = &self.busy.patient.token;
        let sent = self
            .served
            .house
            .api("POST", &path, token, Some(body))
            .await;
        assert_eq!(sent.status, 200);
        self.said += 1;
        let told = self.reads.event_named("chat:message").await;
        assert_eq!(told["seq"], self.said);
        told["feed_seq"].clone()
    }

    /// The others are told something, all of them and in time.
    async fn others_are_served(&mut self) {
        let text = format!("beside {}", self.said);
        let quiet = &self.quiet;
        self.served.house.say(quiet, &quiet.patient, &text).await;
        let hearing = async {
            for (number, other) in self.others.iter_mut().enumerate() {
                let heard = match number % 2 {
                    0 => other.json().await["message_text"].take(),
                    _ => other.event_named("new_message").await["message"]["message"].take(),
                };
                assert_eq!(heard, text);
            }
        };
        timeout(Duration::from_secs(5), hearing)
            .await
            .expect("in time");
    }

    /// Whether the one that does not read is gone with all that it held: its place is free.
    async fn is_free(&self) -> bool {
        let tried = self.served.try_socket("/ws/1", &[]).await;
        match tried {
            Ok(_) => true,
            Err((status, _)) => {
                assert_eq!(status, 503);
                false
            }
        }
    }

    /// Every message from here on comes to this socket, and at first perhaps some before it.
    async fn comes_to(&self, mut again: Ws, from: usize) {
        let mut last = None;
        while last != Some(self.said as u64) {
            let seq = match self.kind {
                Kind::Raw => again.json().await["seq"].take(),
                Kind::Events => again.event_named("chat:message").await["seq"].take(),
            };
            let seq = seq.as_u64().unwrap();
            match last {
                None => assert!(seq <= from as u64, "it begins with {seq}"),
                Some(last) => assert_eq!(seq, last + 1),
            }
            last = Some(seq);
        }
    }
}

/// The connection has ended: what the kernel still keeps of it is read to its end.
async fn is_closed(mut stalled: Ws) {
    let mut buffer = vec![0; 64 * 1024];
    let stream = stalled.socket.get_mut();
    let reading = async { while let Ok(1..) = stream.read(&mut buffer).await {} };
    timeout(CUT_OFF, reading).await.expect("closed");
}

async fn a_hundred_and_one_that_does_not_read(kind: Kind) {
    let mut scene = Stalled::among_others(kind).await;
    let cursor = scene.say().await;

    // More is sent than is kept for it.
    let stalled = scene.open(None).await;
    let mut fits = 0;
    while !scene.is_free().await {
        scene.say().await;
        fits += 1;
        if fits % 20 == 0 {
            scene.others_are_served().await;
        }
        assert!(fits < 1000, "it is never cut off");
    }
    is_closed(stalled).await;
    scene.others_are_served().await;
    let again = scene.open(Some(&cursor)).await;
    scene.comes_to(again, 2).await;

    // Nothing more is sent, and it still takes nothing.
    while !scene.is_free().await {}
    let cursor = scene.say().await;
    let stalled = scene.open(Some(&cursor)).await;
    let first = scene.said + 1;
    for _ in 0..fits - 5 {
        scene.say().await;
    }
    assert!(!scene.is_free().await, "it is sent more than is kept");
    let waiting = async {
        while !scene.is_free().await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(CUT_OFF, waiting).await.expect("cut off");
    is_closed(stalled).await;
    scene.others_are_served().await;
    // On the raw chat, what was only written to it is not delivered.
    let again = match kind {
        Kind::Raw => scene.open(None).await,
        Kind::Events => scene.open(Some(&cursor)).await,
    };
    scene.comes_to(again, first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_event_socket_is_cut_off_among_a_hundred() {
    a_hundred_and_one_that_does_not_read(Kind::Events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_raw_socket_is_cut_off_among_a_hundred() {
    a_hundred_and_one_that_does_not_read(Kind::Raw).await;
}

#[tokio::test]
async fn one_network_cannot_take_the_places_of_those_who_are_not_known_yet() {
    use std::sync::Arc;

    use telemed_core::actor::Origin;

    use super::hub::Hub;
    use super::{End, Outbox};

    let hub = Hub::new(SocketConfig {
        most_unauthenticated: 4,
        ..SocketConfig::default()
    });
    let wait = |address: &str| {
        let outbox = Arc::new(Outbox::new());
        let mut seat = hub.seat().unwrap();
        let origin = Origin {
            address: Some(address.parse().unwrap()),
        };
        seat.wait(&outbox, origin);
        (seat, outbox)
    };
    let quiet = wait("192.0.2.1");
    let crowd: Vec<_> = (0..20).map(|_| wait("203.0.113.7")).collect();
    let other = wait("2001:db8::1");
    for (_, outbox) in [&quiet, &other] {
        assert_eq!(outbox.ended(), None);
    }
    let left = crowd.iter().filter(|(_, outbox)| outbox.ended().is_none());
    assert_eq!(left.count(), 2);
    assert_eq!(crowd[0].1.ended(), Some(End::Unauthenticated));
    // A place that is left is free.
    drop(crowd);
    let more = [(); 2].map(|()| wait("203.0.113.7"));
    assert!(more.iter().all(|(_, outbox)| outbox.ended().is_none()));
    assert_eq!(quiet.1.ended(), None);
}

#[tokio::test]
async fn many_who_do_not_say_who_they_are_hurt_nobody() {
    const MOST: usize = 50;
    let served = Served::with(SocketConfig {
        most_unauthenticated: MOST,
        authenticate_within: Duration::from_secs(60),
        ..SocketConfig::default()
    })
    .await;
    let talk = served.house.talk().await;
    let mut sockets = Vec::new();
    for number in 0..300 {
        sockets.push(match number % 3 {
            0 => served.socket("/ws/1", &[]).await,
            _ => served.engine().await,
        });
    }
    let (status, _) = served
        .http("GET", "/socket.io/?EIO=4&transport=polling", &[], "")
        .await;
    assert_eq!(status, 200);
    // Others come in and are served.
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    let mut raw = served.raw(&talk.doctor).await;
    served.house.say(&talk, &talk.patient, "through").await;
    doctor.event_named("new_message").await;
    assert_eq!(raw.json().await["message_text"], "through");
    // The ones that have waited longest are closed; as many as may are left.
    for socket in sockets.iter_mut().take(300 - MOST) {
        assert_eq!(socket.closed().await, Some(1008));
    }
    let last = sockets.last_mut().unwrap();
    let nothing = timeout(Duration::from_millis(300), last.text()).await;
    assert!(nothing.is_err(), "the newest is still waited for");
}

#[tokio::test]
async fn there_are_so_many_sockets() {
    let served = Served::with(SocketConfig {
        most: 2,
        ..SocketConfig::default()
    })
    .await;
    let person = served.house.patient().await;
    let first = served.raw(&person).await;
    let _second = served.engine().await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(served.http("GET", polling, &[], "").await.0, 503);
    let refused = served.try_socket("/ws/1", &[]).await.err().unwrap();
    assert_eq!(refused.0, 503);
    drop(first);
    // A place that is left is free.
    while served.http("GET", polling, &[], "").await.0 != 200 {}
}

#[tokio::test]
async fn a_stop_tells_every_socket() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut raw = served.raw(&person).await;
    let mut socket = served.connected(&person, json!({})).await;
    let mut nobody = served.socket("/ws/1", &[]).await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let (_, body) = served.http("GET", polling, &[], "").await;
    let opening: serde_json::Value = serde_json::from_str(&body[1..]).unwrap();
    let path = format!("{polling}&sid={}", opening["sid"].as_str().unwrap());
    let mut poll = TcpStream::connect(served.address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    poll.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(200)).await;

    let (stopped, ..) = tokio::join!(
        served.stop(),
        async { assert_eq!(raw.closed().await, Some(1001)) },
        async { assert_eq!(socket.closed().await, Some(1001)) },
        async { assert_eq!(nobody.closed().await, Some(1001)) },
    );
    assert_eq!(stopped.cut_off, 0);
    let mut answer = String::new();
    poll.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
}

#[tokio::test]
async fn a_socket_that_does_not_answer_a_stop_holds_nobody_up() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let raw = served.raw(&person).await;
    timeout(CUT_OFF, served.stop()).await.expect("stopped");
    drop(raw);
}
