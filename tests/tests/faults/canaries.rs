//! Planted words that must be nowhere in clear: not in the database, not in its write-ahead log,
//! not in the server's log, however much it logs.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::{Client, id_of};
use telemed_tests::practice::{Practice, Visit, log_in, token_of};

const ADDRESS: &str = "canaryaddress street 7";
const ALLERGIES: &str = "canaryallergy to everything";
const CONTACT: &str = "canary-0123456789";
const REASON: &str = "canaryreason in the left knee";
const CANCELLED: &str = "canarycancelled because of snow";
const MOVED: &str = "canarymoved because of a wedding";
const REJECTED: &str = "canaryrejected for want of time";
const PASSWORD: &str = "canarypassword-9000";
const WRONG_PASSWORD: &str = "canarywrongpassword";
const CHANGED: &str = "canarychanged allergy";
const MESSAGE: &str = "canarymessage about the left hand";
const LINE: &str = "canaryline <b>in</b> a call";
const UNSENT: &str = "canaryunsent because it is an image";
const BORN: &str = "1971-03-09";
/// Sealed at rest, and never logged.
const SECRETS: [&str; 14] = [
    ADDRESS,
    ALLERGIES,
    CONTACT,
    REASON,
    CANCELLED,
    MOVED,
    REJECTED,
    PASSWORD,
    WRONG_PASSWORD,
    CHANGED,
    BORN,
    MESSAGE,
    LINE,
    UNSENT,
];

const NAME: &str = "Canaryname Canarysurname";
const NUMBER: &str = "canary-555-0199";

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

/// Every file in a folder with what is in it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn assert_sealed(folder: &Path) {
    let files = files(folder);
    let all: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        all.iter().any(|name| name.ends_with("telemed.db")),
        "{all:?}"
    );
    for (name, content) in &files {
        for secret in SECRETS {
            // Also parts of it: an index of words would hold them one by one.
            let word = secret.split(' ').next().unwrap();
            assert!(!contains(content, word), "{word} is in {name}");
        }
    }
}

