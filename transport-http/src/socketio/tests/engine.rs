//! What the document of Engine.IO asks of a server, case by case.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::SocketConfig;
use crate::testing::sockets::Served;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A server that asks often whether its clients live.
async fn lively(timeout: Duration) -> Served {
    Served::with(SocketConfig {
        ping_interval: Duration::from_millis(200),
        ping_timeout: timeout,
        authenticate_within: Duration::from_secs(60),
        ..SocketConfig::default()
    })
    .await
}

impl Served {
    async fn polling(&self) -> String {
        let (status, body) = self.http("GET", POLLING, &[], "").await;
        assert_eq!(status, 200, "{body}");
        let opening: Value = serde_json::from_str(&body[1..]).unwrap();
        opening["sid"].as_str().unwrap().to_owned()
    }

    async fn poll(&self, sid: &str) -> (u16, String) {
        self.http("GET", &format!("{POLLING}&sid={sid}"), &[], "")
            .await
    }

    async fn push(&self, sid: &str, body: &str) -> (u16, String) {
        self.http("POST", &format!("{POLLING}&sid={sid}"), &[], body)
            .await
    }

    async fn is_gone(&self, sid: &str) -> bool {
        self.poll(sid).await.0 == 400
    }
}

fn opening(text: &str) -> Value {
    let opening: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
    let mut names: Vec<_> = opening.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "maxPayload",
            "pingInterval",
            "pingTimeout",
            "sid",
            "upgrades"
        ]
    );
    assert_eq!(opening["pingInterval"], 25_000);
    assert_eq!(opening["pingTimeout"], 60_000);
    assert_eq!(opening["maxPayload"], 131_072);
    assert!(opening["sid"].as_str().unwrap().len() >= 20);
    opening["upgrades"].clone()
}

#[tokio::test]
async fn a_session_opens_with_a_poll() {
    let served = Served::open().await;
    let (status, head, body) = served.whole("GET", POLLING, &[], "").await;
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; charset=UTF-8"), "{head}");
    assert_eq!(opening(&body), serde_json::json!(["websocket"]));
    let (status, body) = served
        .http("GET", "/socket.io?EIO=4&transport=polling", &[], "")
        .await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn a_session_opens_on_a_websocket() {
    let served = Served::open().await;
    let mut socket = served
        .socket("/socket.io/?EIO=4&transport=websocket", &[])
        .await;
    assert_eq!(opening(&socket.text().await), serde_json::json!([]));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_400() {
    let served = Served::open().await;
    for (method, path) in [
        ("GET", "/socket.io/?transport=polling"),
        ("GET", "/socket.io/?EIO=abc&transport=polling"),
        ("GET", "/socket.io/?EIO=3&transport=polling"),
        ("GET", "/socket.io/?EIO=4"),
        ("GET", "/socket.io/?EIO=4&transport=abc"),
        ("GET", "/socket.io/?EIO=4&transport=websocket"),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown"),
        ("POST", "/socket.io/?EIO=4&transport=polling"),
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=unknown"),
        ("PUT", "/socket.io/?EIO=4&transport=polling"),
    ] {
        let (status, body) = served.http(method, path, &[], "").await;
        assert_eq!(status, 400, "{method} {path}: {body}");
        let error: Value = serde_json::from_str(&body).unwrap();
        assert!(
            error["code"].is_u64() && error["message"].is_string(),
            "{body}"
        );
    }
    for path in [
        "/socket.io/?transport=websocket",
        "/socket.io/?EIO=abc&transport=websocket",
        "/socket.io/?EIO=4",
        "/socket.io/?EIO=4&transport=websocket&sid=unknown",
    ] {
        let refused = served.try_socket(path, &[]).await.err().unwrap();
        assert_eq!(refused.0, 400, "{path}");
    }
}

#[tokio::test]
async fn payloads_hold_several_packets() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let (status, body) = served
        .push(&sid, "40/a,\u{1e}40/b,\u{1e}2one\u{1e}6\u{1e}2two")
        .await;
    assert_eq!((status, body.as_str()), (200, "ok"));
    let (status, body) = served.poll(&sid).await;
    assert_eq!(status, 200);
    let packets: Vec<_> = body.split('\u{1e}').collect();
    assert_eq!(
        packets,
        [
            r#"44/a,{"message":"Invalid namespace"}"#,
            r#"44/b,{"message":"Invalid namespace"}"#,
            "3one",
            "3two"
        ]
    );
}

#[tokio::test]
async fn what_is_no_packet_ends_the_session() {
    let served = Served::open().await;
    for body in ["abc", "", "40/a,\u{1e}", "4abc", "bAQIDBA==", "42[\"a\"]"] {
        let sid = served.polling().await;
        served.push(&sid, body).await;
        assert!(served.is_gone(&sid).await, "{body:?}");
    }
    for text in ["abc", "", "4abc", "42[\"a\"]", "0{}"] {
        let mut socket = served.engine().await;
        socket.send(text).await;
        assert_eq!(socket.closed().await, Some(1002), "{text:?}");
    }
    let mut socket = served.engine().await;
    let bytes = Message::binary(vec![1, 2, 3, 4]);
    socket.socket.send(bytes).await.unwrap();
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn a_second_poll_ends_the_session() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let path = format!("{POLLING}&sid={sid}");
    let (first, second) = tokio::join!(served.poll(&sid), served.http("GET", &path, &[], ""));
    // Whichever came first is told of the end, and the other is refused.
    let mut both = [first, second];
    both.sort();
    assert_eq!(both[1].0, 400, "{both:?}");
    assert!(
        both[0] == (200, "1".to_owned()) || both[0].0 == 400,
        "{both:?}"
    );
    assert!(served.is_gone(&sid).await);
}

#[tokio::test]
async fn too_large_a_body_is_413_and_ends_the_session() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let body = format!("2{}", "x".repeat(128 * 1024));
    let (status, _) = served.push(&sid, &body).await;
    assert_eq!(status, 413);
    assert!(served.is_gone(&sid).await);
    let sid = served.polling().await;
    let (status, _) = served.push(&sid, &body[..128 * 1024]).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_heart_beats_while_polling() {
    let served = lively(Duration::from_secs(30)).await;
    let sid = served.polling().await;
    for _ in 0..3 {
        assert_eq!(served.poll(&sid).await, (200, "2".to_owned()));
        assert_eq!(served.push(&sid, "3").await, (200, "ok".to_owned()));
    }
}

#[tokio::test]
async fn the_heart_beats_on_a_websocket() {
    let served = lively(Duration::from_secs(30)).await;
    let mut socket = served.engine().await;
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");
        socket.send("3").await;
    }
    socket.send("2hello").await;
    assert_eq!(socket.text().await, "3hello");
}

