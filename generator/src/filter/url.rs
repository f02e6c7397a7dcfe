//! Addresses in a program must be ones that the bot may reach.

use ::url::{Host, Url};

/// Why the host must not be asked for this text, if it is an address; `None` for other texts.
pub(super) fn fault(text: &str, allow_domains: &[String]) -> Option<String> {
    let text = text.trim();
    if !text.contains("://") && !text.starts_with("//") {
        return None;
    }
    // Placeholders may stand after the host; what they become is percent-encoded.
    let plain = text.replace("{{", "").replace("}}", "");
    let Some(url) = Url::parse(&plain).ok().filter(|url| url.scheme() == "https") else {
        return Some("an address must be a whole https URL".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("an address must not hold credentials".to_owned());
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| {
        rest.split(['/', '?', '#', '\\']).next().unwrap_or("")
    });
    if authority.contains(['{', '}', '@']) {
        return Some("the host of an address must be written out".to_owned());
    }
    match url.host() {
        Some(Host::Domain(host)) if allow_domains.iter().any(|pattern| allows(pattern, host)) => None,
        Some(host) => Some(format!("the host `{host}` is not in security.allowDomains")),
        None => Some("an address must have a host".to_owned()),
    }
}

fn allows(pattern: &str, host: &str) -> bool {
    let (wildcard, name) = pattern
        .strip_prefix("*.")
        .map_or((false, pattern), |name| (true, name));
    let Ok(Host::Domain(name)) = Host::parse(name) else {
        return false;
    };
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    if wildcard {
        host.strip_suffix(name)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    } else {
        host == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_whole() {
        let allowed = ["api.example.org".to_owned(), "*.example.net".to_owned()];
        let good = [
            "https://api.example.org/x?y=1",
            "https://API.example.org",
            "https://api.example.org:8443/{{state.id}}?q={{context.input}}",
            "https://a.b.example.net/",
            "no address at all",
            "10:30 - 12:00",
        ];
        for text in good {
            assert_eq!(fault(text, &allowed), None, "{text}");
        }
        let bad = [
            "http://api.example.org/",
            "https://example.net/",
            "https://evilexample.net/",
            "https://api.example.org.evil.org/",
            "https://api.example.org@evil.org/",
            "https://{{state.host}}/",
            "https://api.example.org{{state.x}}/",
            "https://169.254.169.254/",
            "https://[::1]/",
            "//evil.org/x",
            "ftp://api.example.org/",
            "tps://evil.org",
            " https://evil.org/",
            "https://",
        ];
        for text in bad {
            assert!(fault(text, &allowed).is_some(), "{text}");
        }
    }
}
