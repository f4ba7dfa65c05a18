//! Access tokens: what they carry, forged ones, where they may come from.

use reqwest::Method;
use serde_json::Value;
use telemed_tests::practice::{Practice, Visit, log_in};
use telemed_tests::server::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// Unpadded base64url, which is what a JWT's parts are written in.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = 0_u32;
        for at in 0..3 {
            group = group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..=chunk.len() {
            let index = group >> (18 - 6 * at) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

fn from_base64url(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut group = 0_u32;
    let mut bits = 0;
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        group = group << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 255).unwrap());
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_carry_the_claims_and_nothing_personal() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let parts: Vec<_> = patient.token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims: Value = serde_json::from_slice(&from_base64url(parts[1])).unwrap();
    assert_eq!(claims["sub"], patient.id.to_string(), "{claims}");
    assert_eq!(claims["role"], "patient");
    assert_eq!(claims["user_type"], "patient");
    let (issued, expires) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    assert_eq!(expires - issued, 7 * 24 * 3600, "seven days");
    assert!(
        claims["jti"].is_string() && claims["sid"].is_string(),
        "{claims}"
    );
    assert!(
        claims.get("email").is_none() && claims.get("full_name").is_none(),
        "{claims}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let parts: Vec<String> = patient.token.split('.').map(str::to_owned).collect();
    let [header, claims, signature] = [&parts[0], &parts[1], &parts[2]];
    let changed = |name: &str, value: Value| {
        let mut claims: Value = serde_json::from_slice(&from_base64url(claims)).unwrap();
        claims[name] = value;
        base64url(claims.to_string().as_bytes())
    };
    let with_algorithm = |word: &str| {
        let mut header: Value = serde_json::from_slice(&from_base64url(header)).unwrap();
        header["alg"] = word.into();
        base64url(header.to_string().as_bytes())
    };
    let plain = base64url(br#"{"alg":"none","typ":"JWT"}"#);
    // Of the last letter of 32 bytes two bits are padding: change one that counts.
    let mut bent = from_base64url(signature);
    bent[0] ^= 1;
    let bent = base64url(&bent);
    let other_signature = visit
        .patient()
        .await
        .token
        .rsplit_once('.')
        .unwrap()
        .1
        .to_owned();
    let forged = [
        "x".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{plain}.{claims}."),
        format!("{plain}.{claims}.{signature}"),
        format!("{}.{claims}.", with_algorithm("none")),
        format!("{}.{claims}.{signature}", with_algorithm("None")),
        format!("{}.{claims}.{signature}", with_algorithm("HS512")),
        format!("{}.{claims}.{signature}", with_algorithm("RS256")),
        format!("{}.{claims}.{signature}", with_algorithm("EdDSA")),
        format!("{header}.{}.{signature}", changed("role", "admin".into())),
        format!("{header}.{}.{signature}", changed("sub", "1".into())),
        format!(
            "{header}.{}.{signature}",
            changed("exp", 99_999_999_999_i64.into())
        ),
        format!("{header}.{claims}.{bent}"),
        format!("{header}.{claims}.{other_signature}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{}{}", patient.token, "A"),
        "A".repeat(8_000),
    ];
    for token in &forged {
        let client = visit.anonymous.with_token(token);
        for path in ["/auth/profile", "/users", "/patients/me"] {
            let answer = client.get(path).await;
            assert_eq!(answer.status, 401, "{path} with {token}: {}", answer.text());
            let body = answer.refused(401, "AUTHENTICATION_ERROR");
            assert!(!body.to_string().contains(token.as_str()) || token.len() < 3);
        }
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        &patient.token,
    ] {
        let request = visit.anonymous.request(Method::GET, "/auth/profile");
        let answer = request.header("authorization", value).send().await;
        answer.refused(401, "AUTHENTICATION_ERROR");
    }
    // The right one still is.
    let _ = visit.of(&patient).get("/auth/profile").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_installation_is_refused() {
    let visit = Visit::shared().await;
    let other = Practice::open(&[], &[]).await;
    let other = Visit::at(other);
    // Both have an administrator with the same id.
    let token = log_in(&other.anonymous, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let answer = visit.anonymous.with_token(&token).get("/users").await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_counts_only_where_it_was_allowed() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let path = format!("/auth/profile?token={}", patient.token);
    visit
        .anonymous
        .get(&path)
        .await
        .refused(401, "AUTHENTICATION_ERROR");

    let lenient = Practice::open(&["--allow-query-token"], &[]).await;
    let lenient = Visit::at(lenient);
    let patient = lenient.patient().await;
    let path = format!("/auth/profile?token={}", patient.token);
    let user = lenient.anonymous.get(&path).await.expect(200);
    assert_eq!(user["id"], patient.id);
    let forged = lenient.anonymous.get("/auth/profile?token=x.y.z").await;
    forged.refused(401, "AUTHENTICATION_ERROR");
    for path in ["/patients/me", "/users"] {
        let answer = lenient
            .anonymous
            .get(&format!("{path}?token={}", patient.token))
            .await;
        answer.refused(401, "AUTHENTICATION_ERROR");
    }
    // The header is the only credential when it is there.
    let answer = lenient.anonymous.with_token("x.y.z").get(&path).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}
