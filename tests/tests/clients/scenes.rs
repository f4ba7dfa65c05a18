//! What is played with each client over each of its transports.

use std::pin::Pin;

use serde_json::{Value, json};
use telemed_tests::practice::{Person, Visit};

use super::driver::{Driver, Kind, Transports};

type Playing = Pin<Box<dyn Future<Output = ()>>>;

/// How a scene is played by a kind of client over its transports.
type Play = fn(Kind, Transports) -> Playing;

/// Every scene.
pub const SCENES: [(&str, Play); 6] = [
    ("two_talk_and_a_third_hears_nothing", |kind, transports| {
        Box::pin(two_talk(kind, transports))
    }),
    ("a_bad_token_is_a_connect_error", |kind, transports| {
        Box::pin(a_bad_token(kind, transports))
    }),
    ("a_logout_ends_the_socket", |kind, transports| {
        Box::pin(a_logout(kind, transports))
    }),
    ("who_was_away_misses_nothing", |kind, transports| {
        Box::pin(who_was_away(kind, transports))
    }),
    (
        "what_is_refused_leaves_the_socket_open",
        |kind, transports| Box::pin(refused(kind, transports)),
    ),
    ("two_call_and_hang_up", |kind, transports| {
        Box::pin(two_call(kind, transports))
    }),
];

/// A patient and a doctor with a conversation, at the practice of these tests.
struct Scene {
    visit: Visit,
    patient: Person,
    doctor: Person,
    conversation: String,
    clients: Driver,
}

