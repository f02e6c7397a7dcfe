//! `BOTLOOM_DEV_HOSTS`: during development, calls to a name go to a server on one's own machine.

use std::collections::HashMap;

use url::{Host, Url};

/// Names whose calls go to another base, past the check of addresses.
#[derive(Debug, Clone, Default)]
pub struct DevHosts(HashMap<String, Url>);

/// The setting cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("BOTLOOM_DEV_HOSTS: {entry:?} is not `host=http://address:port`")]
pub struct InvalidDevHosts {
    /// The entry at fault.
    pub entry: String,
}

impl DevHosts {
    /// Reads `host=http://127.0.0.1:9000,other=http://…`. Empty text means none.
    pub fn parse(text: &str) -> Result<Self, InvalidDevHosts> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            let (name, base) = entry.split_once('=')?;
            let Ok(Host::Domain(name)) = Host::parse(name.trim()) else {
                return None;
            };
            let base = Url::parse(base.trim()).ok()?;
            let plain = base.scheme() == "http" && base.has_host() && base.query().is_none();
            plain.then_some((name, base))
        };
        entries
            .map(|entry| {
                read(entry).ok_or_else(|| InvalidDevHosts {
                    entry: entry.to_owned(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn base(&self, host: &str) -> Option<&Url> {
        self.0.get(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_or_refused() {
        let hosts =
            DevHosts::parse(" api.shop.example=http://127.0.0.1:9000, b.example=http://[::1]:1/x ").unwrap();
        assert_eq!(
            hosts.base("api.shop.example").unwrap().as_str(),
            "http://127.0.0.1:9000/"
        );
        assert_eq!(hosts.base("b.example").unwrap().path(), "/x");
        assert!(hosts.base("other.example").is_none());
        assert!(DevHosts::parse("").unwrap().is_empty());
        for bad in [
            "x",
            "x=",
            "=http://a",
            "x=https://a",
            "x=127.0.0.1:9000",
            "127.0.0.1=http://a",
            "x=http://",
        ] {
            assert!(DevHosts::parse(bad).is_err(), "{bad}");
        }
    }
}
