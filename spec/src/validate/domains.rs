//! Entries of `allowDomains` are host names.

use std::collections::HashSet;

use url::Host;

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for (index, entry) in draft.allow_domains.iter().flatten() {
        let host = entry.strip_prefix("*.").unwrap_or(entry);
        if host_name(host).is_none() {
            findings.add_hinted(Code::InvalidDomain, &pointer::index("/security/allowDomains", *index), || {
                let hint = "Write a host such as `api.example.org`, or `*.example.org` for all hosts below it; no \
                            address, port, scheme or path.";
                (format!("`{entry}` is no host name."), Some(hint.to_owned()))
            });
        }
    }
}

/// A host name in the form in which hosts are compared: lower case, punycode, no dot at the end. `None` for addresses.
pub(super) fn host_name(host: &str) -> Option<String> {
    // What the parser would forgive in a host is refused here.
    if host.is_empty() || host.contains(|character: char| character == '%' || character.is_whitespace()) {
        return None;
    }
    match Host::parse(host) {
        Ok(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
            let labels = name.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            });
            (labels && name.len() <= 253).then_some(name)
        }
        _ => None,
    }
}

/// The hosts a list of entries allows.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    exact: HashSet<String>,
    /// Hosts all of whose subdomains are allowed.
    parents: HashSet<String>,
}

impl Allowed {
    pub(super) fn new<'e>(entries: impl IntoIterator<Item = &'e str>) -> Self {
        let mut allowed = Self::default();
        for entry in entries {
            match entry.strip_prefix("*.") {
                Some(parent) => allowed.parents.extend(host_name(parent)),
                None => allowed.exact.extend(host_name(entry)),
            }
        }
        allowed
    }

    /// Whether `host` (as [`host_name`] gives it) is allowed.
    pub(super) fn allows(&self, host: &str) -> bool {
        let mut parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        self.exact.contains(host) || parents.any(|parent| self.parents.contains(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names() {
        assert_eq!(host_name("API.Example.org.").as_deref(), Some("api.example.org"));
        assert_eq!(
            host_name("bücher.example").as_deref(),
            Some("xn--bcher-kva.example")
        );
        for host in [
            "",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "[::1]",
            "::1",
            "①②⑦.0.0.1",
            "a b",
            "a/b",
            "a:80",
            "user@a",
            "a..b",
            ".a",
            "-a.b",
            "a%00.b",
            "*.a",
            "a\\b",
            "a?b",
            "a#b",
            "a\t",
        ] {
            assert_eq!(host_name(host), None, "{host:?}");
        }
    }

    #[test]
    fn a_wildcard_allows_what_is_below() {
        let allows = |entry, host| Allowed::new([entry]).allows(host);
        assert!(allows("*.example.org", "a.example.org"));
        assert!(allows("*.Example.org", "a.b.example.org"));
        assert!(allows("example.org", "example.org"));
        for (entry, host) in [
            ("*.example.org", "example.org"),
            ("*.example.org", "evilexample.org"),
            ("*.example.org", "example.org.evil.test"),
            ("example.org", "a.example.org"),
            ("*.", "a"),
        ] {
            assert!(!allows(entry, host), "{entry} {host}");
        }
    }
}
