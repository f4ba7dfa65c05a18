//! Which origins a browser may call us from (the CORS protocol of the Fetch standard).
//!
//! The list is exact; only a port may be a wildcard. Credentials are allowed, so the answer names
//! the one origin that asked and never `*`.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Request headers that a page may send beside the ones that browsers always allow.
const ALLOWED_HEADERS: &str = "Content-Type, Authorization, Accept-Language, X-Timestamp, \
     X-Requested-With, X-CSRFToken, X-CSRF-Token, Idempotency-Key";
/// Answer headers that a page may read.
const EXPOSED_HEADERS: &str = "X-Total-Count, Retry-After, ETag, Content-Disposition";
/// Seconds for which a browser may keep the answer to a preflight.
const PREFLIGHT_AGE: &str = "600";

/// The origins whose pages may call the surfaces. Without any, no foreign page may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<AllowedOrigin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AllowedOrigin {
    Exact(String),
    /// `scheme://host`; every port of it is allowed.
    AnyPort(String),
}

/// Why an entry of the list of origins cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    entry: String,
    reason: &'static str,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "origin `{}` {}; write it like https://app.example.org or http://localhost:*",
            self.entry, self.reason
        )
    }
}

impl std::error::Error for OriginError {}

impl Cors {
    /// The policy that allows exactly these origins. The port may be `*`, as in
    /// `http://localhost:*`.
    ///
    /// # Errors
    /// When an entry is no origin; the error names it.
    pub fn new<I>(origins: I) -> Result<Self, OriginError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let origins = origins
            .into_iter()
            .map(|origin| AllowedOrigin::parse(origin.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// Whether pages of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed.matches(origin))
    }

    /// Adds what a browser needs to see on every answer.
    pub(crate) fn decorate(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        // Also without an Origin: a cache must not give this answer to a page that has one.
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
        if self.admit(origin, answer) {
            answer.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED_HEADERS),
            );
        }
    }

    /// Adds the answer to a preflight for a route with these methods.
    pub(crate) fn preflight(
        &self,
        origin: Option<&HeaderValue>,
        methods: &HeaderValue,
        answer: &mut HeaderMap,
    ) {
        for name in [
            "Origin",
            "Access-Control-Request-Method",
            "Access-Control-Request-Headers",
        ] {
            answer.append(header::VARY, HeaderValue::from_static(name));
        }
        if self.admit(origin, answer) {
            let mut set = |name: HeaderName, value: HeaderValue| answer.insert(name, value);
            set(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
            set(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(ALLOWED_HEADERS),
            );
            set(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(PREFLIGHT_AGE),
            );
        }
    }

    fn admit(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) -> bool {
        let Some(origin) = origin else { return false };
        let allowed = origin.to_str().is_ok_and(|origin| self.allows(origin));
        if allowed {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        allowed
    }
}

/// Whether a request is a browser's question and not a call.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl AllowedOrigin {
    fn parse(entry: &str) -> Result<Self, OriginError> {
        let refuse = |reason| {
            Err(OriginError {
                entry: entry.to_owned(),
                reason,
            })
        };
        let lower = entry.trim().to_ascii_lowercase();
        let Some((scheme, authority)) = lower.split_once("://") else {
            return refuse("has no scheme");
        };
        let scheme_is_word = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !scheme_is_word {
            return refuse("has no scheme");
        }
        let authority_is_plain = !authority.is_empty()
            && authority
                .chars()
                .all(|c| c.is_ascii_graphic() && !"/?#@,".contains(c));
        if !authority_is_plain {
            return refuse("must be a scheme, a host and perhaps a port, and nothing else");
        }
        if let Some(host) = authority.strip_suffix(":*") {
            if host.is_empty() || host.contains('*') {
                return refuse("has a wildcard that is not a port");
            }
            return Ok(Self::AnyPort(format!("{scheme}://{host}")));
        }
        if authority.contains('*') {
            return refuse("has a wildcard that is not a port");
        }
        // A browser leaves the scheme's own port out.
        let own_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let authority = if own_port.is_empty() {
            authority
        } else {
            authority.strip_suffix(own_port).unwrap_or(authority)
        };
        Ok(Self::Exact(format!("{scheme}://{authority}")))
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(allowed) => allowed == origin,
            Self::AnyPort(host) => origin.strip_prefix(host.as_str()).is_some_and(|rest| {
                rest.is_empty()
                    || rest
                        .strip_prefix(':')
                        .is_some_and(|port| port.parse::<u16>().is_ok())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_listed_origins_are_allowed() {
        let cors = Cors::new(["https://app.example.org", "http://localhost:*"]).unwrap();
        for origin in [
            "https://app.example.org",
            "http://localhost",
            "http://localhost:3000",
        ] {
            assert!(cors.allows(origin), "{origin}");
        }
        for origin in [
            "http://app.example.org",
            "https://app.example.org.evil.example",
            "https://app.example.org:8443",
            "http://localhost.evil.example",
            "http://localhost:3000.evil.example",
            "http://localhost:99999",
            "https://localhost:3000",
            "null",
            "",
        ] {
            assert!(!cors.allows(origin), "{origin}");
        }
        assert!(!Cors::default().allows("http://localhost"));
    }

    #[test]
    fn an_entry_is_written_as_a_browser_writes_it() {
        let cors = Cors::new(["HTTPS://App.Example.org:443"]).unwrap();
        assert!(cors.allows("https://app.example.org"));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_its_name() {
        for entry in [
            "*",
            "null",
            "example.org",
            "https://",
            "https://*.example.org",
            "https://a.org/",
            "http://*:*",
        ] {
            let error = Cors::new([entry]).unwrap_err();
            assert!(error.to_string().contains(entry), "{error}");
        }
    }

    #[test]
    fn a_preflight_names_methods_and_headers_to_allowed_origins_only() {
        let cors = Cors::new(["https://app.example.org"]).unwrap();
        let methods = HeaderValue::from_static("GET, HEAD");
        let mut answer = HeaderMap::new();
        let origin = HeaderValue::from_static("https://app.example.org");
        cors.preflight(Some(&origin), &methods, &mut answer);
        assert_eq!(
            answer[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://app.example.org"
        );
        assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD");
        let headers = answer[header::ACCESS_CONTROL_ALLOW_HEADERS]
            .to_str()
            .unwrap();
        assert!(headers.contains("Idempotency-Key") && headers.contains("Authorization"));

        let mut answer = HeaderMap::new();
        let origin = HeaderValue::from_static("https://evil.example");
        cors.preflight(Some(&origin), &methods, &mut answer);
        assert!(answer.keys().all(|name| name == header::VARY));
    }
}
