//! Whom a request counts for: its peer, or the caller that trusted proxies in front of this server tell.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

/// Each proxy writes at its end whom it was asked by. RFC 7239's `Forwarded` is not read: a proxy sets one of the two, and
/// callers could then write the other.
const HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Entries of the header that are read, from its end: more proxies than stand one behind the other.
const MAX_PROXIES: usize = 32;

/// The proxies whose word counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks, separated by commas.
    ///
    /// # Errors
    ///
    /// In words that follow a setting's name: an entry is neither, has bits beyond its prefix, or is everybody.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The caller behind `peer`: from there one step back at a time, as long as whoever is met is trusted and tells
    /// legibly by whom it was asked.
    ///
    /// A trusted proxy writes behind everything that it was sent. So the walk comes to whom the outermost of them was
    /// asked by before it comes to anything that this one wrote, and never reads that. It ends early where a trusted
    /// proxy tells nothing legible: the request then counts for that proxy, as it would without the header.
    fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // Bytes, because a part that is no text must not make the parts behind it illegible.
        let lines = headers.get_all(&HEADER).iter().rev();
        let mut entries = lines
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
            .take(MAX_PROXIES);
        let mut caller = peer.to_canonical();
        while self.contains(caller) {
            let Some(before) = entries.next().and_then(address) else {
                break;
            };
            caller = before;
        }
        caller
    }
}

/// An address or a network of the setting. What is of IPv4 is IPv4, however it is written.
fn network(text: &str) -> Result<IpNet, String> {
    let network = match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
        (Ok(address), _) => IpNet::from(address.to_canonical()),
        (_, Ok(IpNet::V6(network))) => match (network.addr().to_ipv4_mapped(), network.prefix_len()) {
            (Some(address), bits @ 96..) => Ipv4Net::new_assert(address, bits - 96).into(),
            _ => network.into(),
        },
        (_, Ok(network)) => network,
        _ => {
            return Err(format!(
                "{text} is neither an IP address nor a network like 10.0.0.0/8"
            ));
        }
    };
    if network.prefix_len() == 0 {
        return Err(format!(
            "{text} is everybody, and everybody could then say to be anybody; name your proxies"
        ));
    }
    if network != network.trunc() {
        return Err(format!(
            "{text} has bits beyond its prefix; the network is {}, the address {}",
            network.trunc(),
            network.addr()
        ));
    }
    Ok(network)
}

/// An entry of the header: an address, with or without a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || {
        let inside = text.strip_prefix('[')?.strip_suffix(']')?;
        inside.parse::<Ipv6Addr>().ok().map(IpAddr::from)
    };
    let address = bare.or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

/// Finds out who asks.
#[derive(Debug)]
pub(crate) struct Callers {
    proxies: TrustedProxies,
    warned: AtomicBool,
}

impl Callers {
    pub(crate) fn new(proxies: TrustedProxies) -> Self {
        Self {
            proxies,
            warned: AtomicBool::new(false),
        }
    }

