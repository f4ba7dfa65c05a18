//! The session cookie: the access token where a page's scripts cannot read it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use telemed_core::identity::AccessToken;

use crate::surface::Shared;

/// The cookie's name.
pub const SESSION_COOKIE: &str = "telemed_session";

/// How session cookies are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieConfig {
    /// Whether browsers send it over TLS only. A listener that no other machine reaches, without
    /// TLS and without a proxy, says no.
    pub secure: bool,
    /// Whether pages of other sites may send it (`SameSite=None`, which browsers take with
    /// `Secure` only). Which of them may call is decided by the list of origins.
    pub cross_site: bool,
}

impl Default for CookieConfig {
    /// Over TLS only, for pages of the same site.
    fn default() -> Self {
        Self {
            secure: true,
            cross_site: false,
        }
    }
}

impl CookieConfig {
    fn header(self, value: &str, seconds: u64) -> Option<HeaderValue> {
        let mut text =
            format!("{SESSION_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=");
        text.push_str(if self.cross_site { "None" } else { "Lax" });
        if self.secure || self.cross_site {
            text.push_str("; Secure");
        }
        HeaderValue::from_str(&text).ok()
    }
}

/// The token in the request's session cookie, if it has one.
#[must_use]
pub fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.trim_matches('"'))
        .filter(|value| !value.is_empty())
}

/// Gives the browser the session; it forgets the cookie when the token ends.
pub(crate) fn set(
    shared: &Shared,
    response: &mut Response,
    token: &AccessToken,
    lifetime: Duration,
) {
    put(
        response,
        shared.cookies().header(token.as_str(), lifetime.as_secs()),
    );
}

/// Takes the session back from the browser.
pub(crate) fn clear(shared: &Shared, response: &mut Response) {
    put(response, shared.cookies().header("", 0));
}

fn put(response: &mut Response, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for values in [
            &["telemed_session=a.b"][..],
            &["x=1; telemed_session=a.b; y=2"],
            &["x=1", "telemed_session=\"a.b\""],
        ] {
            assert_eq!(token(&with(values)), Some("a.b"), "{values:?}");
        }
        for values in [
            &[][..],
            &["telemed_session="],
            &["xtelemed_session=a"],
            &["a"],
        ] {
            assert_eq!(token(&with(values)), None, "{values:?}");
        }
    }

    #[test]
    fn attributes_follow_the_configuration() {
        let shown = |secure, cross_site| {
            let header = CookieConfig { secure, cross_site }.header("t", 60);
            header.and_then(|value| value.to_str().map(str::to_owned).ok())
        };
        let base = "telemed_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=";
        assert_eq!(shown(false, false), Some(format!("{base}Lax")));
        assert_eq!(shown(true, false), Some(format!("{base}Lax; Secure")));
        assert_eq!(shown(false, true), Some(format!("{base}None; Secure")));
    }
}
