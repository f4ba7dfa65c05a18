//! Calls between sockets: who is told what, on which device, and in what order.

use std::time::Duration;

use serde_json::{Value, json};
use telemed_core::Settings;
use telemed_core::calls::IceSettings;
use telemed_core::journal::LocalBus;
use telemed_core::presence::PresenceStore;

use crate::router::RouterConfig;
use crate::testing::sockets::{Served, Ws};
use crate::testing::{Care, House, Person};

/// A call between a patient at his phone and a doctor with two devices.
struct Scene {
    served: Served,
    care: Care,
    phone: Ws,
    desk: Ws,
    tablet: Ws,
    /// Somebody else.
    third: Ws,
}

fn device(name: &str) -> Value {
    json!({"device_id": name})
}

impl Scene {
    async fn set() -> Self {
        let ice = IceSettings::new(
            vec!["turn:turn.example".to_owned()],
            Some(b"secret".to_vec()),
            Duration::from_secs(600),
        );
        let settings = Settings {
            ice: ice.unwrap(),
            ..Settings::default()
        };
        let config = RouterConfig::default();
        let house = House::settled(LocalBus::default(), config, settings).await;
        let care = house.care().await;
        let third = house.patient().await;
        let served = Served::of(house).await;
        let scene = Self {
            phone: served.connected(&care.patient, device("phone")).await,
            desk: served.connected(&care.doctor, device("desk")).await,
            tablet: served.connected(&care.doctor, device("tablet")).await,
            third: served.connected(&third, json!({})).await,
            served,
            care,
        };
        scene.until_sockets(&scene.care.doctor, 2).await;
        scene.until_sockets(&scene.care.patient, 1).await;
        scene
    }

    /// The desk goes away; another device of the doctor stays.
    async fn leave_the_desk(&mut self) {
        let doctor = &self.care.doctor;
        let lamp = self.served.connected(doctor, device("lamp")).await;
        self.until_sockets(&self.care.doctor, 3).await;
        drop(std::mem::replace(&mut self.desk, lamp));
        self.until_sockets(&self.care.doctor, 2).await;
    }

    async fn place(&mut self) -> String {
        let body = json!({"callee_id": self.care.doctor.id, "call_type": "video",
            "appointment_id": self.care.appointment, "client_call_id": "mine"});
        self.phone.emit("call:initiate", &body).await;
        let begun = self.phone.event_named("call_initiated").await;
        begun["call_id"].as_str().unwrap().to_owned()
    }

    /// Rings, and is answered at the desk.
    async fn answered(&mut self) -> String {
        let call = self.place().await;
        self.desk.event_named("call:ringing").await;
        self.phone.event_named("call:ringing").await;
        done(
            self.desk
                .ask("call:accept", &json!({"call_id": call}))
                .await,
        );
        self.phone.event_named("call:accepted").await;
        self.tablet.event_named("call:ended").await;
        call
    }

    async fn connected(&mut self) -> String {
        let call = self.answered().await;
        done(
            self.phone
                .ask("call:connected", &json!({"call_id": call}))
                .await,
        );
        self.desk.event_named("call:connected").await;
        call
    }

    async fn pass(&self, seconds: u64) {
        self.served
            .house
            .clock
            .advance(Duration::from_secs(seconds));
        self.served.house.engine.run_due().await.unwrap();
    }

