//! Where a browser goes after a login: somewhere on this site.

use std::str::FromStr;

/// Longest path.
const MAX: usize = 512;

/// A path of this site, with query and fragment if it has them. Never another origin, however a browser reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnTo(String);

/// The text is not a path of this site.
#[derive(Debug)]
pub(crate) struct NotAPath;

impl ReturnTo {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnTo {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for ReturnTo {
    type Err = NotAPath;

    /// Browsers read `//host`, `/\host` and `\/host` as another origin, and leave out tabs and line breaks before they look.
    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        if text.len() <= MAX && plain && text.starts_with('/') && !text.starts_with("//") {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPath)
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn paths_of_this_site_and_nothing_else() {
        let here = Url::parse("https://bots.example/auth/oidc/callback").unwrap();
        for good in [
            "/",
            "/console/bots?x=1#y",
            "/a//b",
            "/.//evil.example",
            "/@evil.example",
            "/https://evil.example",
            "/%5cevil.example",
            "/%09/evil.example",
        ] {
            let path: ReturnTo = good.parse().unwrap();
            let there = here.join(path.as_str()).unwrap();
            assert_eq!(there.origin(), here.origin(), "{good}");
        }
        let long = format!("/{}", "a".repeat(MAX));
        for bad in [
            "",
            "x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " /x",
            "/ /evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/x\r\nset-cookie: a=b",
            "/ü",
            &long,
        ] {
            assert!(bad.parse::<ReturnTo>().is_err(), "{bad:?}");
        }
    }
}
