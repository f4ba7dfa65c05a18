//! The one envelope, paging, paths and methods.

use reqwest::Method;
use serde_json::json;
use telemed_tests::practice::Visit;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn doctors_and_specialties() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.of(&visit.patient().await);
    for path in ["/users/doctors", "/appointments/doctors/"] {
        let answer = get(
            &patient,
            &format!("{path}?clinic_id={clinic}&specialty=Cardiology"),
        )
        .await;
        let doctors = ok(&answer, 200)["doctors"].clone();
        assert_eq!(doctors.as_array().unwrap().len(), 1, "{doctors}");
        let one = &doctors[0];
        assert_eq!(one["id"], doctor.id);
        assert_eq!(one["user"]["full_name"], one["full_name"]);
        assert_eq!(
            (&one["rating"], &one["years_of_experience"]),
            (&Value::Null, &json!(5))
        );
        for field in ["specialty", "rating", "consultation_fee", "bio", "clinic"] {
            assert!(
                one.as_object().unwrap().contains_key(field),
                "no {field}: {one}"
            );
        }
    }
    let one = ok(
        &get(&patient, &format!("/users/doctors/{}", doctor.id)).await,
        200,
    );
    assert_eq!(
        (&one["id"], &one["doctor"]["id"]),
        (&json!(doctor.id), &json!(doctor.id))
    );
    refused(
        &get(&patient, "/users/doctors/999999999").await,
        404,
        "NOT_FOUND",
    );
    let words = ok(&get(&patient, "/users/specialties").await, 200)["specialties"].clone();
    assert!(words.to_string().contains("Cardiology"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    for _ in 0..3 {
        visit.doctor(clinic).await;
    }
    let patient = visit.of(&visit.patient().await);
    let page = async |query: &str| {
        get(
            &patient,
            &format!("/users/doctors?clinic_id={clinic}&{query}"),
        )
        .await
    };
    for (query, rows, meta) in [
        (
            "page=1&per_page=2",
            2,
            json!({"total": 3, "page": 1, "per_page": 2, "total_pages": 2, "pages": 2, "has_next": true, "has_prev": false}),
        ),
        (
            "page=2&per_page=2",
            1,
            json!({"total": 3, "page": 2, "per_page": 2, "total_pages": 2, "pages": 2, "has_next": false, "has_prev": true}),
        ),
        (
            "page=9&per_page=2",
            0,
            json!({"total": 3, "page": 9, "per_page": 2, "total_pages": 2, "pages": 2, "has_next": false, "has_prev": true}),
        ),
        (
            "page=1&per_page=1000",
            3,
            json!({"total": 3, "page": 1, "per_page": 100, "total_pages": 1, "pages": 1, "has_next": false, "has_prev": false}),
        ),
    ] {
        let answer = page(query).await;
        let data = ok(&answer, 200);
        assert_eq!(data["doctors"].as_array().unwrap().len(), rows, "{query}");
        assert_eq!(answer.json()["meta"], meta, "{query}");
    }
    for path in ["/users/doctors", "/appointments"] {
        for (query, field) in [
            ("page=0", "page"),
            ("page=-1", "page"),
            ("per_page=0", "per_page"),
            ("page=x", "page"),
            ("per_page=", "per_page"),
        ] {
            names(&get(&patient, &format!("{path}?{query}")).await, field);
        }
    }
    let meta = get(&patient, "/appointments?page=1").await.json()["meta"].clone();
    assert_eq!((&meta["per_page"], &meta["total"]), (&json!(10), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_in_the_envelope() {
    let visit = Visit::shared().await;
    let patient = visit.of(&visit.patient().await);
    refused(&get(&patient, "/nowhere").await, 404, "NOT_FOUND");
    refused(
        &api(&patient, Method::PATCH, "/appointments").send().await,
        405,
        "METHOD_NOT_ALLOWED",
    );
    let send = |kind: &str, body: &[u8]| {
        api(&patient, Method::POST, "/appointments")
            .body(kind, body)
            .send()
    };
    refused(
        &send("application/json", b"{").await,
        400,
        "VALIDATION_ERROR",
    );
    refused(
        &send("application/json", b"[]").await,
        400,
        "VALIDATION_ERROR",
    );
    refused(
        &send("text/plain", b"{}").await,
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    );
    let large = vec![b' '; (1 << 20) + 1];
    refused(
        &send("application/json", &large).await,
        413,
        "PAYLOAD_TOO_LARGE",
    );
    names(
        &post(
            &patient,
            "/appointments",
            &json!({"appointment_type": "video"}),
        )
        .await,
        "doctor_id",
    );
    names(
        &post(&patient, "/auth/login", &json!({"password": "x"})).await,
        "login_identifier",
    );
    names(
        &post(
            &patient,
            "/auth/login",
            &json!({"login_identifier": 7, "password": "x"}),
        )
        .await,
        "login_identifier",
    );
    let body = refused(
        &get(&patient, "/appointments/999999999").await,
        404,
        "APPOINTMENT_NOT_FOUND",
    );
    assert_eq!(body["details"]["appointment_id"], 999_999_999);
    for path in [
        "/appointments",
        "/auth/me",
        "/users/profile",
        "/availability/schedule",
        "/appointments/1",
    ] {
        refused(&get(&visit.anonymous, path).await, 401, "UNAUTHORIZED");
        // The same in Arabic: the codes stay.
        let request = api(&visit.anonymous, Method::GET, path)
            .header("accept-language", "ar-SD,ar;q=0.9,en;q=0.5");
        let body = refused(&request.send().await, 401, "UNAUTHORIZED");
        assert!(
            body["message"]
                .as_str()
                .unwrap()
                .chars()
                .any(|c| ('\u{600}'..'\u{700}').contains(&c)),
            "{body}"
        );
    }
    for path in [
        "/users/doctors",
        "/appointments",
        "/auth/me",
        "/users/specialties",
    ] {
        for slash in ["", "/"] {
            let path = format!("{path}{slash}");
            let head = api(&patient, Method::HEAD, &path).send().await;
            assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
            let options = api(&patient, Method::OPTIONS, &path).send().await;
            assert!(
                [200, 204].contains(&options.status),
                "{path}: {}",
                options.text()
            );
            ok(&get(&patient, &path).await, 200);
        }
    }
}
