//! What commands that list things share: all pages of a list, a table, and which project is meant.

use std::fmt::Display;

use serde_json::Value;

use crate::api_client::Api;
use crate::error::CommandError;
use crate::terminal::say;

/// Most items of one page.
const PAGE: usize = 200;

/// A list of the API to its end.
pub(crate) async fn everything(api: &Api, path: &str) -> Result<Vec<Value>, CommandError> {
    newest(api, path, usize::MAX).await
}

/// The newest of a list that has those first, so many at the most.
pub(crate) async fn newest(api: &Api, path: &str, limit: usize) -> Result<Vec<Value>, CommandError> {
    let glue = if path.contains('?') { '&' } else { '?' };
    let mut items = Vec::new();
    let mut next = String::new();
    while items.len() < limit {
        let page = (limit - items.len()).min(PAGE);
        let mut answer = api.get(&format!("{path}{glue}limit={page}{next}")).await?.ok()?;
        if let Some(Value::Array(page)) = answer.get_mut("items").map(Value::take) {
            items.extend(page);
        }
        match answer["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    Ok(items)
}

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// Shows a list: as JSON, or these fields of each item in columns under their titles.
pub(crate) fn show(items: &[Value], json: bool, columns: &[(&str, &str)]) {
    if json {
        say(Value::from(items));
        return;
    }
    let mut rows = vec![
        columns
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect::<Vec<_>>(),
    ];
    rows.extend(items.iter().map(|item| {
        let fields = columns.iter().map(|(_, pointer)| text(item.pointer(pointer)));
        fields.collect()
    }));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        say(cells.join("  ").trim_end());
    }
}

/// A value as a cell of a table.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The id of the project that is meant, by name or id; without either, of the only one.
pub(crate) async fn project(api: &Api, named: Option<&str>) -> Result<String, CommandError> {
    let projects = everything(api, "/projects").await?;
    let id = |project: &Value| project["projectId"].as_str().unwrap_or_default().to_owned();
    match named.filter(|named| !named.is_empty()) {
        Some(named) => projects
            .iter()
            .find(|project| project["name"] == *named || project["projectId"] == *named)
            .map(id)
            .ok_or_else(|| CommandError::Other(format!("you are a member of no project {named}"))),
        None => match projects.as_slice() {
            [only] => Ok(id(only)),
            [] => Err(CommandError::Other("you are a member of no project".to_owned())),
            several => {
                let names: Vec<&str> = several.iter().filter_map(|one| one["name"].as_str()).collect();
                let names = names.join(", ");
                Err(CommandError::Other(format!(
                    "say which project with --project (or BOTLOOM_PROJECT): {names}"
                )))
            }
        },
    }
}

/// The id of the project that an option or a setting names, by name or id, if one does.
pub(crate) async fn named_project(api: &Api, named: Option<&str>) -> Result<Option<String>, CommandError> {
    match named.filter(|named| !named.is_empty()) {
        Some(named) => project(api, Some(named)).await.map(Some),
        None => Ok(None),
    }
}

/// The bots of the caller's projects, or those of this one, by its id.
pub(crate) async fn bots(api: &Api, project: Option<&str>) -> Result<Vec<Value>, CommandError> {
    let mut bots = everything(api, "/bots").await?;
    bots.retain(|bot| project.is_none_or(|project| bot["projectId"] == project));
    Ok(bots)
}

/// An answer as it came, or what it means in words.
pub(crate) fn tell(json: bool, answer: &Value, words: impl Display) {
    if json {
        say(answer);
    } else {
        say(words);
    }
}
