//! A call over two servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::chat::sockets::{EventSocket, Heard};
use telemed_tests::practice::{Person, Visit, until};
use telemed_tests::server::SharedDatabase;

use super::pair::{Pair, platform};

/// A call that one server has begun stops ringing on time, though that server is gone at once.
// The servers' clock is the machine's.
#[allow(clippy::disallowed_methods)]
pub async fn a_call_stops_ringing_without_its_server(database: SharedDatabase) {
    const RINGS: Duration = Duration::from_secs(3);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemed.toml");
    std::fs::write(
        &file,
        format!("[calls]\nring_seconds = {}\n", RINGS.as_secs()),
    )
    .unwrap();
    let pair = Pair::with(database, &["--config", file.to_str().unwrap()]).await;
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let patient = pair.one.patient().await;
    let slot = pair.one.any_slot(&doctor, clinic, 1).await;
    pair.one.booked(&patient, slot).await;

    let body = json!({"callee_id": doctor.id, "call_type": "video"});
    let caller = pair.two.of(&patient);
    let begin = Instant::now();
    let begun = platform(&caller, Method::POST, "/calls/initiate", &body).await;
    let call = begun.expect(200)["data"]["call_id"].clone();
    let Pair { one, two, .. } = pair;
    let Visit { practice, .. } = two;
    let gone = Arc::into_inner(practice).expect("nobody else is here");
    gone.server.kill();
    assert!(begin.elapsed() < RINGS, "the server went too late");

    let callee = one.of(&doctor);
    let path = format!("/call-history/{}", call.as_str().unwrap());
    let status = async || {
        let told = platform(&callee, Method::GET, &path, &Value::Null).await;
        told.expect(200)["data"]["status"].clone()
    };
    assert_eq!(status().await, "initiated");
    until("it rings no longer", || async {
        status().await == "missed"
    })
    .await;
    let took = begin.elapsed();
    assert!(took >= RINGS, "{took:?}");
}

/// A device of somebody, with a socket at one of the servers, and what it has heard.
struct Device {
    socket: EventSocket,
    heard: Vec<(String, Value)>,
}

impl Device {
    async fn of(visit: &Visit, person: &Person, name: &str) -> Self {
        let address = visit.practice.server.base.strip_prefix("http://").unwrap();
        let auth = json!({"token": person.token, "words": "calls", "device_id": name});
        Self {
            socket: EventSocket::connect(address, &auth).await.unwrap(),
            heard: Vec::new(),
        }
    }

    /// Asks for something and is answered; what is told in between is heard.
    async fn ask(&mut self, event: &str, data: Value) -> Value {
        let asked = self.socket.say(event, &data).await.unwrap();
        loop {
            match self.socket.hear().await.unwrap() {
                Heard::Event(name, data) => self.heard.push((name, data)),
                Heard::Answer(number, answer) if number == asked => {
                    assert_eq!(answer["success"], true, "{event}: {answer}");
                    return answer["data"].clone();
                }
                Heard::Answer(..) => {}
            }
        }
    }

    /// Listens until this was heard so many times.
    async fn until(&mut self, event: &str, times: usize) {
        let count =
            |heard: &[(String, Value)]| heard.iter().filter(|(name, _)| name == event).count();
        while count(&self.heard) < times {
            if let Heard::Event(name, data) = self.socket.hear().await.unwrap() {
                self.heard.push((name, data));
            }
        }
        assert_eq!(count(&self.heard), times, "{event}");
    }

    /// The payloads of an event.
    fn told(&self, event: &str) -> Vec<&Value> {
        let heard = self.heard.iter().filter(|(name, _)| name == event);
        heard.map(|(_, data)| data).collect()
    }