#[tokio::test]
async fn who_does_not_answer_is_closed() {
    let served = lively(Duration::from_millis(200)).await;
    let sid = served.polling().await;
    let mut socket = served.engine().await;
    assert_eq!(socket.text().await, "2");
    socket.closed().await;
    while !served.is_gone(&sid).await {}
}

#[tokio::test]
async fn a_client_closes_its_session() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let (polled, _) = tokio::join!(served.poll(&sid), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        served.push(&sid, "1").await
    });
    assert_eq!(polled, (200, "6".to_owned()));
    assert!(served.is_gone(&sid).await);

    let mut socket = served.engine().await;
    socket.send("1").await;
    assert_eq!(socket.closed().await, Some(1000));
}

#[tokio::test]
async fn a_session_changes_to_a_websocket() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let mut socket = served.socket(&path, &[]).await;
    let (polled, ()) = tokio::join!(served.poll(&sid), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
    });
    // The poll that waited is let go.
    assert_eq!(polled, (200, "6".to_owned()));
    // So is one that comes late; what waits is not for it.
    assert_eq!(served.push(&sid, "40/a,").await.0, 200);
    assert_eq!(served.poll(&sid).await, (200, "6".to_owned()));
    socket.send("5").await;
    assert_eq!(
        socket.text().await,
        r#"44/a,{"message":"Invalid namespace"}"#
    );
    socket.send("2hello").await;
    assert_eq!(socket.text().await, "3hello");

    assert_eq!(served.poll(&sid).await.0, 400);
    assert_eq!(served.push(&sid, "2x").await.0, 400);
    assert_eq!(served.try_socket(&path, &[]).await.err().unwrap().0, 400);
    socket.send("2still").await;
    assert_eq!(socket.text().await, "3still");
    socket.send("1").await;
    socket.closed().await;
    assert!(served.is_gone(&sid).await);
}

#[tokio::test]
async fn a_change_that_does_not_come_about_leaves_the_session_as_it_was() {
    let served = Served::open().await;
    let sid = served.polling().await;
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let mut socket = served.socket(&path, &[]).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    // A second one cannot take part.
    let refused = served.try_socket(&path, &[]).await;
    assert_eq!(refused.err().unwrap().0, 400);
    drop(socket);
    // Until its end is noticed, polls are sent away.
    assert_eq!(served.push(&sid, "2a").await.0, 200);
    let body = loop {
        let (status, body) = served.poll(&sid).await;
        assert_eq!(status, 200);
        if body != "6" {
            break body;
        }
    };
    assert_eq!(body, "3a");

    for rubbish in ["2", "4hello", "5", "abc"] {
        let mut socket = served.socket(&path, &[]).await;
        socket.send(rubbish).await;
        socket.closed().await;
    }
    assert_eq!(served.push(&sid, "2b").await.0, 200);
    assert_eq!(served.poll(&sid).await, (200, "3b".to_owned()));

    // Few can ask at one time: nobody counts them.
    let mut asking = Vec::new();
    let refused = loop {
        match served.try_socket(&path, &[]).await {
            Ok(socket) => asking.push(socket),
            Err((status, _)) => break status,
        }
        assert!(asking.len() <= 2);
    };
    assert_eq!(refused, 400);
    drop(asking);
    while served.try_socket(&path, &[]).await.is_err() {}
}
