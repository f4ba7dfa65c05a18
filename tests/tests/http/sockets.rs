//! The raw chat at the real server, together with what is sent and read over HTTP; and what holds
//! for sockets when two servers share one database.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use telemed_tests::practice::{Person, Practice, Visit};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A raw socket.
struct Raw(WebSocketStream<TcpStream>);

impl Raw {
    async fn open(visit: &Visit, person: &Person) -> Self {
        Self::at(visit.practice.server.address(), person).await
    }

    /// As a page of a browser does, which can send no header.
    async fn at(address: &str, person: &Person) -> Self {
        let url = format!("ws://{address}/ws/{}", person.id);
        let mut request = url.into_client_request().unwrap();
        let protocol = format!("bearer, {}", person.token);
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_str(&protocol).unwrap(),
        );
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, answer) = client_async(request, stream).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], "bearer");
        Self(socket)
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a frame") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no frame but {other:?}"),
            }
        }
    }

    async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        let reading = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(Some(frame)) = message {
                    code = Some(frame.code.into());
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("an end");
        code
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_chat_and_http_meet_in_one_conversation() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let mut socket = Raw::open(&visit, &doctor).await;
    let mut sender = Raw::open(&visit, &patient).await;
    sender
        .say(&json!({
            "receiver_id": doctor.id.to_string(), "appointment_id": "", "service_id": "s",
            "message_text": "from the raw chat", "client_msg_id": "c-1",
        }))
        .await;
    let ack = sender.hear().await;
    assert_eq!(ack["type"], "ack");
    let frame = socket.hear().await;
    assert_eq!(frame["message_text"], "from the raw chat");
    assert_eq!(frame["message_id"], ack["message_id"]);

    let client = visit.of(&patient);
    let listed = client.get("//api/messages/conversations").await.expect(200);
    let conversation = listed["data"]["conversations"][0].clone();
    assert_eq!(conversation["last_message_content"], "from the raw chat");
    let body = json!({"conversation_id": conversation["id"], "message": "over http"});
    let _ = client.post("//api/messages", &body).await.expect(200);
    assert_eq!(socket.hear().await["message_text"], "over http");

    let read = json!({"sender_id": patient.id.to_string()});
    let path = format!("//chat/read/{}", doctor.id);
    let read = visit.of(&doctor).put(&path, &read).await.expect(200);
    assert_eq!(read["updated_count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_at_one_server_closes_sockets_at_another() {
    let practice = Practice::open(&[], &[]).await;
    let visit = Visit::at(practice);
    let patient = visit.patient().await;
    let other = visit.practice.folder.start(&[], &[]);
    let mut socket = Raw::at(other.address(), &patient).await;
    let out = visit.of(&patient).post("/auth/logout", &json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text());
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_tells_sockets_that_the_server_goes() {
    let practice = Practice::open(&[], &[]).await;
    let visit = Visit::at(practice);
    let patient = visit.patient().await;
    let mut socket = Raw::open(&visit, &patient).await;
    visit.practice.server.terminate();
    assert_eq!(socket.closed().await, Some(1001));
}
