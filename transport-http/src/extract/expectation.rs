//! Turns what serde says is wrong into an issue that names the field and the expectation.
//!
//! serde's own texts repeat the input ("invalid type: string "Aspirin", expected i64"), and the
//! input of a medical service is a patient's. Only the part after "expected" is ours: it comes
//! from the code, and only that part is kept.

use std::borrow::Cow;

use serde_path_to_error::{Path, Segment};
use telemed_core::value::Issue;

/// The name of the whole body in an issue.
pub(super) const WHOLE_BODY: &str = "body";
const REQUIRED: &str = "is required";
const INVALID: &str = "is not valid";

/// What is wrong with a JSON body.
pub(super) fn json_issue(error: &serde_path_to_error::Error<serde_json::Error>) -> Issue {
    use serde_json::error::Category;
    let inner = error.inner();
    let text = inner.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    match inner.classify() {
        Category::Data => data_issue(error.path(), text),
        Category::Syntax if text == "number out of range" => {
            Issue::new(field_name(error.path()), "is out of range")
        }
        // The path of a syntax error may run through names of fields that the client made up.
        Category::Syntax => {
            let (line, column) = (inner.line(), inner.column());
            Issue::new(
                WHOLE_BODY,
                format!("is not JSON: line {line}, column {column}"),
            )
        }
        Category::Eof => Issue::new(WHOLE_BODY, "is not JSON: it ends too early"),
        Category::Io => Issue::new(WHOLE_BODY, "cannot be read"),
    }
}

/// What is wrong with a query or a form.
pub(super) fn form_issue<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Issue {
    data_issue(error.path(), &error.inner().to_string())
}

fn data_issue(path: &Path, text: &str) -> Issue {
    for (prefix, message) in [
        ("missing field `", REQUIRED),
        ("duplicate field `", "is there twice"),
    ] {
        if let Some(name) = text.strip_prefix(prefix) {
            // The name stands in our code, not in the input.
            let name = name.trim_end_matches('`');
            let parent = field_name(path);
            // Some deserializers name the missing field in the path already, some do not.
            let field = if parent == WHOLE_BODY || parent == name {
                Cow::Owned(name.to_owned())
            } else if parent.ends_with(&format!(".{name}")) {
                parent
            } else {
                Cow::Owned(format!("{parent}.{name}"))
            };
            return Issue::new(field, message);
        }
    }
    Issue::new(field_name(path), expectation(text))
}

fn expectation(text: &str) -> Cow<'static, str> {
    let is_serdes = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ]
    .iter()
    .any(|prefix| text.starts_with(prefix));
    if !is_serdes {
        return INVALID.into();
    }
    let Some((_, expected)) = text.rsplit_once(", expected ") else {
        return INVALID.into();
    };
    match expected {
        "a string" | "a borrowed string" => "must be a string".into(),
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => {
            "must be a whole number in its range".into()
        }
        "f32" | "f64" => "must be a number".into(),
        "a boolean" => "must be true or false".into(),
        "a sequence" => "must be a list".into(),
        "a map" => "must be an object".into(),
        "option" | "unit" => INVALID.into(),
        _ if expected.starts_with("struct ") => "must be an object".into(),
        _ => format!("must be {}", expected.replace('`', "")).into(),
    }
}

/// The field's name with the names it stands in, such as `windows[2].start`.
fn field_name(path: &Path) -> Cow<'static, str> {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Map { key } if is_name(key) => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(key);
            }
            Segment::Seq { index } => name.push_str(&format!("[{index}]")),
            // A variant or a key that is no field of ours ends what we can name.
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    if name.is_empty() {
        WHOLE_BODY.into()
    } else {
        name.into()
    }
}

/// Fields of ours are short words; anything else is a key that the client made up.
fn is_name(key: &str) -> bool {
    key.len() <= 40
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
