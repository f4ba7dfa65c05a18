//! Offers, answers and candidates as clients send them, read in one go: the server does not look
//! into them, and there are many.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use telemed_core::calls::SignalKind;
use telemed_core::value::{JsonText, ValueError};

use super::events::{Command, client_event};
use crate::extract::present;

/// What an event carries that hands something to the other device of a call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SignalBody<'t> {
    pub(crate) call_id: Option<String>,
    pub(crate) device_id: Option<String>,
    #[serde(borrow)]
    offer: Option<&'t RawValue>,
    #[serde(borrow)]
    answer: Option<&'t RawValue>,
    // There are no more candidates: it says so by a null.
    #[serde(borrow, default, deserialize_with = "present")]
    candidate: Option<Option<&'t RawValue>>,
}

impl<'t> SignalBody<'t> {
    /// What it hands over, as it came.
    pub(crate) fn payload(&self, kind: SignalKind) -> Option<Option<&'t RawValue>> {
        match kind {
            SignalKind::Offer => self.offer.map(Some),
            SignalKind::Answer => self.answer.map(Some),
            SignalKind::Candidate => self.candidate,
        }
    }
}

/// What nobody looks into, but that it may be what it is said to be.
pub(crate) fn opaque(payload: Option<&RawValue>) -> Result<JsonText, ValueError> {
    match payload {
        None => JsonText::parse("null"),
        Some(raw) if raw.get().starts_with(['{', '"']) => JsonText::new(raw),
        Some(_) => Err("must be an object or a text".into()),
    }
}

/// The list of an event that hands something over: its name and what it carries.
pub(super) struct Signalled<'t> {
    pub(super) name: &'static str,
    pub(super) body: SignalBody<'t>,
}

impl<'t> Signalled<'t> {
    /// Reads it, if it is one and nothing is wrong with it.
    pub(super) fn read(json: &'t str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl<'de> Deserialize<'de> for Signalled<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Signalled<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a signal")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let missing = |at| serde::de::Error::invalid_length(at, &self);
                let Name(name) = list.next_element()?.ok_or_else(|| missing(0))?;
                let Object(body) = list.next_element()?.ok_or_else(|| missing(1))?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Signalled { name, body })
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// What an event carries, as an object: a derived reader would also take a list of the fields'
/// values in their order.
struct Object<'t>(SignalBody<'t>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                SignalBody::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The name of an event that hands something over; with any other, nothing more is read.
struct Name(&'static str);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a signal")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
                match client_event(name) {
                    Some(event) if matches!(event.command, Command::Signal(_)) => {
                        Ok(Name(event.name))
                    }
                    _ => Err(E::custom("another event")),
                }
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
impl PartialEq for SignalBody<'_> {
    fn eq(&self, other: &Self) -> bool {
        let text = |payload: Option<Option<&RawValue>>| {
            payload.map(|payload| payload.map(|raw| raw.get().to_owned()))
        };
        let all = |body: &Self| {
            let kinds = [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate];
            kinds.map(|kind| text(body.payload(kind)))
        };
        (&self.call_id, &self.device_id, all(self))
            == (&other.call_id, &other.device_id, all(other))
    }
}
