//! What a request's `Host` tells: which cookie fits, and which origin is our own.

use http::{Request, header};
use url::{Host, Url};

use crate::options::Options;

/// Name of the session cookie over HTTPS. The prefix makes browsers refuse it from other hosts and without `Secure`.
const SECURE_COOKIE: &str = "__Host-botloom";
/// Name over plain HTTP, where browsers do not accept the prefix.
const PLAIN_COOKIE: &str = "botloom_session";
/// The same for the cookie of browsers that are known.
const SECURE_DEVICE_COOKIE: &str = "__Host-botloom_device";
const PLAIN_DEVICE_COOKIE: &str = "botloom_device";

/// The same for the cookie of a login that is under way at an identity provider.
const SECURE_ATTEMPT_COOKIE: &str = "__Host-botloom_login";
const PLAIN_ATTEMPT_COOKIE: &str = "botloom_login";

/// Under what address a request reached us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Host and port as sent, in lower case.
    pub(crate) authority: String,
    /// Whether the browser speaks HTTPS.
    pub(crate) secure: bool,
}

impl Site {
    /// `None`: the request has no host, or more than one.
    pub(crate) fn of<B>(request: &Request<B>, options: &Options) -> Option<Self> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let authority = match (request.uri().authority(), hosts.next(), hosts.next()) {
            (_, _, Some(_)) => return None,
            (Some(authority), _, None) => authority.as_str(),
            (None, host, None) => host?.to_str().ok()?,
        };
        let authority = authority.to_ascii_lowercase();
        let url = Url::parse(&format!("http://{authority}/")).ok()?;
        if url.path() != "/" || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        // TLS ends in front of us, so the request itself does not tell. A loopback address is never behind it.
        let https = options
            .public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https");
        Some(Self {
            secure: https && !is_loopback(&url),
            authority,
        })
    }

    pub(crate) fn cookie(&self) -> &'static str {
        if self.secure { SECURE_COOKIE } else { PLAIN_COOKIE }
    }

    pub(crate) fn device_cookie(&self) -> &'static str {
        if self.secure {
            SECURE_DEVICE_COOKIE
        } else {
            PLAIN_DEVICE_COOKIE
        }
    }

    pub(crate) fn attempt_cookie(&self) -> &'static str {
        if self.secure {
            SECURE_ATTEMPT_COOKIE
        } else {
            PLAIN_ATTEMPT_COOKIE
        }
    }

    /// Our own origin as a browser sends it.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// Whether nobody else's name can lead here: somebody may let their own point at this machine, and a page of theirs is
    /// then of our origin (DNS rebinding). An address, `localhost` and the configured names cannot be made to.
    pub(crate) fn is_certain(&self, options: &Options) -> bool {
        let Ok(here) = Url::parse(&format!("http://{}/", self.authority)) else {
            return false;
        };
        let configured = [&options.public_url, &options.console_origin];
        !matches!(here.host(), Some(Host::Domain(_)))
            || is_loopback(&here)
            || configured
                .into_iter()
                .flatten()
                .any(|url| url.host() == here.host())
    }

    /// Whether a page of `origin` may use sessions here.
    pub(crate) fn trusts(&self, origin: &str, options: &Options) -> bool {
        let configured = [&options.public_url, &options.console_origin];
        origin == self.origin()
            || configured
                .into_iter()
                .flatten()
                .any(|url| url.origin().ascii_serialization() == origin)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(hosts: &[&str], public: Option<&str>) -> Option<Site> {
        let mut request = Request::builder().uri("/bots");
        for host in hosts {
            request = request.header("host", *host);
        }
        Site::of(&request.body(()).unwrap(), &options(public))
    }

    fn options(public: Option<&str>) -> Options {
        Options {
            public_url: public.map(|url| Url::parse(url).unwrap()),
            console_origin: Some(Url::parse("https://console.example").unwrap()),
            ..Options::default()
        }
    }

    #[test]
    fn one_host_or_none_at_all() {
        assert_eq!(site(&[], None), None);
        assert_eq!(site(&["a.example", "b.example"], None), None);
        assert_eq!(site(&["user@a.example"], None), None);
        assert_eq!(site(&["a.example/x"], None), None);
        assert!(site(&["[::1]:8080"], None).is_some());
    }

    #[test]
    fn cookies_are_secure_wherever_tls_can_be() {
        let cookie = |host, public| site(&[host], public).unwrap().cookie();
        let public = Some("https://api.example");
        assert_eq!(cookie("api.example", public), SECURE_COOKIE);
        for loopback in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "x.localhost"] {
            assert_eq!(cookie(loopback, public), PLAIN_COOKIE, "{loopback}");
        }
        assert_eq!(cookie("192.168.1.2:8080", None), PLAIN_COOKIE);
    }

    #[test]
    fn only_exactly_known_origins_are_trusted() {
        let public = Some("https://api.example");
        let here = site(&["api.example"], public).unwrap();
        for good in ["https://api.example", "https://console.example"] {
            assert!(here.trusts(good, &options(public)), "{good}");
        }
        let bad = [
            "https://evil.example",
            "null",
            "https://api.example.evil.com",
            "http://api.example",
            "https://api.example:444",
            "https://console.example.evil.com",
            "https://api.example/",
        ];
        for bad in bad {
            assert!(!here.trusts(bad, &options(public)), "{bad}");
        }
    }
}
