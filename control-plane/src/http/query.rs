//! Query parameters: known ones are checked, also for being there twice; unknown ones are ignored.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use botloom_core::ids::BotId;
use botloom_core::ports::PageRequest;
use http::request::Parts;

use crate::code;
use crate::problem::Problem;

/// Most items of one page.
const MAX_LIMIT: u32 = 200;
/// Longest cursor that is looked at.
const MAX_CURSOR: usize = 512;

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        ))
    }
}

impl Query {
    /// A parameter, if it is there.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self
            .0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(invalid(name, "is there more than once")),
        }
    }

    /// A parameter that reads as a `T`.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, rule: &str) -> Result<T, Problem> {
        let value = self.optional(name)?.ok_or_else(|| invalid(name, "is required"))?;
        value.parse().map_err(|_| invalid(name, rule))
    }

    /// The same, if it is there.
    pub(crate) fn optional_parsed<T: FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, Problem> {
        let value = self.optional(name)?;
        value
            .map(|text| text.parse().map_err(|_| invalid(name, rule)))
            .transpose()
    }

    /// A text of printable ASCII, if it is there.
    pub(crate) fn optional_text(&self, name: &str, max: usize) -> Result<Option<String>, Problem> {
        let value = self.optional(name)?;
        let plain =
            |text: &str| (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        match value {
            Some(text) if !plain(text) => {
                let rule = format!("must have 1 to {max} printable characters");
                Err(invalid(name, &rule))
            }
            value => Ok(value.map(str::to_owned)),
        }
    }

    /// `botId`. A text that cannot be one names no bot: 404.
    pub(crate) fn bot_id(&self) -> Result<BotId, Problem> {
        let value = self
            .optional("botId")?
            .ok_or_else(|| invalid("botId", "is required"))?;
        value.parse().map_err(|_| Problem::not_found())
    }

    /// `limit` and `cursor`.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        let mut page = PageRequest::default();
        if let Some(limit) = self.optional("limit")? {
            let limit = limit.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            page.limit = limit.ok_or_else(|| invalid("limit", "must be a number from 1 to 200"))?;
        }
        if let Some(cursor) = self.optional("cursor")? {
            let plain = cursor.len() <= MAX_CURSOR && cursor.bytes().all(|b| b.is_ascii_graphic());
            if !plain || cursor.is_empty() {
                return Err(invalid("cursor", "must be the nextCursor of an answer"));
            }
            page.cursor = Some(cursor.to_owned());
        }
        Ok(page)
    }
}

pub(crate) fn invalid(name: &str, what: &str) -> Problem {
    Problem::new(
        code::INVALID_PARAMETER,
        format!("The query parameter {name} {what}."),
    )
}
