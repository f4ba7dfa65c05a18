//! Values that check themselves when they are made, and the collector of what is wrong.

mod json_text;

use std::borrow::Cow;
use std::fmt;

use crate::error::Error;

pub use json_text::JsonText;

/// What is wrong with one field. It names the field and the expectation, never the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The field, as the caller's surface calls it.
    pub field: Cow<'static, str>,
    /// What was expected.
    pub message: Cow<'static, str>,
}

impl Issue {
    /// An issue with this field.
    #[must_use]
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Why a value could not be made: a sentence about the expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError(pub Cow<'static, str>);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

impl From<&'static str> for ValueError {
    fn from(message: &'static str) -> Self {
        Self(Cow::Borrowed(message))
    }
}

/// Collects the issues of a whole request, so that a caller is told of all of them at once.
#[derive(Default)]
pub struct Checks {
    issues: Vec<Issue>,
}

impl Checks {
    /// A collector without issues.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, or `None` with an issue noted.
    pub fn check<T>(&mut self, field: &'static str, value: Result<T, ValueError>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(ValueError(message)) => {
                self.issues.push(Issue::new(field, message));
                None
            }
        }
    }

    /// A value that may be absent.
    pub fn optional<T, I>(
        &mut self,
        field: &'static str,
        input: Option<I>,
        make: impl FnOnce(I) -> Result<T, ValueError>,
    ) -> Option<T> {
        input.and_then(|input| self.check(field, make(input)))
    }

    /// A value that must be there.
    pub fn required<T, I>(
        &mut self,
        field: &'static str,
        input: Option<I>,
        make: impl FnOnce(I) -> Result<T, ValueError>,
    ) -> Option<T> {
        match input {
            Some(input) => self.check(field, make(input)),
            None => {
                self.note(field, "is required");
                None
            }
        }
    }

    /// Notes an issue.
    pub fn note(&mut self, field: &'static str, message: impl Into<Cow<'static, str>>) {
        self.issues.push(Issue::new(field, message));
    }

    /// Ends the collection: `values` if every one is there.
    ///
    /// # Errors
    /// [`crate::error::Code::WrongShape`] with every issue.
    pub fn finish<T>(self, values: Option<T>) -> Result<T, Error> {
        match values {
            Some(values) if self.issues.is_empty() => Ok(values),
            _ => Err(Error::wrong_shape(self.issues)),
        }
    }
}

/// Text of one line: no control characters, trimmed, within a length in characters.
pub(crate) fn line(text: &str, least: usize, most: usize) -> Result<String, ValueError> {
    let text = text.trim();
    measured(text, least, most)?;
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".into());
    }
    Ok(text.to_owned())
}

/// Text of several lines, kept as it is: no control characters but tab and line ends.
pub(crate) fn prose(text: &str, least: usize, most: usize) -> Result<String, ValueError> {
    measured(text, least, most)?;
    if least > 0 && text.trim().is_empty() {
        return Err("must not be blank".into());
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err("must not contain control characters".into());
    }
    Ok(text.to_owned())
}

fn measured(text: &str, least: usize, most: usize) -> Result<(), ValueError> {
    // Counting stops early: a text of a megabyte is not walked to its end.
    let length = text.chars().take(most + 1).count();
    if length > most {
        return Err(ValueError(
            format!("must have at most {most} characters").into(),
        ));
    }
    if length < least {
        return Err(if least == 1 {
            "must not be blank".into()
        } else {
            ValueError(format!("must have at least {least} characters").into())
        });
    }
    Ok(())
}

/// A whole number inside a range.
pub(crate) fn within(number: i64, least: i64, most: i64) -> Result<i64, ValueError> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(ValueError(format!("must be from {least} to {most}").into()))
    }
}

/// Declares text values: `Name = line 1..=150;` or `Reason = prose 1..=500;`.
macro_rules! text_values {
    ($($(#[$doc:meta])* $name:ident = $shape:ident $least:literal..=$most:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The value, if the text has the right length and no control characters.
            ///
            /// # Errors
            /// A sentence about what was expected.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::value::ValueError> {
                $crate::value::$shape(text.as_ref(), $least, $most).map(Self)
            }

            /// The value of a row that a store has read.
            #[must_use]
            pub fn from_row(text: String) -> Self {
                Self(text)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // Names, addresses and reasons are a person's: they do not show in a log.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

/// Declares whole numbers inside a range: `Capacity: u16 = 1..=100;`.
macro_rules! number_values {
    ($($(#[$doc:meta])* $name:ident = $least:literal..=$most:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u16);

        impl $name {
            /// The value, if the number is in its range.
            ///
            /// # Errors
            /// A sentence about what was expected.
            pub fn new(number: i64) -> Result<Self, $crate::value::ValueError> {
                let number = $crate::value::within(number, $least, $most)?;
                u16::try_from(number).map(Self).map_err(|_| "is out of range".into())
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u16 {
                self.0
            }
        }
    )*};
}

/// Declares a closed list of words: the enum, its words, and the way back.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value of a word.
            ///
            /// # Errors
            /// A sentence that lists the words.
            pub fn parse(word: impl AsRef<str>) -> Result<Self, $crate::value::ValueError> {
                match word.as_ref() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(concat!("must be one of:" $(, " ", $word)*).into()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use {number_values, text_values, words};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_and_not_bytes() {
        assert!(line("مريم", 1, 4).is_ok());
        assert!(line("مريمة", 1, 4).is_err());
        // One sign on the screen, five characters of Unicode.
        assert!(line("👩🏽‍⚕️", 1, 5).is_ok());
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(line("a\0b", 1, 9).is_err());
        assert!(line("a\nb", 1, 9).is_err());
        assert!(prose("a\nb", 1, 9).is_ok());
        assert!(prose("a\0b", 1, 9).is_err());
    }

    #[test]
    fn prose_is_kept_as_it_is() {
        assert_eq!(prose("  L < R ", 1, 20).as_deref(), Ok("  L < R "));
        assert!(prose("   ", 1, 20).is_err());
    }
}
