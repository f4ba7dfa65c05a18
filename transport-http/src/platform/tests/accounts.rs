//! Registration, login, tokens, the own account.

use super::*;

#[tokio::test]
async fn a_patient_registers_with_a_phone_and_signs_in_by_it() {
    let house = House::open().await;
    let body = json!({"full_name": "أحمد علي", "phone": "+249 91-234 (5678)", "password": PASSWORD,
        "user_type": "patient", "age": "30", "gender": "male", "language_preference": "en", "extra": 1});
    let answer = house.ask("POST", "/auth/register", &[], Some(&body)).await;
    let data = answer.data(201);
    let user = &data["user"];
    assert_eq!(user["full_name"], "أحمد علي");
    assert_eq!(user["user_type"], "patient");
    assert_eq!(user["email"], Value::Null);
    assert_eq!(user["phone"], "+249 91-234 (5678)");
    assert_eq!(
        user["profile"],
        json!({"age": 30, "gender": "male", "date_of_birth": null})
    );
    assert_eq!(data["refresh_token"], Value::Null);
    assert_eq!(data["expires_in"], 7 * 24 * 3600);
    assert!(answer.header("set-cookie").starts_with("telemed_session="));

    for identifier in ["+249912345678", " +249.91.234.5678 "] {
        let data = house.sign_in(identifier).await.data(200);
        assert_eq!(data["user"]["id"], user["id"], "{identifier}");
    }
    let again = house
        .ask(
            "POST",
            "/auth/register",
            &[],
            Some(&json!({
        "full_name": "B", "phone": "+24991 2345678", "password": PASSWORD})),
        )
        .await;
    assert_eq!(again.failed(409, "CONFLICT")["field"], "phone");
}

#[tokio::test]
async fn registration_needs_an_address_or_a_phone_and_makes_no_administrators() {
    let house = House::open().await;
    let register = async |body: Value| house.ask("POST", "/auth/register", &[], Some(&body)).await;
    let answer = register(json!({"full_name": "A", "password": PASSWORD, "email": " "})).await;
    assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "email");
    let body = json!({"full_name": "A", "password": PASSWORD, "email": "a@b.example", "user_type": "admin"});
    register(body.clone()).await.failed(403, "FORBIDDEN");
    house
        .api("POST", "/auth/register", &house.admin, Some(body))
        .await
        .failed(403, "FORBIDDEN");
    let taken = json!({"full_name": "A", "password": PASSWORD, "email": "ADMIN@example.org"});
    assert_eq!(
        register(taken).await.failed(409, "CONFLICT")["field"],
        "email"
    );
    let short = json!({"full_name": "A", "password": "short", "email": "a@b.example"});
    assert_eq!(
        register(short).await.failed(400, "VALIDATION_ERROR")["field"],
        "password"
    );
    let doctor = json!({"full_name": "A", "password": PASSWORD, "email": "a@b.example", "user_type": "doctor"});
    assert_eq!(
        register(doctor).await.failed(400, "VALIDATION_ERROR")["field"],
        "license_number"
    );
}

#[tokio::test]
async fn a_doctor_registers_himself_and_waits_to_be_verified() {
    let house = House::open().await;
    let body = json!({"full_name": "Dr. Sarah", "email": "sarah@example.org", "password": PASSWORD,
        "user_type": "doctor", "license_number": "S-1", "specialty": "Cardiology",
        "years_of_experience": 7});
    let data = house
        .ask("POST", "/auth/register", &[], Some(&body))
        .await
        .data(201);
    let (id, token) = (
        data["user"]["id"].as_i64().unwrap(),
        data["access_token"].as_str().unwrap(),
    );
    assert_eq!(data["user"]["is_verified"], false);
    let profile = &data["user"]["profile"];
    assert_eq!(profile["license_number"], "S-1");
    assert_eq!(profile["years_of_experience"], 7);
    assert!(profile["clinic"]["id"].is_i64());
    let doctors = house.ask("GET", "/users/doctors", &[], None).await;
    assert_eq!(doctors.data(200)["doctors"], json!([]));
    house
        .ask("GET", &format!("/users/doctors/{id}"), &[], None)
        .await
        .failed(404, "NOT_FOUND");
    for (method, path) in [("GET", "/appointments"), ("GET", "/availability/schedule")] {
        house
            .api(method, path, token, None)
            .await
            .failed(403, "FORBIDDEN");
    }
    // The administrator's route on the other surface lets him in.
    house
        .command(&format!("/doctors/{id}/verify"), &house.admin)
        .await
        .expect(200);
    let doctors = house
        .ask("GET", "/users/doctors", &[], None)
        .await
        .data(200);
    assert_eq!(doctors["doctors"][0]["id"], id);
    house
        .api("GET", "/availability/schedule", token, None)
        .await
        .data(200);
}

