//! Types for the fields of bodies and queries.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use telemed_core::calls::CallReference;
use telemed_core::id::{
    AppointmentId, BlockId, ClinicId, ConversationId, MessageId, SlotId, UserId,
};
use telemed_core::value::ValueError;
use utoipa::ToSchema;

/// An id of core that is a positive integer.
pub trait IntegerId: Sized + Send {
    /// The id with this number; `None` unless it is positive.
    fn from_number(number: i64) -> Option<Self>;
}

macro_rules! integer_ids {
    ($($name:ident)*) => {$(
        impl IntegerId for $name {
            fn from_number(number: i64) -> Option<Self> {
                Self::new(number)
            }
        }
    )*};
}

integer_ids! { UserId ClinicId SlotId AppointmentId BlockId }

/// An id of core that is a UUID.
pub trait UuidId: Sized + Send {
    /// The id that a text of 36 characters names.
    fn from_text(text: &str) -> Option<Self>;

    /// The id that a text names.
    ///
    /// # Errors
    /// A sentence about what was expected.
    fn typed(text: impl AsRef<str>) -> Result<Self, ValueError> {
        Self::from_text(text.as_ref()).ok_or_else(|| NO_UUID.into())
    }
}

/// What is said of an id that is none.
const NO_UUID: &str = "must be a UUID";

macro_rules! uuid_ids {
    ($($name:ident)*) => {$(
        impl UuidId for $name {
            fn from_text(text: &str) -> Option<Self> {
                // The other ways of writing a UUID are not ours.
                let text = Some(text).filter(|text| text.len() == 36)?;
                text.parse().ok().map(Self::new)
            }
        }
    )*};
}

uuid_ids! { ConversationId MessageId }

/// An id of core as a path has it.
pub trait PathValue: Sized + Send {
    /// What was expected.
    const EXPECTED: &'static str;

    /// The id that a part of a path names.
    fn from_path(text: &str) -> Option<Self>;
}

macro_rules! path_values {
    ($($name:ident)*; $($uuid:ident)*) => {
        $(impl PathValue for $name {
            const EXPECTED: &'static str = "must be a positive whole number";

            fn from_path(text: &str) -> Option<Self> {
                Id::parse(text)?.typed().ok()
            }
        })*
        $(impl PathValue for $uuid {
            const EXPECTED: &'static str = NO_UUID;

            fn from_path(text: &str) -> Option<Self> {
                Self::from_text(text)
            }
        })*
    };
}

path_values! {
    UserId ClinicId SlotId AppointmentId BlockId;
    ConversationId MessageId
}

impl PathValue for CallReference {
    const EXPECTED: &'static str = "must be the id of a call";

    fn from_path(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

/// A message of a conversation, by its id or by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAt {
    /// By its id.
    Id(MessageId),
    /// By its place.
    Place(u64),
}

impl<'de> Deserialize<'de> for MessageAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message;
        impl Visitor<'_> for Message {
            type Value = MessageAt;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a message or its seq")
            }

            fn visit_u64<E: de::Error>(self, place: u64) -> Result<MessageAt, E> {
                Ok(MessageAt::Place(place))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MessageAt, E> {
                let place = digits(text).map(|place| MessageAt::Place(place.unsigned_abs()));
                place
                    .or_else(|| MessageId::from_text(text).map(MessageAt::Id))
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Message)
    }
}

/// Yes or no, as a JSON boolean or as queries write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct YesOrNo;
        impl Visitor<'_> for YesOrNo {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
                match text.to_ascii_lowercase().as_str() {
                    "true" | "1" => Ok(Flag(true)),
                    "false" | "0" => Ok(Flag(false)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(YesOrNo)
    }
}

/// A positive 64-bit id, written as a number or as a string of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, minimum = 1, example = 1)]
pub struct Id(i64);

impl Id {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The id of core that it stands for.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn typed<T: IntegerId>(self) -> Result<T, ValueError> {
        T::from_number(self.0).ok_or_else(|| "must be a positive whole number".into())
    }

    /// The id that a text of digits names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        digits(text).filter(|number| *number > 0).map(Self)
    }
}

/// How many rows of a list to leave out: 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, minimum = 0, default = 0)]
pub struct Skip(i64);

impl Skip {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// How many rows of a list to return: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, minimum = 1, maximum = 100, default = 100)]
pub struct Limit(i64);

impl Limit {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

/// A number that counts from 1, such as that of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, minimum = 1)]
pub struct Count(i64);

impl Count {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// A whole number, whose range its own type checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64)]
pub struct Whole(i64);

impl Whole {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// A number with or without a fraction, whose range its own type checks, as a JSON number or as a
/// text of one.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(value_type = f64)]
pub struct Figure(f64);

impl Figure {
    /// The number. A text may have named none, which compares to nothing.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Figure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Figure, E> {
                Ok(Figure(number))
            }

            #[allow(clippy::cast_precision_loss, reason = "what is lost is out of range")]
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Figure, E> {
                Ok(Figure(number as f64))
            }

            #[allow(clippy::cast_precision_loss, reason = "what is lost is out of range")]
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Figure, E> {
                Ok(Figure(number as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Figure, E> {
                let number = text
                    .trim()
                    .parse()
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
                Ok(Figure(number))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Whole numbers in a range, as a JSON number or as digits.
struct WholeNumber {
    least: i64,
    most: i64,
    expected: &'static str,
}

impl Visitor<'_> for WholeNumber {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        if (self.least..=self.most).contains(&number) {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Signed(number), &self))
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        match digits(text) {
            Some(number) => self.visit_i64(number),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

fn digits(text: &str) -> Option<i64> {
    let shaped = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if shaped { text.parse().ok() } else { None }
}

macro_rules! read_whole_number {
    ($($name:ident = $least:literal..=$most:expr, $expected:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer
                    .deserialize_any(WholeNumber { least: $least, most: $most, expected: $expected })
                    .map(Self)
            }
        }
    )*};
}

read_whole_number! {
    Id = 1..=i64::MAX, "a positive whole number";
    Skip = 0..=i64::MAX, "a whole number of 0 or more";
    Limit = 1..=100, "a whole number from 1 to 100";
    Count = 1..=i64::MAX, "a whole number of 1 or more";
    Whole = -9_223_372_036_854_775_808..=i64::MAX, "a whole number";
}

/// For a field that may be absent, `null` or a value, which are three different things to an
/// update: `None`, `Some(None)` and `Some(Some(value))`.
/// Use with `#[serde(default, deserialize_with = "present")]`.
///
/// # Errors
/// What the value's own type says.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
