//! Programs of others that are not part of the checkout: Socket.IO's clients, a browser, a server
//! that relays media.

mod browser;
mod coturn;
mod program;

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

pub use browser::Browser;
pub use coturn::Coturn;
pub use program::Program;

use crate::in_runtime;

/// The folder into which `tests/clients/prepare` installs.
#[must_use]
pub fn folder() -> PathBuf {
    let cache = || {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.or(home).unwrap_or_default().join("telemed-clients")
    };
    std::env::var_os("TELEMED_CLIENTS_DIR").map_or_else(cache, PathBuf::from)
}

/// A test with a program of others. Where that cannot be had, for this reason, it shows as ignored;
/// it fails where the variable, which `CI=true` implies, says that the program is required.
pub fn trial<F>(
    name: impl Into<String>,
    missing: Option<&str>,
    required: &str,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = name.into();
    match missing {
        None => Trial::test(name, || {
            in_runtime(test());
            Ok(())
        }),
        Some(reason) => {
            let says = |name: &str, value| std::env::var_os(name).is_some_and(|v| v == value);
            let is_required = says(required, "1") || says("CI", "true");
            let reason = reason.to_owned();
            Trial::test(format!("{name} ({reason})"), move || Err(reason.into()))
                .with_ignored_flag(!is_required)
        }
    }
}

/// A program of the search path.
fn program_named(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