#[tokio::test]
async fn login_is_by_address_without_regard_to_case_and_tells_nothing_about_failures() {
    let house = House::open().await;
    let person = house.patient().await;
    let data = house.sign_in(&person.email.to_uppercase()).await.data(200);
    assert_eq!(data["user"]["id"], person.id);
    assert_eq!(data["user"]["last_login"], NOW);
    let body = json!({"email": person.email, "password": PASSWORD});
    house
        .ask("POST", "/auth/login", &[], Some(&body))
        .await
        .data(200);

    let attempt = async |identifier: &str| {
        let body = json!({"login_identifier": identifier, "password": "not the password"});
        let answer = house.ask("POST", "/auth/login", &[], Some(&body)).await;
        assert_eq!(
            answer.failed(401, "UNAUTHORIZED")["message"],
            "Invalid email/phone or password"
        );
        answer.body
    };
    let wrong = attempt(&person.email).await;
    assert_eq!(wrong, attempt("nobody@example.org").await);
    assert_eq!(wrong, attempt("0000 000 000").await);
    assert_eq!(wrong, attempt("no identifier at all").await);

    house
        .command(&format!("/users/{}/deactivate", person.id), &house.admin)
        .await
        .expect(200);
    let answer = house
        .sign_in(&person.email)
        .await
        .failed(401, "UNAUTHORIZED");
    assert_eq!(answer["message"], "Account is deactivated");
}

#[tokio::test]
async fn the_owner_with_a_session_is_not_locked_out_by_who_guesses() {
    let house = House::open().await;
    let person = house.patient().await;
    for _ in 0..10 {
        let body = json!({"login_identifier": person.email, "password": "a guess, wrong"});
        house
            .ask("POST", "/auth/login", &[], Some(&body))
            .await
            .failed(401, "UNAUTHORIZED");
    }
    let answer = house.sign_in(&person.email).await;
    answer.failed(429, "RATE_LIMITED");
    assert!(!answer.header("retry-after").is_empty());
    // By his token, or by the cookie of it.
    let body = json!({"login_identifier": person.email, "password": PASSWORD});
    let answer = house
        .api("POST", "/auth/login", &person.token, Some(body.clone()))
        .await;
    let cookie = cookie_of(&answer).0;
    answer.data(200);
    house
        .ask("POST", "/auth/login", &[("cookie", &cookie)], Some(&body))
        .await
        .data(200);
    // A token that has ended is as none.
    let stale = [("authorization", "Bearer gone")];
    house
        .ask("POST", "/auth/login", &stale, Some(&body))
        .await
        .failed(429, "RATE_LIMITED");
    let other = house.patient().await;
    let body = json!({"login_identifier": other.email, "password": PASSWORD});
    house
        .ask("POST", "/auth/login", &stale, Some(&body))
        .await
        .data(200);
}

