//! The texts that people read, in Arabic and in English.
//!
//! Codes never change; texts follow the language that a request asks for with `Accept-Language`,
//! else the language that its user prefers, else English. Each language is one file of Fluent
//! messages beside this one, and a test sees to it that both say everything.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::http::{HeaderMap, header};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use telemed_core::error::{Code, Detail, Error};
use telemed_core::identity::Language;
use telemed_core::value::Issue;
use unic_langid::LanguageIdentifier;

type Bundle = FluentBundle<FluentResource>;

static ARABIC: LazyLock<Bundle> =
    LazyLock::new(|| bundle(Language::Arabic, include_str!("language/ar.ftl")));
static ENGLISH: LazyLock<Bundle> =
    LazyLock::new(|| bundle(Language::English, include_str!("language/en.ftl")));

fn bundle(language: Language, text: &str) -> Bundle {
    // Both words are tags of BCP 47; they choose the plural forms.
    let tag: LanguageIdentifier = language.as_str().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // Texts go into JSON; marks around arguments would show in some clients.
    bundle.set_use_isolating(false);
    // What does not parse is left out, and the test of the catalogues fails.
    let resource =
        FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, _errors)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

fn bundle_of(language: Language) -> &'static Bundle {
    match language {
        Language::Arabic => &ARABIC,
        Language::English => &ENGLISH,
    }
}

/// A message of the catalogue; `None` if it has no such id.
pub(crate) fn find(language: Language, id: &str, arguments: &[(&str, &str)]) -> Option<String> {
    let bundle = bundle_of(language);
    let pattern = bundle.get_message(id)?.value()?;
    let mut values = FluentArgs::new();
    for (name, value) in arguments {
        values.set(*name, (*value).to_owned());
    }
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&values), &mut errors);
    Some(text.into_owned())
}

/// A message of the catalogue, which has it.
pub(crate) fn text(language: Language, id: &str) -> String {
    find(language, id, &[]).unwrap_or_else(|| id.to_owned())
}

/// The id of a code's message.
pub(crate) fn id_of(code: Code) -> String {
    format!("refused-{}", word(code.as_str()))
}

fn word(text: &str) -> String {
    text.to_ascii_lowercase().replace('_', "-")
}

/// What a refusal says to a person.
pub(crate) fn refusal_text(language: Language, error: &Error) -> String {
    if language == Language::English && error.message != error.code.text() {
        // The engine writes English, and knows more than its code.
        return error.message.clone().into_owned();
    }
    if matches!(error.code, Code::WrongShape | Code::BrokenRule)
        && let Some(issue) = error.issues.first()
    {
        return issue_text(language, issue);
    }
    if let Some(text) = exact(language, error) {
        return text;
    }
    text(language, &id_of(error.code))
}

/// What is wrong with a field. A reason that is a whole sentence stands for itself.
pub(crate) fn issue_text(language: Language, issue: &Issue) -> String {
    let (field, reason) = (issue.field.as_ref(), issue.message.as_ref());
    let known = REASONS.iter().find(|(english, _)| *english == reason);
    let reason = match (language, known) {
        (_, Some((_, id))) => text(language, id),
        (Language::English, None) => reason.to_owned(),
        // Reasons of one field in many words are written in English only.
        (Language::Arabic, None) => text(language, "reason-other"),
    };
    if known.is_some_and(|(_, id)| SENTENCES.contains(id)) {
        return reason;
    }
    let arguments = [("field", field), ("reason", reason.as_str())];
    find(language, "wrong-field", &arguments).unwrap_or(reason)
}

