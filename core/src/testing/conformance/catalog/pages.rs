//! What holds for every list in pieces.

use std::future::Future;

use crate::ports::{Page, PageRequest, StoreResult};

/// Reads a list to its end in pages of `limit`, and checks that no page is longer and none but the last is shorter.
pub(super) async fn all<T, F>(limit: u32, fetch: impl Fn(PageRequest) -> F) -> StoreResult<Vec<T>>
where
    F: Future<Output = StoreResult<Page<T>>>,
{
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let page = fetch(PageRequest { cursor, limit }).await?;
        assert!(page.items.len() <= limit as usize, "a page keeps to its limit");
        if page.next_cursor.is_some() {
            assert_eq!(page.items.len(), limit as usize, "only the last page is short");
        }
        items.extend(page.items);
        match page.next_cursor {
            None => return Ok(items),
            next => cursor = next,
        }
    }
}

/// Texts that are no cursors of a list, and list nothing.
pub(super) async fn foreign_cursors_list_nothing<T, F>(
    of_other_lists: &[Option<String>],
    fetch: impl Fn(PageRequest) -> F,
) -> StoreResult<()>
where
    F: Future<Output = StoreResult<Page<T>>>,
{
    let invented = [
        "",
        "0",
        "1",
        "a-bot",
        "W10",
        "bm90aGluZw",
        "'; --",
        "\u{0}",
        "%00",
        "Ω",
    ];
    let foreign = of_other_lists
        .iter()
        .map(|cursor| cursor.clone().expect("the other list has a second page"));
    for cursor in invented.map(str::to_owned).into_iter().chain(foreign) {
        let request = PageRequest {
            cursor: Some(cursor.clone()),
            limit: 10,
        };
        let page = fetch(request).await?;
        assert!(page.items.is_empty(), "{cursor:?} lists nothing");
        assert_eq!(page.next_cursor, None, "{cursor:?} leads nowhere");
    }
    Ok(())
}
