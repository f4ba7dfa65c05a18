//! The TOML file of settings.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use telemed_facade::core::limits::LimitName;

use super::shown;
use crate::failure::Failure;

/// Every key of the file. One that is not here is refused, so that a misspelt key, or one of a
/// feature that this version does not have, is not taken for set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub listen: Option<String>,
    pub database: Option<String>,
    pub key_dir: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub demo: Option<bool>,
    pub allow_origin: Option<Vec<String>>,
    pub ice_server: Option<Vec<String>>,
    pub turn_secret_file: Option<PathBuf>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub behind_proxy: Option<bool>,
    pub allow_query_token: Option<bool>,
    #[serde(default)]
    pub tokens: Tokens,
    #[serde(default)]
    pub cors: CorsKeys,
    #[serde(default)]
    pub reminders: Reminders,
    #[serde(default)]
    pub clinic: Clinic,
    #[serde(default)]
    pub calls: CallKeys,
    #[serde(default)]
    pub ice: IceKeys,
    #[serde(default)]
    pub rate_limits: RateLimitKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// How long an access token and its session last.
    pub access_seconds: Option<u64>,
    /// How long a refresh token lasts, and the session with it.
    pub refresh_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsKeys {
    /// The same as `allow_origin`.
    pub origins: Option<Vec<String>>,
    /// Whether pages of other sites may send the session cookie.
    pub cross_site_cookie: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminders {
    /// Hours before the start at which patients are reminded.
    pub hours: Option<Vec<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clinic {
    /// The zone of the clinic that is made for the first doctor who registers himself.
    pub time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallKeys {
    /// How long a call rings.
    pub ring_seconds: Option<u64>,
    /// How long two devices may take to find to each other.
    pub connect_seconds: Option<u64>,
    /// How long a party is waited for whose device has gone.
    pub grace_seconds: Option<u64>,
    /// How long a call may last.
    pub max_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceKeys {
    /// The same as `ice_server`.
    pub servers: Option<Vec<String>>,
    /// The same as `turn_secret_file` outside of this table.
    pub turn_secret_file: Option<PathBuf>,
    /// How long a credential for a server that relays is good.
    pub turn_ttl_seconds: Option<u64>,
}

/// Each limit is written `burst/per-minute`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitKeys {
    /// `strict`, `chat` or `off`.
    pub profile: Option<String>,
    pub messages: Option<String>,
    pub calls: Option<String>,
    pub quality: Option<String>,
    pub uploads: Option<String>,
    pub writes: Option<String>,
}

impl RateLimitKeys {
    /// The limits that are written, by their names.
    pub fn limits(&self) -> impl Iterator<Item = (LimitName, &str)> {
        [
            (LimitName::Messages, &self.messages),
            (LimitName::Calls, &self.calls),
            (LimitName::Quality, &self.quality),
            (LimitName::Uploads, &self.uploads),
            (LimitName::Writes, &self.writes),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }
}

impl File {
    /// Reads the file that was named; without one, no key is set.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!(
                "the file of settings {} cannot be read: {error}; check --config",
                shown(path)
            ))
        })?;
        Self::parse(&text).map_err(|reason| Failure::usage(format!("{}: {reason}", shown(path))))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
            // The library's own display goes over several lines.
            format!("line {line}: {}", error.message().replace('\n', ", "))
        })?;
        if file.allow_origin.is_some() && file.cors.origins.is_some() {
            return Err("allow_origin and origins in [cors] are the same: keep one".into());
        }
        if file.ice_server.is_some() && file.ice.servers.is_some() {
            return Err("ice_server and servers in [ice] are the same: keep one".into());
        }
        if file.turn_secret_file.is_some() && file.ice.turn_secret_file.is_some() {
            return Err("turn_secret_file is there twice, in [ice] and outside: keep one".into());
        }
        Ok(file)
    }
}
