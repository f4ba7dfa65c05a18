//! `/auth`, `/users` and `/patients`.

use super::*;
use crate::booking::BookingConfig;

#[tokio::test]
async fn register_signs_in_and_shows_the_account() {
    let house = House::open().await;
    let body = json!({
        "name": "مريم 👩🏽‍⚕️", "email": "Maryam@Example.org", "password": PASSWORD, "role": "patient",
        "mobile_no": "9876543210", "address": "123 Main St", "unknown": [1],
    });
    let signed = house
        .call("POST", "/auth/register", None, &[], Some(&body))
        .await
        .expect(201);
    assert_eq!(signed["token_type"], "bearer");
    let user = &signed["user"];
    assert_eq!(user["name"], "مريم 👩🏽‍⚕️");
    assert_eq!(user["email"], "Maryam@Example.org");
    assert_eq!(user["role"], "patient");
    assert_eq!(user["mobile_no"], "9876543210");
    assert_eq!(user["address"], "123 Main St");
    assert_eq!(user["is_active"], true);
    assert_eq!(user["created_at"], NOW);
    let token = signed["access_token"].as_str().unwrap();
    let profile = house.get("/auth/profile", Some(token)).await.expect(200);
    assert_eq!(profile["id"], user["id"]);

    let mut again = body.clone();
    again["email"] = "mARYAM@example.ORG".into();
    let answer = house
        .call("POST", "/auth/register", None, &[], Some(&again))
        .await;
    answer.refused(409, "EMAIL_ALREADY_EXISTS");
}

#[tokio::test]
async fn every_wrong_field_of_a_registration_is_named() {
    let house = House::open().await;
    let body = json!({
        "name": "", "email": "nobody", "password": "short", "role": "king",
        "mobile_no": "1".repeat(21), "address": "a\u{0}b",
    });
    let answer = house
        .call("POST", "/auth/register", None, &[], Some(&body))
        .await;
    let fields = answer.refused(422, "VALIDATION_ERROR");
    assert_eq!(
        fields,
        ["role", "name", "email", "password", "mobile_no", "address"]
    );
    assert_eq!(answer.json()["errors"][0]["loc"], json!(["body", "role"]));
    for secret in ["nobody", "short", "king", "1111"] {
        assert!(
            !String::from_utf8_lossy(&answer.body).contains(secret),
            "{secret}"
        );
    }
    let answer = house
        .call("POST", "/auth/register", None, &[], Some(&json!({})))
        .await;
    assert_eq!(
        answer.refused(422, "VALIDATION_ERROR"),
        ["name", "email", "password"]
    );
}

#[tokio::test]
async fn nobody_makes_himself_a_doctor_or_an_administrator() {
    let house = House::open().await;
    let patient = house.patient().await;
    for role in ["doctor", "admin"] {
        let body = json!({"name": "X", "email": format!("{role}@example.com"), "password": PASSWORD, "role": role});
        for token in [None, Some(patient.token.as_str())] {
            let answer = house
                .call("POST", "/auth/register", token, &[], Some(&body))
                .await;
            answer.refused(403, "AUTHORIZATION_ERROR");
        }
        house
            .post("/auth/register", &house.admin, body)
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn a_login_is_json_or_a_form() {
    let house = House::open().await;
    let person = house.patient().await;
    let json = json!({"email": person.email.to_uppercase(), "password": PASSWORD});
    let signed = house
        .call("POST", "/auth/login", None, &[], Some(&json))
        .await
        .expect(200);
    assert_eq!(signed["user"]["id"], person.id);
    assert_eq!(signed["user"]["last_login"], NOW);
    let form = Request::post("/api/v1/auth/login/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!(
            "username={}&password=correct+horse+battery",
            person.email
        )))
        .unwrap();
    assert_eq!(house.send(form).await.expect(200)["token_type"], "bearer");
}

