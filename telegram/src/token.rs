//! The credential of a bot.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A bot token, `<bot id>:<secret>`. Prints as `<bot id>:***` and is wiped when its last clone is dropped.
///
/// The copy that a request carries in its path while it is under way belongs to the HTTP stack and is not wiped.
#[derive(Clone)]
pub struct Token {
    text: Arc<Zeroizing<String>>,
    bot_id: i64,
}

/// The text is not a bot token. Says why, without the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bot token is the bot's number, a colon and at least 5 of A-Z a-z 0-9 _ -")]
pub struct InvalidToken;

impl Token {
    /// Checks the form `<digits>:<letters, digits, _ or ->` and takes the text over.
    ///
    /// Whether Telegram knows the token only a call can tell.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidToken> {
        let text = Zeroizing::new(text.into());
        let (id, secret) = text.split_once(':').ok_or(InvalidToken)?;
        let digits = (1..=18).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
        let secret_fits = (5..=256).contains(&secret.len())
            && secret
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !digits || !secret_fits {
            return Err(InvalidToken);
        }
        let bot_id = id.parse().map_err(|_| InvalidToken)?;
        Ok(Self {
            text: Arc::new(text),
            bot_id,
        })
    }

    /// The bot's user id: the number before the colon. Not a secret.
    pub fn bot_id(&self) -> i64 {
        self.bot_id
    }

    /// The token itself. Call it only where the credential is used, and never keep the answer.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// `text` without the token and without its secret half, wherever they stand in it.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let secret = self.text.split_once(':').map_or("", |(_, secret)| secret);
        text.replace(secret, "***")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.bot_id)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_number_alone() {
        let token = Token::new("7100000001:AAcanary-canary_canary").unwrap();
        assert_eq!(token.bot_id(), 7_100_000_001);
        assert_eq!(format!("{token} {token:?}"), "7100000001:*** 7100000001:***");
        assert_eq!(token.expose(), "7100000001:AAcanary-canary_canary");
        assert_eq!(
            token.scrub("/bot7100000001:AAcanary-canary_canary/x"),
            "/bot7100000001:***/x"
        );
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            ":",
            "1",
            "1:",
            "1:abcd",
            "x:abcdef",
            "1:abc/def",
            "1:abc def",
            "-1:abcdef",
            "1:abcdef\n",
        ] {
            assert_eq!(Token::new(text).unwrap_err(), InvalidToken, "{text:?}");
        }
        assert_eq!(
            Token::new(format!("{}:abcdef", "9".repeat(19))).unwrap_err(),
            InvalidToken
        );
    }
}
