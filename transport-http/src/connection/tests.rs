#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! What holds for sockets of every kind: bounds, and their end.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::SocketConfig;
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
