#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! What holds for sockets of every kind: bounds, and their end.

use std::time::Duration;

use serde_json::json;
use telemed_core::limits::{LimitProfile, RateLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::SocketConfig;
use crate::limits::LimitConfig;
use crate::router::RouterConfig;
use crate::testing::Person;
use crate::testing::sockets::Served;

/// Within this a socket that does not read is cut off.
const CUT_OFF: Duration = Duration::from_secs(10);

/// A stream that has become a raw socket of a person and is read no further.
async fn stalled(served: &Served, person: &Person) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // What the kernel keeps for it is little.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let head = format!(
        "GET /ws/{} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {}\r\n\r\n",
        person.id, person.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut head = vec![0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, b"HTTP/1.1 101");
    stream
}

/// Waits until the other end of a stream, which is not read, has closed: what is written to it is
/// answered with a reset.
async fn closed_by_the_other_end(stream: &mut TcpStream) {
    // A masked pong, which asks for nothing.
    let pong = [0x8a, 0x80, 0, 0, 0, 0];
    while stream.write_all(&pong).await.is_ok() {
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_does_not_read_is_cut_off_and_others_are_served() {
    // More than the kernel keeps for a client that does not read.
    const MESSAGES: u64 = 400;
    let served = Served::configured(RouterConfig {
        limits: LimitConfig::local(RateLimits::of(LimitProfile::Off)),
        ..RouterConfig::default()
    })
    .await;
    let talk = served.house.talk().await;
    let mut stalled = stalled(&served, &talk.doctor).await;
    let mut reads = served.raw(&talk.doctor).await;
    let mut events = served.connected(&talk.doctor, json!({})).await;
    let mut sender = served.raw(&talk.patient).await;
    // 20 KB each.
    let text = "\u{1d54f}".repeat(5000);
    let frame = json!({"receiver_id": talk.doctor.id, "message_text": text});
    for number in 1..=MESSAGES {
        sender.send(&frame.to_string()).await;
        // The others of the same user hear everything, in order.
        assert_eq!(reads.json().await["seq"], number);
        let told = events.event_named("new_message").await;
        assert_eq!(told["message"]["seq"], number);
    }
    let end = closed_by_the_other_end(&mut stalled);
    timeout(CUT_OFF, end).await.expect("cut off");
    // It comes back and misses nothing.
    let path = format!("/ws/{}?after=0", talk.doctor.id);
    let bearer = format!("Bearer {}", talk.doctor.token);
    let mut again = served.socket(&path, &[("authorization", &bearer)]).await;
    for number in 1..=MESSAGES {
        assert_eq!(again.json().await["seq"], number);
    }
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
async fn a_socket_that_does_not_answer_a_stop_is_cut_off() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut stalled = stalled(&served, &person).await;
    let started = Instant::now();
    served.stop().await;
    assert!(started.elapsed() < CUT_OFF);
    let mut rest = Vec::new();
    let _ = timeout(CUT_OFF, stalled.read_to_end(&mut rest))
        .await
        .unwrap();
}

#[tokio::test]
async fn online_is_who_has_a_socket() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let user = telemed_core::id::UserId::new(person.id).unwrap();
    let online = served.house.shared.online().clone();
    assert!(!online.is_online(user));
    let raw = served.raw(&person).await;
    let socket = served.connected(&person, json!({})).await;
    assert!(online.is_online(user));
    drop(raw);
    drop(socket);
    for _ in 0..300 {
        if !online.is_online(user) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("still online");
}
