//! The raw chat, frame by frame.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::auth::cookie::SESSION_COOKIE;
use crate::connection::SocketConfig;
use crate::cors::Cors;
use crate::router::RouterConfig;
use crate::testing::sockets::{Served, Ws};
use crate::testing::{Person, Talk};

fn to(person: &Person, text: &str) -> Value {
    json!({
        "receiver_id": person.id.to_string(), "appointment_id": "", "service_id": "heart check",
        "message_text": text,
    })
}

impl Ws {
    async fn say(&mut self, frame: &Value) {
        self.send(&frame.to_string()).await;
    }

    /// Whether nothing comes but the answer to a frame that is sent now.
    async fn hears_no_frame(&mut self) {
        self.send("{}").await;
        assert_eq!(self.json().await["type"], "error");
    }
}

#[tokio::test]
async fn a_message_goes_to_its_receiver_on_all_sockets() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut sender = served.raw(&talk.patient).await;
    let mut first = served.raw(&talk.doctor).await;
    let mut second = served.raw(&talk.doctor).await;
    let mut events = served.connected(&talk.doctor, json!({})).await;
    let third = served.house.patient().await;
    let mut third = served.raw(&third).await;

    sender.say(&to(&talk.doctor, "L < R")).await;
    for socket in [&mut first, &mut second] {
        let mut frame = socket.json().await;
        let fields = frame.as_object_mut().unwrap();
        assert!(
            fields
                .remove("timestamp")
                .unwrap()
                .as_str()
                .unwrap()
                .ends_with('Z')
        );
        assert!(fields.remove("message_id").unwrap().is_string());
        assert!(fields.remove("feed_seq").unwrap().is_u64());
        assert_eq!(
            frame,
            json!({
                "sender_id": talk.patient.id.to_string(),
                "receiver_id": talk.doctor.id.to_string(),
                "appointment_id": "", "service_id": "heart check",
                "message_text": "L < R", "seq": 1,
            })
        );
    }
    // It is in the conversation of the two, for all surfaces.
    let told = events.event_named("new_message").await;
    assert_eq!(told["conversation_id"], talk.id.as_str());
    assert_eq!(told["message"]["message"], "L < R");
    third.hears_no_frame().await;
    // Without an id of its own the sender is told nothing.
    sender.hears_no_frame().await;
}

#[tokio::test]
async fn an_acknowledgement_comes_to_who_gave_an_id() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut sender = served.raw(&talk.patient).await;
    let mut receiver = served.raw(&talk.doctor).await;
    let mut frame = to(&talk.doctor, "one");
    frame["client_msg_id"] = "c-1".into();
    sender.say(&frame).await;
    let ack = sender.json().await;
    let received = receiver.json().await;
    assert_eq!(ack["type"], "ack");
    assert_eq!(ack["client_msg_id"], "c-1");
    for field in ["message_id", "seq", "timestamp"] {
        assert_eq!(ack[field], received[field], "{field}");
    }
    // Sent again it is acknowledged again, and received once.
    sender.say(&frame).await;
    assert_eq!(sender.json().await, ack);
    receiver.hears_no_frame().await;
    // Another content under it is refused.
    frame["message_text"] = "two".into();
    sender.say(&frame).await;
    let error = sender.json().await;
    assert_eq!(error["error_code"], "IDEMPOTENCY_MISMATCH");
    assert_eq!(error["client_msg_id"], "c-1");
}

