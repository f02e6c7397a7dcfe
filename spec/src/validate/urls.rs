//! URLs are plain `https`, name their host literally, and calls go to allowed hosts.

use url::Url;

use super::domains::{Allowed, host_name};
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::step::Step;
use crate::template::{self, Segment};

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let allowed = draft
        .allow_domains
        .as_ref()
        .map(|entries| Allowed::new(entries.iter().map(|(_, entry)| *entry)));
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::ApiCall(call) => {
                let at = format!("{at}/url");
                let Some(host) = host_of(&at, &call.url, Ports::Default, findings) else {
                    continue;
                };
                if allowed.as_ref().is_some_and(|allowed| !allowed.allows(&host)) {
                    findings.add_hinted(Code::DomainNotAllowed, &at, || {
                        (
                            format!("`{host}` is not in `security.allowDomains`."),
                            Some("Add the host there if the bot may call it.".to_owned()),
                        )
                    });
                }
            }
            Step::Reply(reply) => {
                if let Some(url) = reply.media.as_ref().and_then(|media| media.url.as_deref()) {
                    // Telegram fetches it, so the whole of it may come from the state.
                    if template::single(url).is_none() {
                        host_of(&format!("{at}/media/url"), url, Ports::Any, findings);
                    }
                }
            }
            Step::Ask(_) | Step::Validate(_) | Step::Save(_) | Step::Goto(_) => {}
        }
    }
}

/// Which ports a URL may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// 443 alone: whatever else listens on an allowed host is not meant for bots.
    Default,
    /// Whoever fetches it decides.
    Any,
}

/// The host of a URL, in the form in which hosts are compared; reports a URL that has none.
fn host_of(at: &str, text: &str, ports: Ports, findings: &mut Findings) -> Option<String> {
    // Unclosed placeholders are reported elsewhere.
    let segments = template::parse(text).ok()?;
    let mut invalid = |why: &str| {
        findings.add_hinted(Code::InvalidUrl, at, || {
            (why.to_owned(), Some("Write `https://host/path`.".to_owned()))
        });
        None
    };
    let scheme = text
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let template_first = matches!(segments.first(), Some(Segment::Placeholder { .. }));
    if !scheme && !template_first {
        return invalid("The URL does not start with `https://`.");
    }
    let authority_end = text
        .get(8..)
        .and_then(|rest| rest.find(['/', '?', '#', '\\']))
        .map_or(text.len(), |end| end + 8);
    let in_host = segments
        .iter()
        .any(|segment| matches!(segment, Segment::Placeholder { span, .. } if span.start < authority_end));
    if in_host {
        findings.add(Code::TemplateInHost, at, || {
            "A placeholder may stand only after the host.".to_owned()
        });
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    for segment in &segments {
        match segment {
            Segment::Literal(text) => plain.push_str(text),
            Segment::Placeholder { .. } => plain.push('x'),
        }
    }
    // Readers of URLs disagree about these, and what they disagree about is the host.
    if plain
        .contains(|character: char| character == '\\' || character.is_whitespace() || character.is_control())
    {
        return invalid("The URL holds a space, a backslash or a control character.");
    }
    let Ok(url) = Url::parse(&plain) else {
        return invalid("This is no URL.");
    };
    if !url.username().is_empty()
        || url.password().is_some()
        || plain[..authority_end.min(plain.len())].contains('@')
    {
        return invalid("The URL holds a user name.");
    }
    if url.port() == Some(0) {
        return invalid("There is no port 0.");
    }
    if ports == Ports::Default && url.port().is_some() {
        return invalid("Calls go to port 443 alone.");
    }
    match url.host_str().and_then(host_name) {
        Some(host) => Some(host),
        None => invalid("The URL names no host but an address, or nothing."),
    }
}