    /// Whom a request counts for; the port is the peer's or, for a caller behind proxies, 0.
    pub(crate) fn of(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let address = peer.ip().to_canonical();
        let caller = self.proxies.caller(address, headers);
        if caller != address {
            return SocketAddr::new(caller, 0);
        }
        let untold = headers.contains_key(&HEADER) && !self.proxies.contains(address);
        // Anybody can send the header: the hint must not fill the log.
        if untold && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                peer = %address,
                "X-Forwarded-For is ignored: BOTLOOM_TRUSTED_PROXIES does not name the peer that sent it. If that is your proxy, all \
                 callers behind it count as one. This is said once"
            );
        }
        peer
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// Two proxies one behind the other.
    const PROXIES: &str = "10.0.0.0/8, 2001:db8:1::/48";
    const INNER: &str = "10.0.0.1";
    const OUTER: &str = "2001:db8:1::7";

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
        values.map(|value| (HEADER, value)).collect()
    }

    fn caller(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = TrustedProxies::parse(PROXIES).unwrap();
        proxies.caller(peer.parse().unwrap(), &headers(lines)).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_caller() {
        let table: [(&str, &[&[u8]], &str); 14] = [
            (INNER, &[], INNER),
            (INNER, &[b"192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &[b"192.0.2.1"], "192.0.2.1"),
            ("192.0.2.9", &[b"192.0.2.1"], "192.0.2.9"),
            (INNER, &[b"203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            (INNER, &[b"192.0.2.1, 2001:db8:1::7"], "192.0.2.1"),
            (
                INNER,
                &[b"203.0.113.9", b"192.0.2.1", b"2001:db8:1::7"],
                "192.0.2.1",
            ),
            (INNER, &[b"203.0.113.9,192.0.2.1,\t10.2.3.4 "], "192.0.2.1"),
            (INNER, &[b"192.0.2.1:40000"], "192.0.2.1"),
            (INNER, &[b"[2001:db8:2::1]:443"], "2001:db8:2::1"),
            (INNER, &[b"[2001:db8:2::1]"], "2001:db8:2::1"),
            (INNER, &[b"192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
            (INNER, &[b"::ffff:192.0.2.1"], "192.0.2.1"),
            // A proxy that asks for itself.
            (INNER, &[OUTER.as_bytes()], OUTER),
        ];
        for (peer, lines, expected) in table {
            assert_eq!(caller(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_is_illegible_ends_the_walk_at_the_proxy_that_wrote_it() {
        let illegible: [&[u8]; 12] = [
            b"",
            b" ",
            b"unknown",
            b"_hidden",
            b"192.0.2.1.5",
            b"192.0.2.1/32",
            b"\"192.0.2.1\"",
            b"for=192.0.2.1",
            b"192.0.2.1 192.0.2.2",
            b"fe80::1%eth0",
            b"[192.0.2.1]",
            b"\xff192.0.2.1",
        ];
        for entry in illegible {
            let told = |line: &[&[u8]]| caller(INNER, &[&line.concat()]);
            assert_eq!(told(&[b"203.0.113.9, ", entry]), INNER, "{entry:?}");
            assert_eq!(
                told(&[b"203.0.113.9, ", entry, b", 2001:db8:1::7"]),
                OUTER,
                "{entry:?}"
            );
            assert_eq!(
                told(&[entry, b", 192.0.2.1, 2001:db8:1::7"]),
                "192.0.2.1",
                "{entry:?}"
            );
        }
    }

    #[test]
    fn a_long_header_is_not_read_to_its_beginning() {
        let line = |proxies: usize| [b"192.0.2.1".to_vec(), b",10.0.0.2".repeat(proxies)].concat();
        assert_eq!(caller(INNER, &[&line(MAX_PROXIES - 1)]), "192.0.2.1");
        assert_eq!(caller(INNER, &[&line(MAX_PROXIES)]), "10.0.0.2");
        assert_eq!(caller(INNER, &[&line(6000)]), "10.0.0.2");
    }

    #[test]
    fn nobody_is_trusted_where_nobody_is_named() {
        let nobody = TrustedProxies::parse(" , ").unwrap();
        assert_eq!(nobody, TrustedProxies::default());
        for peer in ["127.0.0.1", "::1", "10.0.0.1"] {
            let peer = peer.parse().unwrap();
            assert_eq!(nobody.caller(peer, &headers(&[b"192.0.2.1"])), peer);
        }
    }

    #[test]
    fn what_is_of_ipv4_is_ipv4_however_it_is_written() {
        let plain = TrustedProxies::parse("10.0.0.0/8,192.0.2.7").unwrap();
        let mapped = TrustedProxies::parse("::ffff:10.0.0.0/104,::ffff:192.0.2.7").unwrap();
        assert_eq!(plain, mapped);
        assert!(plain.contains("192.0.2.7".parse().unwrap()));
        assert!(!plain.contains("192.0.2.8".parse().unwrap()));
    }

    #[test]
    fn networks_that_cannot_be_meant_are_refused() {
        for text in [
            "localhost",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.1:80",
            "[::1]",
            "10.0.0.1/8",
            "2001:db8::1/48",
            "0.0.0.0/0",
            "::/0",
            "::ffff:0.0.0.0/96",
            "*",
        ] {
            let refused = TrustedProxies::parse(&format!("192.0.2.1,{text}")).unwrap_err();
            assert!(refused.starts_with(text), "{refused}");
        }
    }

    proptest! {
        /// Whatever a caller writes before the proxies write whom they saw, it stays who it is.
        #[test]
        fn no_caller_chooses_its_address(
            forged in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(prop_oneof![b' '..=b'~', b'\x80'..=b'\xff'], 0..40),
                    Just(b"10.0.0.1".to_vec()),
                    Just(b"203.0.113.9, 10.0.0.1".to_vec()),
                    Just(b"127.0.0.1".to_vec()),
                ],
                0..6,
            ),
            joined in any::<bool>(),
            outer in any::<bool>(),
            bits in any::<u32>().prop_filter("a proxy", |bits| bits >> 24 != 10),
        ) {
            let real = std::net::Ipv4Addr::from_bits(bits).to_string();
            let mut told = real.clone();
            if outer {
                told.push_str(", ");
                told.push_str(OUTER);
            }
            // The same to a proxy that appends to the last line as to one that adds a line.
            let mut lines = forged;
            match lines.last_mut() {
                Some(last) if joined => last.extend_from_slice(format!(", {told}").as_bytes()),
                _ => lines.push(told.into_bytes()),
            }
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(caller(INNER, &lines), real);
        }

        /// Whoever is no proxy is itself, whatever it sends.
        #[test]
        fn a_peer_that_is_no_proxy_is_the_caller(bits in any::<u32>(), behind in any::<bool>()) {
            let mut line = std::net::Ipv4Addr::from_bits(bits).to_string();
            if behind {
                line.push_str(", 10.0.0.1");
            }
            prop_assert_eq!(caller("192.0.2.1", &[line.as_bytes()]), "192.0.2.1");
        }
    }
}