#[tokio::test]
async fn users_talk_with_administrators() {
    let served = Served::open().await;
    let patient = served.house.patient().await;
    let bearer = served.house.admin.clone();
    let profile = served.house.get("/auth/profile", Some(&bearer)).await;
    let admin = Person {
        id: profile.expect(200)["id"].as_i64().unwrap(),
        token: bearer,
        email: String::new(),
    };
    let mut user = served.raw(&patient).await;
    let mut office = served.raw(&admin).await;
    user.say(&to(&admin, "help")).await;
    assert_eq!(office.json().await["message_text"], "help");
    office.say(&to(&patient, "yes?")).await;
    assert_eq!(user.json().await["message_text"], "yes?");
    // Two patients have nothing to say to one another here.
    let other = served.house.patient().await;
    user.say(&to(&other, "hello")).await;
    let error = user.json().await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["error_code"], "VALIDATION_ERROR");
    assert!(
        error["detail"].as_str().unwrap().contains("receiver_id"),
        "{error}"
    );
    let nobody = Person {
        id: 999_999,
        ..other
    };
    user.say(&to(&nobody, "hello")).await;
    assert_eq!(user.json().await["error_code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_bad_frame_is_refused_and_the_socket_stays_open() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut socket = served.raw(&talk.patient).await;
    let mut long = to(&talk.doctor, "x");
    long["service_id"] = "s".repeat(65).into();
    let mut foreign = to(&talk.doctor, "x");
    foreign["appointment_id"] = "77".into();
    for frame in [
        "".to_owned(),
        "rubbish".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({"receiver_id": "doctor", "message_text": "x"}).to_string(),
        json!({"receiver_id": talk.doctor.id.to_string()}).to_string(),
        to(&talk.doctor, " ").to_string(),
        to(&talk.doctor, &"x".repeat(5001)).to_string(),
        to(&talk.patient, "x").to_string(),
        long.to_string(),
        foreign.to_string(),
    ] {
        socket.send(&frame).await;
        let error = socket.json().await;
        assert_eq!(error["type"], "error", "{frame}");
        assert_eq!(error["error_code"], "VALIDATION_ERROR", "{frame}");
        assert!(!error["detail"].as_str().unwrap().is_empty());
    }
    let huge = to(&talk.doctor, &"x".repeat(65 * 1024)).to_string();
    socket.send(&huge).await;
    assert_eq!(socket.json().await["error_code"], "PAYLOAD_TOO_LARGE");
    let bytes = Message::binary(vec![1, 2, 3]);
    socket.socket.send(bytes).await.unwrap();
    assert_eq!(socket.json().await["error_code"], "VALIDATION_ERROR");
    let mut good = to(&talk.doctor, &"م".repeat(5000));
    good["client_msg_id"] = "c".into();
    socket.say(&good).await;
    assert_eq!(socket.json().await["type"], "ack");
    // What is larger than anything that is read ends it.
    socket.try_send(&"x".repeat(200 * 1024)).await;
    assert!(matches!(socket.closed().await, Some(1009) | None));
}

#[tokio::test]
async fn ids_may_be_numbers_and_labels_may_be_absent() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut sender = served.raw(&talk.patient).await;
    let mut receiver = served.raw(&talk.doctor).await;
    sender
        .say(&json!({"receiver_id": talk.doctor.id, "message_text": "x", "appointment_id": null}))
        .await;
    let frame = receiver.json().await;
    assert_eq!(
        (&frame["appointment_id"], &frame["service_id"]),
        (&json!(""), &json!(""))
    );
}

async fn delivered(served: &Served, talk: &Talk) -> Vec<bool> {
    let path = format!("/conversations/{}/messages?per_page=100", talk.id);
    // By the sender, whose look marks nothing.
    let data = served
        .house
        .api("GET", &path, &talk.patient.token, None)
        .await;
    let data = data.data(200);
    let messages = data["messages"].as_array().unwrap().iter();
    messages
        .map(|one| one["delivered_at"].is_string())
        .collect()
}