/// Sends messages on both surfaces, and finds and reads them again by what is in them.
async fn write_messages(patient: &Client, doctor: &Client, doctor_id: i64) {
    let body = json!({"participant_id": doctor_id});
    let opened = patient
        .post("//api/messages/conversations", &body)
        .await
        .expect(200);
    let id = opened["data"]["id"].as_str().unwrap();
    let body = json!({"conversation_id": id, "message": MESSAGE, "client_msg_id": "once"});
    for _ in 0..2 {
        let _ = patient.post("//api/messages", &body).await.expect(200);
    }
    let body = json!({"conversation_id": id, "message": UNSENT, "message_type": "image"});
    let _ = patient.post("//api/messages", &body).await.expect(400);
    let path = format!("//api/conversations/{id}/send-message");
    let _ = doctor.post(&path, &json!({"body": LINE})).await.expect(200);
    for (word, text) in [("canarymessage", MESSAGE), ("canaryli", LINE)] {
        let path = format!("//api/messages/search?q={word}");
        let found = doctor.get(&path).await.expect(200);
        let found = found["data"]["messages"].as_array().unwrap().clone();
        assert_eq!(found.len(), 1, "{word}");
        assert_eq!(found[0]["message"], text);
    }
    let path = format!("//api/messages/conversations/{id}");
    let read = doctor.get(&path).await.expect(200);
    assert_eq!(read["data"]["messages"][0]["message"], MESSAGE);
    let told = doctor.get("//api/events?after=0").await.expect(200);
    assert!(told.to_string().contains(MESSAGE), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_private_is_in_clear_at_rest_or_in_the_log() {
    let visit = Visit::at(Practice::open(&[], &[("RUST_LOG", "trace")]).await);
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let email = "canarymail@mail.example";
    let account = json!({
        "name": NAME, "email": email, "password": PASSWORD, "role": "patient",
        "mobile_no": NUMBER, "address": ADDRESS,
    });
    let signed = visit
        .anonymous
        .post("/auth/register", &account)
        .await
        .expect(201);
    let id = id_of(&signed["user"]);
    let _ = visit
        .anonymous
        .post("/auth/register", &account)
        .await
        .refused(409, "EMAIL_ALREADY_EXISTS");
    let token = log_in(&visit.anonymous, email, PASSWORD).await;
    let wrong = json!({"email": email, "password": WRONG_PASSWORD});
    visit
        .anonymous
        .post("/auth/login", &wrong)
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    let client = visit.anonymous.with_token(&token);
    let profile = json!({
        "date_of_birth": BORN, "blood_group": "AB-", "allergies": ALLERGIES,
        "emergency_contact": CONTACT,
    });
    let path = format!("/patients/{id}");
    let updated = client.put(&path, &profile).await.expect(200);
    assert_eq!(updated["allergies"], ALLERGIES);
    let keyed = client.request(Method::PUT, &path).key("canary");
    let _ = keyed
        .json(&json!({"allergies": CHANGED}))
        .send()
        .await
        .expect(200);
    let _ = visit.admin.get(&path).await.expect(200);
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let book = json!({"slot_id": slot, "reason_for_visit": REASON});
    let keyed = client
        .request(Method::POST, "/appointments/book")
        .key("canary")
        .json(&book);
    let made = keyed.send().await.expect(201);
    let elsewhere = visit.any_slot(&doctor, clinic, 1).await;
    let path = format!("//api/appointments/{}/reschedule", made["id"]);
    let to = json!({"slot_id": elsewhere, "reschedule_reason": MOVED});
    let moved = client.put(&path, &to).await.expect(200);
    assert_eq!(moved["data"]["appointment"]["reschedule_reason"], MOVED);
    let path = format!("/appointments/{}/cancel", made["id"]);
    let _ = client
        .post(&path, &json!({"cancelled_reason": CANCELLED}))
        .await
        .expect(200);
    let made = client.post("/appointments/book", &book).await.expect(201);
    let path = format!("/appointments/{}/reject", made["id"]);
    let rejected = visit
        .of(&doctor)
        .post(&path, &json!({"reason": REJECTED}))
        .await;
    assert_eq!(rejected.expect(200)["status"], "rejected");
    write_messages(&client, &visit.of(&doctor), doctor.id).await;
    // What is refused is not written down either.
    for (method, path, body) in [
        (
            Method::PUT,
            format!("/patients/{id}"),
            json!({"allergies": [ALLERGIES], "emergency_contact": format!("{CONTACT}{CONTACT}")}),
        ),
        (
            Method::POST,
            "/appointments/book".to_owned(),
            json!({"slot_id": REASON, "reason_for_visit": [REASON]}),
        ),
        (
            Method::POST,
            "/auth/register".to_owned(),
            json!({"name": NAME, "email": PASSWORD, "password": [PASSWORD], "address": [ADDRESS]}),
        ),
        (
            Method::GET,
            format!("/{ALLERGIES}?{ADDRESS}={REASON}"),
            json!({}),
        ),
        (
            Method::GET,
            format!("/clinics?city={ADDRESS}&limit={REASON}"),
            json!({}),
        ),
        (Method::GET, format!("/patients/{CONTACT}"), json!({})),
    ] {
        let answer = client
            .request(method, &path.replace(' ', "%20"))
            .json(&body)
            .send()
            .await;
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {}",
            answer.text()
        );
        assert!(
            SECRETS.iter().all(|secret| !answer.text().contains(secret)),
            "{}",
            answer.text()
        );
    }
    let request = client.request(Method::POST, "/appointments/book");
    let answer = request
        .body("application/json", format!("{{\"slot_id\": {REASON}"))
        .send()
        .await;
    assert_eq!(answer.status, 422);
    let metrics = visit.anonymous.get("//metrics").await.text();

    // While it runs, with the write-ahead log, and after it was closed.
    let data = visit.practice.folder.data();
    let names: Vec<_> = files(&data).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name.ends_with("-wal")), "{names:?}");
    assert_sealed(&data);
    let database = std::fs::read(visit.practice.folder.database()).unwrap();
    let journal = std::fs::read(data.join("telemed.db-wal")).unwrap();
    assert!(
        contains(&database, email) || contains(&journal, email),
        "an address to sign in with is not sealed: this search can find something"
    );
    for tokens in [&token, &token_of(&signed)] {
        let signature = tokens.rsplit('.').next().unwrap();
        assert!(!contains(&database, signature) && !contains(&journal, signature));
    }
    let Visit {
        practice,
        anonymous,
        admin,
    } = visit;
    drop((anonymous, admin, client));
    let practice = std::sync::Arc::into_inner(practice).expect("nobody else is here");
    practice.server.stop();
    assert_sealed(&data);

    let log = practice.folder.log();
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("DEBUG") && text.contains("appointments"),
        "the log is there: {text}"
    );
    for word in SECRETS.iter().chain(&[NAME, NUMBER, email, token.as_str()]) {
        for part in word.split(' ') {
            assert!(
                !part.starts_with("canary") || !contains(&log, part),
                "{part} is in the log"
            );
        }
        assert!(!contains(&log, word), "{word} is in the log");
    }
    for word in SECRETS.iter().chain(&[NAME, NUMBER, email]) {
        assert!(!metrics.contains(word), "{word} is in the metrics");
    }
}
