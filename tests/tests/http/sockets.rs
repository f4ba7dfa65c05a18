//! The raw chat at the real server, together with what is sent and read over HTTP; and what holds
//! for sockets when two servers share one database.

use serde_json::{Value, json};
use telemed_tests::chat::sockets::RawSocket;
use telemed_tests::practice::{Practice, Visit};

async fn hear(socket: &mut RawSocket) -> Value {
    socket.hear().await.expect("a frame")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_chat_and_http_meet_in_one_conversation() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let address = visit.practice.server.address();
    let mut socket = RawSocket::open(address, &doctor).await;
    let mut sender = RawSocket::open(address, &patient).await;
    sender
        .say(&json!({
            "receiver_id": doctor.id.to_string(), "appointment_id": "", "service_id": "s",
            "message_text": "from the raw chat", "client_msg_id": "c-1",
        }))
        .await
        .expect("sent");
    let ack = hear(&mut sender).await;
    assert_eq!(ack["type"], "ack");
    let frame = hear(&mut socket).await;
    assert_eq!(frame["message_text"], "from the raw chat");
    assert_eq!(frame["message_id"], ack["message_id"]);

    let client = visit.of(&patient);
    let listed = client.get("//api/messages/conversations").await.expect(200);
    let conversation = listed["data"]["conversations"][0].clone();
    assert_eq!(conversation["last_message_content"], "from the raw chat");
    let body = json!({"conversation_id": conversation["id"], "message": "over http"});
    let _ = client.post("//api/messages", &body).await.expect(200);
    assert_eq!(hear(&mut socket).await["message_text"], "over http");

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
    let mut socket = RawSocket::open(other.address(), &patient).await;
    let out = visit.of(&patient).post("/auth/logout", &json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text());
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_tells_sockets_that_the_server_goes() {
    let practice = Practice::open(&[], &[]).await;
    let visit = Visit::at(practice);
    let patient = visit.patient().await;
    let mut socket = RawSocket::open(visit.practice.server.address(), &patient).await;
    visit.practice.server.terminate();
    assert_eq!(socket.closed().await, Some(1001));
}
