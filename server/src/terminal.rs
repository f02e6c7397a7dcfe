//! Writing to the terminal. Logs go to standard error, answers to standard output; a reader that went away ends nothing.

use std::fmt::Display;
use std::io::Write as _;

/// A line of the answer.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line of an answer that goes on. Whoever goes on has to know when the reader went away.
pub(crate) fn go_on(line: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A line of the answer without the end of the line, shown at once.
pub(crate) fn prompt(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}");
    let _ = out.flush();
}

/// A line for people beside the answer.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