    /// Waits until a device of a user has a socket, or has none any more.
    async fn until_sockets(&self, user: &Person, count: usize) {
        let user = telemed_core::id::UserId::new(user.id).unwrap();
        for _ in 0..1000 {
            let now = self.served.house.engine.now();
            let leases = self.served.house.store.leases_of(user).await.unwrap();
            let soon = now.plus(Duration::from_secs(6));
            if leases
                .iter()
                .filter(|lease| lease.expires_at > soon)
                .count()
                == count
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are not {count} sockets");
    }
}

/// What was acknowledged as done.
#[track_caller]
fn done(mut answer: Value) -> Value {
    assert_eq!(answer["success"], true, "{answer}");
    answer["data"].take()
}

/// The names of what has come, until now.
async fn names(socket: &mut Ws) -> Vec<String> {
    let texts = socket.hears_nothing().await;
    let events = texts.iter().map(|text| text.strip_prefix("42").unwrap());
    events
        .map(|event| {
            let event: Value = serde_json::from_str(event).unwrap();
            event[0].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The next events, which must be these, in this order.
async fn told<const N: usize>(socket: &mut Ws, names: [&str; N]) -> Vec<Value> {
    let mut data = Vec::new();
    for name in names {
        let (heard, told) = socket.event().await;
        assert_eq!(heard, name, "{told}");
        data.push(told);
    }
    data
}

#[tokio::test]
async fn a_call_from_its_beginning_to_its_end() {
    let mut scene = Scene::set().await;
    let body = json!({"callee_id": scene.care.doctor.id, "call_type": "video",
        "appointment_id": scene.care.appointment, "client_call_id": "mine"});
    scene.phone.emit("call:initiate", &body).await;
    let begun = scene.phone.event_named("call_initiated").await;
    let call = begun["call_id"].as_str().unwrap().to_owned();
    assert_eq!(begun["client_call_id"], "mine");
    assert_eq!(begun["room_id"], format!("room-{call}"));
    assert!(begun["ice_servers"][0]["credential"].is_string(), "{begun}");

    // Both devices ring: twins are the same, and carry the same numbers.
    for socket in [&mut scene.desk, &mut scene.tablet] {
        let rings = told(socket, ["call_initiated", "call:ringing"]).await;
        assert_eq!(rings[0], rings[1]);
        let rings = &rings[0];
        assert_eq!(rings["call_id"], call.as_str());
        assert_eq!(rings["caller_id"], scene.care.patient.id);
        assert_eq!(rings["caller_name"], "A patient");
        assert_eq!(rings["appointment_id"], scene.care.appointment);
        assert_eq!(rings["call_type"], "video");
        assert_eq!(rings["room_id"], format!("room-{call}"));
        assert!(rings["ice_servers"][0]["credential"].is_string());
        assert_eq!(rings["event_id"], call.as_str());
        assert!(rings["feed_seq"].is_u64());
        assert!(rings.get("client_call_id").is_none());
    }
    let rings = &told(&mut scene.phone, ["call:ringing"]).await[0];
    assert_eq!(rings["status"], "ringing");
    assert!(rings.get("caller_name").is_none());

    // What the caller sends before it is answered waits.
    let of = |payload: Value| {
        let mut body = json!({"call_id": "mine"});
        for (name, value) in payload.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let offer = json!({"type": "offer", "sdp": "v=0"});
    for (name, body) in [
        ("webrtc:ice", of(json!({"candidate": {"candidate": "a"}}))),
        ("webrtc:offer", of(json!({"offer": offer}))),
        ("webrtc:ice", of(json!({"candidate": "b"}))),
        ("webrtc:ice", of(json!({"candidate": null}))),
    ] {
        let data = done(scene.phone.ask(name, &body).await);
        assert_eq!(data["call_id"], call.as_str());
    }
    assert!(names(&mut scene.desk).await.is_empty());

    let accept = json!({"call_id": call});
    let accepted = done(scene.desk.ask("call:accept", &accept).await);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(accepted["room_id"], format!("room-{call}"));
    assert!(accepted["ice_servers"][0]["username"].is_string());
    let twins = told(&mut scene.phone, ["call_accepted", "call:accepted"]).await;
    assert_eq!(twins[0], twins[1]);
    assert_eq!(twins[0]["status"], "accepted");
    for hidden in ["caller_device", "callee_device", "previous_status"] {
        assert!(twins[0].get(hidden).is_none(), "{hidden}");
    }
    for twin in told(&mut scene.tablet, ["call_ended", "call:ended"]).await {
        assert_eq!(twin["reason"], "answered_elsewhere");
        assert!(twin["feed_seq"].is_u64());
    }
    // The offer goes first, then what has waited, in order.
    let mut seqs = Vec::new();
    for (name, field, value) in [
        ("webrtc:offer", "offer", offer),
        ("webrtc:ice", "candidate", json!({"candidate": "a"})),
        ("webrtc:ice", "candidate", json!("b")),
        ("webrtc:ice", "candidate", Value::Null),
    ] {
        let signal = scene.desk.event_named(name).await;
        assert_eq!(signal[field], value, "{signal}");
        assert!(signal.as_object().unwrap().contains_key(field));
        assert_eq!(signal["sender_id"], scene.care.patient.id);
        assert!(signal.get("device").is_none() && signal.get("signal").is_none());
        seqs.push(signal["seq"].as_u64().unwrap());
    }
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");

    // A candidate of the callee waits for his answer.
    let early = json!({"call_id": call, "candidate": "early"});
    done(scene.desk.ask("webrtc:ice", &early).await);
    assert!(names(&mut scene.phone).await.is_empty());
    let answer = json!({"call_id": call, "answer": {"type": "answer", "sdp": "v=0"}});
    done(scene.desk.ask("webrtc:answer", &answer).await);
    let signals = told(&mut scene.phone, ["webrtc:answer", "webrtc:ice"]).await;
    assert_eq!(signals[0]["answer"]["type"], "answer");
    assert_eq!(signals[1]["candidate"], "early");

    let mine = json!({"call_id": "mine"});
    let connected = done(scene.phone.ask("call:connected", &mine).await);
    assert_eq!(connected["status"], "connected");
    for twin in told(&mut scene.desk, ["call_connected", "call:connected"]).await {
        assert_eq!(twin["status"], "connected");
    }
    scene.served.house.clock.advance(Duration::from_secs(61));
    let end = json!({"call_id": call, "reason": "user_hangup", "duration": 5});
    let ended = done(scene.desk.ask("call:end", &end).await);
    assert_eq!(
        (&ended["duration"], &ended["status"]),
        (&json!(61), &json!("completed"))
    );
    let ended = scene.phone.event_named("call:ended").await;
    assert_eq!(ended["reason"], "user_hangup");
    assert_eq!(ended["duration"], 61);
    assert_eq!(ended["ended_by"], scene.care.doctor.id);
    assert_eq!(ended["status"], "completed");
    // Over is over: to the device that has not answered it was so before.
    assert!(names(&mut scene.tablet).await.is_empty());
    assert!(names(&mut scene.third).await.is_empty());
}

#[tokio::test]
async fn a_device_that_comes_while_it_rings_is_told_once() {
    let mut scene = Scene::set().await;
    let call = scene.place().await;
    scene.desk.event_named("call:ringing").await;
    let mut late = scene
        .served
        .connected(&scene.care.doctor, device("late"))
        .await;
    let rings = told(&mut late, ["call_initiated", "call:ringing"]).await;
    assert_eq!(rings[0]["call_id"], call.as_str());
    // One that catches up with the log is not told twice.
    let more = json!({"device_id": "later", "after": 0});
    let mut later = scene.served.connected(&scene.care.doctor, more).await;
    later.event_named("call:ringing").await;
    let end = json!({"call_id": call});
    scene.phone.emit("call:end", &end).await;
    for socket in [&mut late, &mut later, &mut scene.tablet] {
        let heard = socket.event_named("call:missed").await;
        assert_eq!(
            (&heard["status"], &heard["reason"]),
            (&json!("missed"), &json!("cancelled"))
        );
        assert_eq!(socket.event().await.0, "call_ended");
        assert_eq!(socket.event().await.0, "call:ended");
        assert!(names(socket).await.is_empty());
    }
    let heard = scene.phone.event_named("call:missed").await;
    assert_eq!(heard["status"], "cancelled");
    // What rings no longer does not ring for whoever comes later.
    let more = json!({"device_id": "latest", "after": 0});
    let mut latest = scene.served.connected(&scene.care.doctor, more).await;
    loop {
        match latest.event().await.0.as_str() {
            "call:missed" => break,
            name => assert_ne!(name, "call:ringing"),
        }
    }
}

#[tokio::test]
async fn what_is_declined_or_missed_is_told_to_all_devices() {
    let mut scene = Scene::set().await;
    let call = scene.place().await;
    scene.desk.event_named("call:ringing").await;
    let decline = json!({"call_id": call, "reason": "busy"});
    assert_eq!(
        done(scene.desk.ask("call:decline", &decline).await)["status"],
        "declined"
    );
    for socket in [&mut scene.phone, &mut scene.tablet] {
        let told = socket.event_named("call:declined").await;
        assert_eq!(
            (&told["reason"], &told["ended_by"]),
            (&json!("busy"), &json!(scene.care.doctor.id))
        );
    }
    scene.pass(10).await;
    let body = json!({"callee_id": scene.care.doctor.id, "call_type": "audio"});
    scene.phone.emit("call:initiate", &body).await;
    let begun = scene.phone.event_named("call_initiated").await;
    let ringing = scene.tablet.event_named("call:ringing").await;
    assert_eq!(ringing["call_id"], begun["call_id"]);
    assert_eq!(ringing["call_type"], "voice");
    scene.phone.event_named("call:ringing").await;
    scene.pass(61).await;
    for socket in [&mut scene.phone, &mut scene.tablet] {
        let told = socket.event_named("call:ended").await;
        assert_eq!(told["reason"], "no_answer");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_names_the_field_or_the_state() {
    let mut scene = Scene::set().await;
    let call = scene.answered().await;
    let of = |name: &str, payload: Value| {
        let mut body = json!({"call_id": call});
        body[name] = payload;
        body
    };
    for (event, body, field) in [
        ("call:initiate", json!({"call_type": "video"}), "callee_id"),
        (
            "call:initiate",
            json!({"callee_id": 7, "call_type": "smoke"}),
            "call_type",
        ),
        ("call:accept", json!({}), "call_id"),
        ("call:accept", json!({"call_id": 7}), "call_id"),
        ("call:decline", of("reason", json!("dinner")), "reason"),
        ("call:resume", of("last_seq", json!(-1)), "last_seq"),
        ("webrtc:offer", json!({"call_id": call}), "offer"),
        ("webrtc:offer", of("offer", json!(7)), "offer"),
        ("webrtc:answer", of("answer", Value::Null), "answer"),
        ("webrtc:ice", json!({"call_id": call}), "candidate"),
        ("webrtc:ice", of("candidate", json!([])), "candidate"),
        ("presence:update", json!({"status": "there"}), "status"),
        ("quality:metrics", of("rtt", json!("slow")), "rtt"),
        (
            "quality:metrics",
            of("packet_loss", json!(101)),
            "packet_loss",
        ),
    ] {
        let refused = scene.phone.ask(event, &body).await;
        assert_eq!(refused["success"], false, "{event} {body}");
        assert_eq!(refused["error_code"], "VALIDATION_ERROR", "{refused}");
        assert_eq!(refused["field"], field, "{event} {body}: {refused}");
    }
    for (event, body) in [
        ("webrtc:offer", of("offer", json!("x".repeat(65 * 1024)))),
        ("webrtc:answer", of("answer", json!("x".repeat(65 * 1024)))),
        ("webrtc:ice", of("candidate", json!("x".repeat(4 * 1024)))),
    ] {
        let refused = scene.phone.ask(event, &body).await;
        assert_eq!(refused["error_code"], "PAYLOAD_TOO_LARGE", "{event}");
    }
    let fits = of("offer", json!("x".repeat(63 * 1024)));
    done(scene.phone.ask("webrtc:offer", &fits).await);
    // In the wrong state, or from the wrong device.
    let elsewhere = scene
        .tablet
        .ask("call:accept", &json!({"call_id": call}))
        .await;
    assert_eq!(elsewhere["error_code"], "CONFLICT");
    assert_eq!(elsewhere["details"]["call_id"], call.as_str());
    assert!(elsewhere["details"]["status"].is_string(), "{elsewhere}");
    let other = scene
        .tablet
        .ask("webrtc:ice", &of("candidate", json!("a")))
        .await;
    assert_eq!(other["error_code"], "CONFLICT");
    // A call of others is not there, and neither is one that is none.
    let none = uuid::Uuid::nil().to_string();
    for (event, payload) in [
        ("call:accept", json!({})),
        ("call:decline", json!({})),
        ("call:end", json!({})),
        ("call:connected", json!({})),
        ("call:resume", json!({})),
        ("webrtc:offer", json!({"offer": "a"})),
        ("webrtc:ice", json!({"candidate": "a"})),
        ("quality:metrics", json!({"rtt": 1})),
    ] {
        let mut answers = Vec::new();
        for id in [&call, &none] {
            let mut body = payload.clone();
            body["call_id"] = id.as_str().into();
            let mut answer = scene.third.ask(event, &body).await;
            assert_eq!(answer["error_code"], "NOT_FOUND", "{event}: {answer}");
            answer["details"] = Value::Null;
            answers.push(answer);
        }
        assert_eq!(answers[0], answers[1], "{event}");
    }
    done(scene.phone.ask("call:end", &json!({"call_id": call})).await);
    let over = scene
        .phone
        .ask("webrtc:offer", &of("offer", json!("a")))
        .await;
    assert_eq!(
        (&over["error_code"], &over["details"]["status"]),
        (&json!("CONFLICT"), &json!("ended"))
    );
}

#[tokio::test]
async fn two_who_call_each_other_meet() {
    let mut scene = Scene::set().await;
    let call = scene.place().await;
    let body = json!({"callee_id": scene.care.patient.id, "call_type": "video"});
    let met = done(scene.tablet.ask("call:initiate", &body).await);
    assert_eq!(
        (&met["glare"], &met["call_id"]),
        (&json!(true), &json!(call))
    );
    assert_eq!(met["status"], "accepted");
    scene.phone.event_named("call:accepted").await;
    let ended = scene.desk.event_named("call:ended").await;
    assert_eq!(ended["reason"], "answered_elsewhere");
    // Calls are begun once in five seconds.
    let soon = scene.tablet.ask("call:initiate", &body).await;
    assert_eq!(soon["error_code"], "RATE_LIMITED");
    assert!(soon["retry_after"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn somebody_who_is_busy_is_so_for_the_caller_and_has_missed_it() {
    let mut scene = Scene::set().await;
    let status = json!({"status": "do_not_disturb"});
    done(scene.desk.ask("presence:update", &status).await);
    let body = json!({"callee_id": scene.care.doctor.id, "call_type": "video"});
    let busy = scene.phone.ask("call:initiate", &body).await;
    assert_eq!(busy["error_code"], "CONFLICT");
    assert_eq!(busy["details"]["status"], "busy");
    let missed = scene.desk.event_named("call:missed").await;
    assert_eq!(
        (&missed["status"], &missed["reason"]),
        (&json!("missed"), &json!("busy"))
    );
    assert!(names(&mut scene.desk).await.is_empty());
    // It was told before the answer, which `ask` has passed over; another device has it from the log.
    let more = json!({"after": 0, "device_id": "watch"});
    let mut again = scene.served.connected(&scene.care.patient, more).await;
    let told = told_of_call(&mut again).await;
    assert_eq!(told, ["call:busy", "call_ended", "call:ended"]);
}

async fn told_of_call(socket: &mut Ws) -> Vec<String> {
    let mut heard = vec!["call:busy".to_owned()];
    socket.event_named("call:busy").await;
    heard.extend([socket.event().await.0, socket.event().await.0]);
    heard
}

#[tokio::test]
async fn a_device_that_was_away_resumes_and_is_sent_what_it_missed() {
    let mut scene = Scene::set().await;
    let call = scene.connected().await;
    let candidate = |text: &str| json!({"call_id": call, "candidate": text});
    let offer = json!({"call_id": call, "offer": "o"});
    done(scene.phone.ask("webrtc:offer", &offer).await);
    done(scene.phone.ask("webrtc:ice", &candidate("1")).await);
    scene.desk.event_named("webrtc:offer").await;
    let seen = scene.desk.event_named("webrtc:ice").await["seq"].clone();
    scene.leave_the_desk().await;
    for text in ["2", "3"] {
        done(scene.phone.ask("webrtc:ice", &candidate(text)).await);
    }
    let resume = json!({"call_id": call, "last_seq": seen});
    // Only the device that takes part.
    let other = scene.tablet.ask("call:resume", &resume).await;
    assert_eq!(
        (&other["error_code"], &other["details"]["status"]),
        (&json!("CONFLICT"), &json!("connected"))
    );
    let mut back = scene
        .served
        .connected(&scene.care.doctor, device("desk"))
        .await;
    back.emit("call:resume", &resume).await;
    for text in ["2", "3"] {
        assert_eq!(back.event_named("webrtc:ice").await["candidate"], text);
    }
    // It is back within the grace: the call goes on.
    scene.until_sockets(&scene.care.doctor, 3).await;
    scene.pass(6).await;
    scene.pass(31).await;
    done(back.ask("webrtc:ice", &candidate("still")).await);
    assert_eq!(
        scene.phone.event_named("webrtc:ice").await["candidate"],
        "still"
    );
    assert!(names(&mut scene.tablet).await.is_empty());
}

#[tokio::test]
async fn a_party_that_stays_away_ends_the_call() {
    let mut scene = Scene::set().await;
    scene.connected().await;
    names(&mut scene.phone).await;
    scene.leave_the_desk().await;
    scene.pass(6).await;
    assert!(names(&mut scene.phone).await.is_empty());
    scene.pass(20).await;
    assert!(names(&mut scene.phone).await.is_empty());
    scene.pass(11).await;
    let ended = scene.phone.event_named("call:ended").await;
    assert_eq!(ended["reason"], "network_error");
    assert_eq!(ended["ended_by"], Value::Null);
    assert!(names(&mut scene.third).await.is_empty());
}

#[tokio::test]
async fn an_event_may_name_the_device() {
    let mut scene = Scene::set().await;
    let call = scene.place().await;
    scene.desk.event_named("call:ringing").await;
    let accept = json!({"call_id": call, "device_id": "headset"});
    done(scene.desk.ask("call:accept", &accept).await);
    done(
        scene
            .phone
            .ask("webrtc:offer", &json!({"call_id": call, "offer": "o"}))
            .await,
    );
    assert_eq!(scene.desk.event_named("webrtc:offer").await["offer"], "o");
    let ended = scene.tablet.event_named("call:ended").await;
    assert_eq!(ended["reason"], "answered_elsewhere");
    assert!(names(&mut scene.tablet).await.is_empty());
}

#[tokio::test]
async fn samples_of_quality_are_told_to_the_parties() {
    let mut scene = Scene::set().await;
    let call = scene.connected().await;
    let sample = |rtt: u32| json!({"call_id": call, "rtt": rtt, "packet_loss": 0.5});
    let taken = done(scene.phone.ask("quality:metrics", &sample(45)).await);
    assert_eq!(
        (&taken["rtt"], &taken["audio_quality"]),
        (&json!(45), &json!("excellent"))
    );
    let recorded = scene.desk.event_named("quality:recorded").await;
    assert_eq!(recorded["metric_id"], taken["metric_id"]);
    let soon = scene.phone.ask("quality:metrics", &sample(45)).await;
    assert_eq!(soon["error_code"], "RATE_LIMITED");
    // The other party has his own.
    done(scene.desk.ask("quality:metrics", &sample(45)).await);
    scene.served.house.clock.advance(Duration::from_secs(1));
    done(scene.phone.ask("quality:metrics", &sample(900)).await);
    loop {
        let changed = scene.desk.event_named("quality:changed").await;
        if changed["grade"] == "poor" {
            assert_eq!(changed["previous_grade"], "excellent");
            assert_eq!(changed["hint"], "audio_only");
            break;
        }
    }
    assert!(names(&mut scene.third).await.is_empty());
}

#[tokio::test]
async fn who_is_there_is_told_to_contacts_only() {
    let served = Served::open().await;
    let care = served.house.care().await;
    let third = served.house.patient().await;
    let mut third = served.connected(&third, json!({})).await.with_presence();
    let mut doctor = served
        .connected(&care.doctor, json!({}))
        .await
        .with_presence();
    while doctor.event_named("user_status").await["user_id"] != care.doctor.id {}
    let patient = served
        .connected(&care.patient, json!({"device_type": "ios"}))
        .await;
    for name in ["presence:update", "presence:updated", "user:online"] {
        let told = doctor.event_named(name).await;
        assert_eq!(told["user_id"], care.patient.id);
        assert_eq!(told["status"], "online");
        assert!(told["last_seen"].is_string() && told.get("previous_status").is_none());
    }
    let told = doctor.event_named("user_status").await;
    assert_eq!(
        (&told["user_id"], &told["is_online"]),
        (&json!(care.patient.id), &json!(true))
    );
    let path = format!("/presence/{}", care.patient.id);
    let seen = served
        .house
        .api("GET", &path, &care.doctor.token, None)
        .await
        .data(200);
    assert_eq!(seen["device_type"], "ios");
    let mut patient = patient;
    let said = done(
        patient
            .ask("presence:update", &json!({"status": "away"}))
            .await,
    );
    assert_eq!(said["status"], "away");
    assert_eq!(
        doctor.event_named("presence:updated").await["status"],
        "away"
    );
    // The lease of a socket that is closed ends a little later.
    drop(patient);
    for _ in 0..1000 {
        served.house.clock.advance(Duration::from_millis(100));
        served.house.engine.run_due().await.unwrap();
        let seen = served
            .house
            .api("GET", &path, &care.doctor.token, None)
            .await
            .data(200);
        if seen["status"] == "offline" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gone = doctor.event_named("user:offline").await;
    assert_eq!(gone["user_id"], care.patient.id);
    assert_eq!(doctor.event_named("user_status").await["is_online"], false);
    let heard = third.hears_nothing().await.join("\n");
    assert!(
        !heard.contains(&format!("\"user_id\":{}", care.patient.id)),
        "{heard}"
    );
}

#[tokio::test]
async fn the_feed_has_one_entry_for_one_event_of_a_call() {
    let mut scene = Scene::set().await;
    let call = scene.answered().await;
    done(scene.phone.ask("call:end", &json!({"call_id": call})).await);
    for (person, names) in [
        (
            &scene.care.patient,
            [
                "call_initiated",
                "call:ringing",
                "call:accepted",
                "call:ended",
            ]
            .as_slice(),
        ),
        (
            &scene.care.doctor,
            ["call:ringing", "call:accepted", "call:ended"].as_slice(),
        ),
    ] {
        let page = scene
            .served
            .house
            .api("GET", "/events?after=0", &person.token, None);
        let page = page.await.data(200);
        let events = page["events"].as_array().unwrap().iter();
        let kinds: Vec<_> = events
            .filter(|event| event["data"]["call_id"] == call.as_str())
            .map(|event| event["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, names);
    }
}
