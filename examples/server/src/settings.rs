//! What the command line, the environment, the file and the defaults come to.

mod file;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use telemed_facade::core::calls::{CallSettings, IceSettings};
use telemed_facade::core::identity::GuessingLimits;
use telemed_facade::core::limits::{Limit, LimitProfile, RateLimits};
use telemed_facade::core::scheduling::ReminderHours;
use telemed_facade::core::time::TimeZone;
use telemed_facade::http::cors::Cors;
use telemed_facade::{Config, read_secret_file};

use crate::arguments::{ServeArguments, StorageArguments};
use crate::failure::Failure;
use file::{CallKeys, File, RateLimitKeys};

const LISTEN: &str = "127.0.0.1:5000";
const DATA_DIR: &str = "data";
const DATABASE: &str = "telemed.db";
/// Seconds that a token may last at most: ten years.
const LONGEST_TOKEN: u64 = 10 * 366 * 24 * 3600;
/// Seconds that anything about a call may last at most: a day.
const LONGEST_CALL: u64 = 24 * 3600;
/// How long a credential for a server that relays is good if it is not said.
const TURN_TTL: u64 = 600;

/// Where the data are, and what the engine is told.
#[derive(Debug, PartialEq, Eq)]
pub struct StorageSettings {
    database: Option<String>,
    key_dir: Option<PathBuf>,
    data_dir: PathBuf,
    access_lifetime: Option<Duration>,
    refresh_lifetime: Option<Duration>,
    reminders: Option<ReminderHours>,
    first_clinic_zone: Option<TimeZone>,
    calls: CallSettings,
}

/// How to serve.
#[derive(Debug)]
pub struct ServeSettings {
    /// The database and the engine.
    pub storage: StorageSettings,
    /// Where to listen: the first of these addresses that can be had.
    pub listen: Vec<SocketAddr>,
    /// Whether to fill an empty database.
    pub demo: bool,
    /// Which origins' pages may call.
    pub cors: Cors,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy's headers are believed.
    pub behind_proxy: bool,
    /// Whether a token may come in a query.
    pub allow_query_token: bool,
    /// Whether pages of other sites may send the session cookie.
    pub cross_site_cookie: bool,
    /// How often something may be done.
    pub limits: RateLimits,
    /// Whether the guessing of passwords is limited.
    pub limits_guessing: bool,
    /// By which servers two devices find to each other.
    pub ice: IceSettings,
}

impl StorageSettings {
    /// Settings of a command that needs the database and nothing else.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn load(arguments: StorageArguments) -> Result<Self, Failure> {
        let file = File::load(arguments.config.as_deref())?;
        Self::merge(arguments, &file)
    }

    fn merge(arguments: StorageArguments, file: &File) -> Result<Self, Failure> {
        let lifetime = |name: &str, seconds: Option<u64>| match seconds {
            None => Ok(None),
            Some(seconds @ 1..=LONGEST_TOKEN) => Ok(Some(Duration::from_secs(seconds))),
            Some(_) => Err(Failure::usage(format!(
                "{name} in [tokens] must be from 1 to {LONGEST_TOKEN}"
            ))),
        };
        let access_lifetime = lifetime("access_seconds", file.tokens.access_seconds)?;
        let refresh_lifetime = lifetime("refresh_seconds", file.tokens.refresh_seconds)?;
        let first_clinic_zone = match &file.clinic.time_zone {
            None => None,
            Some(name) => Some(TimeZone::named(name).ok_or_else(|| {
                Failure::usage(format!(
                    "time_zone in [clinic] must be a time zone such as Africa/Cairo, not `{name}`"
                ))
            })?),
        };
        let reminders = file
            .reminders
            .hours
            .clone()
            .map(ReminderHours::new)
            .transpose()
            .map_err(|error| Failure::usage(format!("hours in [reminders] {error}")))?;
        Ok(Self {
            database: arguments.database.or_else(|| file.database.clone()),
            key_dir: arguments.key_dir.or_else(|| file.key_dir.clone()),
            data_dir: arguments
                .data_dir
                .or_else(|| file.data_dir.clone())
                .unwrap_or_else(|| DATA_DIR.into()),
            access_lifetime,
            refresh_lifetime,
            reminders,
            first_clinic_zone,
            calls: calls(&file.calls)?,
        })
    }

    /// What the facade is told.
    pub fn config(&self) -> Config {
        let database = self.database.clone().unwrap_or_else(|| {
            let path = self.data_dir.join(DATABASE);
            format!("sqlite:{}", path.display())
        });
        let mut config = Config::new(database);
        config.data_dir = Some(self.data_dir.clone());
        config.key_dir.clone_from(&self.key_dir);
        if let Some(lifetime) = self.access_lifetime {
            config.settings.access_lifetime = lifetime;
        }
        if let Some(lifetime) = self.refresh_lifetime {
            config.settings.refresh_lifetime = lifetime;
        }
        if let Some(reminders) = &self.reminders {
            config.settings.reminders = reminders.clone();
        }
        if let Some(zone) = &self.first_clinic_zone {
            config.settings.first_clinic_zone = zone.clone();
        }
        config.settings.calls = self.calls;
        config
    }

    /// What the facade is told by a command that comes and goes beside a server.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a database that would be gone with the command.
    pub fn command_config(&self) -> Result<Config, Failure> {
        let mut config = self.config();
        if config.database == "memory:" {
            return Err(Failure::usage(
                "memory: keeps nothing for this command to work on: name a sqlite: or postgres: \
                 database",
            ));
        }
        config.background = false;
        Ok(config)
    }
}

