//! The servers by which two devices find to each other (ICE, RFC 8445), and the time-limited
//! credentials for those that relay (TURN, RFC 8656).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::actor::Actor;
use crate::calls::service::user_of;
use crate::calls::{Call, Calls};
use crate::error::Error;
use crate::id::CallId;
use crate::time::Timestamp;
use crate::value::ValueError;

/// A server for ICE, as browsers take it.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its address: `stun:`, `turn:` or `turns:`.
    pub url: String,
    /// The credential, for a server that relays.
    pub credential: Option<TurnCredential>,
}

/// A credential that is good for a time (the REST scheme of coturn).
#[derive(Clone, PartialEq, Eq)]
pub struct TurnCredential {
    /// When it ends, in seconds since the epoch, a colon, and for what it was given.
    pub username: String,
    /// The base64 of the HMAC-SHA1 of the name under the secret that the servers share.
    pub password: String,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Which servers there are.
#[derive(Clone, Default)]
pub struct IceSettings {
    servers: Vec<String>,
    secret: Option<Zeroizing<Vec<u8>>>,
    lifetime: Duration,
}

impl fmt::Debug for IceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceSettings")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

impl IceSettings {
    /// These servers, the secret that those share which relay, and how long a credential lasts.
    ///
    /// # Errors
    /// A sentence about what was expected: an address that is none, or one of a relay without a
    /// secret.
    pub fn new(
        servers: Vec<String>,
        secret: Option<Vec<u8>>,
        lifetime: Duration,
    ) -> Result<Self, ValueError> {
        for server in &servers {
            let known = ["stun:", "stuns:", "turn:", "turns:"];
            let host = known.iter().find_map(|scheme| server.strip_prefix(scheme));
            // A browser refuses the whole list for one address that it cannot read.
            if !host.is_some_and(is_host) {
                return Err(
                    "must be stun:, stuns:, turn: or turns: and a host, such as \
                     stun:stun.example.org:3478"
                        .into(),
                );
            }
            if relays(server) && secret.is_none() {
                return Err("a turn server needs the secret that it shares".into());
            }
        }
        Ok(Self {
            servers,
            secret: secret.map(Zeroizing::new),
            lifetime,
        })
    }

    /// The servers for the parties of a call, or for somebody in none.
    fn at(&self, now: Timestamp, call: Option<CallId>) -> Vec<IceServer> {
        let servers = self.servers.iter();
        servers
            .filter_map(|url| {
                let credential = match relays(url) {
                    true => Some(self.credential(now, call?)?),
                    false => None,
                };
                Some(IceServer {
                    url: url.clone(),
                    credential,
                })
            })
            .collect()
    }

    fn credential(&self, now: Timestamp, call: CallId) -> Option<TurnCredential> {
        let secret = self.secret.as_ref()?;
        let username = format!("{}:{call}", now.plus(self.lifetime).seconds());
        let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
        mac.update(username.as_bytes());
        let password = STANDARD.encode(mac.finalize().into_bytes());
        Some(TurnCredential { username, password })
    }
}

/// Whether it can be a host with what may follow it.
fn is_host(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn relays(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
}

impl Calls<'_> {
    /// The servers for the parties of this call, with credentials while it is live. An SFU would
    /// give out its own token here.
    #[must_use]
    pub fn ice_servers(&self, call: &Call) -> Vec<IceServer> {
        let live = call.progress.state.is_live().then_some(call.id);
        self.engine.settings().ice.at(self.engine.now(), live)
    }

    /// The servers for the actor's live call; without one, those that need no credential.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn own_ice_servers(&self, actor: &Actor) -> Result<Vec<IceServer>, Error> {
        let user = user_of(actor)?;
        let live = self.inner().storage().live_calls_of(user).await?;
        let call = live.first().map(|call| call.id);
        Ok(self.engine.settings().ice.at(self.engine.now(), call))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    #[test]
    fn a_relay_is_given_out_with_a_credential_that_ends() {
        let servers = [
            "stun:stun.example:3478",
            "turn:turn.example:3478?transport=udp",
        ];
        let servers: Vec<String> = servers.map(str::to_owned).to_vec();
        let lifetime = Duration::from_secs(600);
        let settings = IceSettings::new(servers.clone(), Some(b"secret".to_vec()), lifetime);
        let settings = settings.expect("the settings are good");
        let call = CallId::new(uuid::Uuid::nil());
        let now = Timestamp::from_micros(1_000_000_000);
        assert_eq!(settings.at(now, None).len(), 1);
        let given = settings.at(now, Some(call));
        assert!(given[0].credential.is_none());
        let credential = given[1].credential.as_ref().expect("a credential");
        assert_eq!(
            credential.username,
            "1600:00000000-0000-0000-0000-000000000000"
        );
        // By `openssl dgst -sha1 -hmac secret -binary | base64`.
        assert_eq!(credential.password, "8Hr7OhjbdEgVvVknDhPxIhoYFQo=");
        assert!(IceSettings::new(servers, None, lifetime).is_err());
        for (url, is_good) in [
            ("https://turn.example", false),
            ("stun:", false),
            ("stun://stun.example", false),
            ("stun: stun.example", false),
            ("stun:stun.example\n", false),
            ("STUN:stun.example", false),
            ("stun:stun.example", true),
            ("stun:[2001:db8::1]:3478", true),
            ("stuns:192.0.2.1", true),
        ] {
            let made = IceSettings::new(vec![url.to_owned()], None, lifetime);
            assert_eq!(made.is_ok(), is_good, "{url}");
        }
    }
}
