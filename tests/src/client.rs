//! A small JSON client for the booking surface, with assertions on what it answers.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// How long a connection may rest before it is used again: shorter than any server waits for the
/// next request, so that no request meets a connection that is just being closed.
const REST: Duration = Duration::from_secs(5);

/// Speaks to one server as one person or as nobody.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A visitor at a server.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(REST)
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self::over(http, base)
    }

    /// A visitor at a server, over a client with settings of its own.
    #[must_use]
    pub fn over(http: reqwest::Client, base: &str) -> Self {
        Self {
            http,
            base: base.to_owned(),
            token: None,
        }
    }

    /// The same with this access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A request for this path under `/api/v1`, or for a full path that begins with `//`.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = match path.strip_prefix("//") {
            Some(path) => format!("{}/{path}", self.base),
            None => format!("{}/api/v1{path}", self.base),
        };
        let builder = self.http.request(method, url);
        let builder = match &self.token {
            Some(token) => builder.bearer_auth(token),
            None => builder,
        };
        Request { builder }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }
}

/// A request on its way.
pub struct Request {
    builder: RequestBuilder,
}

impl Request {
    /// With this header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        Self {
            builder: self.builder.header(name, value),
        }
    }

    /// With an idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        Self {
            builder: self.builder.json(body),
        }
    }

    /// With any body of a content type.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            builder: self
                .builder
                .header("content-type", content_type)
                .body(body.into()),
        }
    }

    /// The answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn send(self) -> Answer {
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    /// The answer, or why there is none.
    ///
    /// # Errors
    /// When the connection fails before the answer's end.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.bytes().await?.to_vec(),
        })
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The JSON body.
    ///
    /// # Panics
    /// When the body is not JSON or does not say so.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        let content_type = self.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("application/json"),
            "not JSON but {content_type:?}, status {}: {}",
            self.status,
            self.text()
        );
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON body of an answer with this status.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    #[must_use]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The rows of a bare array and the count in `X-Total-Count`.
    ///
    /// # Panics
    /// When it is not a list.
    #[track_caller]
    #[must_use]
    pub fn list(&self) -> (Vec<Value>, u64) {
        let total = self
            .header("x-total-count")
            .and_then(|total| total.parse().ok());
        let total = total.unwrap_or_else(|| panic!("no X-Total-Count: {}", self.text()));
        match self.expect(200) {
            Value::Array(rows) => (rows, total),
            other => panic!("not a bare array: {other}"),
        }
    }

    /// Whether this is a refusal with this status and code, in this surface's shape. Returns the
    /// body.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.json()["error_code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text()
        );
        let body = self.json();
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "no sentence: {body}");
        assert_utc(&body["timestamp"]);
        let known = ["detail", "error_code", "timestamp", "errors"];
        let fields = body.as_object().expect("an object");
        let extra: Vec<_> = fields
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        assert!(extra.is_empty(), "more than the shape has: {body}");
        body
    }

    /// Whether this is a validation error of this status that names the field.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn names(&self, status: u16, field: &str) {
        let body = self.refused(status, "VALIDATION_ERROR");
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let named = errors.iter().any(|error| {
            let at = error["loc"].as_array().is_some_and(|loc| {
                loc.iter().all(Value::is_string)
                    && loc.last().and_then(Value::as_str) == Some(field)
            });
            at && error["msg"].as_str().is_some_and(|msg| !msg.is_empty())
        });
        assert!(named, "the field {field} is not named: {body}");
    }
}

/// Whether this is an RFC 3339 time in UTC with `Z`.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_utc(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let is_time =
        text.ends_with('Z') && text.contains('T') && text.parse::<jiff::Timestamp>().is_ok();
    assert!(is_time, "not a time in UTC: {value}");
}

/// An id, which is a positive JSON number.
///
/// # Panics
/// When it is not.
#[track_caller]
#[must_use]
pub fn id_of(row: &Value) -> i64 {
    match row["id"].as_i64() {
        Some(id) if id > 0 => id,
        _ => panic!("no id: {row}"),
    }
}