/// Reasons that are told in both languages.
pub(crate) const REASONS: &[(&str, &str)] = &[
    ("is required", "reason-required"),
    ("must not be blank", "reason-blank"),
    ("is not valid", "reason-not-valid"),
    ("must be an email address", "reason-email"),
    (
        "must be a telephone number of 5 to 20 digits",
        "reason-phone",
    ),
    ("must have at least 8 characters", "reason-password-short"),
    ("must be a positive whole number", "reason-id"),
    ("must be in the past", "reason-past"),
    ("must not be over", "reason-over"),
    ("or a phone number is required", "reason-email-or-phone"),
    ("is not your password", "reason-current-password"),
    ("is outside the doctor's hours", "reason-outside-hours"),
    ("must be the clinic's time zone", "reason-clinic-zone"),
    ("must be after start_time", "reason-after-start"),
    ("must not be before from", "reason-before-from"),
    ("Doctor not found", "reason-doctor-not-found"),
    ("must be a UUID", "reason-uuid"),
    ("must be somebody else", "reason-somebody-else"),
    (
        "must make a pair of a patient and a doctor",
        "reason-patient-and-doctor",
    ),
    ("must name one other participant", "reason-one-other"),
    ("is the system's own", "reason-system"),
    ("needs an attachment", "reason-attachment"),
    ("must be empty", "reason-empty"),
    (
        "must be an appointment of one of the participants",
        "reason-participants-appointment",
    ),
    (
        "must be an appointment of the two",
        "reason-pairs-appointment",
    ),
    ("must have a word in it", "reason-word"),
    ("must not be before date_from", "reason-before-date-from"),
    ("must be the id of a call", "reason-call-id"),
    (
        "must be a call of the participants",
        "reason-participants-call",
    ),
    ("must be one of yours", "reason-yours"),
    ("or another figure is required", "reason-figure"),
    ("must be a number of seconds", "reason-seconds"),
    (
        "must be all, or a number of days such as 30d",
        "reason-period",
    ),
    (
        "must be WIDTHxHEIGHT, such as 1280x720",
        "reason-resolution",
    ),
];

/// Those of them that need no field's name.
const SENTENCES: &[&str] = &["reason-doctor-not-found"];

/// The message of what a refusal says beyond its code.
fn exact(language: Language, error: &Error) -> Option<String> {
    match error.code {
        Code::NotFound => {
            let (name, _) = error.details.first()?;
            let what = word(name.strip_suffix("_id")?);
            find(language, &format!("missing-{what}"), &[])
        }
        Code::IllegalTransition => {
            let status = state_text(language, error, "status")?;
            find(language, "illegal-from", &[("status", status.as_str())])
        }
        Code::CallState => {
            let status = state_text(language, error, "call-state")?;
            find(language, "call-in-state", &[("status", status.as_str())])
        }
        _ => None,
    }
}

/// The text of the state that a refusal names.
fn state_text(language: Language, error: &Error, family: &str) -> Option<String> {
    let status = error.details.iter().find_map(|(name, value)| match value {
        Detail::Word(status) if *name == "status" => Some(status),
        _ => None,
    })?;
    find(language, &format!("{family}-{}", word(status)), &[])
}

/// In which language a request is answered.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    asked: Option<Language>,
    user: Arc<OnceLock<Language>>,
}

impl Voice {
    /// What the request's `Accept-Language` asks for.
    pub(crate) fn asked_for(headers: &HeaderMap) -> Self {
        let mut best: Option<(Language, f32)> = None;
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        for range in values.filter_map(|value| value.to_str().ok()) {
            for (language, weight) in range.split(',').filter_map(weighted) {
                // The first of equals.
                if weight > best.map_or(0.0, |(_, best)| best) {
                    best = Some((language, weight));
                }
            }
        }
        Self {
            asked: best.map(|(language, _)| language),
            user: Arc::default(),
        }
    }

    /// Notes what the request's user prefers.
    pub(crate) fn prefer(&self, language: Language) {
        let _ = self.user.set(language);
    }

    /// The language of the answer.
    #[must_use]
    pub fn language(&self) -> Language {
        let preferred = self.asked.or_else(|| self.user.get().copied());
        preferred.unwrap_or(Language::English)
    }
}

/// A range of `Accept-Language` in a language that we have (RFC 9110, section 12.5.4).
fn weighted(range: &str) -> Option<(Language, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?.to_ascii_lowercase();
    let primary = tag.split(['-', '_']).next().map(Cow::Borrowed)?;
    let language = Language::parse(primary).ok()?;
    let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
        Some(weight) => weight.trim().parse::<f32>().ok()?,
        None => 1.0,
    };
    (0.0..=1.0).contains(&weight).then_some((language, weight))
}

#[cfg(test)]
mod tests;
