//! Lists in pieces: a cursor is the key of the last item, bound to its list, so that a cursor of another list or a text
//! that never was a cursor lists nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::ports::{Page, PageRequest, StoreResult};
use sqlx::any::AnyRow;

use super::readable;

/// Most items of one page.
const MAX_LIMIT: u32 = 200;

/// Where a page begins, for a list whose key has `N` parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start<const N: usize> {
    /// At the first item.
    First,
    /// Behind the item with this key.
    After([String; N]),
    /// The cursor is none of this list.
    Nowhere,
}

/// Reads the cursor of a request for the list named `list`.
pub(crate) fn start<const N: usize>(list: &str, request: &PageRequest) -> Start<N> {
    let Some(cursor) = &request.cursor else {
        return Start::First;
    };
    decode(list, cursor).map_or(Start::Nowhere, Start::After)
}

/// Where a list that shows the newest first goes on: before this time and name. `None` if the cursor is none of the list.
pub(crate) fn before(start: Start<2>) -> Option<(i64, String)> {
    match start {
        Start::First => Some((i64::MAX, String::new())),
        Start::After([time, name]) => Some((time.parse().ok()?, name)),
        Start::Nowhere => None,
    }
}

/// One row more than the page holds tells whether another page follows.
pub(crate) fn rows_to_fetch(request: &PageRequest) -> i64 {
    i64::from(limit(request)) + 1
}

/// Makes the page out of the rows fetched, without those that cannot be read (see [`readable`]). If none of a page can, it
/// is an error: there is nothing to go on behind.
pub(crate) fn page<T, const N: usize>(
    list: &str,
    request: &PageRequest,
    rows: &[AnyRow],
    item: impl Fn(&AnyRow) -> StoreResult<T>,
    key: impl Fn(&T) -> [String; N],
) -> StoreResult<Page<T>> {
    let limit = limit(request) as usize;
    let shown = &rows[..rows.len().min(limit)];
    let items = readable(list, shown, &item)?;
    if items.is_empty()
        && let Some(first) = shown.first()
    {
        item(first)?;
    }
    let next_cursor = items
        .last()
        .filter(|_| rows.len() > limit)
        .map(|last| encode(list, key(last)));
    Ok(Page { items, next_cursor })
}

/// A page without items.
pub(crate) fn empty<T>() -> Page<T> {
    Page {
        items: Vec::new(),
        next_cursor: None,
    }
}

fn limit(request: &PageRequest) -> u32 {
    request.limit.clamp(1, MAX_LIMIT)
}

fn encode<const N: usize>(list: &str, key: [String; N]) -> String {
    let mut parts = vec![list.to_owned()];
    parts.extend(key);
    URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
}

fn decode<const N: usize>(list: &str, cursor: &str) -> Option<[String; N]> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let mut parts: Vec<String> = serde_json::from_slice(&json).ok()?;
    // No stored text holds a NUL; PostgreSQL would not even take one to compare.
    if parts.first()? != list || parts.iter().any(|part| part.contains('\0')) {
        return None;
    }
    parts.remove(0);
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_cannot_be_stored_leads_nowhere() {
        let cursor = encode("bots", ["a\0b".to_owned()]);
        assert_eq!(decode::<1>("bots", &cursor), None);
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_key(list in "[^\0]*", first in "[^\0]*", second in "[^\0]*") {
            let cursor = encode(&list, [first.clone(), second.clone()]);
            prop_assert_eq!(decode(&list, &cursor), Some([first, second]));
            prop_assert_eq!(decode::<2>(&format!("{list}x"), &cursor), None);
            prop_assert_eq!(decode::<1>(&list, &cursor), None);
        }

        #[test]
        fn any_other_text_leads_nowhere(text in ".*") {
            let request = PageRequest { cursor: Some(text), limit: 1 };
            prop_assert_eq!(start::<1>("bots", &request), Start::Nowhere);
        }
    }
}
