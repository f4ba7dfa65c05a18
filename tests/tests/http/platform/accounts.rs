//! Accounts and sessions.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::{Client, id_of};
use telemed_tests::practice::{PASSWORD, Practice, Visit};

use super::super::auth::without_time;
use super::*;

fn patient(email: &str) -> Value {
    json!({
        "full_name": "Amina", "email": email, "password": PASSWORD, "user_type": "patient",
        "language_preference": "en", "gender": "female", "date_of_birth": "1990-05-01",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_registers_and_signs_in_by_either_name() {
    let visit = Visit::shared().await;
    let nobody = &visit.anonymous;
    let email = visit.new_email();
    let digits = format!("2499{:08}", std::process::id());
    let mut account = patient(&email);
    account["phone"] = format!("+{digits}").into();
    let data = ok(&post(nobody, "/auth/register", &account).await, 201);
    assert!(data["access_token"].is_string(), "{data}");
    assert!(
        data.as_object().unwrap().contains_key("refresh_token") && data["refresh_token"].is_null()
    );
    let id = id_of(&data["user"]);

    let spaced = format!(
        "+{} ({}) {}-{}",
        &digits[..3],
        &digits[3..6],
        &digits[6..8],
        &digits[8..]
    );
    for identifier in [email.clone(), email.to_uppercase(), spaced] {
        let data = sign_in(nobody, &identifier, PASSWORD).await;
        assert_eq!(data["user"]["id"], id);
        assert_eq!(data["user"]["user_type"], "patient");
        for field in ["id", "user_type", "email", "phone", "full_name", "profile"] {
            assert!(data["user"].get(field).is_some(), "no {field}: {data}");
        }
        assert_eq!(data["expires_in"], 7 * 24 * 3600, "{data}");
        assert!(data["refresh_token"].is_null());
    }
    let by_email = json!({"email": email, "password": PASSWORD});
    let data = ok(&post(nobody, "/auth/login", &by_email).await, 200);
    let own = nobody.with_token(data["access_token"].as_str().unwrap());
    for path in ["/auth/me", "/users/profile"] {
        let me = ok(&get(&own, path).await, 200);
        for of in [&me, &me["user"]] {
            assert_eq!(
                (of["id"].as_i64(), &of["full_name"]),
                (Some(id), &json!("Amina")),
                "{path}: {me}"
            );
        }
    }
    let change = json!({"full_name": "Amina B", "language_preference": "ar", "gender": "female"});
    ok(&put(&own, "/users/profile", &change).await, 200);
    let me = ok(&get(&own, "/users/profile/").await, 200);
    assert_eq!(me["user"]["full_name"], "Amina B");

    // What is in use is a conflict that names its field.
    let again = refused(
        &post(nobody, "/auth/register", &patient(&email.to_uppercase())).await,
        409,
        "CONFLICT",
    );
    assert_eq!(
        (&again["field"], &again["details"]["field"]),
        (&json!("email"), &json!("email"))
    );
    let mut other = patient(&visit.new_email());
    other["phone"] = format!("+{}", digits).into();
    let again = refused(
        &post(nobody, "/auth/register", &other).await,
        409,
        "CONFLICT",
    );
    assert_eq!(again["field"], "phone");
    // An administrator is not made here.
    let mut admin = patient(&visit.new_email());
    admin["user_type"] = "admin".into();
    refused(
        &post(nobody, "/auth/register", &admin).await,
        403,
        "FORBIDDEN",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_does_not_hinder_a_login() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    for token in ["rubbish", "a.b.c"] {
        let stale = visit.anonymous.with_token(token);
        sign_in(&stale, &person.email, PASSWORD).await;
        ok(
            &post(&stale, "/auth/register", &patient(&visit.new_email())).await,
            201,
        );
        refused(&get(&stale, "/auth/me").await, 401, "UNAUTHORIZED");
    }
    ok(
        &post(&visit.of(&person), "/auth/logout", &json!({})).await,
        200,
    );
    sign_in(&visit.of(&person), &person.email, PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_and_a_wrong_password_are_the_same_answer() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let attempt = async |identifier: &str, language: &str| {
        let body = json!({"login_identifier": identifier, "password": "a wrong password"});
        let request = api(&visit.anonymous, Method::POST, "/auth/login");
        request
            .header("accept-language", language)
            .json(&body)
            .send()
            .await
    };
    for language in ["en", "ar"] {
        let known = attempt(&person.email, language).await;
        let unknown = attempt(&visit.new_email(), language).await;
        let body = refused(&known, 401, "UNAUTHORIZED");
        let (a, b) = (known.text(), unknown.text());
        let stamp = |text: &str| {
            text.replace(
                serde_json::from_str::<Value>(text).unwrap()["timestamp"]
                    .as_str()
                    .unwrap(),
                "",
            )
        };
        assert_eq!(stamp(&a), stamp(&b));
        let message = body["message"].as_str().unwrap();
        if language == "en" {
            assert_eq!(message, "Invalid email/phone or password");
        } else {
            assert!(
                message.chars().any(|c| ('\u{600}'..'\u{700}').contains(&c)),
                "{message}"
            );
            assert!(
                !message.chars().any(|c| c.is_ascii_alphabetic()),
                "{message}"
            );
        }
        assert_eq!(without_time(&known), without_time(&unknown));
    }
    let path = format!("//api/v1/users/{}/deactivate", person.id);
    let done = visit.admin.request(Method::POST, &path).send().await;
    assert!(done.status < 300, "{}", done.text());
    let body = json!({"login_identifier": person.email, "password": PASSWORD});
    let answer = refused(
        &post(&visit.anonymous, "/auth/login", &body).await,
        401,
        "UNAUTHORIZED",
    );
    assert_eq!(answer["message"], "Account is deactivated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_refresh_token_ends_its_family() {
    let visit = Visit::shared().await;
    let nobody = &visit.anonymous;
    let person = visit.patient().await;
    let body = json!({"login_identifier": person.email, "password": PASSWORD, "refresh": true});
    let first = ok(&post(nobody, "/auth/login", &body).await, 200);
    assert_eq!(first["expires_in"], 900);
    let token = |data: &Value| {
        data["refresh_token"]
            .as_str()
            .expect("a refresh token")
            .to_owned()
    };
    let renew = async |refresh: String| {
        post(nobody, "/auth/refresh", &json!({"refresh_token": refresh})).await
    };
    let second = ok(&renew(token(&first)).await, 200);
    assert_ne!(token(&first), token(&second));
    let own = nobody.with_token(second["access_token"].as_str().unwrap());
    ok(&get(&own, "/auth/me").await, 200);
    refused(&renew(token(&first)).await, 401, "UNAUTHORIZED");
    refused(&renew(token(&second)).await, 401, "UNAUTHORIZED");
    refused(&get(&own, "/auth/me").await, 401, "UNAUTHORIZED");
    // The person's other sessions go on.
    ok(&get(&visit.of(&person), "/auth/me").await, 200);
    refused(&renew("rubbish".into()).await, 401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_and_a_changed_password_hold_at_once_elsewhere() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let elsewhere = Client::new(&visit.practice.server.base).with_token(&person.token);
    ok(&get(&elsewhere, "/auth/me").await, 200);
    ok(
        &post(&visit.of(&person), "/auth/logout", &json!({})).await,
        200,
    );
    refused(&get(&elsewhere, "/auth/me").await, 401, "UNAUTHORIZED");
    elsewhere
        .get("/auth/profile")
        .await
        .refused(401, "AUTHENTICATION_ERROR");

    let [one, two] = [(); 2].map(|()| person.email.clone());
    let one = sign_in(&visit.anonymous, &one, PASSWORD).await;
    let two = sign_in(&visit.anonymous, &two, PASSWORD).await;
    let client = |data: &Value| {
        visit
            .anonymous
            .with_token(data["access_token"].as_str().unwrap())
    };
    let wrong = json!({"current_password": "not the one", "new_password": "another long password"});
    names(
        &post(&client(&one), "/auth/change-password", &wrong).await,
        "current_password",
    );
    let right = json!({"current_password": PASSWORD, "new_password": "another long password"});
    ok(
        &post(&client(&one), "/auth/change-password", &right).await,
        200,
    );
    refused(&get(&client(&two), "/auth/me").await, 401, "UNAUTHORIZED");
    sign_in(&visit.anonymous, &person.email, "another long password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_who_registers_himself_waits() {
    let visit = Visit::shared().await;
    visit.clinic("UTC").await;
    let email = visit.new_email();
    let account = json!({
        "full_name": "Dr Self", "email": email, "password": PASSWORD, "user_type": "doctor",
        "license_number": email, "specialty": "Neurology", "years_of_experience": 4,
    });
    let data = ok(
        &post(&visit.anonymous, "/auth/register", &account).await,
        201,
    );
    let id = id_of(&data["user"]);
    let signed = sign_in(&visit.anonymous, &email, PASSWORD).await;
    let own = visit
        .anonymous
        .with_token(signed["access_token"].as_str().unwrap());
    ok(&get(&own, "/auth/me").await, 200);
    let hours = json!({"schedule": every_day("09:00", "12:00")});
    refused(
        &put(&own, "/availability/schedule", &hours).await,
        403,
        "FORBIDDEN",
    );
    let block = json!({"date": date(5), "start_time": "09:00", "end_time": "10:00", "reason": "x"});
    refused(
        &post(&own, "/availability/block-time", &block).await,
        403,
        "FORBIDDEN",
    );
    let path = format!("/users/doctors/{id}");
    refused(&get(&visit.anonymous, &path).await, 404, "NOT_FOUND");
    let patient = visit.patient().await;
    let by = json!({"doctor_id": id, "appointment_date": format!("{}T09:00:00Z", date(5)), "appointment_type": "video"});
    let answer = names(
        &post(&visit.of(&patient), "/appointments", &by).await,
        "doctor_id",
    );
    assert_eq!(answer["message"], "Doctor not found");

    let verified = visit.admin.step_of("doctors", id, "verify").await;
    assert!(verified.status < 300, "{}", verified.text());
    ok(&put(&own, "/availability/schedule", &hours).await, 200);
    ok(&get(&visit.anonymous, &path).await, 200);
}

trait StepOf {
    async fn step_of(&self, kind: &str, id: i64, step: &str) -> Answer;
}

impl StepOf for Client {
    async fn step_of(&self, kind: &str, id: i64, step: &str) -> Answer {
        self.request(Method::POST, &format!("/{kind}/{id}/{step}"))
            .send()
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_failures_lock_out_all_but_the_owner_with_a_session() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let person = visit.patient().await;
    let address: IpAddr = "127.0.0.9".parse().unwrap();
    let http = reqwest::Client::builder().local_address(address).no_proxy();
    let stranger = Client::over(http.build().unwrap(), &visit.practice.server.base);
    let body = |password: &str| json!({"login_identifier": person.email, "password": password});
    for _ in 0..10 {
        refused(
            &post(&stranger, "/auth/login", &body("a wrong one")).await,
            401,
            "UNAUTHORIZED",
        );
    }
    let answer = post(&stranger, "/auth/login", &body(PASSWORD)).await;
    refused(&answer, 429, "RATE_LIMITED");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // Another person's session does not help.
    let other = visit.patient().await;
    refused(
        &post(
            &stranger.with_token(&other.token),
            "/auth/login",
            &body(PASSWORD),
        )
        .await,
        429,
        "RATE_LIMITED",
    );
    // The same from there by the owner, who shows a session of his own.
    ok(
        &post(
            &stranger.with_token(&person.token),
            "/auth/login",
            &body(PASSWORD),
        )
        .await,
        200,
    );
}
