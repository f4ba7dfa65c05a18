//! What the document of Socket.IO asks of a server, case by case; bytes and other namespaces are
//! refused here.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::connection::SocketConfig;
use crate::testing::sockets::Served;

#[tokio::test]
async fn the_default_namespace_is_connected() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    served.connected(&person, json!({})).await;
}

#[tokio::test]
async fn other_namespaces_are_refused() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut socket = served.connected(&person, json!({})).await;
    socket.send("40/random").await;
    assert_eq!(
        socket.text().await,
        r#"44/random,{"message":"Invalid namespace"}"#
    );
    socket.send("40/random?a=b,{\"token\":\"x\"}").await;
    assert_eq!(
        socket.text().await,
        r#"44/random,{"message":"Invalid namespace"}"#
    );
    assert!(socket.hears_nothing().await.is_empty());
    socket.send(r#"42/random,["a"]"#).await;
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn nothing_is_done_before_the_connection() {
    let served = Served::open().await;
    for text in ["42[\"typing\",{}]", "41", "431[]", "4abc", "40[]"] {
        let mut socket = served.engine().await;
        socket.send(text).await;
        assert_eq!(socket.closed().await, Some(1002), "{text}");
    }
}

#[tokio::test]
async fn who_does_not_connect_is_closed() {
    let served = Served::with(SocketConfig {
        authenticate_within: Duration::from_millis(200),
        ..SocketConfig::default()
    })
    .await;
    let mut socket = served.engine().await;
    assert_eq!(socket.closed().await, Some(1008));
    // A refused one has not connected.
    let mut socket = served.engine().await;
    socket.try_send(r#"40{"token":"bad"}"#).await;
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_client_disconnects_and_connects_again() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut socket = served.connected(&talk.doctor, json!({})).await;
    socket.send("41").await;
    socket.send("2a").await;
    assert_eq!(socket.text().await, "3a");
    served.house.say(&talk, &talk.patient, "unheard").await;
    let auth = json!({"token": talk.doctor.token});
    socket.send(&format!("40{auth}")).await;
    assert!(socket.text().await.starts_with("40{"));
    for name in ["connection_status", "connection_response"] {
        assert_eq!(socket.event().await.0, name);
    }
    assert!(socket.hears_nothing().await.is_empty());
    served.house.say(&talk, &talk.patient, "heard").await;
    let heard = socket.event_named("new_message").await;
    assert_eq!(heard["message"]["message"], "heard");
}

#[tokio::test]
async fn connecting_twice_breaks_the_protocol() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut socket = served.connected(&person, json!({})).await;
    socket.send("40").await;
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn malformed_packets_close_the_connection() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    for text in [
        "4abc",
        "42{}",
        "42abc[\"message-with-ack\",1]",
        "42[]",
        "42[{}]",
        "44{}",
        "4",
    ] {
        let mut socket = served.connected(&person, json!({})).await;
        socket.send(text).await;
        assert_eq!(socket.closed().await, Some(1002), "{text}");
    }
}

#[tokio::test]
async fn bytes_are_refused_and_the_socket_lives() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut socket = served.connected(&person, json!({})).await;
    let event =
        r#"452-["chat:message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    socket.send(event).await;
    for _ in 0..2 {
        let bytes = Message::binary(vec![1, 2, 3]);
        socket.socket.send(bytes).await.unwrap();
    }
    let (name, error) = socket.event().await;
    assert_eq!(name, "error");
    assert_eq!(error["error_code"], "VALIDATION_ERROR");
    let with_ack = r#"451-789["chat:message",{"_placeholder":true,"num":0}]"#;
    socket.send(with_ack).await;
    let bytes = Message::binary(vec![1, 2, 3]);
    socket.socket.send(bytes).await.unwrap();
    let answer = socket.text().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix("43789").unwrap()).unwrap();
    assert_eq!(answer[0]["success"], false);
    assert!(socket.hears_nothing().await.is_empty());
    // Bytes that belong to nothing break the protocol.
    let bytes = Message::binary(vec![1, 2, 3]);
    socket.socket.send(bytes).await.unwrap();
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn acknowledgements_of_the_client_are_read() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut socket = served.connected(&person, json!({})).await;
    socket.send("431[\"a\"]").await;
    assert!(socket.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn too_large_a_packet_closes_and_too_large_an_event_is_refused() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let mut socket = served.connected(&person, json!({})).await;
    let of = |length: usize| json!({"conversation_id": "x".repeat(length)});
    let answer = socket.ask("typing", &of(15 * 1024)).await;
    assert_eq!(answer["error_code"], "VALIDATION_ERROR");
    let answer = socket.ask("typing", &of(17 * 1024)).await;
    assert_eq!(answer["error_code"], "PAYLOAD_TOO_LARGE");
    let answer = socket.ask("chat:message", &of(60 * 1024)).await;
    assert_eq!(answer["error_code"], "VALIDATION_ERROR");
    let answer = socket.ask("chat:message", &of(66 * 1024)).await;
    assert_eq!(answer["error_code"], "PAYLOAD_TOO_LARGE");
    socket.emit("chat:message", &of(100 * 1024)).await;
    assert_eq!(
        socket.event_named("error").await["error_code"],
        "PAYLOAD_TOO_LARGE"
    );
    let huge = format!("42[\"typing\",\"{}\"]", "x".repeat(128 * 1024));
    socket.try_send(&huge).await;
    // The server does not read to the end of it: its word may be lost to a reset.
    assert!(matches!(socket.closed().await, Some(1009) | None));
}
