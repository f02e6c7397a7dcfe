//! Reading the URL of an `apiCall`: where it leads, and whether the revision may go there.

use std::collections::BTreeMap;

use botloom_core::bot_js::ApiCall;
use url::{Host, Url};

/// Longest URL with its query, in bytes.
const MAX_URL: usize = 8 * 1024;

/// Hosts a revision may call: `host` or `*.host` (any name below, not the host itself).
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowList {
    exact: Vec<String>,
    below: Vec<String>,
}

impl AllowList {
    /// Reads the entries of `security.allowDomains`. One that is no host name matches nothing.
    pub(crate) fn new(entries: &[String]) -> Self {
        let mut list = Self::default();
        for entry in entries {
            let (below, name) = entry
                .strip_prefix("*.")
                .map_or((false, entry.as_str()), |name| (true, name));
            if let Ok(Host::Domain(name)) = Host::parse(name) {
                if below {
                    list.below.push(format!(".{name}"));
                } else {
                    list.exact.push(name);
                }
            }
        }
        list
    }

    fn allows(&self, host: &str) -> bool {
        self.exact.iter().any(|name| name == host)
            || self
                .below
                .iter()
                .any(|suffix| host.len() > suffix.len() && host.ends_with(suffix))
    }
}

/// Whether a revision may make a call, as far as that can be said without the network.
pub(crate) fn is_callable(call: &ApiCall, allow: &AllowList) -> bool {
    Target::parse(&call.url, &call.query, allow).is_some()
}

/// Where a request goes: a checked name, port 443, path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Lower case, punycode, no trailing dot, at least one dot.
    pub(crate) host: String,
    /// Begins with `/`.
    pub(crate) path_and_query: String,
}

impl Target {
    /// Reads `url`, adds `query`, and checks everything that can be checked without the network. `None`: denied.
    ///
    /// The URL standard repairs what people type (tabs inside names, backslashes, `127.1`, circled digits); each repair
    /// is a way to say one host to a filter and another to a socket. So text that would be repaired is refused, and
    /// addresses in any spelling are refused, because only names are on allow-lists.
    pub(crate) fn parse(url: &str, query: &BTreeMap<String, String>, allow: &AllowList) -> Option<Self> {
        if url.len() > MAX_URL || url.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\') {
            return None;
        }
        let mut parsed = Url::parse(url).ok()?;
        let plain = parsed.scheme() == "https"
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.port_or_known_default() == Some(443);
        let Some(Host::Domain(host)) = parsed.host() else {
            return None;
        };
        let host = host.to_owned();
        let named = host.contains('.') && !host.ends_with('.') && !host.ends_with(".localhost");
        if !plain || !named || !allow.allows(&host) {
            return None;
        }
        if !query.is_empty() {
            parsed.query_pairs_mut().extend_pairs(query);
        }
        let path_and_query = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_owned(),
        };
        (path_and_query.len() <= MAX_URL).then_some(Self { host, path_and_query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Option<Target> {
        let allow = AllowList::new(&["allowed.com".into(), "*.wide.org".into(), "bücher.example".into()]);
        Target::parse(url, &BTreeMap::new(), &allow)
    }

    #[test]
    fn allowed() {
        for (url, host, path) in [
            ("https://allowed.com", "allowed.com", "/"),
            ("https://ALLOWED.com:443/a/../b?c=d#e", "allowed.com", "/b?c=d"),
            ("https://a.wide.org/x", "a.wide.org", "/x"),
            ("https://a.b.wide.org/x", "a.b.wide.org", "/x"),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
            ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ] {
            let expected = Target {
                host: host.into(),
                path_and_query: path.into(),
            };
            assert_eq!(target(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn query_values_are_escaped() {
        let allow = AllowList::new(&["allowed.com".into()]);
        let query = BTreeMap::from([("q".to_owned(), "a&b=c #?/é\r\n".to_owned())]);
        let target = Target::parse("https://allowed.com/s?x=1", &query, &allow).unwrap();
        assert_eq!(target.path_and_query, "/s?x=1&q=a%26b%3Dc+%23%3F%2F%C3%A9%0D%0A");
    }

    #[test]
    fn denied_spellings() {
        let hosts = [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "0",
            "0.0.0.0",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "0251.0376.0251.0376",
            "2852039166",
            "0xA9FEA9FE",
            "169.254.169.254.",
            "①②⑦.0.0.1",
            "[::]",
            "[::1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a00:1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "[fe80::1%25lo]",
            "[fd00:ec2::254]",
            "[fec0::1]",
            "[5f00::1]",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "8.8.8.8",
            "localhost",
            "LOCALHOST.",
            "foo.localhost",
            "metadata.google.internal",
            "kubernetes.default.svc",
            "nodots",
            "allowed.com@127.0.0.1",
            "user@allowed.com",
            "user:pw@allowed.com",
            "allowed.com%00.evil",
            "allowed.com\\@127.0.0.1",
            "allowed.com.evil.com",
            "evilallowed.com",
            "allowed.com.",
            "wide.org",
            ".wide.org",
            "evilwide.org",
            "аllowed.com",
            "allowed.com:0",
            "allowed.com:65536",
            "allowed.com:6379",
            "allowed.com:80",
            "",
            "allowed.com\t",
            "allo\twed.com",
            "allowed.com\r\nHost:x",
            "allowed\u{0}.com",
        ];
        for host in hosts {
            assert_eq!(target(&format!("https://{host}/")), None, "{host:?}");
        }
        for url in [
            "http://allowed.com/",
            "ftp://allowed.com/",
            "file:///etc/passwd",
            "gopher://allowed.com/",
            "data:,x",
            "unix:/run/x",
            "//allowed.com/",
            "/x",
            "",
            "https:",
            "https:/\\allowed.com/",
            "HTTPS :// allowed.com",
            "https://allowed.com/a b",
            "https://allowed.com/\n",
        ] {
            assert_eq!(target(url), None, "{url:?}");
        }
        assert_eq!(
            target(&format!("https://allowed.com/{}", "a".repeat(64 * 1024))),
            None
        );
        // What stands behind `#` never leaves; the host before it is the host.
        assert_eq!(
            target("https://allowed.com#@127.0.0.1").map(|t| t.host),
            Some("allowed.com".into())
        );
    }

    #[test]
    fn lists_with_addresses_allow_nothing() {
        let allow = AllowList::new(&[
            "127.0.0.1".into(),
            "*.0.0.1".into(),
            "[::1]".into(),
            "*".into(),
            String::new(),
        ]);
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://a.b/",
        ] {
            assert_eq!(Target::parse(url, &BTreeMap::new(), &allow), None, "{url}");
        }
    }
}
