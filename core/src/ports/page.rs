//! Lists in pieces.

/// What piece is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// `next_cursor` of the page before; `None` for the first.
    pub cursor: Option<String>,
    /// At most this many items; 1 to 200.
    pub limit: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            cursor: None,
            limit: 50,
        }
    }
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Items in the order of the list.
    pub items: Vec<T>,
    /// Asks for what follows; `None` at the end. The text is the backend's own and holds no secrets; a text that is not
    /// one of its cursors lists nothing.
    pub next_cursor: Option<String>,
}
