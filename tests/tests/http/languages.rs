//! Names and texts of every script go round unchanged.

use serde_json::json;
use telemed_tests::client::id_of;
use telemed_tests::practice::{PASSWORD, Visit, log_in, token_of};

const NAMES: [&str; 6] = [
    "د. مريم عبد الرحمن",
    "الدكتور أحمد 👨🏽‍⚕️",
    "Zoë Müller-Łukasiewicz",
    "山田 太郎",
    "🩺🏥👩‍👩‍👧‍👦",
    "e\u{301}cole (decomposed)",
];

#[tokio::test(flavor = "multi_thread")]
async fn people() {
    let visit = Visit::shared().await;
    for name in NAMES {
        let email = visit.new_email();
        let account = json!({
            "name": name, "email": email, "password": PASSWORD, "role": "patient",
            "address": format!("شارع {name}"),
        });
        let signed = visit
            .anonymous
            .post("/auth/register", &account)
            .await
            .expect(201);
        assert_eq!(signed["user"]["name"], name);
        let client = visit.anonymous.with_token(&token_of(&signed));
        let user = client.get("/auth/profile").await.expect(200);
        assert_eq!(user["name"], name);
        assert_eq!(user["address"], account["address"]);
        let path = format!("/patients/{}", user["id"]);
        let profile = json!({"allergies": format!("{name}، البنسلين")});
        let _ = client.put(&path, &profile).await.expect(200);
        assert_eq!(
            client.get(&path).await.expect(200)["allergies"],
            profile["allergies"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clinics_doctors_and_visits() {
    let visit = Visit::shared().await;
    for name in NAMES {
        let city = format!("القاهرة {name}");
        let clinic = json!({"name": name, "city": city, "time_zone": "Africa/Cairo"});
        let clinic = visit.admin.post("/clinics", &clinic).await.expect(201);
        assert_eq!(clinic["name"], name);
        let mut query = String::new();
        for byte in city.bytes() {
            query.push_str(&format!("%{byte:02X}"));
        }
        let (rows, _) = visit
            .anonymous
            .get(&format!("/clinics?city={query}"))
            .await
            .list();
        assert_eq!(rows, std::slice::from_ref(&clinic));
        let doctor = visit.unverified_doctor().await;
        let mut profile = visit.profile(&doctor, id_of(&clinic));
        profile["specialty"] = format!("طب {name}").into();
        profile["qualifications"] = name.into();
        let made = visit.admin.post("/doctors", &profile).await.expect(201);
        assert_eq!(made["specialty"], profile["specialty"]);
        assert_eq!(made["qualifications"], name);
        let slot = visit.any_slot(&doctor, id_of(&clinic), 1).await;
        let patient = visit.patient().await;
        let client = visit.of(&patient);
        let body = json!({"slot_id": slot, "reason_for_visit": name});
        let made = client.post("/appointments/book", &body).await.expect(201);
        assert_eq!(made["reason_for_visit"], name);
        let path = format!("/appointments/{}/cancel", made["id"]);
        let cancelled = client.post(&path, &json!({"cancelled_reason": name})).await;
        assert_eq!(cancelled.expect(200)["cancelled_reason"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_count_characters_and_not_bytes() {
    let visit = Visit::shared().await;
    for (count, status) in [(150, 201), (151, 422)] {
        let account = json!({
            "name": "م".repeat(count), "email": visit.new_email(), "password": PASSWORD,
            "role": "patient",
        });
        let answer = visit.anonymous.post("/auth/register", &account).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    let visit = Visit::shared().await;
    let email = visit.new_email();
    let password = "كلمة سر 🔑 طويلة";
    let account = json!({"name": "x", "email": email, "password": password, "role": "patient"});
    let _ = visit
        .anonymous
        .post("/auth/register", &account)
        .await
        .expect(201);
    let _ = log_in(&visit.anonymous, &email, password).await;
}
