//! Accounts and sessions.

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, assert_utc, id_of};
use telemed_tests::practice::{PASSWORD, Visit, log_in, token_of};

/// The body without what differs between two equal answers.
pub fn without_time(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("timestamp");
    body
}

#[track_caller]
fn assert_user(user: &Value) {
    assert!(id_of(user) > 0);
    for (field, is_right) in [
        ("name", user["name"].is_string()),
        ("email", user["email"].is_string()),
        ("role", user["role"].is_string()),
        (
            "mobile_no",
            user["mobile_no"].is_string() || user["mobile_no"].is_null(),
        ),
        (
            "address",
            user["address"].is_string() || user["address"].is_null(),
        ),
        ("is_verified", user["is_verified"].is_boolean()),
        ("is_active", user["is_active"].is_boolean()),
        (
            "last_login",
            user["last_login"].is_string() || user["last_login"].is_null(),
        ),
    ] {
        assert!(user.get(field).is_some() && is_right, "{field} in {user}");
    }
    assert_utc(&user["created_at"]);
    assert_utc(&user["updated_at"]);
    let text = user.to_string();
    assert!(
        !text.contains("password") && !text.contains("argon2"),
        "{text}"
    );
}

fn account(email: &str) -> Value {
    json!({"name": "Amal", "email": email, "password": PASSWORD, "role": "patient"})
}