impl Scene {
    async fn set(kind: Kind, transports: Transports) -> Self {
        let visit = Visit::shared().await;
        let (_, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let opened = visit
            .of(&patient)
            .post(
                "//api/messages/conversations",
                &json!({"participant_id": doctor.id}),
            )
            .await
            .expect(200);
        Self {
            conversation: opened["data"]["conversation"]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
            clients: Driver::start(kind, transports).await,
            visit,
            patient,
            doctor,
        }
    }

    async fn connect(&mut self, socket: &str, options: Value) {
        let base = self.visit.practice.server.base.clone();
        self.clients.connect(socket, &base, options).await;
    }

    async fn connected(&mut self, socket: &str, person: &Person) {
        self.connect(socket, json!({"auth": {"token": person.token}}))
            .await;
        self.clients.connected(socket).await;
    }

    fn line(&self, text: &str) -> Value {
        json!({"conversation_id": self.conversation, "body": text})
    }

    /// Sends over HTTP, on the chat's route.
    async fn say(&self, by: &Person, text: &str) -> Value {
        let body = json!({"conversation_id": self.conversation, "message": text});
        let sent = self.visit.of(by).post("//api/messages", &body).await;
        sent.expect(200)["data"]["message"].clone()
    }
}

async fn two_talk(kind: Kind, transports: Transports) {
    let mut scene = Scene::set(kind, transports).await;
    let (patient, doctor) = (scene.patient.clone(), scene.doctor.clone());
    let third = scene.visit.patient().await;
    scene.connected("patient", &patient).await;
    // By the header, and so in the other words.
    let bearer = format!("Bearer {}", doctor.token);
    scene
        .connect("doctor", json!({"extraHeaders": {"Authorization": bearer}}))
        .await;
    scene.clients.connected("doctor").await;
    scene.connected("third", &third).await;
    let conversation = json!({"conversation_id": scene.conversation});
    let clients = &mut scene.clients;
    clients
        .emit("patient", "join_conversation", &conversation)
        .await;
    let joined = clients.event("patient", "conversation_joined").await;
    assert_eq!(joined["status"], "success");
    clients
        .emit("third", "join_conversation", &conversation)
        .await;
    let error = clients.event("third", "error").await;
    assert!(error["message"].is_string(), "{error}");

    // From a socket: the doctor hears it without having joined, and so does the sender.
    let line = scene.line("from a socket");
    let answer = scene.clients.ask("doctor", "chat:message", &line).await;
    assert_eq!(answer["success"], true, "{answer}");
    let told = scene.clients.event("doctor", "chat:message").await;
    assert_eq!(told["message_id"], answer["data"]["message_id"]);
    assert_eq!(told["body"], "from a socket");
    let told = scene.clients.event("patient", "new_message").await;
    assert_eq!(told["conversation_id"], scene.conversation.as_str());
    assert_eq!(told["message"]["message"], "from a socket");
    assert_eq!(told["message"]["id"], answer["data"]["message_id"]);
    let id = json!({"message_id": told["message"]["id"]});

    // Typing, to the other alone.
    let mut typing = conversation.clone();
    typing["is_typing"] = true.into();
    scene.clients.emit("patient", "typing", &typing).await;
    let told = scene.clients.event("doctor", "chat:typing").await;
    assert_eq!(
        (&told["is_typing"], &told["user_id"]),
        (&json!(true), &json!(patient.id))
    );
    typing["is_typing"] = false.into();
    scene.clients.emit("patient", "typing", &typing).await;
    let told = scene.clients.event("doctor", "chat:typing").await;
    assert_eq!(told["is_typing"], false);

    // Receipts, to both.
    let answer = scene.clients.ask("patient", "chat:delivered", &id).await;
    assert_eq!(answer["data"]["status"], "delivered", "{answer}");
    let told = scene.clients.event("doctor", "chat:delivered").await;
    assert_eq!(told["message_id"], id["message_id"]);
    let answer = scene.clients.ask("patient", "chat:read", &id).await;
    assert_eq!(answer["data"]["status"], "read", "{answer}");
    let told = scene.clients.event("doctor", "chat:read").await;
    assert_eq!(told["user_id"], patient.id);
    for event in ["chat:delivered", "chat:read"] {
        let _ = scene.clients.event("patient", event).await;
    }

    // Over HTTP, on both families' routes.
    scene
        .clients
        .ask("patient", "join_conversation", &conversation)
        .await;
    let _ = scene.clients.event("patient", "conversation_joined").await;
    let sent = scene.say(&patient, "L < R").await;
    let told = scene.clients.event("patient", "new_message").await;
    assert_eq!(told["message"]["id"], sent["id"]);
    let told = scene.clients.event("doctor", "chat:message").await;
    assert_eq!(told["message_id"], sent["id"]);
    assert_eq!(told["body"], "L < R");
    let path = format!("//api/conversations/{}/send-message", scene.conversation);
    let body = json!({"body": "by the other route"});
    let sent = scene.visit.of(&doctor).post(&path, &body).await.expect(200);
    let told = scene.clients.event("patient", "new_message").await;
    assert_eq!(told["message"]["id"], sent["data"]["message_id"]);
    let _ = scene.clients.event("doctor", "chat:message").await;
    // Reading the conversation over HTTP reads it for the sockets, too.
    let path = format!("//api/messages/conversations/{}", scene.conversation);
    let _ = scene.visit.of(&patient).get(&path).await.expect(200);
    let read = scene.clients.event("patient", "messages_read").await;
    assert_eq!(read["reader_id"], patient.id);
    let _ = scene.clients.event("doctor", "chat:read").await;

    // Nobody has heard anything else, and the third nothing.
    for socket in ["patient", "doctor", "third"] {
        let left = scene.clients.left_over(socket).await;
        assert!(left.is_empty(), "{socket}: {left:?}");
    }
    scene.clients.close("patient").await;
}

async fn a_bad_token(kind: Kind, transports: Transports) {
    let mut scene = Scene::set(kind, transports).await;
    scene
        .connect("bad", json!({"auth": {"token": "bad"}}))
        .await;
    let refused = scene.clients.refused("bad").await;
    assert_eq!(refused["data"]["error_code"], "UNAUTHORIZED", "{refused}");
    assert!(refused["message"].is_string());
    scene.connect("nobody", json!({})).await;
    let refused = scene.clients.refused("nobody").await;
    assert_eq!(refused["data"]["error_code"], "UNAUTHORIZED", "{refused}");
}

async fn a_logout(kind: Kind, transports: Transports) {
    let mut scene = Scene::set(kind, transports).await;
    let patient = scene.patient.clone();
    scene.connected("patient", &patient).await;
    let caller = scene.visit.of(&patient);
    let out = caller.post("//api/auth/logout", &json!({})).await;
    let _ = out.expect(200);
    scene.clients.disconnected("patient").await;
}

async fn who_was_away(kind: Kind, transports: Transports) {
    // Within what may be sent at once.
    const COUNT: usize = 15;
    let mut scene = Scene::set(kind, transports).await;
    let (patient, doctor) = (scene.patient.clone(), scene.doctor.clone());
    scene.connected("doctor", &doctor).await;
    scene.say(&patient, "first").await;
    let cursor = scene.clients.event("doctor", "new_message").await["feed_seq"].clone();
    scene.clients.close("doctor").await;
    for number in 0..COUNT {
        scene.say(&patient, &number.to_string()).await;
    }
    let auth = json!({"token": doctor.token, "after": cursor});
    scene.connect("again", json!({"auth": auth})).await;
    scene.clients.connected("again").await;
    for number in 0..COUNT {
        let told = scene.clients.event("again", "new_message").await;
        assert_eq!(told["message"]["message"], number.to_string());
    }
    let left = scene.clients.left_over("again").await;
    assert!(left.is_empty(), "{left:?}");
}

async fn refused(kind: Kind, transports: Transports) {
    let mut scene = Scene::set(kind, transports).await;
    let patient = scene.patient.clone();
    scene.connected("patient", &patient).await;
    let answer = scene
        .clients
        .ask("patient", "call:initiate", &json!({"callee_id": 1}))
        .await;
    assert_eq!(answer["success"], false, "{answer}");
    scene
        .clients
        .emit("patient", "no such event", &json!({}))
        .await;
    let error = scene.clients.event("patient", "error").await;
    assert_eq!(error["error_code"], "VALIDATION_ERROR", "{error}");
    scene.clients.binary("patient", "chat:message").await;
    let error = scene.clients.event("patient", "error").await;
    assert_eq!(error["error_code"], "VALIDATION_ERROR", "{error}");
    let long = scene.line(&"x".repeat(5001));
    let answer = scene.clients.ask("patient", "chat:message", &long).await;
    assert_eq!(answer["field"], "body", "{answer}");
    let huge = scene.line(&"x".repeat(70 * 1024));
    let answer = scene.clients.ask("patient", "chat:message", &huge).await;
    assert_eq!(answer["error_code"], "PAYLOAD_TOO_LARGE", "{answer}");
    let good = scene.line(&"م".repeat(5000));
    let answer = scene.clients.ask("patient", "chat:message", &good).await;
    assert_eq!(answer["success"], true, "{answer}");
    let told = scene.clients.event("patient", "chat:message").await;
    assert_eq!(told["body"], "م".repeat(5000));
}

/// A call with its signals between two devices; a third device stops ringing, a third person hears
/// nothing.
async fn two_call(kind: Kind, transports: Transports) {
    let mut scene = Scene::set(kind, transports).await;
    let (patient, doctor) = (scene.patient.clone(), scene.doctor.clone());
    let third = scene.visit.patient().await;
    let (clinic, own) = scene.visit.clinic_and_doctor().await;
    let slot = scene.visit.any_slot(&own, clinic, 1).await;
    scene.visit.booked(&patient, slot).await;
    for (socket, person) in [
        ("phone", &patient),
        ("desk", &own),
        ("tablet", &own),
        ("third", &third),
        ("other", &doctor),
    ] {
        let auth = json!({"auth": {"token": person.token, "device_id": socket}});
        scene.connect(socket, auth).await;
        scene.clients.connected(socket).await;
    }
    let clients = &mut scene.clients;
    let begin = json!({"callee_id": own.id, "call_type": "video", "client_call_id": "mine"});
    let begun = clients.ask("phone", "call:initiate", &begin).await;
    assert_eq!(begun["success"], true, "{begun}");
    let call = begun["data"]["call_id"].clone();
    for socket in ["desk", "tablet"] {
        let rings = clients.event(socket, "call:ringing").await;
        assert_eq!(rings["call_id"], call);
        assert_eq!(rings["caller_id"], patient.id);
    }
    clients.event("phone", "call:ringing").await;
    let offer = json!({"call_id": "mine", "offer": {"type": "offer", "sdp": "v=0"}});
    clients.emit("phone", "webrtc:offer", &offer).await;
    for candidate in [json!({"candidate": "a"}), Value::Null] {
        let body = json!({"call_id": "mine", "candidate": candidate});
        let sent = clients.ask("phone", "webrtc:ice", &body).await;
        assert_eq!(sent["success"], true, "{sent}");
    }
    let named = json!({"call_id": call});
    let accepted = clients.ask("desk", "call:accept", &named).await;
    assert_eq!(accepted["data"]["status"], "accepted", "{accepted}");
    let elsewhere = clients.event("tablet", "call:ended").await;
    assert_eq!(elsewhere["reason"], "answered_elsewhere");
    let heard = clients.event("desk", "webrtc:offer").await;
    assert_eq!(heard["offer"], offer["offer"]);
    assert_eq!(heard["sender_id"], patient.id);
    for candidate in [json!({"candidate": "a"}), Value::Null] {
        let heard = clients.event("desk", "webrtc:ice").await;
        assert_eq!(heard["candidate"], candidate);
    }
    let answer = json!({"call_id": call, "answer": {"type": "answer", "sdp": "v=0"}});
    clients.emit("desk", "webrtc:answer", &answer).await;
    let heard = clients.event("phone", "webrtc:answer").await;
    assert_eq!(heard["answer"], answer["answer"]);
    clients.emit("desk", "call:connected", &named).await;
    clients.event("phone", "call:connected").await;
    clients.emit("phone", "call:end", &named).await;
    for socket in ["phone", "desk"] {
        let ended = clients.event(socket, "call:ended").await;
        assert_eq!(ended["reason"], "user_hangup");
        assert_eq!(ended["status"], "completed");
    }
    for socket in ["third", "other"] {
        let heard = clients.left_over(socket).await;
        assert!(
            heard.iter().all(|name| name == "connection_status"),
            "{heard:?}"
        );
    }
    // Nothing of what the desk heard once the call was answered there.
    let heard = clients.left_over("tablet").await;
    for name in ["call:accepted", "call:connected", "webrtc:offer"] {
        assert!(!heard.iter().any(|other| other == name), "{heard:?}");
    }
}
