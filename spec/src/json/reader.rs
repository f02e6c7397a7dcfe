//! The strict reader. It is ours because the libraries read on where a hash must not: they let the last of two equal
//! names win, round large integers silently, stop at the first lone surrogate, and know no pointer to the fault.
//! Numbers are read by the standard library (correctly rounded); an integral one becomes an integer, so `1.0`,
//! `1e0` and `1` are one value.
//!
//! Longer than most files: one grammar, and its productions call each other.

use serde_json::{Map, Number, Value};

use crate::code::Code;
use crate::finding::Findings;
use crate::{limits, pointer};

/// Reads a document. `None`: it could not be read to its end. Values that were at fault are replaced by harmless ones.
pub(crate) fn read(bytes: &[u8], findings: &mut Findings) -> Option<Value> {
    if bytes.len() > limits::SPEC_BYTES {
        findings.add(Code::SpecTooLarge, "", || {
            format!(
                "The document has {} bytes; at most {} are allowed.",
                bytes.len(),
                limits::SPEC_BYTES
            )
        });
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            findings.add(Code::InvalidUtf8, "", || {
                format!("The byte at offset {at} is not UTF-8.")
            });
            return None;
        }
    };
    let start = if text.starts_with('\u{feff}') {
        findings.add_hinted(Code::ByteOrderMark, "", || {
            (
                "The document starts with a byte order mark.".to_owned(),
                Some("Save it as UTF-8 without BOM.".to_owned()),
            )
        });
        3
    } else {
        0
    };
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: start,
        path: Vec::new(),
        mark: Mark::START,
        findings,
    };
    reader.document()
}

enum Name {
    Member(String),
    Index(usize),
}

struct Reader<'a, 'f> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    path: Vec<Name>,
    mark: Mark,
    findings: &'f mut Findings,
}

/// A place in the text, and its line and column.
struct Mark {
    at: usize,
    line: usize,
    column: usize,
}

impl Mark {
    const START: Self = Self {
        at: 0,
        line: 1,
        column: 1,
    };
}

/// The document cannot be read on; the finding has been added.
struct Stop;

type Read<T> = Result<T, Stop>;

impl Reader<'_, '_> {
    fn document(&mut self) -> Option<Value> {
        let value = self.value().ok()?;
        self.space();
        if self.at < self.bytes.len() {
            let place = self.place(self.at);
            self.findings.add(Code::TrailingBytes, "", || {
                format!("The document ends before {place}.")
            });
        }
        Some(value)
    }

    fn pointer(&self) -> String {
        let mut text = String::new();
        for name in &self.path {
            match name {
                Name::Member(name) => pointer::push(&mut text, name),
                Name::Index(index) => pointer::push(&mut text, &index.to_string()),
            }
        }
        text
    }

    /// `line 3, column 14`, both from 1, columns in characters. Counts on from the place asked for last, so that many
    /// faults in one document cost one pass.
    fn place(&mut self, at: usize) -> String {
        if at < self.mark.at {
            self.mark = Mark::START;
        }
        for byte in &self.bytes[self.mark.at..at.min(self.bytes.len())] {
            if *byte == b'\n' {
                self.mark.line += 1;
                self.mark.column = 1;
            } else if *byte & 0xc0 != 0x80 {
                // Characters start at every byte that is no continuation byte.
                self.mark.column += 1;
            }
        }
        self.mark.at = at.min(self.bytes.len());
        format!("line {}, column {}", self.mark.line, self.mark.column)
    }

    /// Adds a finding about the place `at` in the text, at the value that is being read.
    fn fault(&mut self, code: Code, at: usize, texts: impl FnOnce(&str) -> (String, Option<String>)) {
        let (place, pointer) = if self.findings.keeps(code) {
            (self.place(at), self.pointer())
        } else {
            (String::new(), String::new())
        };
        self.findings.add_hinted(code, &pointer, || texts(&place));
    }

