//! The one way from an author's text to JavaScript.

use std::fmt::Write as _;

use crate::filter::is_treacherous;

/// A string literal whose value is `text`.
///
/// Inside it there are no quotes, no ends of lines, no control or direction marks, and nothing that HTML would read as
/// the end of a script or as a comment. Rust's strings hold no halves of characters, so neither does the literal.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut before = None;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let next = rest.as_str();
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' if next.starts_with(['/', '!', '?']) => escape(&mut out, character),
            '>' if before == Some('-') => escape(&mut out, character),
            other if is_treacherous(other) => escape(&mut out, other),
            other => out.push(other),
        }
        before = Some(character);
    }
    out.push('"');
    out
}

fn escape(out: &mut String, character: char) {
    // All escaped characters lie in the basic plane, where one escape is one character.
    let _ = write!(out, "\\u{:04x}", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_literal() {
        assert_eq!(literal("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(literal("1\n2\r3\t4\0"), r#""1\n2\r3\t4\u0000""#);
        assert_eq!(
            literal("</script><!-- --> a < b -> c"),
            r#""\u003c/script>\u003c!-- --\u003e a < b -\u003e c""#
        );
        assert_eq!(
            literal("\u{2028}\u{2029}\u{202e}\u{feff}\u{85}"),
            r#""\u2028\u2029\u202e\ufeff\u0085""#
        );
        assert_eq!(literal("`${x}` /* */ // ' 👩‍🚀"), r#""`${x}` /* */ // ' 👩‍🚀""#);
    }
}