#[tokio::test(flavor = "multi_thread")]
async fn register_signs_in_and_shows_the_user() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let mut body = account(&email);
    body["mobile_no"] = "9876543210".into();
    body["address"] = "123 Main St".into();
    body["favourite_colour"] = "unknown fields are ignored".into();
    let signed = visit
        .anonymous
        .post("/auth/register", &body)
        .await
        .expect(201);
    assert_eq!(signed["token_type"], "bearer");
    assert_user(&signed["user"]);
    let user = &signed["user"];
    for (field, value) in [
        ("name", json!("Amal")),
        ("email", json!(email)),
        ("role", json!("patient")),
        ("mobile_no", json!("9876543210")),
        ("address", json!("123 Main St")),
        ("is_active", json!(true)),
    ] {
        assert_eq!(user[field], value, "{field}");
    }
    let client = visit.anonymous.with_token(&token_of(&signed));
    let profile = client.get("/auth/profile").await.expect(200);
    assert_user(&profile);
    assert_eq!(profile["id"], user["id"]);
    let patient = client
        .get(&format!("/patients/{}", user["id"]))
        .await
        .expect(200);
    assert_eq!(
        patient["user_id"], user["id"],
        "a patient's id is the user's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_patient_when_it_is_not_named() {
    let visit = Visit::shared().await;
    let mut body = account(&visit.new_email());
    body.as_object_mut().unwrap().remove("role");
    let answer = visit.anonymous.post("/auth/register", &body).await;
    if answer.status == 201 {
        assert_eq!(answer.json()["user"]["role"], "patient");
    } else {
        answer.names(422, "role");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_has_one_account_whatever_its_case() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let _ = visit
        .anonymous
        .post("/auth/register", &account(&email))
        .await
        .expect(201);
    for again in [email.clone(), email.to_uppercase()] {
        let answer = visit
            .anonymous
            .post("/auth/register", &account(&again))
            .await;
        answer.refused(409, "EMAIL_ALREADY_EXISTS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_an_administrator_makes_doctors_and_administrators() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    for role in ["doctor", "admin"] {
        for (who, client) in [
            ("a visitor", visit.anonymous.clone()),
            ("a patient", visit.of(&patient)),
            ("a doctor", visit.of(&doctor)),
        ] {
            let email = visit.new_email();
            let mut body = account(&email);
            body["role"] = role.into();
            let answer = client.post("/auth/register", &body).await;
            assert_eq!(answer.status, 403, "{who} as {role}");
            answer.refused(403, "AUTHORIZATION_ERROR");
            // Nothing was made: the address is free.
            let _ = client
                .post("/auth/register", &account(&email))
                .await
                .expect(201);
        }
        let mut body = account(&visit.new_email());
        body["role"] = role.into();
        let made = visit.admin.post("/auth/register", &body).await.expect(201);
        assert_eq!(made["user"]["role"], role);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_administrator_can_act() {
    let visit = Visit::shared().await;
    let mut body = account(&visit.new_email());
    body["role"] = "admin".into();
    let made = visit.admin.post("/auth/register", &body).await.expect(201);
    let second = visit.anonymous.with_token(&token_of(&made));
    let (_, total) = second.get("/users").await.list();
    assert!(total >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_of_a_wrong_shape_names_every_wrong_field() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let cases = [
        ("name", json!("")),
        ("name", json!("x".repeat(151))),
        ("name", json!(7)),
        ("name", Value::Null),
        ("email", json!("no address")),
        ("email", json!(["a@b.example"])),
        ("password", json!("seven77")),
        ("password", json!("x".repeat(129))),
        ("password", json!(12_345_678)),
        ("role", json!("nurse")),
        ("role", json!(1)),
        ("mobile_no", json!("1".repeat(21))),
        ("mobile_no", json!({"a": 1})),
        ("address", json!(5)),
    ];
    for (field, value) in cases {
        let mut body = account(&email);
        body[field] = value.clone();
        let answer = visit.anonymous.post("/auth/register", &body).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text());
        answer.names(422, field);
    }
    for field in ["name", "email", "password"] {
        let mut body = account(&email);
        body.as_object_mut().unwrap().remove(field);
        visit
            .anonymous
            .post("/auth/register", &body)
            .await
            .names(422, field);
    }
    // The bounds themselves are inside.
    let mut body = account(&email);
    body["name"] = "x".repeat(150).into();
    body["password"] = "x".repeat(128).into();
    body["mobile_no"] = "1".repeat(20).into();
    let _ = visit
        .anonymous
        .post("/auth/register", &body)
        .await
        .expect(201);
    let mut body = account(&visit.new_email());
    body["name"] = "x".into();
    body["password"] = "eight888".into();
    let _ = visit
        .anonymous
        .post("/auth/register", &body)
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn login_reads_json_and_forms() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let upper = patient.email.to_uppercase();
    for email in [patient.email.as_str(), upper.as_str()] {
        let body = json!({"email": email, "password": PASSWORD});
        let signed = visit.anonymous.post("/auth/login", &body).await.expect(200);
        assert_eq!(signed["token_type"], "bearer");
        assert_user(&signed["user"]);
        assert_eq!(signed["user"]["id"], patient.id);
        assert_utc(&signed["user"]["last_login"]);
    }
    let form = format!(
        "username={}&password={}&grant_type=password",
        patient.email.replace('@', "%40"),
        PASSWORD.replace(' ', "+")
    );
    let request = visit.anonymous.request(Method::POST, "/auth/login");
    let answer = request
        .body("application/x-www-form-urlencoded", form)
        .send()
        .await;
    let signed = answer.expect(200);
    let client = visit.anonymous.with_token(&token_of(&signed));
    assert_eq!(
        client.get("/auth/profile").await.expect(200)["id"],
        patient.id
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_user_and_wrong_password_are_answered_alike() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let wrong = json!({"email": patient.email, "password": "not the password"});
    let wrong = visit.anonymous.post("/auth/login", &wrong).await;
    let unknown = json!({"email": visit.new_email(), "password": PASSWORD});
    let unknown = visit.anonymous.post("/auth/login", &unknown).await;
    let body = wrong.refused(401, "AUTHENTICATION_ERROR");
    assert_eq!(body["detail"], "Invalid email/phone or password");
    unknown.refused(401, "AUTHENTICATION_ERROR");
    assert_eq!(without_time(&wrong), without_time(&unknown));
    let names = |answer: &Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&wrong), names(&unknown));
    // What is no address at all is an unknown user too, or a wrong shape; never anything else.
    let odd = json!({"email": "nobody", "password": PASSWORD});
    let odd = visit.anonymous.post("/auth/login", &odd).await;
    assert!([401, 422].contains(&odd.status), "{}", odd.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_this_session_at_once_and_no_other() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let first = visit.of(&patient);
    let second = log_in(&visit.anonymous, &patient.email, PASSWORD).await;
    let second = visit.anonymous.with_token(&second);
    let answer = first.request(Method::POST, "/auth/logout").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for _ in 0..2 {
        let after = first.get("/auth/profile").await;
        after.refused(401, "AUTHENTICATION_ERROR");
    }
    let again = first.request(Method::POST, "/auth/logout").send().await;
    again.refused(401, "AUTHENTICATION_ERROR");
    let _ = second.get("/auth/profile").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivation_ends_every_session_at_once_and_activation_revives_none() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let second = log_in(&visit.anonymous, &patient.email, PASSWORD).await;
    let second = visit.anonymous.with_token(&second);
    let path = format!("/users/{}/deactivate", patient.id);
    let user = visit
        .admin
        .request(Method::POST, &path)
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&user["id"], &user["is_active"]),
        (&json!(patient.id), &json!(false))
    );
    for client in [&client, &second] {
        client
            .get("/auth/profile")
            .await
            .refused(401, "AUTHENTICATION_ERROR");
    }
    let right = json!({"email": patient.email, "password": PASSWORD});
    let answer = visit.anonymous.post("/auth/login", &right).await;
    let body = answer.refused(401, "AUTHENTICATION_ERROR");
    assert_eq!(body["detail"], "Account is deactivated");
    let wrong = json!({"email": patient.email, "password": "not the password"});
    let answer = visit.anonymous.post("/auth/login", &wrong).await;
    let body = answer.refused(401, "AUTHENTICATION_ERROR");
    assert_eq!(body["detail"], "Invalid email/phone or password");

    let path = format!("/users/{}/activate", patient.id);
    let user = visit
        .admin
        .request(Method::POST, &path)
        .send()
        .await
        .expect(200);
    assert_eq!(user["is_active"], true);
    client
        .get("/auth/profile")
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    let fresh = log_in(&visit.anonymous, &patient.email, PASSWORD).await;
    let fresh = visit.anonymous.with_token(&fresh);
    let _ = fresh.get("/auth/profile").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_a_person_are_never_stored_by_a_cache() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    for path in [
        "/auth/profile".to_owned(),
        format!("/patients/{}", patient.id),
    ] {
        let answer = client.get(&path).await;
        let policy = answer.header("cache-control").unwrap_or_default();
        assert!(policy.contains("no-store"), "{path}: {policy}");
    }
}
