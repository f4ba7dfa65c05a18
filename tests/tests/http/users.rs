//! The administrator's list of users, activation and deactivation.

use reqwest::Method;
use serde_json::json;
use telemed_tests::practice::{Practice, Visit};

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_by_role_and_page() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let _ = visit.clinic_and_doctor().await;
    for _ in 0..5 {
        let _ = visit.patient().await;
    }
    let (all, total) = visit.admin.get("/users").await.list();
    assert_eq!((all.len(), total), (7, 7));
    for (role, count) in [("patient", 5), ("doctor", 1), ("admin", 1)] {
        let (rows, total) = visit.admin.get(&format!("/users?role={role}")).await.list();
        assert_eq!((rows.len(), total), (count, count as u64), "{role}");
        assert!(rows.iter().all(|row| row["role"] == role));
    }
    let (first, total) = visit.admin.get("/users?skip=0&limit=3").await.list();
    assert_eq!((first.len(), total), (3, 7), "the total counts every page");
    let (second, _) = visit.admin.get("/users?skip=3&limit=3").await.list();
    let (third, _) = visit.admin.get("/users?skip=6&limit=3").await.list();
    let (past, total) = visit.admin.get("/users?skip=1000&limit=3").await.list();
    assert!(past.is_empty() && total == 7);
    let paged: Vec<_> = [first, second, third].concat();
    assert_eq!(
        paged, all,
        "pages follow one another without gap and repetition"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_a_wrong_shape_names_its_field() {
    let visit = Visit::shared().await;
    for (query, field) in [
        ("role=nurse", "role"),
        ("skip=-1", "skip"),
        ("skip=x", "skip"),
        ("skip=99999999999999999999", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-5", "limit"),
        ("limit=1.5", "limit"),
    ] {
        let answer = visit.admin.get(&format!("/users?{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {}", answer.text());
        answer.names(422, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn activation_and_deactivation_can_be_repeated() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    for (verb, active) in [
        ("deactivate", false),
        ("deactivate", false),
        ("activate", true),
        ("activate", true),
    ] {
        let path = format!("/users/{}/{verb}", patient.id);
        let user = visit
            .admin
            .request(Method::POST, &path)
            .send()
            .await
            .expect(200);
        assert_eq!(user["is_active"], active);
        assert_eq!(user["id"], json!(patient.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_users_are_not_found() {
    let visit = Visit::shared().await;
    for path in [
        "/users/999999999/activate",
        "/users/999999999/deactivate",
        "/doctors/999999999/verify",
    ] {
        let answer = visit.admin.request(Method::POST, path).send().await;
        answer.refused(404, "RESOURCE_NOT_FOUND");
    }
    // A patient is no doctor.
    let patient = visit.patient().await;
    let path = format!("/doctors/{}/verify", patient.id);
    let answer = visit.admin.request(Method::POST, &path).send().await;
    answer.refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_way_in_cannot_be_closed_by_oneself() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let own = visit.admin.get("/auth/profile").await.expect(200);
    let path = format!("/users/{}/deactivate", own["id"]);
    let answer = visit.admin.request(Method::POST, &path).send().await;
    answer.refused(409, "CONFLICT");
    let _ = visit.admin.get("/users").await.expect(200);
}
