//! The terminal. Logs, questions and what is said beside go to standard error, answers to standard output; a reader that
//! went away ends nothing.

use std::fmt::Display;
use std::io::{self, Stdin, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A line of the answer.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// A line of an answer that goes on. Whoever goes on has to know when the reader went away.
pub(crate) fn go_on(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A line of the answer without the end of the line, shown at once.
pub(crate) fn prompt(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}");
    let _ = out.flush();
}

/// A line for people beside the answer.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks for a line.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let _ = write!(io::stderr().lock(), "{question}");
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that nobody is to see, at the terminal that standard input is.
pub(crate) fn ask_hidden(question: &str) -> io::Result<String> {
    let _hidden = Hidden::new()?;
    ask(question)
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
