#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use axum::http::HeaderValue;
use telemed_core::calls::CallState;
use telemed_core::error::What;
use telemed_core::scheduling::AppointmentStatus;

use super::*;
use crate::platform::{Done, PLATFORM_TEXTS};

const LANGUAGES: [(Language, &str); 2] = [
    (Language::Arabic, include_str!("ar.ftl")),
    (Language::English, include_str!("en.ftl")),
];

/// Every id that the code asks for.
fn expected() -> BTreeSet<String> {
    let mut ids: BTreeSet<String> = Code::ALL.iter().map(|code| id_of(*code)).collect();
    ids.extend(PLATFORM_TEXTS.iter().map(|(_, id)| (*id).to_owned()));
    ids.extend(Done::ALL.iter().map(|done| done.as_str().to_owned()));
    ids.extend(REASONS.iter().map(|(_, id)| (*id).to_owned()));
    let statuses = AppointmentStatus::ALL.iter();
    ids.extend(statuses.map(|status| format!("status-{}", word(status.as_str()))));
    let states = CallState::ALL.iter();
    ids.extend(states.map(|state| format!("call-state-{}", word(state.as_str()))));
    let whats = [
        What::User,
        What::Patient,
        What::Doctor,
        What::Clinic,
        What::Slot,
        What::Appointment,
        What::BlockedTime,
        What::Conversation,
        What::Message,
        What::Call,
    ];
    ids.extend(whats.map(|what| {
        format!(
            "missing-{}",
            word(what.id_name().strip_suffix("_id").unwrap())
        )
    }));
    ids.extend(
        [
            "wrong-field",
            "reason-other",
            "illegal-from",
            "call-in-state",
        ]
        .map(str::to_owned),
    );
    ids
}

#[test]
fn both_catalogues_say_everything_and_nothing_else() {
    for (language, text) in LANGUAGES {
        FluentResource::try_new(text.to_owned())
            .unwrap_or_else(|(_, errors)| panic!("{language}: {errors:?}"));
        let lines = text.lines().filter(|line| !line.starts_with(['#', ' ']));
        let ids: Vec<_> = lines
            .filter_map(|line| line.split_once(" ="))
            .map(|(id, _)| id.to_owned())
            .collect();
        let there: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(there.len(), ids.len(), "{language}: an id is there twice");
        assert_eq!(there, expected(), "{language}");
        for id in &there {
            let arguments = [("field", "f"), ("reason", "r"), ("status", "s")];
            let shown = find(language, id, &arguments).unwrap();
            assert!(!shown.trim().is_empty(), "{language} {id}");
            assert!(
                !shown.contains(['{', '\u{2068}']),
                "{language} {id}: {shown}"
            );
        }
    }
}

#[test]
fn arabic_is_arabic() {
    for id in expected() {
        let arguments = [("field", ""), ("reason", "سبب"), ("status", "حالة")];
        let shown = find(Language::Arabic, &id, &arguments).unwrap();
        assert!(
            shown.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c)),
            "{id}: {shown}"
        );
    }
}

#[test]
fn english_says_what_the_engine_says() {
    for code in Code::ALL {
        assert_eq!(
            text(Language::English, &id_of(*code)),
            code.text(),
            "{code}"
        );
    }
    for (english, id) in REASONS {
        assert_eq!(text(Language::English, id), *english);
    }
}

fn asks(value: &'static str) -> Option<Language> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(value));
    Voice::asked_for(&headers).asked
}

#[test]
fn the_language_that_is_asked_for_most_is_taken() {
    use Language::{Arabic, English};
    for (value, language) in [
        ("ar", Some(Arabic)),
        ("AR-eg", Some(Arabic)),
        ("en-GB,en;q=0.9", Some(English)),
        ("fr, ar;q=0.5, en;q=0.8", Some(English)),
        ("en;q=0.3, ar;q=0.7", Some(Arabic)),
        ("en;q=0, ar;q=0.1", Some(Arabic)),
        ("ar, en", Some(Arabic)),
        ("ar;q=0", None),
        ("fr", None),
        ("*", None),
        ("", None),
        ("ar;q=x, en;q=2", None),
        ("arx", None),
    ] {
        assert_eq!(asks(value), language, "{value}");
    }
}

#[test]
fn the_users_language_comes_after_what_is_asked_for() {
    let voice = Voice::default();
    assert_eq!(voice.language(), Language::English);
    voice.prefer(Language::Arabic);
    assert_eq!(voice.language(), Language::Arabic);
    let voice = Voice {
        asked: Some(Language::English),
        ..Voice::default()
    };
    voice.prefer(Language::Arabic);
    assert_eq!(voice.language(), Language::English);
}

#[test]
fn refusals_are_told_exactly() {
    let arabic = |error: &Error| refusal_text(Language::Arabic, error);
    let english = |error: &Error| refusal_text(Language::English, error);
    let missing = Error::not_found(What::Appointment, 7);
    assert_eq!(english(&missing), "Appointment not found");
    assert_eq!(
        arabic(&missing),
        text(Language::Arabic, "missing-appointment")
    );
    let illegal = Error::new(Code::IllegalTransition).detail("status", "cancelled");
    assert!(arabic(&illegal).contains(&text(Language::Arabic, "status-cancelled")));
    let required = Error::wrong_shape(vec![Issue::new("email", "is required")]);
    assert_eq!(english(&required), "email: is required");
    assert!(arabic(&required).contains("email"));
    let odd = Error::wrong_shape(vec![Issue::new("age", "must be from 0 to 150")]);
    assert!(arabic(&odd).contains("age") && !arabic(&odd).contains("must"));
}