/// Waits until so many messages are delivered.
async fn all_delivered(served: &Served, talk: &Talk, count: usize) {
    for _ in 0..300 {
        if delivered(served, talk).await == vec![true; count] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not delivered: {:?}", delivered(served, talk).await);
}

#[tokio::test]
async fn who_was_away_is_sent_what_was_not_delivered() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    for number in 0..3 {
        served.house.clock.advance(Duration::from_secs(2));
        served
            .house
            .say(&talk, &talk.patient, &number.to_string())
            .await;
    }
    // His own are not sent back to him.
    served.house.say(&talk, &talk.doctor, "own").await;
    let mut receiver = served.raw(&talk.doctor).await;
    for number in 0..3 {
        let frame = receiver.json().await;
        assert_eq!(frame["message_text"], number.to_string());
        assert_eq!(frame["seq"], number + 1);
    }
    receiver.hears_no_frame().await;
    // What is sent is delivered, and comes once.
    served.house.say(&talk, &talk.patient, "now").await;
    assert_eq!(receiver.json().await["message_text"], "now");
    receiver.hears_no_frame().await;
    for _ in 0..300 {
        let marks = delivered(&served, &talk).await;
        if marks[4] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(receiver);
    let mut again = served.raw(&talk.doctor).await;
    again.hears_no_frame().await;
}

#[tokio::test]
async fn what_was_not_seen_to_arrive_comes_again() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut receiver = served.raw(&talk.doctor).await;
    served.house.say(&talk, &talk.patient, "first").await;
    assert_eq!(receiver.json().await["message_text"], "first");
    // Written to the connection, and lost with it.
    for text in ["second", "third"] {
        served.house.say(&talk, &talk.patient, text).await;
    }
    drop(receiver);
    let mut again = served.raw(&talk.doctor).await;
    let mut frame = again.json().await;
    if frame["message_text"] == "first" {
        // Its answer may have been lost, too.
        frame = again.json().await;
    }
    assert_eq!(frame["message_text"], "second");
    assert_eq!(again.json().await["message_text"], "third");
    again.hears_no_frame().await;
    all_delivered(&served, &talk, 3).await;
    let mut later = served.raw(&talk.doctor).await;
    later.hears_no_frame().await;
}

#[tokio::test]
async fn much_that_was_missed_comes_in_order() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    const COUNT: usize = 100;
    // More than may wait at one time.
    let text = "م".repeat(1900);
    for number in 0..COUNT {
        served.house.clock.advance(Duration::from_secs(2));
        let text = format!("{number} {text}");
        served.house.say(&talk, &talk.patient, &text).await;
    }
    let mut receiver = served.raw(&talk.doctor).await;
    for number in 0..COUNT {
        assert_eq!(receiver.json().await["seq"], number + 1);
    }
    receiver.hears_no_frame().await;
    all_delivered(&served, &talk, COUNT).await;
}

#[tokio::test]
async fn who_names_a_cursor_is_sent_what_came_after_it() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut receiver = served.raw(&talk.doctor).await;
    served.house.say(&talk, &talk.patient, "one").await;
    let cursor = receiver.json().await["feed_seq"].clone();
    served.house.say(&talk, &talk.patient, "two").await;
    assert_eq!(receiver.json().await["message_text"], "two");
    drop(receiver);
    let path = format!("/ws/{}", talk.doctor.id);
    let mut by_frame = served.socket(&path, &[]).await;
    by_frame
        .say(&json!({"token": talk.doctor.token, "after": cursor}))
        .await;
    let bearer = format!("Bearer {}", talk.doctor.token);
    let with_query = format!("{path}?after={cursor}");
    let headers = [("authorization", bearer.as_str())];
    let mut by_query = served.socket(&with_query, &headers).await;
    for socket in [&mut by_frame, &mut by_query] {
        assert_eq!(socket.json().await["message_text"], "two");
        socket.hears_no_frame().await;
    }
}

