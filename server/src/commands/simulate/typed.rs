//! Somebody types.

use botloom_runtime::simulator::Conversation;
use botloom_spec::model::BotSpec;
use botloom_spec::script::User;

use super::{person, shown};
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, prompt, say};

/// What a typed line is.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Quit,
    User(User),
    Wait(u32),
    Unknown(String),
    Message(String),
}

fn read(line: &str) -> Line {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["/quit" | ":quit"] => Line::Quit,
        [":user", id, name, rest @ ..] if rest.len() <= 1 => match id.parse() {
            Ok(id) => Line::User(User {
                id,
                first_name: (*name).to_owned(),
                language_code: Some(rest.first().copied().unwrap_or("en").to_owned()),
                ..User::default()
            }),
            Err(_) => Line::Unknown(":user ID NAME [LANGUAGE], with a number as id".to_owned()),
        },
        [":wait", seconds] => match seconds.parse() {
            Ok(seconds) => Line::Wait(seconds),
            Err(_) => Line::Unknown(":wait SECONDS".to_owned()),
        },
        [first, ..] if first.starts_with(':') => {
            Line::Unknown("the simulator knows :user ID NAME [LANGUAGE], :wait SECONDS and :quit".to_owned())
        }
        _ => Line::Message(line.to_owned()),
    }
}

/// The next line of standard input, `None` at its end.
async fn next_line() -> std::io::Result<Option<String>> {
    let read = || std::io::stdin().lines().next().transpose();
    tokio::task::spawn_blocking(read)
        .await
        .map_err(std::io::Error::other)?
}

/// Reads lines until the end of the input.
pub(super) async fn run(mut conversation: Conversation, spec: &BotSpec, verbose: bool) -> CommandResult {
    let mut user = User::default();
    note(format!(
        "{} ({}): type as {} would; :user, :wait, /quit",
        spec.meta.name, spec.meta.bot_id, user.first_name
    ));
    loop {
        prompt(format!("{}> ", user.first_name));
        let line = next_line()
            .await
            .map_err(|error| CommandError::Other(error.to_string()))?;
        match line.as_deref().map(read) {
            None | Some(Line::Quit) => return Ok(()),
            Some(Line::User(other)) => user = other,
            Some(Line::Wait(seconds)) => conversation.advance(i64::from(seconds) * 1_000),
            Some(Line::Unknown(help)) => note(help),
            Some(Line::Message(text)) if text.is_empty() => {}
            Some(Line::Message(text)) => {
                let transcript = conversation.send(&person(&user), user.id, &text).await;
                for sent in &transcript.messages {
                    say(format!("bot> {}", shown::lines(sent)));
                }
                if verbose {
                    shown::details(&transcript, conversation.state(user.id));
                }
                if let Err(failed) = &transcript.outcome {
                    note(format!("the update failed and changed nothing: {failed}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_colon_are_for_the_simulator() {
        assert_eq!(read("/quit"), Line::Quit);
        assert_eq!(read(":wait 5"), Line::Wait(5));
        let ivan = User {
            id: 7,
            first_name: "Ivan".into(),
            language_code: Some("ru".into()),
            ..User::default()
        };
        assert_eq!(read(":user 7 Ivan ru"), Line::User(ivan));
        assert!(matches!(read(":user x Ivan"), Line::Unknown(_)));
        assert!(matches!(read(":nonsense"), Line::Unknown(_)));
        assert_eq!(read("  two  words "), Line::Message("  two  words ".into()));
    }
}
