//! JSON Pointers (RFC 6901).

use std::borrow::Cow;
use std::cmp::Ordering;

/// Appends a member name or an index to a pointer, escaped.
pub fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// `base` with one more member name or index.
pub fn join(base: &str, name: &str) -> String {
    let mut pointer = String::with_capacity(base.len() + name.len() + 1);
    pointer.push_str(base);
    push(&mut pointer, name);
    pointer
}

/// `base` with one more index.
pub fn index(base: &str, index: usize) -> String {
    format!("{base}/{index}")
}

/// Whether `text` is a pointer: empty, or names each after a `/`, with `~` only in `~0` and `~1`.
pub fn is_valid(text: &str) -> bool {
    let mut tildes = text.split('~');
    let first = tildes.next().unwrap_or_default();
    (text.is_empty() || first.starts_with('/'))
        && tildes.all(|rest| rest.starts_with('0') || rest.starts_with('1'))
}

/// The names of a pointer, unescaped.
pub fn names(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|name| {
        if name.contains('~') {
            Cow::Owned(name.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(name)
        }
    })
}

/// Document order as far as pointers tell: indexes by number, names by text, the outer before the inner.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.split('/'), other.split('/'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u32>(), y.parse::<u32>()) {
                (Ok(m), Ok(n)) => m.cmp(&n).then_with(|| x.cmp(y)),
                _ => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pointers() {
        for text in ["", "/", "/a/b", "/a~0b/~1", "//"] {
            assert!(is_valid(text), "{text:?}");
        }
        for text in ["a", "a/b", "/~", "/~2", "~0", "/a~"] {
            assert!(!is_valid(text), "{text:?}");
        }
        assert_eq!(join("/a", "b/c~d"), "/a/b~1c~0d");
        assert_eq!(names("/a/b~1c~0d/~01").collect::<Vec<_>>(), ["a", "b/c~d", "~1"]);
    }

    #[test]
    fn orders_like_the_document() {
        let mut list = ["/flows/10", "/flows/2/id", "", "/flows/2", "/commands/0"];
        list.sort_by(|a, b| compare(a, b));
        assert_eq!(list, ["", "/commands/0", "/flows/2", "/flows/2/id", "/flows/10"]);
    }
}
