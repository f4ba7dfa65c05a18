//! Bodies: JSON of at most 1 MiB, read while it arrives.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use telemed_core::error::{Code, Error};
use telemed_core::value::Issue;

use super::budget::{BodyBudget, Share};
use super::expectation::{WHOLE_BODY, form_issue, json_issue};
use crate::auth::Credential;
use crate::envelope::Refusal;
use crate::server::BodyTimeout;

/// The largest JSON body, in bytes.
pub const JSON_LIMIT: usize = 1024 * 1024;

/// A JSON body; fields that `T` does not have are ignored.
///
/// # Errors
/// 413 above [`JSON_LIMIT`], 415 for another content type, else a wrong shape that names the field.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may be absent.
///
/// # Errors
/// As [`Json`].
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub Option<T>);

/// A JSON body or an HTML form with the same fields.
///
/// # Errors
/// As [`Json`].
#[derive(Clone, Copy, Debug)]
pub struct JsonOrForm<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let Received { kind, bytes, .. } = &read(request).await?;
        match kind {
            _ if bytes.is_empty() => Err(whole_body("is required").into()),
            ContentType::Json => Ok(Self(from_json(bytes)?)),
            ContentType::Absent | ContentType::Form => Err(unsupported()),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let Received { kind, bytes, .. } = &read(request).await?;
        match kind {
            _ if bytes.is_empty() => Ok(Self(None)),
            ContentType::Json => Ok(Self(Some(from_json(bytes)?))),
            ContentType::Absent | ContentType::Form => Err(unsupported()),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonOrForm<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let Received { kind, bytes, .. } = &read(request).await?;
        match kind {
            _ if bytes.is_empty() => Err(whole_body("is required").into()),
            ContentType::Json => Ok(Self(from_json(bytes)?)),
            ContentType::Form => {
                let pairs = form_urlencoded::parse(bytes);
                serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
                    .map(Self)
                    .map_err(|error| Error::wrong_shape(vec![form_issue(&error)]).into())
            }
            ContentType::Absent => Err(unsupported()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ContentType {
    Json,
    Form,
    Absent,
}

/// A body that is here in full.
struct Received {
    kind: ContentType,
    bytes: Bytes,
    /// Of the memory for bodies; given back when the value is made.
    _share: Share,
}

async fn read(mut request: Request) -> Result<Received, Refusal> {
    let kind = content_type(request.headers())?;
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > JSON_LIMIT as u64) {
        return Err(Refusal::code(Code::PayloadTooLarge));
    }
    let mut share = Share::of(request.extensions_mut().remove::<BodyBudget>());
    let credential = request.extensions_mut().remove::<Credential>();
    let bytes = collect(request.into_body(), &mut share).await?;
    if let Some(credential) = credential {
        // Who asks was decided at the head, perhaps a minute ago.
        credential.still_good().await?;
    }
    Ok(Received {
        kind,
        bytes,
        _share: share,
    })
}

fn content_type(headers: &HeaderMap) -> Result<ContentType, Refusal> {
    // A compressed body could grow beyond every limit; none is read.
    let is_encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_encoded {
        return Err(unsupported());
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(ContentType::Absent);
    };
    let value = value
        .to_str()
        .map_err(|_| unsupported())?
        .to_ascii_lowercase();
    let essence = value.split(';').next().unwrap_or_default().trim();
    let charset = value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches('"'))
    });
    if !matches!(charset, None | Some("utf-8" | "utf8")) {
        return Err(unsupported());
    }
    let is_json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        Ok(ContentType::Json)
    } else if essence == "application/x-www-form-urlencoded" {
        Ok(ContentType::Form)
    } else {
        Err(unsupported())
    }
}

/// Reads a body that an extractor will read once more, inside of what bodies may hold.
///
/// # Errors
/// As the extractors.
pub(crate) async fn collect_early(
    budget: Option<BodyBudget>,
    body: Body,
) -> Result<Bytes, Refusal> {
    collect(body, &mut Share::of(budget)).await
}

/// Reads the body and stops as soon as it is too large, whatever length was declared.
async fn collect(mut body: Body, share: &mut Share) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
            continue;
        };
        if first.len().max(rest.len()) + data.len() > JSON_LIMIT {
            return Err(Refusal::code(Code::PayloadTooLarge));
        }
        share.take(data.len())?;
        if first.is_empty() && rest.is_empty() {
            // Most bodies are one frame: it is not copied.
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}

/// Why a body broke off: too slow, larger than a limit of the host, or the connection is gone.
fn broken(error: &axum::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.is::<BodyTimeout>() {
            return Refusal::code(Code::RequestTimeout);
        }
        if current.is::<LengthLimitError>() {
            return Refusal::code(Code::PayloadTooLarge);
        }
        cause = current.source();
    }
    whole_body("cannot be read").into()
}

/// A JSON object.
///
/// # Errors
/// A wrong shape that names the field.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // serde does not look at the text of fields that are not read.
    if std::str::from_utf8(bytes).is_err() {
        return Err(whole_body("is not JSON: it is not UTF-8").into());
    }
    // serde would also take a list of the fields' values in their order.
    let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_other_json = start.is_some_and(|byte| *byte != b'{')
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    if is_other_json {
        return Err(whole_body("must be an object").into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Error::wrong_shape(vec![json_issue(&error)]))?;
    deserializer
        .end()
        .map_err(|_| whole_body("is not JSON: something follows its end"))?;
    Ok(value)
}

/// An object that is read already.
///
/// # Errors
/// A wrong shape that names the field.
pub(crate) fn from_object<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    if !value.is_object() {
        return Err(whole_body("must be an object"));
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| Error::wrong_shape(vec![json_issue(&error)]))
}

/// An object as a JSON text.
///
/// # Errors
/// A wrong shape that names the field.
pub(crate) fn from_text<'t, T: Deserialize<'t>>(json: &'t str) -> Result<T, Error> {
    if !json.starts_with('{') {
        return Err(whole_body("must be an object"));
    }
    // Where nothing is wrong, nobody has to know where it would be.
    serde_json::from_str(json).or_else(|_| {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| Error::wrong_shape(vec![json_issue(&error)]))
    })
}

fn whole_body(message: &'static str) -> Error {
    Error::wrong_shape(vec![Issue::new(WHOLE_BODY, message)])
}

fn unsupported() -> Refusal {
    Refusal::code(Code::UnsupportedMediaType)
}