#[tokio::test]
async fn credentials_before_the_upgrade() {
    let cors = Cors::new(["https://app.example.org"]).unwrap();
    let served = Served::configured(RouterConfig {
        cors,
        ..RouterConfig::default()
    })
    .await;
    let person = served.house.patient().await;
    let other = served.house.patient().await;
    let path = format!("/ws/{}", person.id);
    let bearer = format!("Bearer {}", person.token);
    let protocol = format!("bearer, {}", person.token);
    let cookie = format!("{SESSION_COOKIE}={}", person.token);
    let allowed = ("origin", "https://app.example.org");
    let foreign = ("origin", "https://evil.example");
    for headers in [
        &[("authorization", bearer.as_str())][..],
        &[("authorization", bearer.as_str()), foreign],
        &[("sec-websocket-protocol", protocol.as_str())],
        &[("cookie", cookie.as_str()), allowed],
    ] {
        let mut socket = served.socket(&path, headers).await;
        socket.hears_no_frame().await;
    }
    let others = format!("/ws/{}", other.id);
    for (path, headers, status) in [
        (&path, &[("authorization", "Bearer bad")][..], 401),
        (&path, &[("authorization", "Basic x")], 401),
        (&path, &[("sec-websocket-protocol", "bearer, bad")], 401),
        (&path, &[("cookie", cookie.as_str()), foreign], 403),
        (&others, &[("authorization", bearer.as_str())], 403),
        (
            &others,
            &[("sec-websocket-protocol", protocol.as_str())],
            403,
        ),
        (&others, &[("cookie", cookie.as_str()), allowed], 403),
    ] {
        let (refused, body) = served.try_socket(path, headers).await.err().unwrap();
        assert_eq!(refused, status, "{headers:?}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(!body["detail"].as_str().unwrap().is_empty());
    }
    // No WebSocket at all.
    for (path, status) in [(path.as_str(), 400), ("/ws/abc", 404)] {
        let (refused, body) = served
            .http("GET", path, &[("authorization", &bearer)], "")
            .await;
        assert!([status, 400].contains(&refused), "{path}: {refused} {body}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["detail"].is_string());
    }
}

#[tokio::test]
async fn the_subprotocol_is_answered() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let protocol = format!("bearer, {}", person.token);
    let headers = [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", &protocol),
    ];
    let url = format!("/ws/{}", person.id);
    let mut socket = served
        .socket(&url, &[("sec-websocket-protocol", &protocol)])
        .await;
    socket.hears_no_frame().await;
    // The client above has checked the answer; without the offer there is none.
    let (status, body) = served.http("GET", &url, &headers, "").await;
    assert_eq!(status, 400, "without Connection: Upgrade: {body}");
}

#[tokio::test]
async fn the_first_frame_is_a_credential() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    served.house.say(&talk, &talk.patient, "missed").await;
    let path = format!("/ws/{}", talk.doctor.id);
    let mut socket = served.socket(&path, &[]).await;
    socket.say(&json!({"token": talk.doctor.token})).await;
    assert_eq!(socket.json().await["message_text"], "missed");
    socket.hears_no_frame().await;
    all_delivered(&served, &talk, 1).await;

    for frame in [
        json!({"token": "bad"}).to_string(),
        json!({"token": talk.patient.token}).to_string(),
    ] {
        let mut socket = served.socket(&path, &[]).await;
        socket.send(&frame).await;
        assert_eq!(socket.json().await["type"], "error");
        assert_eq!(socket.closed().await, Some(1008), "{frame}");
    }
    for frame in ["rubbish", "{}", r#"{"receiver_id":"1","message_text":"x"}"#] {
        let mut socket = served.socket(&path, &[]).await;
        socket.send(frame).await;
        assert_eq!(socket.closed().await, Some(1008), "{frame}");
    }
    // A page whose browser has sent the cookie already may say it again.
    let mut socket = served.raw(&talk.doctor).await;
    socket.say(&json!({"token": talk.doctor.token})).await;
    socket.hears_no_frame().await;
}

#[tokio::test]
async fn who_says_nothing_is_closed() {
    let served = Served::with(SocketConfig {
        authenticate_within: Duration::from_millis(200),
        ..SocketConfig::default()
    })
    .await;
    let mut socket = served.socket("/ws/1", &[]).await;
    assert_eq!(socket.closed().await, Some(1008));
}