#[tokio::test]
async fn refresh_tokens_are_used_once() {
    let house = House::open().await;
    let person = house.patient().await;
    let body = json!({"login_identifier": person.email, "password": PASSWORD, "refresh": true});
    let first = house
        .ask("POST", "/auth/login", &[], Some(&body))
        .await
        .data(200);
    assert_eq!(first["expires_in"], 15 * 60);
    let refresh = async |token: &Value| {
        let body = json!({"refresh_token": token});
        house
            .ask(
                "POST",
                "/auth/refresh",
                &[("authorization", "Bearer stale")],
                Some(&body),
            )
            .await
    };
    house.clock.advance(std::time::Duration::from_secs(3600));
    let old = first["access_token"].as_str().unwrap();
    house
        .api("GET", "/auth/me", old, None)
        .await
        .failed(401, "UNAUTHORIZED");
    let second = refresh(&first["refresh_token"]).await;
    assert!(second.header("set-cookie").contains("Max-Age=900"));
    let second = second.data(200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let token = second["access_token"].as_str().unwrap();
    assert_eq!(
        house.api("GET", "/auth/me", token, None).await.data(200)["id"],
        person.id
    );
    // Again: somebody else holds it, and the whole family ends.
    refresh(&first["refresh_token"])
        .await
        .failed(401, "UNAUTHORIZED");
    refresh(&second["refresh_token"])
        .await
        .failed(401, "UNAUTHORIZED");
    house
        .api("GET", "/auth/me", token, None)
        .await
        .failed(401, "UNAUTHORIZED");
    let answer = refresh(&json!("made up")).await;
    answer.failed(401, "UNAUTHORIZED");
    refresh(&Value::Null).await.failed(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let house = House::open().await;
    let person = house.patient().await;
    let elsewhere = house.sign_in(&person.email).await.data(200);
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        house
            .api("POST", "/auth/change-password", &person.token, Some(body))
            .await
    };
    let wrong = change("not it at all", "another password").await;
    assert_eq!(
        wrong.failed(400, "VALIDATION_ERROR")["field"],
        "current_password"
    );
    assert_eq!(
        change(PASSWORD, "short")
            .await
            .failed(400, "VALIDATION_ERROR")["field"],
        "new_password"
    );
    change(PASSWORD, "another password").await.data(200);
    house
        .api("GET", "/auth/me", &person.token, None)
        .await
        .data(200);
    let other = elsewhere["access_token"].as_str().unwrap();
    house
        .api("GET", "/auth/me", other, None)
        .await
        .failed(401, "UNAUTHORIZED");
    house
        .sign_in(&person.email)
        .await
        .failed(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn the_own_profile_is_flat_and_nested_and_can_be_changed() {
    let house = House::open().await;
    let patient = house.patient().await;
    for path in ["/auth/me", "/users/profile"] {
        let data = house.api("GET", path, &patient.token, None).await.data(200);
        assert_eq!(data["id"], patient.id);
        assert_eq!(data["user"]["id"], patient.id);
        assert_eq!(data["gender"], Value::Null);
        house
            .ask("GET", path, &[], None)
            .await
            .failed(401, "UNAUTHORIZED");
    }
    let update = async |token: &str, body: Value| {
        house.api("PUT", "/users/profile", token, Some(body)).await
    };
    let body = json!({"full_name": "New Name", "phone": "0912 345 678", "language_preference": "ar",
        "date_of_birth": "2000-01-07", "gender": "female", "bio": "ignored"});
    let data = update(&patient.token, body).await.data(200);
    assert_eq!(data["full_name"], "New Name");
    assert_eq!(data["user"]["phone"], "0912 345 678");
    assert_eq!(data["language_preference"], "ar");
    assert_eq!(data["date_of_birth"], "2000-01-07");
    assert_eq!(data["age"], 30);
    let data = update(&patient.token, json!({"gender": null, "phone": ""}))
        .await
        .data(200);
    assert_eq!(data["gender"], Value::Null);
    assert_eq!(data["phone"], Value::Null);
    assert_eq!(data["date_of_birth"], "2000-01-07");
    for (body, field) in [
        (json!({"date_of_birth": "2031-01-01"}), "date_of_birth"),
        (json!({"gender": "x"}), "gender"),
        (json!({"phone": "x"}), "phone"),
        (json!({"language_preference": "fr"}), "language_preference"),
        (json!({"full_name": ""}), "full_name"),
    ] {
        let answer = update(&patient.token, body).await;
        assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], field);
    }

    let practice = house.practice().await;
    let body = json!({"bio": "Twenty years of hearts", "consultation_fee": "150.50"});
    let data = update(&practice.doctor.token, body).await.data(200);
    assert_eq!(data["bio"], "Twenty years of hearts");
    assert_eq!(data["user"]["profile"]["consultation_fee"], 150.5);
    let path = format!("/users/doctors/{}", practice.doctor.id);
    let shown = house.ask("GET", &path, &[], None).await.data(200);
    assert_eq!(shown["doctor"]["consultation_fee"], 150.5);
    let answer = update(&practice.doctor.token, json!({"consultation_fee": -1})).await;
    assert_eq!(
        answer.failed(400, "VALIDATION_ERROR")["field"],
        "consultation_fee"
    );
    // Somebody else's number.
    let answer = update(&practice.doctor.token, json!({"phone": "0900000001"})).await;
    answer.data(200);
    let answer = update(&patient.token, json!({"phone": "0900-000-001"})).await;
    assert_eq!(answer.failed(409, "CONFLICT")["field"], "phone");
}