    fn syntax<T>(&mut self, at: usize, what: &str) -> Read<T> {
        self.fault(Code::JsonSyntax, at, |place| {
            (format!("{what} at {place}."), None)
        });
        Err(Stop)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Read<Value> {
        match self.next() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.syntax(self.at, "A value was expected"),
            None => self.syntax(self.at, "The document ends where a value was expected"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.syntax(self.at, "A value was expected")
        }
    }

    fn descend(&mut self) -> Read<()> {
        self.at += 1;
        if self.path.len() < limits::JSON_DEPTH {
            return Ok(());
        }
        self.fault(Code::JsonTooDeep, self.at - 1, |place| {
            (
                format!(
                    "More than {} levels of arrays and objects at {place}.",
                    limits::JSON_DEPTH
                ),
                None,
            )
        });
        Err(Stop)
    }

    fn array(&mut self) -> Read<Value> {
        self.descend()?;
        let mut items = Vec::new();
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push(Name::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return self.syntax(self.at, "`,` or `]` was expected"),
            }
        }
    }

    fn object(&mut self) -> Read<Value> {
        self.descend()?;
        let mut members = Map::new();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            let at = match self.next() {
                Some(b'"') => self.at,
                _ => return self.syntax(self.at, "A name in quotes was expected"),
            };
            let name = self.string()?;
            if self.next() != Some(b':') {
                return self.syntax(self.at, "`:` was expected");
            }
            self.at += 1;
            self.path.push(Name::Member(name.clone()));
            if members.contains_key(&name) {
                self.fault(Code::DuplicateKey, at, |place| {
                    (format!("The name is there again at {place}."), None)
                });
            }
            let value = self.value()?;
            self.path.pop();
            members.entry(name).or_insert(value);
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return self.syntax(self.at, "`,` or `}` was expected"),
            }
        }
    }

    fn string(&mut self) -> Read<String> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut from = self.at;
        loop {
            let Some(length) = self.bytes[self.at..]
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
            else {
                return self.syntax(start, "The string has no end; it starts");
            };
            self.at += length;
            out.push_str(&self.text[from..self.at]);
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    let character = self.escape()?;
                    out.push(character);
                    from = self.at;
                }
                _ => return self.syntax(self.at, "A control character must be escaped"),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let start = self.at;
        let kind = self.bytes.get(start + 1).copied();
        self.at += 2;
        Ok(match kind {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let Some(first) = self.hex() else {
                    return self.syntax(start, "Four hexadecimal digits were expected after `\\u`");
                };
                return Ok(self.code_point(start, first));
            }
            _ => return self.syntax(start, "There is no such escape"),
        })
    }

    fn code_point(&mut self, start: usize, first: u16) -> char {
        if first == 0 {
            self.fault(Code::NulCharacter, start, |place| {
                (format!("`\\u0000` at {place} cannot be stored."), None)
            });
            return char::REPLACEMENT_CHARACTER;
        }
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let mark = self.at;
            self.at += 2;
            match self.hex() {
                Some(second) if (0xdc00..0xe000).contains(&second) => units.push(second),
                // Not its other half: read it again by itself.
                _ => self.at = mark,
            }
        }
        if let Some(Ok(character)) = char::decode_utf16(units).next() {
            return character;
        }
        self.fault(Code::LoneSurrogate, start, |place| {
            (
                format!("The escape at {place} is half of a pair; the other half is missing."),
                None,
            )
        });
        char::REPLACEMENT_CHARACTER
    }

    fn hex(&mut self) -> Option<u16> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        self.at += 4;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = self.digits();
        let mut complete = whole == 1 || (whole > 1 && !leading_zero);
        if complete && self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            complete = self.digits() > 0;
        }
        if complete && matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            complete = self.digits() > 0;
        }
        if !complete {
            return self.syntax(start, "This is no JSON number");
        }
        let value: f64 = self.text[start..self.at].parse().unwrap_or(f64::INFINITY);
        Ok(Value::Number(self.checked_number(start, value)))
    }

    fn checked_number(&mut self, start: usize, value: f64) -> Number {
        #[expect(
            clippy::cast_precision_loss,
            reason = "2^53-1 is the largest integer a double holds exactly"
        )]
        const MAX: f64 = limits::NUMBER_MAX as f64;
        if value.abs() > MAX {
            self.fault(Code::NumberOutOfRange, start, |place| {
                let message = format!("The number at {place} lies outside ±{}.", limits::NUMBER_MAX);
                (message, Some("Write long numbers as text.".to_owned()))
            });
            return Number::from(0);
        }
        if value.fract() == 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "integral and within ±(2^53-1)")]
            return Number::from(value as i64);
        }
        Number::from_f64(value).unwrap_or_else(|| Number::from(0))
    }
}

#[cfg(test)]
mod tests;
