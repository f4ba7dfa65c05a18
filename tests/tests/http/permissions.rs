//! Who may do what: every route for every kind of caller, and that strangers cannot tell what
//! exists.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Person, Visit};

struct Cast {
    visit: Visit,
    clinic: i64,
    patient: Person,
    doctor: Person,
    slot: i64,
    appointment: i64,
    /// In the order of a row of the table.
    callers: [(&'static str, Client); 7],
}

impl Cast {
    async fn assemble() -> Self {
        let visit = Visit::shared().await;
        let (clinic, doctor) = visit.clinic_and_doctor().await;
        let (_, foreign) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let stranger = visit.patient().await;
        let unverified = visit.unverified_doctor().await;
        let slot = visit.any_slot(&doctor, clinic, 2).await;
        let appointment = visit.booked(&patient, slot).await;
        let callers = [
            ("visitor", visit.anonymous.clone()),
            ("stranger", visit.of(&stranger)),
            ("patient", visit.of(&patient)),
            ("unverified doctor", visit.of(&unverified)),
            ("foreign doctor", visit.of(&foreign)),
            ("doctor", visit.of(&doctor)),
            ("administrator", visit.admin.clone()),
        ];
        Self {
            visit,
            clinic,
            patient,
            doctor,
            slot,
            appointment,
            callers,
        }
    }

    /// What must not have changed when everybody has been refused.
    async fn state(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for path in [
            format!("/patients/{}", self.patient.id),
            format!("/doctors/{}", self.doctor.id),
            format!("/clinics/{}", self.clinic),
            format!("/appointments/{}", self.appointment),
            format!("/patients/{}/appointments", self.patient.id),
            format!("/slots?doctor_id={}", self.doctor.id),
        ] {
            rows.push(self.visit.admin.get(&path).await.expect(200));
        }
        rows
    }
}

/// One cell of the table.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    /// 200.
    Yes,
    /// May do it; not done here, because it would change what the other cells see.
    May,
    /// 401.
    SignIn,
    /// 403.
    No,
    /// 404.
    Hidden,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_for_every_caller() {
    use Cell::{Hidden as H, May as M, No as N, SignIn as S, Yes as Y};
    let cast = Cast::assemble().await;
    let (patient, doctor) = (cast.patient.id, cast.doctor.id);
    let (clinic, slot, appointment) = (cast.clinic, cast.slot, cast.appointment);
    let new_doctor = cast.visit.unverified_doctor().await;
    let profile = cast.visit.profile(&new_doctor, clinic);
    let at = (cast.visit.new_day()).to_string();
    let new_slot = json!({"doctor_id": doctor, "clinic_id": clinic, "slot_datetime": at});
    let book = json!({"slot_id": slot, "patient_id": patient});
    let reason = json!({"reason": "x", "cancelled_reason": "x"});
    let none = Value::Null;
    let name = json!({"name": "x"});
    let years = json!({"experience_years": 7});
    let blood = json!({"blood_group": "A+"});
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let of = |path: &str, id: i64, rest: &str| format!("/{path}/{id}{rest}");
    // visitor, stranger, patient, unverified, foreign doctor, own doctor, administrator
    let table: Vec<(&Method, String, &Value, [Cell; 7])> = vec![
        (&get, "/users".into(), &none, [S, N, N, N, N, N, Y]),
        (
            &get,
            "/users?role=patient".into(),
            &none,
            [S, N, N, N, N, N, Y],
        ),
        (
            &post,
            of("users", patient, "/deactivate"),
            &none,
            [S, N, N, N, N, N, M],
        ),
        (
            &post,
            of("users", patient, "/activate"),
            &none,
            [S, N, N, N, N, N, M],
        ),
        (
            &post,
            of("users", 999_999_999, "/activate"),
            &none,
            [S, N, N, N, N, N, H],
        ),
        (
            &post,
            of("doctors", doctor, "/verify"),
            &none,
            [S, N, N, N, N, N, M],
        ),
        (&get, "/auth/profile".into(), &none, [S, Y, Y, Y, Y, Y, Y]),
        (&post, "/auth/logout".into(), &none, [S, M, M, M, M, M, M]),
        (
            &get,
            of("patients", patient, ""),
            &none,
            [S, H, Y, N, H, Y, Y],
        ),
        (
            &put,
            of("patients", patient, ""),
            &blood,
            [S, H, M, N, N, N, M],
        ),
        (
            &get,
            of("patients", patient, "/appointments"),
            &none,
            [S, H, Y, N, N, N, Y],
        ),
        (&post, "/doctors".into(), &profile, [S, N, N, N, N, N, M]),
        (
            &put,
            of("doctors", doctor, ""),
            &years,
            [S, N, N, N, N, N, M],
        ),
        (&get, "/doctors".into(), &none, [Y; 7]),
        (&get, of("doctors", doctor, ""), &none, [Y; 7]),
        (&post, "/clinics".into(), &name, [S, N, N, N, N, N, M]),
        (
            &put,
            of("clinics", clinic, ""),
            &name,
            [S, N, N, N, N, N, M],
        ),
        (&get, "/clinics".into(), &none, [Y; 7]),
        (&get, of("clinics", clinic, ""), &none, [Y; 7]),
        (&get, of("clinics", clinic, "/doctors"), &none, [Y; 7]),
        (&get, "/slots".into(), &none, [Y; 7]),
        (&post, "/slots".into(), &new_slot, [S, N, N, N, N, M, M]),
        (&delete, of("slots", slot, ""), &none, [S, N, N, N, H, M, M]),
        (
            &post,
            "/appointments/book".into(),
            &book,
            [S, N, M, N, N, N, M],
        ),
        (&get, "/appointments".into(), &none, [S, N, N, N, N, N, Y]),
        (
            &get,
            of("appointments", appointment, ""),
            &none,
            [S, H, Y, N, H, Y, Y],
        ),
        (
            &post,
            of("appointments", appointment, "/cancel"),
            &reason,
            [S, H, M, N, H, M, M],
        ),
        (
            &post,
            of("appointments", appointment, "/confirm"),
            &none,
            [S, N, N, N, H, M, M],
        ),
        (
            &post,
            of("appointments", appointment, "/reject"),
            &reason,
            [S, N, N, N, H, M, M],
        ),
        (
            &post,
            of("appointments", appointment, "/complete"),
            &none,
            [S, N, N, N, H, M, M],
        ),
        (
            &post,
            of("appointments", appointment, "/no-show"),
            &none,
            [S, N, N, N, H, M, M],
        ),
    ];
    let before = cast.state().await;
    let mut wrong = Vec::new();
    for (method, path, body, cells) in &table {
        for ((caller, client), cell) in cast.callers.iter().zip(cells) {
            let request = client.request((*method).clone(), path);
            let request = if body.is_null() {
                request
            } else {
                request.json(body)
            };
            let (status, code) = match cell {
                Cell::May => continue,
                Cell::Yes => (200, ""),
                Cell::SignIn => (401, "AUTHENTICATION_ERROR"),
                Cell::No => (403, "AUTHORIZATION_ERROR"),
                Cell::Hidden => (404, "RESOURCE_NOT_FOUND"),
            };
            let answer = request.send().await;
            let said = answer.json()["error_code"]
                .as_str()
                .unwrap_or("")
                .to_owned();
            if (answer.status, said.as_str()) != (status, code) {
                wrong.push(format!(
                    "{method} {path} as {caller}: {} {said} instead of {status} {code}",
                    answer.status
                ));
            } else if status != 200 {
                answer.refused(status, code);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(
        cast.state().await,
        before,
        "a refused call has changed something"
    );
}

/// The body without the time, and with the id replaced that was asked for.
fn shape(answer: &Answer, id: i64) -> (u16, String, Vec<(String, String)>) {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("timestamp");
    let text = body.to_string().replace(&id.to_string(), "ID");
    (answer.status, text, lasting(&answer.headers))
}

/// The headers that do not differ between any two answers.
fn lasting(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut lasting: Vec<_> = headers
        .iter()
        .filter(|(name, _)| {
            // The length follows the time, whose fraction has as many digits as it needs.
            !["date", "x-request-id", "content-length"].contains(&name.as_str())
        })
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    lasting.sort();
    lasting
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_tell_what_exists() {
    let cast = Cast::assemble().await;
    // Above all that the other tests of the practice make meanwhile.
    let unknown = |id: i64| 900_000 + id;
    let reason = json!({"reason": "x", "cancelled_reason": "x"});
    let wrong = json!({"blood_group": 5, "cancelled_reason": 5, "reason": 5});
    let blood = json!({"blood_group": "A+"});
    let (patient, appointment, slot) = (cast.patient.id, cast.appointment, cast.slot);
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let cases: Vec<(&Method, &str, i64, &str, &Value)> = vec![
        (&get, "patients", patient, "", &Value::Null),
        (&put, "patients", patient, "", &blood),
        (&put, "patients", patient, "", &wrong),
        (&get, "patients", patient, "/appointments", &Value::Null),
        (
            &get,
            "patients",
            patient,
            "/appointments?limit=0",
            &Value::Null,
        ),
        (&get, "appointments", appointment, "", &Value::Null),
        (&post, "appointments", appointment, "/cancel", &reason),
        (&post, "appointments", appointment, "/cancel", &wrong),
        (&post, "appointments", appointment, "/confirm", &Value::Null),
        (&post, "appointments", appointment, "/reject", &reason),
        (
            &post,
            "appointments",
            appointment,
            "/complete",
            &Value::Null,
        ),
        (&post, "appointments", appointment, "/no-show", &Value::Null),
        (&delete, "slots", slot, "", &Value::Null),
    ];
    for (method, kind, id, rest, body) in cases {
        for (caller, client) in &cast.callers[..5] {
            if *caller == "patient" {
                continue;
            }
            let ask = |id: i64| {
                let request = client.request(method.clone(), &format!("/{kind}/{id}{rest}"));
                let request = if body.is_null() {
                    request
                } else {
                    request.json(body)
                };
                request.send()
            };
            let real = shape(&ask(id).await, id);
            let made_up = shape(&ask(unknown(id)).await, unknown(id));
            assert!(real.0 >= 400, "{method} /{kind}/{rest} as {caller}");
            assert_eq!(real, made_up, "{method} /{kind}/{rest} as {caller}");
        }
    }
    // Nor by naming him in a body of one's own.
    let stranger = &cast.callers[1].1;
    let ask = |id: i64| {
        let body = json!({"slot_id": slot, "patient_id": id});
        async move { stranger.post("/appointments/book", &body).await }
    };
    let real = shape(&ask(patient).await, patient);
    let made_up = shape(&ask(unknown(patient)).await, unknown(patient));
    assert_eq!(real, made_up);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_does() {
    let cast = Cast::assemble().await;
    let doctors = cast.visit.of(&cast.doctor);
    let patients = cast.visit.of(&cast.patient);
    let path = format!("/patients/{}", cast.patient.id);
    let _ = patients
        .put(&path, &json!({"blood_group": "A+"}))
        .await
        .expect(200);
    let _ = cast
        .visit
        .admin
        .put(&path, &json!({"blood_group": "B+"}))
        .await
        .expect(200);
    let _ = doctors.step(cast.appointment, "confirm").await.expect(200);
    let _ = doctors.cancel(cast.appointment).await.expect(200);
    let _ = doctors
        .delete(&format!("/slots/{}", cast.slot))
        .await
        .expect(200);
    let own = json!({
        "doctor_id": cast.doctor.id,
        "clinic_id": cast.clinic,
        "slot_datetime": cast.visit.new_day().to_string(),
    });
    let _ = doctors.post("/slots", &own).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_makes_no_slots_for_another() {
    let cast = Cast::assemble().await;
    let (_, foreign) = &cast.callers[4];
    for doctor in [cast.doctor.id, 999_999_999] {
        let slot = json!({
            "doctor_id": doctor,
            "clinic_id": cast.clinic,
            "slot_datetime": cast.visit.new_day().to_string(),
        });
        let answer = foreign.post("/slots", &slot).await;
        answer.refused(403, "AUTHORIZATION_ERROR");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_role_in_a_body_is_ignored() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let path = format!("/patients/{}", patient.id);
    let sneaky = json!({
        "role": "admin",
        "is_verified": true,
        "user_id": 1,
        "id": 1,
        "blood_group": "A+",
    });
    let updated = client.put(&path, &sneaky).await.expect(200);
    assert_eq!(updated["id"], patient.id);
    let user = client.get("/auth/profile").await.expect(200);
    assert_eq!(user["role"], "patient");
    client
        .get("/users")
        .await
        .refused(403, "AUTHORIZATION_ERROR");
}
