//! Commands in a message's text.

/// `/name@target args`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'t> {
    /// Name as typed, without slash and target. Compare it without regard to case.
    pub name: &'t str,
    /// Username behind `@`, as typed.
    pub target: Option<&'t str>,
    /// Text behind the command, trimmed.
    pub args: &'t str,
}

impl<'t> Command<'t> {
    /// The command at the very beginning of `text`: a slash, 1 to 32 of `A-Z a-z 0-9 _`, perhaps `@username`, then the
    /// end or white space.
    pub fn parse(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        let (name, rest) = split_word(rest);
        let (target, rest) = match rest.strip_prefix('@') {
            Some(rest) => {
                let (target, rest) = split_word(rest);
                (Some(target).filter(|t| !t.is_empty()), rest)
            }
            None => (None, rest),
        };
        let ended = rest.is_empty() || rest.starts_with(char::is_whitespace);
        if !(1..=32).contains(&name.len()) || !ended {
            return None;
        }
        Some(Self {
            name,
            target,
            args: rest.trim(),
        })
    }

    /// Whether the bot called `username` is meant: no target, or this one in any case.
    pub fn is_for(&self, username: Option<&str>) -> bool {
        match (self.target, username) {
            (None, _) => true,
            (Some(target), Some(username)) => target.eq_ignore_ascii_case(username),
            (Some(_), None) => false,
        }
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let command = |name, target, args| Some(Command { name, target, args });
        assert_eq!(Command::parse("/start"), command("start", None, ""));
        assert_eq!(
            Command::parse("/start ref_8f3a-autumn"),
            command("start", None, "ref_8f3a-autumn")
        );
        assert_eq!(
            Command::parse("/Help@Flow_Demo_Bot\nmore"),
            command("Help", Some("Flow_Demo_Bot"), "more")
        );
        for text in [
            "",
            "/",
            "start",
            " /start",
            "/st-art",
            "/стоп",
            "//x",
            "/a@",
            "/a@b/c",
            &format!("/{}", "a".repeat(33)),
        ] {
            let found = Command::parse(text);
            // A lone `@` names nobody, but is no white space either.
            assert!(found.is_none() || text == "/a@", "{text:?} {found:?}");
        }
    }

    #[test]
    fn target() {
        let for_us = Command::parse("/help@flow_demo_BOT").unwrap();
        assert!(for_us.is_for(Some("Flow_Demo_Bot")));
        assert!(!for_us.is_for(Some("other_bot")));
        assert!(!for_us.is_for(None), "nobody knows whether we are meant");
        assert!(Command::parse("/help").unwrap().is_for(None));
    }
}
