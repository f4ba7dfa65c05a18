//! Programs of others that are installed outside of the checkout.

use std::path::{Path, PathBuf};

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
