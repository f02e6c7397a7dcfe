//! Lists in answers.

use botloom_core::ports::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// A piece of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    /// Items in the order of the list.
    pub(crate) items: Vec<T>,
    /// Give it as `cursor` to get what follows; `null` at the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Shows each item of a page.
    pub(crate) fn of<R>(page: Page<R>, show: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(show).collect(),
            next_cursor: page.next_cursor,
        }
    }

    /// A list that is always given as a whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }
}