#[tokio::test]
async fn a_failed_login_does_not_tell_who_exists() {
    let house = House::open().await;
    let person = house.patient().await;
    let attempt = async |email: &str| {
        let body = json!({"email": email, "password": "not the password"});
        let answer = house
            .call("POST", "/auth/login", None, &[], Some(&body))
            .await;
        answer.refused(401, "AUTHENTICATION_ERROR");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.body
    };
    let known = attempt(&person.email).await;
    for unknown in ["nobody@example.org", "not an address", ""] {
        assert_eq!(attempt(unknown).await, known, "{unknown:?}");
    }
    // Too many guesses are told when to come back.
    let mut last = None;
    for _ in 0..12 {
        let body = json!({"email": person.email, "password": "still not"});
        last = Some(
            house
                .call("POST", "/auth/login", None, &[], Some(&body))
                .await,
        );
    }
    let last = last.unwrap();
    last.refused(429, "RATE_LIMITED");
    assert!(last.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn logout_and_deactivation_take_effect_at_once() {
    let house = House::open().await;
    let person = house.patient().await;
    let other = house.login(&person.email).await;
    house
        .command("/auth/logout", &person.token)
        .await
        .expect(200);
    house
        .get("/auth/profile", Some(&person.token))
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    house.get("/auth/profile", Some(&other)).await.expect(200);

    let path = format!("/users/{}/deactivate", person.id);
    let user = house.command(&path, &house.admin).await.expect(200);
    assert_eq!(user["is_active"], false);
    house
        .get("/auth/profile", Some(&other))
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    let body = json!({"email": person.email, "password": PASSWORD});
    let answer = house
        .call("POST", "/auth/login", None, &[], Some(&body))
        .await;
    assert_eq!(answer.expect(401)["detail"], "Account is deactivated");

    house
        .command(&format!("/users/{}/activate", person.id), &house.admin)
        .await
        .expect(200);
    house.login(&person.email).await;
    house
        .command("/users/999999/activate", &house.admin)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_bad_token_is_refused_on_public_routes_too() {
    let house = House::open().await;
    for path in ["/doctors", "/slots", "/clinics", "/auth/profile"] {
        let answer = house.get(path, Some("forged")).await;
        answer.refused(401, "AUTHENTICATION_ERROR");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn sessions_end_with_their_time() {
    let house = House::open().await;
    let person = house.patient().await;
    house.advance(7 * 24 - 1);
    house
        .get("/auth/profile", Some(&person.token))
        .await
        .expect(200);
    house.advance(2);
    house
        .get("/auth/profile", Some(&person.token))
        .await
        .refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test]
async fn a_token_in_the_query_works_only_where_it_is_allowed() {
    let strict = House::open().await;
    let patient = strict.patient().await;
    let query = |token: &str| {
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        format!("/auth/profile?token={token}")
    };
    strict
        .get(&query(&patient.token), None)
        .await
        .refused(401, "AUTHENTICATION_ERROR");

    let booking = BookingConfig {
        allow_query_token: true,
    };
    let lenient = House::with(RouterConfig {
        booking,
        ..RouterConfig::default()
    })
    .await;
    let patient = lenient.patient().await;
    let profile = lenient.get(&query(&patient.token), None).await.expect(200);
    assert_eq!(profile["id"], patient.id);
    lenient
        .get(&query("forged"), None)
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    // On that route only.
    let path = query(&patient.token).replace("/auth/profile", "/patients/me");
    lenient
        .get(&path, None)
        .await
        .refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test]
async fn only_administrators_list_users() {
    let house = House::open().await;
    let patient = house.patient().await;
    house.person("doctor").await;
    house
        .get("/users", None)
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    house
        .get("/users", Some(&patient.token))
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    let answer = house.get("/users?skip=1&limit=1", Some(&house.admin)).await;
    assert_eq!(answer.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(answer.header("x-total-count"), "3");
    let doctors = house
        .get("/users?role=doctor", Some(&house.admin))
        .await
        .expect(200);
    assert_eq!(doctors.as_array().unwrap().len(), 1);
    let answer = house.get("/users?role=king", Some(&house.admin)).await;
    assert_eq!(answer.refused(422, "VALIDATION_ERROR"), ["role"]);
    assert_eq!(answer.json()["errors"][0]["loc"], json!(["query", "role"]));
}

#[tokio::test]
async fn a_profile_is_changed_field_by_field() {
    let house = House::open().await;
    let patient = house.patient().await;
    let path = format!("/patients/{}", patient.id);
    let first = json!({
        "date_of_birth": "1990-01-15", "blood_group": "O+", "allergies": "بنسلين",
        "emergency_contact": "9876543210",
    });
    let view = house.put(&path, &patient.token, first).await.expect(200);
    assert_eq!(
        (&view["id"], &view["user_id"]),
        (&json!(patient.id), &json!(patient.id))
    );
    assert_eq!(view["allergies"], "بنسلين");
    // Absent stays, null and blank empty.
    let second = json!({"blood_group": null, "emergency_contact": ""});
    let view = house.put(&path, &patient.token, second).await.expect(200);
    assert_eq!(view["date_of_birth"], "1990-01-15");
    assert_eq!(view["blood_group"], Value::Null);
    assert_eq!(view["emergency_contact"], Value::Null);
    let own = house
        .get("/patients/me", Some(&patient.token))
        .await
        .expect(200);
    assert_eq!(own, house.get(&path, Some(&house.admin)).await.expect(200));
}

#[tokio::test]
async fn wrong_profiles_are_refused_and_change_nothing() {
    let house = House::open().await;
    let patient = house.patient().await;
    let path = format!("/patients/{}", patient.id);
    for (body, status, field) in [
        (json!({"date_of_birth": "2990-01-15"}), 400, "date_of_birth"),
        (json!({"date_of_birth": "15.01.1990"}), 422, "date_of_birth"),
        (json!({"date_of_birth": 1990}), 422, "date_of_birth"),
        (json!({"blood_group": "Z"}), 422, "blood_group"),
        (json!({"allergies": "x".repeat(2001)}), 422, "allergies"),
        (json!({"allergies": "a\u{0}"}), 422, "allergies"),
        (
            json!({"emergency_contact": "1".repeat(21)}),
            422,
            "emergency_contact",
        ),
    ] {
        let answer = house.put(&path, &patient.token, body.clone()).await;
        assert_eq!(
            answer.refused(status, "VALIDATION_ERROR"),
            [field],
            "{body}"
        );
    }
    let view = house.get(&path, Some(&patient.token)).await.expect(200);
    assert_eq!(view["date_of_birth"], Value::Null);
}

#[tokio::test]
async fn a_stranger_cannot_tell_whether_a_patient_exists() {
    let house = House::open().await;
    let patient = house.patient().await;
    let stranger = house.patient().await;
    let doctor = house.practice().await.doctor;
    let unknown = 987_654;
    for suffix in ["", "/appointments"] {
        for token in [&stranger.token, &doctor.token] {
            let there = house
                .get(&format!("/patients/{}{suffix}", patient.id), Some(token))
                .await;
            let not = house
                .get(&format!("/patients/{unknown}{suffix}"), Some(token))
                .await;
            assert_eq!(there.status, not.status);
            assert!([403, 404].contains(&there.status), "{}", there.status);
            assert_eq!(there.body, not.body);
        }
    }
    let body = json!({"allergies": "x"});
    let there = house
        .put(
            &format!("/patients/{}", patient.id),
            &stranger.token,
            body.clone(),
        )
        .await;
    there.refused(404, "RESOURCE_NOT_FOUND");
    let not = house
        .put(&format!("/patients/{unknown}"), &stranger.token, body)
        .await;
    assert_eq!(there.body, not.body);
}

#[tokio::test]
async fn a_doctor_who_treats_a_patient_may_read_his_profile() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    house.booked(&patient, slot).await;
    let path = format!("/patients/{}", patient.id);
    house
        .get(&path, Some(&practice.doctor.token))
        .await
        .expect(200);
    house
        .put(&path, &practice.doctor.token, json!({}))
        .await
        .refused(403, "AUTHORIZATION_ERROR");
}
