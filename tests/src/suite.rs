//! The storage conformance suite: what every store does, case by case.
//!
//! A case has the name of the `# Behavior` bullet that it tests, and gets an empty store of its
//! own. A test here sees to it that no bullet is without a case and no case without a bullet.

mod calls;
mod directory;
mod identity;
mod journal;
mod messaging;
mod presence;
mod scheduling;
mod storage;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::build::World;

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    /// The slice whose trait it tests; `storage` is what all traits have in common.
    pub slice: &'static str,
    /// The name of the bullet.
    pub name: &'static str,
    /// Runs it on an empty store; it fails by a panic.
    pub run: fn(Arc<World>) -> Running,
}

/// A case that is being run.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every case.
#[must_use]
pub fn cases() -> Vec<Case> {
    [
        identity::cases(),
        directory::cases(),
        scheduling::cases(),
        messaging::cases(),
        calls::cases(),
        presence::cases(),
        journal::cases(),
        storage::cases(),
    ]
    .concat()
}

/// The list of a slice's cases.
macro_rules! case_list {
    ($slice:literal: $($name:ident),* $(,)?) => {
        pub(in crate::suite) fn cases() -> Vec<$crate::suite::Case> {
            vec![$($crate::suite::Case {
                slice: $slice,
                name: stringify!($name),
                run: |world| Box::pin($name(world)),
            }),*]
        }
    };
}

pub(crate) use case_list;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SOURCES: [(&str, &str); 9] = [
        ("identity", include_str!("../../core/src/identity/store.rs")),
        (
            "directory",
            include_str!("../../core/src/directory/store.rs"),
        ),
        (
            "scheduling",
            include_str!("../../core/src/scheduling/store.rs"),
        ),
        (
            "availability",
            include_str!("../../core/src/scheduling/availability_store.rs"),
        ),
        (
            "messaging",
            include_str!("../../core/src/messaging/store.rs"),
        ),
        ("calls", include_str!("../../core/src/calls/store.rs")),
        ("presence", include_str!("../../core/src/presence/store.rs")),
        ("journal", include_str!("../../core/src/journal/store.rs")),
        ("storage", include_str!("../../core/src/store.rs")),
    ];

    /// The names of the bullets below each `# Behavior`.
    fn bullets(source: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut in_section = false;
        for line in source.lines() {
            let Some(text) = line.trim_start().strip_prefix("///") else {
                in_section = false;
                continue;
            };
            if text.trim() == "# Behavior" {
                in_section = true;
            } else if in_section && let Some(name) = text.strip_prefix(" - `") {
                names.insert(name.split('`').next().unwrap().to_owned());
            }
        }
        names
    }

    #[test]
    fn every_bullet_has_its_case_and_every_case_its_bullet() {
        for (slice, source) in SOURCES {
            let bullets = bullets(source);
            assert!(!bullets.is_empty(), "{slice}: no bullets were found");
            let cases: Vec<&str> = cases()
                .iter()
                .filter(|case| case.slice == slice)
                .map(|case| case.name)
                .collect();
            let names: BTreeSet<String> = cases.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(names.len(), cases.len(), "{slice}: a name comes twice");
            assert_eq!(names, bullets, "{slice}: cases (left) and bullets (right)");
        }
    }

    #[test]
    fn every_method_says_how_it_behaves() {
        for (slice, source) in SOURCES {
            let mut described = false;
            for line in source.lines().map(str::trim_start) {
                if line.starts_with("/// # Behavior") {
                    described = true;
                } else if let Some(method) = line.strip_prefix("async fn ")
                    && slice != "storage"
                {
                    assert!(described, "{slice}: {method} does not say how it behaves");
                    described = false;
                }
            }
        }
    }
}