    /// The signals that were heard, as their numbers and their texts.
    fn signals<'a>(&'a self) -> Vec<(u64, &'a str)> {
        let heard = self.heard.iter();
        let signals = heard.filter(|(name, _)| name.starts_with("webrtc:"));
        let shown = |(_, data): &'a (String, Value)| {
            let payload = ["offer", "answer", "candidate"].iter();
            let text = payload.filter_map(|name| data[*name].as_str()).next();
            (data["seq"].as_u64().unwrap(), text.unwrap())
        };
        signals.map(shown).collect()
    }
}

/// A patient at one server and a doctor at the other call one another: signals arrive in their
/// order, whatever their length, the doctor's other device stops ringing, and nobody else hears
/// anything of it.
pub async fn a_call_goes_over_two_servers_and_no_further(database: SharedDatabase) {
    const CANDIDATES: usize = 40;
    let pair = Pair::open(database).await;
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let (patient, other) = (pair.one.patient().await, pair.one.patient().await);
    for person in [&patient, &other] {
        let slot = pair.one.any_slot(&doctor, clinic, 1).await;
        pair.one.booked(person, slot).await;
    }
    let mut phone = Device::of(&pair.one, &patient, "phone").await;
    let mut desk = Device::of(&pair.two, &doctor, "desk").await;
    let mut tablet = Device::of(&pair.one, &doctor, "tablet").await;
    let mut others = [
        Device::of(&pair.one, &other, "phone").await,
        Device::of(&pair.two, &other, "laptop").await,
    ];

    let begun = json!({"callee_id": doctor.id, "call_type": "video"});
    let begun = phone.ask("call:initiate", begun).await;
    let call = begun["call_id"].clone();
    for device in [&mut desk, &mut tablet] {
        device.until("call:ringing", 1).await;
        assert_eq!(device.told("call:ringing")[0]["caller_id"], patient.id);
    }
    // What is sent before the answer waits for it; descriptions are long, candidates short.
    let offer = "o".repeat(40_000);
    phone
        .ask("webrtc:offer", json!({"call_id": call, "offer": offer}))
        .await;
    let mut sent = vec![offer];
    for number in 0..CANDIDATES {
        if number == CANDIDATES / 2 {
            desk.ask("call:accept", json!({"call_id": call})).await;
        }
        let candidate = format!("c{number}");
        let signal = json!({"call_id": call, "candidate": candidate});
        phone.ask("webrtc:ice", signal).await;
        sent.push(candidate);
    }
    desk.until("webrtc:ice", CANDIDATES).await;
    let expected: Vec<(u64, &str)> = (1..).zip(sent.iter().map(String::as_str)).collect();
    assert_eq!(desk.signals(), expected);

    desk.ask("webrtc:ice", json!({"call_id": call, "candidate": "early"}))
        .await;
    let answer = "a".repeat(30_000);
    desk.ask("webrtc:answer", json!({"call_id": call, "answer": answer}))
        .await;
    desk.ask("webrtc:ice", json!({"call_id": call, "candidate": "late"}))
        .await;
    phone.until("webrtc:ice", 2).await;
    let expected = [(1, answer.as_str()), (2, "early"), (3, "late")];
    assert_eq!(phone.signals(), expected);
    phone.ask("call:connected", json!({"call_id": call})).await;
    desk.until("call:connected", 1).await;
    desk.ask(
        "call:end",
        json!({"call_id": call, "reason": "user_hangup"}),
    )
    .await;
    for device in [&mut phone, &mut desk] {
        device.until("call:ended", 1).await;
        assert_eq!(device.told("call:ended")[0]["reason"], "user_hangup");
    }
    tablet.until("call:ended", 1).await;
    assert_eq!(tablet.told("call:ended")[0]["reason"], "answered_elsewhere");
    assert!(tablet.signals().is_empty());

    // What is said to everybody after it has come; nothing of the call has come before.
    for device in &mut others {
        let text = json!({"user_id": other.id});
        device.ask("register_user", text).await;
        for (name, data) in &device.heard {
            let is_of_call = ["call", "webrtc", "quality"]
                .iter()
                .any(|word| name.starts_with(word));
            assert!(!is_of_call, "{name}: {data}");
        }
    }
}
