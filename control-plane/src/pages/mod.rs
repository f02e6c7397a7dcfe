//! Pages for people: plain HTML from the server, one style sheet, nothing from elsewhere and no script.

mod docs;
mod html;
mod landing;
mod markdown;

pub(crate) use docs::docs;
pub(crate) use html::{Html, STYLE_SHEET};
pub(crate) use landing::landing;

use crate::code;
use crate::problem::Problem;

/// Media type of pages.
pub(crate) const PAGE_TYPE: &str = "text/html; charset=utf-8";
/// A page may load our style sheet and nothing else.
pub(crate) const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `docs/errors/*.md` by slug, embedded at build time.
static ERROR_PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// The Markdown text that explains an error code.
pub(crate) fn error_page(slug: &str) -> Option<&'static str> {
    ERROR_PAGES
        .iter()
        .find(|(name, _)| *name == slug)
        .map(|(_, text)| *text)
}

/// A failure, for somebody whose browser was sent into it.
pub(crate) fn failure(problem: &Problem, request: &str) -> String {
    let (title, detail, slug) = problem.words();
    let body = format!(
        "<p class=\"tag\">Status {status}</p>\n<h1>{title}</h1>\n<p class=\"lead\">{detail}</p>\n\
         <p><a class=\"more\" href=\"/problems/{slug}\">{slug}: what it means</a></p>\n<p>Request {request}</p>\n",
        status = problem.status().as_u16(),
        title = Html::text(title),
        detail = Html::text(detail),
        slug = Html::text(slug),
        request = Html::text(request),
    );
    html::page(title, &Html::trusted(&body))
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
