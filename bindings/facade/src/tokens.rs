//! Access tokens as JSON Web Tokens (RFC 7519), signed with HMAC-SHA256.

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use telemed_core::actor::Role;
use telemed_core::crypto::{TenantKey, TenantKeys};
use telemed_core::env::Entropy;
use telemed_core::id::{SessionId, UserId};
use telemed_core::identity::{AccessToken, Claims, TokenError, TokenSigner};
use telemed_core::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A secret that signs tokens, and the name by which a token says which one signed it.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    secret: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    /// The key with this id; `None` unless the id has 1 to 64 letters, digits, `-` and `_`.
    #[must_use]
    pub fn new(id: &str, secret: [u8; 32]) -> Option<Self> {
        let is_plain = (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_plain.then(|| Self {
            id: id.to_owned(),
            secret: Zeroizing::new(secret),
        })
    }

    /// A new key with a new id.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let mut id = [0; 4];
        entropy.fill(&mut id);
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(secret.as_mut_slice());
        Self {
            id: format!("{:08x}", u32::from_be_bytes(id)),
            secret,
        }
    }

    fn check(&self) -> KeyCheck {
        // A one-way derivation of core's, which no token has a part in.
        let key = TenantKey::new(*self.secret);
        KeyCheck {
            id: self.id.clone(),
            value: TenantKeys::new(key, Vec::new()).check_value(),
        }
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The key's id, the `kid` of its tokens.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// Signs tokens with one key and reads those of that key and of older ones.
///
/// A token names its key; the key decides the algorithm, never the token. What time it is comes
/// from the engine, to the second and without leeway.
pub struct JwtSigner {
    header: Header,
    signing: EncodingKey,
    reading: Vec<ReadingKey>,
    checks: Vec<KeyCheck>,
}

/// By what a database knows a signing key again; it shows nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyCheck {
    /// The id of the key.
    pub(crate) id: String,
    /// What follows from its secret.
    pub(crate) value: String,
}

struct ReadingKey {
    id: String,
    key: DecodingKey,
    /// Pins the algorithm of this key.
    rules: Validation,
}

impl JwtSigner {
    /// A signer of this key, which reads the tokens of the older ones too.
    #[must_use]
    pub fn new(current: &SigningKey, older: &[SigningKey]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(current.id.clone());
        let reading = std::iter::once(current)
            .chain(older)
            .map(|key| ReadingKey {
                id: key.id.clone(),
                key: DecodingKey::from_secret(key.secret.as_slice()),
                rules: rules(Algorithm::HS256),
            })
            .collect();
        let checks = std::iter::once(current).chain(older).map(SigningKey::check);
        Self {
            header,
            signing: EncodingKey::from_secret(current.secret.as_slice()),
            reading,
            checks: checks.collect(),
        }
    }

    /// The checks of the keys, the current one's first.
    pub(crate) fn checks(&self) -> &[KeyCheck] {
        &self.checks
    }
}

/// The library checks the algorithm and the signature; the times are checked here, by the
/// engine's clock.
fn rules(algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.leeway = 0;
    rules.validate_exp = false;
    rules.set_required_spec_claims(&["exp", "sub"]);
    rules
}

/// The claims as a token carries them. `user_type` repeats the role, since some clients read it
/// under that name.
#[derive(Serialize, Deserialize)]
struct Body {
    sub: String,
    role: String,
    user_type: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    sid: Uuid,
}

impl TokenSigner for JwtSigner {
    fn sign(&self, claims: &Claims) -> Result<AccessToken, TokenError> {
        let body = Body {
            sub: claims.user.to_string(),
            role: claims.role.to_string(),
            user_type: claims.role.to_string(),
            iat: claims.issued_at.seconds(),
            exp: claims.expires_at.seconds(),
            jti: claims.token,
            sid: claims.session.get(),
        };
        encode(&self.header, &body, &self.signing)
            .map(AccessToken::new)
            .map_err(|_| TokenError::Signing)
    }

