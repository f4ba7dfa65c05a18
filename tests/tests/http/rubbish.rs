//! Rubbish in bodies: a clear JSON error that names the field where there is
//! one, never a 500, the input never repeated, and nothing changes.

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{PASSWORD, Person, Visit};

/// A word that no answer may repeat.
const CANARY: &str = "echocanary";

/// Every field that a route of the surface reads from a body.
const FIELDS: [&str; 33] = [
    "name",
    "email",
    "password",
    "role",
    "mobile_no",
    "address",
    "date_of_birth",
    "blood_group",
    "allergies",
    "emergency_contact",
    "user_id",
    "clinic_id",
    "specialty",
    "license_number",
    "qualifications",
    "experience_years",
    "max_patients_per_day",
    "phone",
    "city",
    "state",
    "zip_code",
    "time_zone",
    "doctor_id",
    "slot_datetime",
    "start_time",
    "end_time",
    "duration_minutes",
    "capacity",
    "slot_id",
    "patient_id",
    "reason_for_visit",
    "cancelled_reason",
    "reason",
];

/// A refusal that says what is wrong, not what was sent.
#[track_caller]
pub fn assert_clear(answer: &Answer, what: &str) {
    assert!(
        (400..500).contains(&answer.status),
        "{what}: {} {}",
        answer.status,
        answer.text()
    );
    let code = answer.json()["error_code"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    answer.refused(answer.status, &code);
    assert!(
        !answer.text().contains(CANARY),
        "{what}: the input is repeated: {}",
        answer.text()
    );
    let errors = answer.json()["errors"].clone();
    if answer.status == 422 && code == "VALIDATION_ERROR" {
        assert!(
            errors.as_array().is_some_and(|errors| !errors.is_empty()),
            "{what}: {}",
            answer.text()
        );
    }
}

/// Every route that reads a body: method, path, a body that is right but for one field.
fn routes_with_bodies(
    patient: &Person,
    doctor: &Person,
    clinic: i64,
    appointment: i64,
) -> Vec<(Method, String)> {
    let (post, put) = (Method::POST, Method::PUT);
    vec![
        (post.clone(), "/auth/register".into()),
        (post.clone(), "/auth/login".into()),
        (put.clone(), format!("/patients/{}", patient.id)),
        (post.clone(), "/doctors".into()),
        (put.clone(), format!("/doctors/{}", doctor.id)),
        (post.clone(), "/clinics".into()),
        (put, format!("/clinics/{clinic}")),
        (post.clone(), "/slots".into()),
        (post.clone(), "/appointments/book".into()),
        (post.clone(), format!("/appointments/{appointment}/cancel")),
        (post, format!("/appointments/{appointment}/reject")),
    ]
}

struct Scene {
    visit: Visit,
    clinic: i64,
    doctor: Person,
    patient: Person,
    appointment: i64,
}

impl Scene {
    async fn set() -> Self {
        let visit = Visit::shared().await;
        let (clinic, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let slot = visit.any_slot(&doctor, clinic, 1).await;
        let appointment = visit.booked(&patient, slot).await;
        Self {
            visit,
            clinic,
            doctor,
            patient,
            appointment,
        }
    }

    fn routes(&self) -> Vec<(Method, String)> {
        routes_with_bodies(&self.patient, &self.doctor, self.clinic, self.appointment)
    }

    async fn state(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for path in [
            format!("/patients/{}", self.patient.id),
            format!("/doctors/{}", self.doctor.id),
            format!("/clinics/{}", self.clinic),
            format!("/patients/{}/appointments", self.patient.id),
            format!("/slots?doctor_id={}", self.doctor.id),
        ] {
            rows.push(self.visit.admin.get(&path).await.expect(200));
        }
        rows
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_the_json_that_was_asked_for() {
    let scene = Scene::set().await;
    let before = scene.state().await;
    let bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "{\"slot_id\":",
        "{\"slot_id\": echocanary}",
        "{'slot_id': 1}",
        "{\"slot_id\": 1}{\"slot_id\": 2}",
        "{\"slot_id\": 1} echocanary",
        "[]",
        "[{\"slot_id\": 1}]",
        "null",
        "true",
        "5",
        "\"echocanary\"",
        "{\"email\": NaN, \"name\": NaN, \"slot_id\": NaN}",
        "\u{feff}{\"slot_id\": 1",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"\xff\xfe{\"slot_id\": 1}".to_vec(),
        b"{\"name\": \"\xc3\x28\", \"reason\": \"\xc3\x28\", \"slot_id\": \"\xc3\x28\"}".to_vec(),
        b"{\"\xff\": 1".to_vec(),
        b"\x00\x00\x00\x00".to_vec(),
        nested("[", "]", 20_000).into_bytes(),
    ])
    .collect();
    for (method, path) in scene.routes() {
        for body in &bodies {
            let shown: String = String::from_utf8_lossy(body).chars().take(60).collect();
            let request = scene.visit.admin.request(method.clone(), &path);
            let answer = request.body("application/json", body.clone()).send().await;
            assert_clear(&answer, &format!("{method} {path} {shown}"));
        }
    }
    assert_eq!(scene.state().await, before);
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test(flavor = "multi_thread")]
async fn deeply_nested_bodies() {
    let scene = Scene::set().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = nested(open, close, 200);
        let fields: Vec<_> = FIELDS
            .iter()
            .map(|field| format!("\"{field}\":{value}"))
            .collect();
        let body = format!("{{{}}}", fields.join(","));
        // What no route reads is passed over, however deep, and costs no stack.
        let unread = format!("{{\"unread\":{}}}", nested(open, close, 20_000));
        for (method, path) in scene.routes() {
            let ask = |body: String| {
                let request = scene.visit.admin.request(method.clone(), &path);
                request.body("application/json", body).send()
            };
            assert_clear(&ask(body.clone()).await, &format!("{method} {path}"));
            let answer = ask(unread.clone()).await;
            assert!(answer.status < 500, "{method} {path}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_wrong_type() {
    let scene = Scene::set().await;
    let before = scene.state().await;
    let clients = [&scene.visit.admin, &scene.visit.of(&scene.patient)];
    let values = [
        json!({CANARY: CANARY}),
        json!([CANARY]),
        json!([[[[]]]]),
        json!(true),
        json!(-1e300),
        json!(format!("{CANARY}\u{0}")),
        json!(CANARY.repeat(3_000)),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.1),
    ];
    for (method, path) in scene.routes() {
        for value in &values {
            // Every field is wrong at once: whichever the route reads, it must refuse.
            let body: Value = FIELDS
                .iter()
                .map(|field| ((*field).to_owned(), value.clone()))
                .collect();
            for client in clients {
                let answer = client
                    .request(method.clone(), &path)
                    .json(&body)
                    .send()
                    .await;
                let shown: String = value.to_string().chars().take(40).collect();
                // Some fields are free text, for which the canary alone would be right; never all.
                assert_clear(&answer, &format!("{method} {path} {shown}"));
            }
        }
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_told_at_once() {
    let visit = Visit::shared().await;
    let body = json!({"name": "", "email": "x", "password": "x", "role": "x", "mobile_no": "1".repeat(99)});
    let answer = visit.anonymous.post("/auth/register", &body).await;
    for field in ["name", "email", "password", "mobile_no"] {
        answer.names(422, field);
    }
    assert_eq!(answer.json()["errors"][0]["loc"][0], "body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ten_megabytes() {
    let scene = Scene::set().await;
    let before = scene.state().await;
    let huge = json!({"name": "x".repeat(10 * 1024 * 1024)}).to_string();
    for (method, path) in scene.routes() {
        let request = scene.visit.admin.request(method.clone(), &path);
        // The server may close while a client is still sending: then there is an answer or none.
        match request
            .body("application/json", huge.clone())
            .try_send()
            .await
        {
            Ok(answer) => _ = answer.refused(413, "PAYLOAD_TOO_LARGE"),
            Err(error) => assert!(!error.is_timeout(), "{method} {path}: {error}"),
        }
    }
    // Announced and not sent, the answer always comes.
    for length in ["10485760", "1048577", "9223372036854775807"] {
        let mut raw = super::raw::Raw::connect(&scene.visit).await;
        raw.send(format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        ))
        .await;
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(answer.status, 413, "{answer:?}");
        assert_eq!(answer.json()["error_code"], "PAYLOAD_TOO_LARGE");
    }
    assert_eq!(scene.state().await, before);
    // A megabyte is read.
    let padding = " ".repeat(1024 * 1024 - 100);
    let body = format!("{{\"email\":\"a@b.example\",\"password\":\"{PASSWORD}\"}}{padding}");
    let request = scene.visit.anonymous.request(Method::POST, "/auth/login");
    let answer = request.body("application/json", body).send().await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_content_type() {
    let scene = Scene::set().await;
    for (method, path) in scene.routes() {
        for content_type in [
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=x",
            "image/png",
            "x",
            "application/jsonx",
        ] {
            let request = scene.visit.admin.request(method.clone(), &path);
            let answer = request.body(content_type, "{}").send().await;
            assert_eq!(
                answer.status,
                415,
                "{method} {path} {content_type}: {}",
                answer.text()
            );
            answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        if path != "/auth/login" {
            let request = scene.visit.admin.request(method.clone(), &path);
            let answer = request
                .body("application/x-www-form-urlencoded", "a=b")
                .send()
                .await;
            answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    let patient = &scene.patient;
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
    ] {
        let request = scene
            .visit
            .of(patient)
            .request(Method::PUT, &format!("/patients/{}", patient.id));
        let answer = request
            .body(content_type, "{\"blood_group\":\"A+\"}")
            .send()
            .await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_a_wrong_shape() {
    let visit = Visit::shared().await;
    for form in [
        "",
        "username=",
        "password=x",
        "username=%ff&password=%00",
        "username=a&username=b&password=c",
        "&&&=",
        "username[]=x",
    ] {
        let request = visit.anonymous.request(Method::POST, "/auth/login");
        let answer = request
            .body("application/x-www-form-urlencoded", form)
            .send()
            .await;
        assert_clear(&answer, form);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_kept_as_it_was_written() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let client: Client = visit.of(&patient);
    for text in [
        "L < R & \"quoted\" 'single' <script>alert(1)</script>",
        "'; DROP TABLE users; --",
        "${jndi:ldap://x} {{7*7}} %s %n \\u0000 \\",
        "line one\nline two\ttabbed",
    ] {
        let slot = visit.any_slot(&doctor, clinic, 1).await;
        let body = json!({"slot_id": slot, "reason_for_visit": text});
        let made = client.post("/appointments/book", &body).await.expect(201);
        assert_eq!(made["reason_for_visit"], text);
        let path = format!("/appointments/{}", made["id"]);
        assert_eq!(
            client.get(&path).await.expect(200)["reason_for_visit"],
            text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_character_is_no_text() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    for half in ["\\ud800", "\\udc00", "\\ud800\\ud800"] {
        let body = format!(
            r#"{{"name":"{half}","email":"{email}","password":"{PASSWORD}","role":"patient"}}"#
        );
        let request = visit.anonymous.request(Method::POST, "/auth/register");
        let answer = request.body("application/json", body).send().await;
        assert_eq!(answer.status, 422, "{half}: {}", answer.text());
        assert_clear(&answer, half);
    }
}
