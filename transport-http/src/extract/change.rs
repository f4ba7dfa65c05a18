//! Optional texts as forms and changes send them.

use telemed_core::value::{Checks, ValueError};

/// An optional text as forms send it: a blank one is none.
pub(crate) fn unless_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A text in a change: absent, emptied (by `null` or a blank text), or new.
fn change(text: Option<Option<String>>) -> Option<Option<String>> {
    text.map(unless_blank)
}

/// Checks a field of a change: what is absent stays, what is emptied is emptied.
pub(crate) fn checked_change<T>(
    checks: &mut Checks,
    field: &'static str,
    change: Option<Option<String>>,
    make: impl FnOnce(String) -> Result<T, ValueError>,
) -> Option<Option<T>> {
    match self::change(change) {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => Some(checks.check(field, make(text))),
    }
}
