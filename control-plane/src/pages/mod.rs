//! Pages for people: plain HTML from the server, one style sheet, nothing from elsewhere and no script.

mod docs;
mod html;
mod landing;
mod markdown;

pub(crate) use docs::docs;
pub(crate) use html::{Html, STYLE_SHEET};
pub(crate) use landing::landing;

use crate::code;

/// `docs/errors/*.md` by slug, embedded at build time.
static ERROR_PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// The Markdown text that explains an error code.
pub(crate) fn error_page(slug: &str) -> Option<&'static str> {
    ERROR_PAGES
        .iter()
        .find(|(name, _)| *name == slug)
        .map(|(_, text)| *text)
}

/// The page that explains an error code.
pub(crate) fn problem(slug: &str) -> Option<String> {
    let text = error_page(slug)?;
    let above = code::find(slug).map_or_else(
        || "Problem".to_owned(),
        |code| format!("Status {}: {}", code.status.as_u16(), code.title),
    );
    let above = Html::text(&above);
    let body = Html::trusted(&format!(
        "<p class=\"tag\">{above}</p>\n{}",
        markdown::render(text)
    ));
    Some(html::page(slug, &body))
}