impl ServeSettings {
    /// Settings of the server.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn load(arguments: ServeArguments) -> Result<Self, Failure> {
        let file = File::load(arguments.storage.config.as_deref())?;
        Self::merge(arguments, &file)
    }

    fn merge(arguments: ServeArguments, file: &File) -> Result<Self, Failure> {
        let storage = StorageSettings::merge(arguments.storage, file)?;
        let flag = |argument: Option<bool>, key: Option<bool>| argument.or(key).unwrap_or(false);
        let origins = arguments
            .allow_origin
            .or_else(|| file.allow_origin.clone())
            .or_else(|| file.cors.origins.clone())
            .unwrap_or_default();
        let tls_cert = arguments.tls_cert.or_else(|| file.tls_cert.clone());
        let tls_key = arguments.tls_key.or_else(|| file.tls_key.clone());
        let profile = arguments
            .rate_limits
            .as_deref()
            .or(file.rate_limits.profile.as_deref());
        let profile = match profile {
            None => LimitProfile::Chat,
            Some(word) => LimitProfile::parse(word)
                .map_err(|error| Failure::usage(format!("--rate-limits {error}")))?,
        };
        let settings = Self {
            storage,
            listen: addresses(
                arguments
                    .listen
                    .as_deref()
                    .or(file.listen.as_deref())
                    .unwrap_or(LISTEN),
            )?,
            demo: flag(arguments.demo, file.demo),
            cors: Cors::new(origins).map_err(|error| Failure::usage(error.to_string()))?,
            tls: match (tls_cert, tls_key) {
                (Some(cert), Some(key)) => Some((cert, key)),
                (None, None) => None,
                (Some(_), None) => return Err(Failure::usage("--tls-cert needs --tls-key too")),
                (None, Some(_)) => return Err(Failure::usage("--tls-key needs --tls-cert too")),
            },
            behind_proxy: flag(arguments.behind_proxy, file.behind_proxy),
            allow_query_token: flag(arguments.allow_query_token, file.allow_query_token),
            cross_site_cookie: file.cors.cross_site_cookie.unwrap_or(false),
            limits: limits(profile, &file.rate_limits)?,
            limits_guessing: profile != LimitProfile::Off,
            ice: ice(arguments.ice_server, arguments.turn_secret_file, file)?,
        };
        settings.check_exposure()?;
        Ok(settings)
    }

    /// What the facade is told.
    pub fn config(&self) -> Config {
        let mut config = self.storage.config();
        config.settings.ice = self.ice.clone();
        if !self.limits_guessing {
            config.settings.guessing = GuessingLimits {
                per_account: 0,
                per_network: 0,
                ..GuessingLimits::default()
            };
        }
        config
    }

    /// What must not be seen from other machines is not offered to them.
    fn check_exposure(&self) -> Result<(), Failure> {
        if self.demo {
            self.check_demo_exposure()
                .map_err(|reason| Failure::usage(format!("--demo {reason}")))?;
        }
        if self.is_local() {
            return Ok(());
        }
        if self.tls.is_none() && !self.behind_proxy {
            return Err(Failure::usage(
                "other machines can reach this address: give --tls-cert and --tls-key, or \
                 --behind-proxy if a proxy speaks TLS in front, or listen on 127.0.0.1",
            ));
        }
        Ok(())
    }

    /// What holds for a database whose passwords everybody knows.
    ///
    /// # Errors
    /// What is the matter and what to do, as the end of a sentence about the demo.
    pub fn check_demo_exposure(&self) -> Result<(), &'static str> {
        if !self.is_local() {
            Err("has passwords that everybody knows: listen on 127.0.0.1")
        } else if self.behind_proxy {
            Err("has passwords that everybody knows: leave out --behind-proxy")
        } else {
            Ok(())
        }
    }

    fn is_local(&self) -> bool {
        let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        self.listen.iter().all(is_local)
    }
}

