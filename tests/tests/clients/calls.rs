//! Calls between two pages of a real browser: npm's Socket.IO client, and the browser's own media.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use telemed_tests::clients::{Browser, Coturn};
use telemed_tests::practice::{Person, Practice, Visit, until};

/// Pages may come from any port of this machine.
const OPTIONS: [&str; 2] = ["--allow-origin", "http://localhost:*"];
/// How long two wait at most for frames of each other to be decoded.
const FRAMES: u64 = 40;
/// The secret that the server and coturn share.
const SECRET: &str = "a secret of these tests";

/// A patient and a doctor with an appointment, each at a page.
struct Scene {
    visit: Visit,
    patient: Person,
    doctor: Person,
    appointment: i64,
    browser: Browser,
}

impl Scene {
    async fn set(options: &[&str]) -> Self {
        let practice = Practice::open(&[&OPTIONS, options].concat(), &[]).await;
        let visit = Visit::at(Arc::clone(&practice));
        let (clinic, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let soon = Timestamp::now() + SignedDuration::from_mins(10);
        let slot = visit.slot(&doctor, clinic, soon, 1).await;
        let appointment = visit.booked(&patient, slot).await;
        let mut browser = Browser::start().await;
        for page in ["patient", "doctor"] {
            browser.open(page).await;
        }
        Self {
            visit,
            patient,
            doctor,
            appointment,
            browser,
        }
    }

    /// Connects both pages. `policy` is by which ways their media may go.
    async fn sign_in(&mut self, policy: &str, answers: bool) {
        for (page, person) in [("patient", &self.patient), ("doctor", &self.doctor)] {
            let options = json!({
                "url": self.visit.practice.server.base,
                "token": person.token,
                "policy": policy,
                "answers": answers,
            });
            self.browser.run(page, "signIn", json!([options])).await;
        }
    }

    /// The patient's page calls the doctor.
    async fn place(&mut self) -> Value {
        let call = json!({"callee_id": self.doctor.id, "call_type": "video", "appointment_id": self.appointment});
        self.browser.run("patient", "place", json!([call])).await
    }

    /// What both pages tell of this.
    async fn both(&mut self, what: &str) -> [Value; 2] {
        let patient = self.browser.told("patient", what).await;
        [patient, self.browser.told("doctor", what).await]
    }

    /// Waits until both have decoded so many more frames of each other, and answers what they say
    /// of their connections.
    async fn watch(&mut self, frames: u64) -> [Value; 2] {
        let mut reports = Vec::new();
        for page in ["patient", "doctor"] {
            let first = self.browser.run(page, "report", json!([])).await;
            let wanted = first["framesDecoded"].as_u64().unwrap() + frames;
            loop {
                let report = self.browser.run(page, "report", json!([])).await;
                if report["framesDecoded"].as_u64().unwrap() >= wanted {
                    reports.push(report);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        reports.try_into().unwrap()
    }

    /// The patient's newest call, as somebody's history has it, with its details.
    async fn history(&self, of: &Person) -> Value {
        let client = self.visit.of(of);
        let listed = client.get("//api/call-history").await.expect(200);
        let row = listed["data"]["calls"][0].clone();
        let path = format!("//api/call-history/{}", row["call_id"].as_str().unwrap());
        let detail = client.get(&path).await.expect(200)["data"].clone();
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(&detail[key], value, "{key}");
        }
        detail
    }
}

/// When a server says that something was, in milliseconds.
fn millisecond(time: &Value) -> i64 {
    let time: Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_millisecond()
}

/// The patient calls, the doctor's page rings and is answered, both see each other, one hangs up,
/// and the history has it.
pub async fn two_pages_see_each_other() {
    let mut scene = Scene::set(&[]).await;
    scene.sign_in("all", false).await;
    let placed = scene.place().await;
    let id = placed["call_id"].clone();
    let ringing = scene.browser.told("doctor", "ringing").await;
    assert_eq!(ringing["call"]["call_id"], id);
    assert_eq!(ringing["call"]["caller_id"], scene.patient.id);
    // Nobody is seen before it is answered, though the offer is there.
    assert_eq!(scene.browser.left_over("shown"), 0);
    scene.browser.run("doctor", "answer", json!([])).await;
    scene.both("call:accepted").await;
    for shown in scene.both("shown").await {
        assert!(shown["width"].as_u64().unwrap() > 0, "{shown}");
    }
    let connected = scene.both("call:connected").await;
    let (admin, appointment) = (scene.visit.admin.clone(), scene.appointment);
    let path = format!("/appointments/{appointment}");
    let seen = admin.get(&path).await.expect(200);
    assert_eq!(seen["status"], "in_progress");
    scene.watch(FRAMES).await;
    // A new way is found in the middle of it, whoever asks for it.
    for page in ["doctor", "patient"] {
        let restarted = scene.browser.run(page, "restart", json!([])).await;
        assert_eq!(restarted["isNew"], true);
        scene.watch(1).await;
    }
    assert_eq!(scene.browser.left_over("error"), 0);

    let hung_up = scene.browser.run("doctor", "hangUp", json!([])).await;
    let ended = scene.both("call:ended").await;
    for told in &ended {
        assert_eq!(told["data"]["call_id"], id, "{told}");
    }
    let at = |told: &Value| told["at"].as_i64().unwrap();
    for person in [&scene.patient, &scene.doctor] {
        let call = scene.history(person).await;
        assert_eq!(call["call_id"], id);
        assert_eq!(call["status"], "completed", "{call}");
        assert_eq!(call["end_reason"], "user_hangup", "{call}");
        // By the server's clock, which is the pages' clock here.
        let from = millisecond(&call["connected_at"]);
        let to = millisecond(&call["ended_at"]);
        assert!(placed["began"].as_i64().unwrap() <= from, "{call}");
        assert!(from <= at(&connected[0]).min(at(&connected[1])), "{call}");
        assert!(hung_up["began"].as_i64().unwrap() <= to, "{call}");
        assert!(to <= at(&ended[0]).min(at(&ended[1])), "{call}");
        assert_eq!(call["duration"].as_i64().unwrap(), (to - from) / 1000);
        assert!(call["duration"].as_i64().unwrap() >= 1, "{call}");
    }
    assert_eq!(scene.browser.left_over("lost"), 0);
    scene.browser.close().await;
}

/// How long it takes until both see each other, beside the same connections without a server. The
/// figures are printed; what they have to be is not for a test on a busy machine.
pub async fn a_call_takes_little_longer_than_its_media() {
    const ROUNDS: usize = 3;
    let mut scene = Scene::set(&["--rate-limits", "off"]).await;
    scene.sign_in("all", true).await;
    for _ in 0..ROUNDS {
        let placed = scene.place().await;
        let ours = shown_after(&mut scene, &placed).await;
        scene.browser.run("patient", "hangUp", json!([])).await;
        scene.both("call:ended").await;
        for page in ["patient", "doctor"] {
            scene.browser.run(page, "pair", json!([])).await;
        }
        let placed = scene.browser.run("patient", "placePaired", json!([])).await;
        let bare = shown_after(&mut scene, &placed).await;
        for page in ["patient", "doctor"] {
            scene.browser.run(page, "unpair", json!([])).await;
        }
        #[allow(clippy::print_stdout)]
        {
            println!("both see each other after {ours} ms; without a server, after {bare} ms");
        }
    }
    scene.browser.close().await;
}

async fn shown_after(scene: &mut Scene, placed: &Value) -> i64 {
    let [patient, doctor] = scene.both("shown").await.map(|told| told["at"].as_i64());
    patient.max(doctor).unwrap() - placed["began"].as_i64().unwrap()
}

/// Media may go by the relay alone: the credentials that the server gives out open it.
pub async fn a_relay_carries_a_call() {
    let coturn = Coturn::start(SECRET).await;
    let mut scene = relayed(&coturn, &[]).await;
    scene.sign_in("relay", true).await;
    let placed = scene.place().await;
    let servers = placed["ice_servers"].as_array().unwrap();
    assert_eq!(servers[0]["urls"], coturn.url());
    scene.both("shown").await;
    scene.both("call:connected").await;
    for report in scene.watch(FRAMES).await {
        assert_eq!(report["local"], "relay", "{report}");
        assert_eq!(report["remote"], "relay", "{report}");
    }
    // The same over HTTP, for the parties of a call that is live, and for nobody else.
    for person in [&scene.patient, &scene.doctor] {
        let given = scene.visit.of(person).get("//api/ice").await.expect(200);
        assert!(given["iceServers"][0]["credential"].is_string());
    }
    scene.browser.run("patient", "hangUp", json!([])).await;
    scene.both("call:ended").await;
    let call = scene.history(&scene.doctor).await;
    assert_eq!(call["status"], "completed", "{call}");
    let given = scene.visit.of(&scene.patient).get("//api/ice").await;
    assert_eq!(given.expect(200), json!({"iceServers": []}));
    scene.browser.close().await;
}

/// A credential is good until its time, and a relay refuses it after that.
pub async fn a_credential_that_has_run_out_is_refused() {
    let coturn = Coturn::start(SECRET).await;
    let settings = coturn.file("telemed.toml", "[ice]\nturn_ttl_seconds = 2\n");
    let settings = ["--config", settings.to_str().unwrap()];
    let mut scene = relayed(&coturn, &settings).await;
    scene.sign_in("relay", false).await;
    let placed = scene.place().await;
    let servers = &placed["ice_servers"];
    let tried = scene
        .browser
        .run("patient", "gather", json!([servers]))
        .await;
    assert_eq!(tried["types"], json!(["relay"]), "{tried}");
    let name = servers[0]["username"].as_str().unwrap();
    let until_second: i64 = name.split_once(':').unwrap().0.parse().unwrap();
    until("the credential has run out", async || {
        Timestamp::now().as_second() > until_second
    })
    .await;
    let tried = scene
        .browser
        .run("patient", "gather", json!([servers]))
        .await;
    assert_eq!(tried["types"], json!([]), "{tried}");
    assert_eq!(tried["errors"], json!([401]), "{tried}");
    // One that is longer than the name says opens nothing either.
    let mut changed = servers.clone();
    let (_, rest) = name.split_once(':').unwrap();
    changed[0]["username"] = format!("{}:{rest}", until_second + 3600).into();
    let tried = scene
        .browser
        .run("patient", "gather", json!([changed]))
        .await;
    assert_eq!(tried["types"], json!([]), "{tried}");
    assert_eq!(tried["errors"], json!([401]), "{tried}");
    // The call still rings: its parties are given new ones.
    let given = scene.visit.of(&scene.patient).get("//api/ice").await;
    let fresh = given.expect(200)["iceServers"].clone();
    let tried = scene.browser.run("patient", "gather", json!([fresh])).await;
    assert_eq!(tried["types"], json!(["relay"]), "{tried}");
    scene.browser.close().await;
}

async fn relayed(coturn: &Coturn, options: &[&str]) -> Scene {
    let (url, secret) = (coturn.url(), coturn.file("secret", SECRET));
    let secret = secret.to_str().unwrap();
    let relay = ["--ice-server", &url, "--turn-secret-file", secret];
    Scene::set(&[&relay, options].concat()).await
}
