//! Rules that must hold before the parser may run: it recurses with the nesting of the program, and so does everything
//! that walks its tree. This reads the bot's own part once, without recursion, and bounds the depth of any tree that
//! part can have.
//!
//! To know strings and comments for sure without a parser, the part may hold no templates and no `/` but in comments
//! (so no regular expressions either: those of users are the host's work).

use super::Report;
use super::sections::Sections;

/// Open brackets.
const MAX_BRACKETS: usize = 100;
/// Tokens that can stand between the root and a leaf: of each open bracket those since its last `,` or `;`.
const MAX_DEPTH: usize = 600;

/// Words that begin a statement, so that a `}` before them ended one.
const STATEMENTS: [&str; 9] = [
    "const", "export", "for", "function", "if", "let", "return", "switch", "throw",
];

pub(super) fn check(source: &str, sections: &Sections, report: &mut Report<'_>) {
    let own = &source[..sections.own_end()];
    let mut scan = Scan {
        open: vec![0],
        depth: 0,
        closed: false,
    };
    let mut rest = own;
    while let Some(character) = rest.chars().next() {
        let at = u32::try_from(own.len() - rest.len()).unwrap_or(u32::MAX);
        let length = match token(rest, character) {
            Ok(length) => length,
            Err((rule, message)) => return report.add(rule, at, message),
        };
        if !scan.take(&rest[..length], character) {
            return report.add("nesting", at, "the program is nested too deeply");
        }
        rest = &rest[length..];
    }
    if scan.open.len() > 1 && own.len() < source.len() {
        report.add(
            "sdk",
            u32::try_from(own.len()).unwrap_or(u32::MAX),
            "the SDK must stand at the top level",
        );
    }
}

/// Length of the token, space or comment that `rest` begins with.
fn token(rest: &str, first: char) -> Result<usize, (&'static str, &'static str)> {
    match first {
        '"' | '\'' => {
            let mut escaped = false;
            for (at, character) in rest.char_indices().skip(1) {
                match character {
                    '\n' => return Err(("syntax", "a string must end on its line")),
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    _ if character == first => return Ok(at + 1),
                    _ => {}
                }
            }
            Err(("syntax", "a string does not end"))
        }
        '`' => Err(("template", "templates are not allowed")),
        '/' if rest.starts_with("//") => Ok(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => rest[2..]
            .find("*/")
            .map(|at| at + 4)
            .ok_or(("syntax", "a comment does not end")),
        '/' => Err(("slash", "divisions and regular expressions are not allowed")),
        _ if is_word(first) => Ok(rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        other => Ok(other.len_utf8()),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

struct Scan {
    /// Tokens since the last separator, for each open bracket; the first is the top level.
    open: Vec<usize>,
    /// Sum of `open`.
    depth: usize,
    /// The token before was `}`.
    closed: bool,
}

impl Scan {
    /// Takes the next token; `false` if the program is too deep.
    fn take(&mut self, text: &str, first: char) -> bool {
        if first.is_whitespace() || text.starts_with("//") || text.starts_with("/*") {
            return true;
        }
        if std::mem::take(&mut self.closed) && STATEMENTS.contains(&text) {
            self.separate();
        }
        match first {
            ',' | ';' => self.separate(),
            '(' | '[' | '{' => {
                self.count();
                self.open.push(0);
            }
            ')' | ']' | '}' => {
                // A bracket too many is the parser's to report.
                if self.open.len() > 1 {
                    self.separate();
                    self.open.pop();
                }
                self.closed = first == '}';
            }
            _ => self.count(),
        }
        self.open.len() <= MAX_BRACKETS && self.depth <= MAX_DEPTH
    }

    fn count(&mut self) {
        self.depth += 1;
        if let Some(tokens) = self.open.last_mut() {
            *tokens += 1;
        }
    }

    fn separate(&mut self) {
        if let Some(tokens) = self.open.last_mut() {
            self.depth -= std::mem::take(tokens);
        }
    }
}
