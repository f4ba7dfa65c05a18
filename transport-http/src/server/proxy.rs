//! Who the client is when a proxy stands in front of us.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The client of a request, as far as the connection or a trusted proxy tells. The server puts
/// it into every request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client speaks TLS, with us or with the proxy.
    pub secure: bool,
    /// The host that the client asked for, if a proxy tells; else the `Host` header has it.
    pub host: Option<String>,
}

impl Client {
    /// The client of a request that came over this connection.
    pub(super) fn of(
        peer: SocketAddr,
        secure: bool,
        behind_proxy: bool,
        headers: &HeaderMap,
    ) -> Self {
        let address = peer.ip().to_canonical();
        if !behind_proxy || !is_trusted(address) {
            return Self {
                address,
                secure,
                host: None,
            };
        }
        // Each proxy appends what it saw, so only the last entry is our own proxy's word; the
        // ones before it are whatever the client wrote.
        let forwarded = last_entry(headers, "x-forwarded-for").and_then(address_of);
        let scheme = last_entry(headers, "x-forwarded-proto");
        let host = last_entry(headers, "x-forwarded-host").filter(|host| is_host(host));
        Self {
            address: forwarded.unwrap_or(address),
            secure: scheme.map_or(secure, |scheme| scheme.eq_ignore_ascii_case("https")),
            host: host.map(str::to_owned),
        }
    }
}

/// Whether a peer may be our proxy: it is on this machine or in a private network.
pub(super) fn is_trusted(peer: IpAddr) -> bool {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

fn last_entry<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value
        .rsplit(',')
        .next()
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// An address with or without a port, as proxies write it.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

fn is_host(text: &str) -> bool {
    text.len() <= 255
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::HeaderValue;

    fn client(peer: &str, behind_proxy: bool, headers: &[(&'static str, &'static str)]) -> Client {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Client::of(peer.parse().unwrap(), false, behind_proxy, &map)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarded_headers_are_believed_from_a_near_proxy_only() {
        let headers = [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
        ];
        let near = client("10.0.0.2:1000", true, &headers);
        assert_eq!((near.address, near.secure), (address("203.0.113.7"), true));
        let far = client("198.51.100.9:1000", true, &headers);
        assert_eq!((far.address, far.secure), (address("198.51.100.9"), false));
        let direct = client("127.0.0.1:1000", false, &headers);
        assert_eq!(
            (direct.address, direct.secure),
            (address("127.0.0.1"), false)
        );
    }

    #[test]
    fn only_the_last_hop_counts() {
        let one_line = [("x-forwarded-for", "1.1.1.1, 203.0.113.7")];
        assert_eq!(
            client("127.0.0.1:9", true, &one_line).address,
            address("203.0.113.7")
        );
        let two_lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "203.0.113.7"),
        ];
        assert_eq!(
            client("127.0.0.1:9", true, &two_lines).address,
            address("203.0.113.7")
        );
    }

    #[test]
    fn ports_brackets_and_nonsense() {
        for (text, expected) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(address_of(text), Some(address(expected)), "{text}");
        }
        let nonsense = [("x-forwarded-for", "me"), ("x-forwarded-host", "a b<c>")];
        let client = client("127.0.0.1:9", true, &nonsense);
        assert_eq!((client.address, client.host), (address("127.0.0.1"), None));
    }

    #[test]
    fn private_and_local_networks_are_near() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "::1",
            "fd00::1",
        ] {
            assert!(is_trusted(address(near)), "{near}");
        }
        for far in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
            assert!(!is_trusted(address(far)), "{far}");
        }
    }
}
