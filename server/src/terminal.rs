//! The terminal. Logs, questions and what is said beside go to standard error, answers to standard output. A reader that
//! went away ends nothing and is no failure; an answer that could not be written for another reason is one.

use std::fmt::Display;
use std::io::{self, ErrorKind, Stdin, Write as _};
use std::sync::OnceLock;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::signals;

/// Why a part of the answer could not be written, the first time.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// A line of the answer.
pub(crate) fn say(line: impl Display) {
    keep(writeln!(io::stdout().lock(), "{line}"));
}

/// A line of an answer that goes on; whether somebody still reads.
pub(crate) fn go_on(line: impl Display) -> bool {
    let mut out = io::stdout().lock();
    keep(writeln!(out, "{line}").and_then(|()| out.flush()))
}

/// A line of the answer without the end of the line, shown at once.
pub(crate) fn prompt(text: impl Display) {
    let mut out = io::stdout().lock();
    keep(write!(out, "{text}").and_then(|()| out.flush()));
}

/// Remembers why something was not written; whether it was.
fn keep(written: io::Result<()>) -> bool {
    let is_written = written.is_ok();
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first reason is the one that is told.
        let _ = LOST.set(error);
    }
    is_written
}

/// Whether the whole answer could be written, as far as somebody read it; to be asked at the end.
pub(crate) fn all_written() -> Result<(), &'static io::Error> {
    keep(io::stdout().lock().flush());
    LOST.get().map_or(Ok(()), Err)
}

/// A line for people beside the answer.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks for a line. Signals end the command meanwhile as they do when it waits for a server.
pub(crate) async fn ask(question: &str) -> io::Result<String> {
    signals::catch()?;
    let _ = write!(io::stderr().lock(), "{question}");
    // On a thread of its own: whoever is asked may go away.
    let asked = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = asked.await.map_err(io::Error::other)??;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that nobody is to see, at the terminal that standard input is. However that ends, the terminal then
/// shows again what is typed.
pub(crate) async fn ask_hidden(question: &str) -> io::Result<String> {
    // Before the terminal is changed: a signal between the two would leave it so.
    signals::catch()?;
    let _hidden = Hidden::new()?;
    ask(question).await
}

/// What is typed is not shown, but that a line has ended, until this is dropped.
struct Hidden {
    stdin: Stdin,
    before: Termios,
}

impl Hidden {
    fn new() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
