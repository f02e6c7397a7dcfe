//! The frame of every page, and text that is safe in it.

use std::fmt;

/// The one style sheet.
pub(crate) const STYLE_SHEET: &str = include_str!("style.css");

/// HTML whose texts were escaped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Html(String);

impl Html {
    /// A text, with what has a meaning in HTML escaped.
    pub(crate) fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
        }
        Self(out)
    }

    /// HTML of our own.
    pub(crate) fn trusted(html: &str) -> Self {
        Self(html.to_owned())
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A whole page.
pub(crate) fn page(title: &str, body: &Html) -> String {
    let title = Html::text(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Botloom</title>\n<link rel=\"stylesheet\" href=\"/assets/page.css\">\n</head>\n<body>\n\
         <header><a class=\"mark\" href=\"/\">Botloom</a>\
         <nav><a href=\"/docs\">API</a> <a href=\"/openapi.json\">OpenAPI</a></nav></header>\n\
         <main>\n{body}\n</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_markup() {
        assert_eq!(
            Html::text("<a href='x' b=\"&\">").to_string(),
            "&lt;a href=&#39;x&#39; b=&quot;&amp;&quot;&gt;"
        );
    }
}
