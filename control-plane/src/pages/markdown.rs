//! The little of Markdown that error pages use: headings, paragraphs, lists, fenced code, `code`, **strong**, links.

use std::fmt::Write as _;

use super::html::Html;

/// HTML of a page of our own.
pub(crate) fn render(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with("```") {
            out.push_str("<pre><code>");
            for code in lines
                .by_ref()
                .take_while(|line| !line.trim_start().starts_with("```"))
            {
                push(&mut out, format_args!("{}\n", Html::text(code)));
            }
            out.push_str("</code></pre>\n");
        } else if let Some((level, title)) = heading(trimmed) {
            push(&mut out, format_args!("<h{level}>{}</h{level}>\n", inline(title)));
        } else if let Some(first) = item(trimmed) {
            let mut items = vec![first.to_owned()];
            while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
                match (item(line.trim()), items.last_mut()) {
                    (Some(next), _) => items.push(next.to_owned()),
                    (None, Some(last)) => push(last, format_args!(" {}", line.trim())),
                    (None, None) => {}
                }
            }
            let tag = if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
                "ol"
            } else {
                "ul"
            };
            push(&mut out, format_args!("<{tag}>\n"));
            for item in items {
                push(&mut out, format_args!("<li>{}</li>\n", inline(&item)));
            }
            push(&mut out, format_args!("</{tag}>\n"));
        } else {
            let mut paragraph = trimmed.to_owned();
            let ends = |line: &str| {
                line.is_empty() || line.starts_with("```") || heading(line).is_some() || item(line).is_some()
            };
            while let Some(line) = lines.next_if(|line| !ends(line.trim())) {
                push(&mut paragraph, format_args!(" {}", line.trim()));
            }
            push(&mut out, format_args!("<p>{}</p>\n", inline(&paragraph)));
        }
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a String cannot fail");
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    let title = line[level..].strip_prefix(' ')?;
    (1..=4).contains(&level).then_some((level, title))
}

fn item(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some(rest);
    }
    let (number, rest) = line.split_once(". ")?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(rest)
}

fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            push(&mut out, format_args!("<code>{}</code>", Html::text(part)));
        } else {
            out.push_str(&links(&strong(&Html::text(part).to_string())));
        }
    }
    out
}

fn strong(escaped: &str) -> String {
    let mut out = String::new();
    for (index, part) in escaped.split("**").enumerate() {
        let tag = match (index, index % 2) {
            (0, _) => "",
            (_, 1) => "<strong>",
            _ => "</strong>",
        };
        out.push_str(tag);
        out.push_str(part);
    }
    out
}

/// `[text](target)`. Targets of pages beside this one (`other.md`) lead to their problem page.
fn links(escaped: &str) -> String {
    let mut out = String::new();
    let mut rest = escaped;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        let parsed = link
            .split_once("](")
            .and_then(|(text, after)| Some((text, after.split_once(')')?)));
        let Some((text, (target, after))) = parsed else {
            out.push('[');
            rest = link;
            continue;
        };
        let target = target
            .strip_suffix(".md")
            .map_or_else(|| target.to_owned(), |slug| format!("/problems/{slug}"));
        push(&mut out, format_args!("<a href=\"{target}\">{text}</a>"));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_html() {
        let page = "# Title\n\nOne `a < b` and **this**,\ncontinued. See [other](other-code.md).\n\n- first\n  goes on\n- second\n\n1. one\n\n```\n<x>\n```\n";
        assert_eq!(
            render(page),
            "<h1>Title</h1>\n\
             <p>One <code>a &lt; b</code> and <strong>this</strong>, continued. See <a href=\"/problems/other-code\">other</a>.</p>\n\
             <ul>\n<li>first goes on</li>\n<li>second</li>\n</ul>\n\
             <ol>\n<li>one</li>\n</ol>\n\
             <pre><code>&lt;x&gt;\n</code></pre>\n"
        );
    }

    #[test]
    fn every_error_page_is_rendered() {
        for (slug, text) in crate::pages::ERROR_PAGES {
            let html = render(text);
            assert!(html.starts_with("<h1>"), "{slug} does not begin with a title");
        }
    }
}
