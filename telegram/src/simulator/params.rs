//! A call's parameters in the forms that the Bot API takes: query, JSON, urlencoded, multipart with `attach://`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use bytes::Bytes;
use http::{Request, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::reply::Refusal;

/// Parameters of a call together, without files: Telegram's limit.
const MAX_PARAMS: usize = 1024 * 1024;

/// Largest request: Telegram's limit for a file, and room for the form around it.
pub(super) const MAX_BODY: usize = 51 * 1024 * 1024;

/// A file that came with a call.
#[derive(Debug, Clone)]
pub(crate) struct Uploaded {
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

/// Parameters by name. Forms carry text alone, so every reader takes a value or its text.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) values: Map<String, Value>,
    pub(crate) files: BTreeMap<String, Uploaded>,
}

impl Params {
    /// Reads a whole request.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, Refusal> {
        let mut params = Self::default();
        if let Some(query) = request.uri().query() {
            params.add_form(query.as_bytes());
        }
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("");
        let content_type = content_type.to_ascii_lowercase();
        let multipart = content_type.starts_with("multipart/form-data");
        let limit = if multipart { MAX_BODY } else { MAX_PARAMS };
        let (head, body) = request.into_parts();
        // To its very end, even where the form ends before: what is left unread would cost the connection.
        let body = axum::body::to_bytes(body, limit)
            .await
            .map_err(|_| Refusal::new(413, "Request Entity Too Large"))?;
        if multipart {
            params
                .add_multipart(Request::from_parts(head, Body::from(body)))
                .await?;
        } else {
            params.add_body(&content_type, &body)?;
        }
        Ok(params)
    }

    /// Adds a body that is no multipart.
    pub(crate) fn add_body(&mut self, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        if content_type.starts_with("application/json") {
            let object: Map<String, Value> = serde_json::from_slice(body)
                .map_err(|_| Refusal::bad("can't parse JSON: Expected an object with parameters"))?;
            self.values.extend(object);
        } else {
            self.add_form(body);
        }
        Ok(())
    }

    fn add_form(&mut self, form: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(form) {
            self.values
                .insert(name.into_owned(), Value::String(value.into_owned()));
        }
    }

    async fn add_multipart(&mut self, request: Request<Body>) -> Result<(), Refusal> {
        let broken = |_| Refusal::bad("can't parse multipart/form-data");
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|_| Refusal::bad("can't parse boundary"))?;
        let mut size = 0;
        while let Some(field) = form.next_field().await.map_err(broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let content_type = field
                .content_type()
                .unwrap_or("application/octet-stream")
                .to_owned();
            let bytes = field
                .bytes()
                .await
                .map_err(|_| Refusal::new(413, "Request Entity Too Large"))?;
            if let Some(file_name) = file_name {
                self.files.insert(
                    name,
                    Uploaded {
                        file_name,
                        content_type,
                        bytes,
                    },
                );
                continue;
            }
            size += name.len() + bytes.len();
            if size > MAX_PARAMS {
                return Err(Refusal::new(413, "Request Entity Too Large"));
            }
            let text = String::from_utf8(bytes.into())
                .map_err(|_| Refusal::bad("strings must be encoded in UTF-8"))?;
            self.values.insert(name, Value::String(text));
        }
        Ok(())
    }

    /// Whether the parameter is there, as value or as file, and not empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        let filled = |value: &Value| !value.is_null() && value.as_str() != Some("");
        self.values.get(name).is_some_and(filled) || self.files.contains_key(name)
    }

    /// As text; numbers and objects in their JSON form.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// As a whole number.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Number(n) => n.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As a number.
    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        match self.values.get(name)? {
            Value::Number(n) => n.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As a truth value; `false` where absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Number(n)) => n.as_i64() != Some(0),
            Some(Value::String(text)) => {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1")
            }
            _ => false,
        }
    }

    /// As a list or object, which forms carry as JSON text.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, Refusal> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map(Some)
                .map_err(|_| Refusal::bad(format!("can't parse {name} JSON object"))),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// As a list or object of a known shape.
    pub(crate) fn typed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.json(name)? else {
            return Ok(None);
        };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|_| Refusal::bad(format!("can't parse {name} JSON object")))
    }

    /// For the journal: values as they came, files by name and size.
    pub(crate) fn into_journal(self) -> Map<String, Value> {
        let mut values = self.values;
        for (name, file) in self.files {
            values.insert(
                name,
                serde_json::json!({ "file": file.file_name, "bytes": file.bytes.len() }),
            );
        }
        values
    }
}
