//! JSON that is handed on as it came.

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::ValueError;

/// How deep objects and lists may lie in each other: as deep as readers of JSON go that count.
const MOST_NESTED: usize = 127;

/// A JSON text into which nobody looks. Copies share their bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// A text that was found to be JSON.
    ///
    /// # Errors
    /// When it is nested so deeply that not every client could read it.
    pub fn new(raw: &RawValue) -> Result<Self, ValueError> {
        if is_deep(raw.get()) {
            return Err("is nested too deeply".into());
        }
        Ok(Self(raw.get().into()))
    }

    /// A text.
    ///
    /// # Errors
    /// When it is not JSON, and as [`JsonText::new`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| "must be JSON")?;
        Self::new(raw)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It may hold addresses of people's homes.
impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.as_str().len())
    }
}

/// Whether objects and lists lie too deeply in each other.
fn is_deep(json: &str) -> bool {
    // Most texts open few of them altogether, which is counted fast.
    if opened(json) <= MOST_NESTED {
        return false;
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in json.as_bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'{' | b'[' => {
                depth += 1;
                if depth > MOST_NESTED {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// How many objects and lists begin, those in texts included.
fn opened(json: &str) -> usize {
    let begins = |byte: &u8| u8::from(*byte == b'{') | u8::from(*byte == b'[');
    // As many at a time as fit into a byte.
    let chunks = json.as_bytes().chunks(usize::from(u8::MAX));
    chunks
        .map(|chunk| usize::from(chunk.iter().map(begins).sum::<u8>()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_as_it_is() {
        for text in [
            "null",
            r#"{"sdp":"v=0\r\n","type" : "offer"}"#,
            r#""\ud83e\udd1d""#,
        ] {
            assert_eq!(
                JsonText::parse(text).map(|json| json.as_str() == text),
                Ok(true)
            );
        }
        for text in ["", "{", "[1,]", "\"a", "nul", "{} {}"] {
            assert!(JsonText::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(JsonText::parse(&nested(MOST_NESTED)).is_ok());
        assert!(JsonText::parse(&nested(MOST_NESTED + 1)).is_err());
        assert!(JsonText::parse(&nested(30_000)).is_err());
        // Side by side, and within a text, however it is escaped.
        assert!(JsonText::parse(&format!("[{}{{}}]", "[],".repeat(1000))).is_ok());
        assert!(JsonText::parse(&format!(r#"["\"\\\"{}"]"#, "[{".repeat(1000))).is_ok());
        assert!(JsonText::parse(&format!(r#"["\\",{}]"#, nested(MOST_NESTED))).is_err());
    }

    #[test]
    fn it_is_not_shown() {
        let json = JsonText::parse("\"192.0.2.7\"");
        assert!(json.is_ok_and(|json| !format!("{json:?}").contains("192")));
    }
}