    fn read(&self, token: &AccessToken, now: Timestamp) -> Result<Claims, TokenError> {
        let invalid = || TokenError::Invalid;
        let header = decode_header(token.as_str()).map_err(|_| invalid())?;
        let id = header.kid.ok_or_else(invalid)?;
        let key = self
            .reading
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(invalid)?;
        let body = decode::<Body>(token.as_str(), &key.key, &key.rules)
            .map_err(|_| invalid())?
            .claims;
        let user = body.sub.parse().ok().and_then(UserId::new);
        let claims = Claims {
            // One spelling for each id: no sign, no leading zeros.
            user: user
                .filter(|user| user.to_string() == body.sub)
                .ok_or_else(invalid)?,
            role: Role::parse(&body.role).map_err(|_| invalid())?,
            session: SessionId::new(body.sid),
            token: body.jti,
            issued_at: seconds(body.iat),
            expires_at: seconds(body.exp),
        };
        if body.user_type != body.role {
            return Err(invalid());
        }
        if now.seconds() >= body.exp {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

fn seconds(count: i64) -> Timestamp {
    Timestamp::from_micros(count.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::{Map, Value, json};

    use super::*;

    const NOW: i64 = 1_900_000_000;

    fn key(id: &str, byte: u8) -> SigningKey {
        SigningKey::new(id, [byte; 32]).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            user: UserId::from_row(42),
            role: Role::Doctor,
            session: SessionId::new(Uuid::from_u128(7)),
            token: Uuid::from_u128(8),
            issued_at: seconds(NOW),
            expires_at: seconds(NOW + 60),
        }
    }

    fn read(signer: &JwtSigner, token: &str) -> Result<Claims, TokenError> {
        signer.read(&AccessToken::new(token.into()), seconds(NOW))
    }

    /// A token of these claims, by this algorithm and secret, whatever they are.
    fn forge(header: &Header, body: &Value, secret: &[u8]) -> String {
        encode(header, body, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn honest_body() -> Map<String, Value> {
        let Value::Object(body) = json!({
            "sub": "42", "role": "doctor", "user_type": "doctor",
            "iat": NOW, "exp": NOW + 60,
            "jti": Uuid::from_u128(8), "sid": Uuid::from_u128(7),
        }) else {
            unreachable!()
        };
        body
    }

    fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        header
    }

    /// Base64url without padding (RFC 4648): the forger's own, so that tokens can be bent in ways
    /// that a library does not offer.
    fn base64url(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let mut group = [0; 3];
            group[..chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
            for place in 0..=chunk.len() {
                let at = (bits >> (18 - 6 * place)) & 63;
                text.push(char::from(LETTERS[at as usize]));
            }
        }
        text
    }

    #[test]
    fn claims_come_back_and_the_header_names_the_key() {
        let signer = JwtSigner::new(&key("k2", 2), &[key("k1", 1)]);
        let token = signer.sign(&claims()).unwrap();
        assert_eq!(read(&signer, token.as_str()), Ok(claims()));
        let header = decode_header(token.as_str()).unwrap();
        assert_eq!(
            (header.alg, header.kid.as_deref()),
            (Algorithm::HS256, Some("k2"))
        );
    }

    #[test]
    fn an_older_key_reads_until_it_is_taken_away() {
        let old = JwtSigner::new(&key("k1", 1), &[]);
        let token = old.sign(&claims()).unwrap();
        let rotated = JwtSigner::new(&key("k2", 2), &[key("k1", 1)]);
        assert_eq!(read(&rotated, token.as_str()), Ok(claims()));
        let retired = JwtSigner::new(&key("k2", 2), &[]);
        assert_eq!(read(&retired, token.as_str()), Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_ends_to_the_second() {
        let signer = JwtSigner::new(&key("k1", 1), &[]);
        let token = signer.sign(&claims()).unwrap();
        let at = |second: i64| signer.read(&token, seconds(second));
        assert!(at(NOW + 59).is_ok());
        assert_eq!(at(NOW + 60), Err(TokenError::Expired));
        assert_eq!(at(NOW + 61), Err(TokenError::Expired));
    }

    #[test]
    fn the_forger_of_these_tests_can_make_a_good_token() {
        let signer = JwtSigner::new(&key("k1", 1), &[]);
        let good = forge(
            &header(Algorithm::HS256, Some("k1")),
            &honest_body().into(),
            &[1; 32],
        );
        assert_eq!(read(&signer, &good), Ok(claims()));
        let part = |text: &str| base64url(text.as_bytes());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let body = Value::from(honest_body()).to_string();
        assert!(message.ends_with(&part(&body)), "the forger's base64");
        assert!(!signature.is_empty());
    }

    #[test]
    fn a_forged_header_is_refused() {
        let signer = JwtSigner::new(&key("k1", 1), &[key("k0", 9)]);
        let body: Value = honest_body().into();
        let encoded = base64url(body.to_string().as_bytes());
        let unsigned = |header: Value, signature: &str| {
            let header = base64url(header.to_string().as_bytes());
            format!("{header}.{encoded}.{signature}")
        };
        let mut corpus = vec![
            (
                "no key id",
                forge(&header(Algorithm::HS256, None), &body, &[1; 32]),
            ),
            (
                "an unknown key id",
                forge(&header(Algorithm::HS256, Some("k9")), &body, &[1; 32]),
            ),
            (
                "another's key id",
                forge(&header(Algorithm::HS256, Some("k0")), &body, &[1; 32]),
            ),
            (
                "a foreign key",
                forge(&header(Algorithm::HS256, Some("k1")), &body, &[3; 32]),
            ),
            (
                "an empty key",
                forge(&header(Algorithm::HS256, Some("k1")), &body, &[]),
            ),
            // A right secret and another algorithm: the key pins it.
            (
                "HS384",
                forge(&header(Algorithm::HS384, Some("k1")), &body, &[1; 32]),
            ),
            (
                "HS512",
                forge(&header(Algorithm::HS512, Some("k1")), &body, &[1; 32]),
            ),
        ];
        for algorithm in ["none", "None", "NONE", ""] {
            for signature in ["", "AAAA"] {
                let header = json!({"alg": algorithm, "typ": "JWT", "kid": "k1"});
                corpus.push(("no signature", unsigned(header, signature)));
            }
        }
        // The secret signs, but the header says that it is a public key of another family.
        let good = forge(&header(Algorithm::HS256, Some("k1")), &body, &[1; 32]);
        let (_, signature) = good.rsplit_once('.').unwrap();
        for algorithm in [
            "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256 ",
        ] {
            let header = json!({"alg": algorithm, "typ": "JWT", "kid": "k1"});
            corpus.push(("another family", unsigned(header, signature)));
        }
        let jwk = json!({"kty": "oct", "k": base64url(&[3; 32])});
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "k1", "jwk": jwk});
        corpus.push(("a key of its own", unsigned(header, signature)));
        for (what, token) in corpus {
            assert_eq!(
                read(&signer, &token),
                Err(TokenError::Invalid),
                "{what}: {token}"
            );
        }
    }

    #[test]
    fn a_forged_body_is_refused() {
        let signer = JwtSigner::new(&key("k1", 1), &[]);
        let sign = |body: Map<String, Value>| {
            forge(
                &header(Algorithm::HS256, Some("k1")),
                &body.into(),
                &[1; 32],
            )
        };
        for claim in ["sub", "role", "user_type", "iat", "exp", "jti", "sid"] {
            let mut body = honest_body();
            body.remove(claim);
            assert_eq!(
                read(&signer, &sign(body)),
                Err(TokenError::Invalid),
                "{claim} missing"
            );
            let mut body = honest_body();
            body.insert(claim.into(), Value::Null);
            assert_eq!(
                read(&signer, &sign(body)),
                Err(TokenError::Invalid),
                "{claim} null"
            );
        }
        for (claim, value) in [
            ("sub", json!(42)),
            ("sub", json!("0")),
            ("sub", json!("-1")),
            ("sub", json!("+42")),
            ("sub", json!("042")),
            ("sub", json!("9223372036854775808")),
            ("role", json!("root")),
            ("role", json!("admin")),
            ("user_type", json!("admin")),
            ("exp", json!("never")),
            ("exp", json!(1e300)),
            ("sid", json!("7")),
        ] {
            let mut body = honest_body();
            body.insert(claim.into(), value.clone());
            assert_eq!(
                read(&signer, &sign(body)),
                Err(TokenError::Invalid),
                "{claim} {value}"
            );
        }
        let mut body = honest_body();
        body.insert("exp".into(), json!(NOW));
        assert_eq!(read(&signer, &sign(body)), Err(TokenError::Expired));
    }

    #[test]
    fn no_letter_of_a_token_can_be_changed() {
        let signer = JwtSigner::new(&key("k1", 1), &[]);
        let good = signer.sign(&claims()).unwrap().as_str().to_owned();
        for at in 0..good.len() {
            for letter in ["A", "Q", "_", ".", "=", " "] {
                let mut bent = good.clone();
                bent.replace_range(at..=at, letter);
                if bent != good {
                    assert_eq!(
                        read(&signer, &bent),
                        Err(TokenError::Invalid),
                        "{at} {letter}"
                    );
                }
            }
        }
        for bent in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}="),
            format!(" {good}"),
            good[..good.len() - 1].to_owned(),
            good.rsplit_once('.').unwrap().0.to_owned(),
        ] {
            assert_eq!(read(&signer, &bent), Err(TokenError::Invalid), "{bent}");
        }
    }

    #[test]
    fn ids_of_keys_are_plain() {
        assert!(SigningKey::new("a-B_9", [1; 32]).is_some());
        for id in ["", "a b", "a.b", "ä", &"a".repeat(65)] {
            assert!(SigningKey::new(id, [1; 32]).is_none(), "{id}");
        }
        assert!(!format!("{:?}", key("k1", 1)).contains('['));
    }
}