/// How long things of a call may take.
fn calls(keys: &CallKeys) -> Result<CallSettings, Failure> {
    let mut calls = CallSettings::default();
    for (name, seconds, span) in [
        ("ring_seconds", keys.ring_seconds, &mut calls.ring_for),
        (
            "connect_seconds",
            keys.connect_seconds,
            &mut calls.connect_within,
        ),
        ("grace_seconds", keys.grace_seconds, &mut calls.grace),
        ("max_seconds", keys.max_seconds, &mut calls.maximum),
    ] {
        if let Some(seconds) = seconds {
            *span = call_span(name, "calls", seconds)?;
        }
    }
    Ok(calls)
}

fn call_span(name: &str, table: &str, seconds: u64) -> Result<Duration, Failure> {
    if (1..=LONGEST_CALL).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(Failure::usage(format!(
        "{name} in [{table}] must be from 1 to {LONGEST_CALL}"
    )))
}

/// The servers of the command line, else of the file, with the secret of those that relay.
fn ice(
    servers: Option<Vec<String>>,
    secret: Option<PathBuf>,
    file: &File,
) -> Result<IceSettings, Failure> {
    let servers = servers
        .or_else(|| file.ice_server.clone())
        .or_else(|| file.ice.servers.clone())
        .unwrap_or_default();
    let secret = secret
        .or_else(|| file.turn_secret_file.clone())
        .or_else(|| file.ice.turn_secret_file.clone());
    let ttl = file.ice.turn_ttl_seconds.unwrap_or(TURN_TTL);
    let ttl = call_span("turn_ttl_seconds", "ice", ttl)?;
    let secret = match secret {
        None => None,
        Some(path) => {
            let secret = read_secret_file(&path)
                .map_err(|error| Failure::usage(format!("--turn-secret-file: {error}")))?;
            Some(secret.as_bytes().to_vec())
        }
    };
    if secret.is_none() && servers.iter().any(|url| url.starts_with("turn")) {
        return Err(Failure::usage(
            "a TURN server needs the secret that it shares: give --turn-secret-file",
        ));
    }
    IceSettings::new(servers, secret, ttl)
        .map_err(|error| Failure::usage(format!("--ice-server {error}")))
}

/// The limits of a profile, but for those that the file has by name.
fn limits(profile: LimitProfile, keys: &RateLimitKeys) -> Result<RateLimits, Failure> {
    let mut limits = RateLimits::of(profile);
    for (name, text) in keys.limits() {
        let limit = Limit::parse(text)
            .map_err(|error| Failure::usage(format!("{name} in [rate_limits] {error}")))?;
        limits = limits.with(name, limit);
    }
    Ok(limits)
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "`{text}` is no address to listen on: write it like {LISTEN}"
        ))
    };
    let found: Vec<_> = text.to_socket_addrs().map_err(|_| wrong())?.collect();
    if found.is_empty() {
        return Err(wrong());
    }
    Ok(found)
}

/// A path as a message shows it.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

#[cfg(test)]
mod tests;
