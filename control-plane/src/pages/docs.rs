//! The API as a page: every route of the OpenAPI document with what it takes and answers.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{Html, page};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Renders an OpenAPI document.
pub(crate) fn docs(document: &Value) -> String {
    let mut body = String::from("<h1>API</h1>\n");
    push(
        &mut body,
        format_args!("<p>{}</p>\n", text(&document["info"]["description"])),
    );
    for tag in list(&document["tags"]) {
        push(
            &mut body,
            format_args!(
                "<h2>{}</h2>\n<p>{}</p>\n",
                text(&tag["name"]),
                text(&tag["description"])
            ),
        );
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let operation = &item[method];
                if list(&operation["tags"]).any(|name| *name == tag["name"]) {
                    route(&mut body, method, path, operation);
                }
            }
        }
    }
    page("API", &Html::trusted(&body))
}

fn route(out: &mut String, method: &str, path: &str, operation: &Value) {
    let verb = method.to_uppercase();
    push(
        out,
        format_args!(
            "<details class=\"route\">\n<summary><span class=\"verb {method}\">{verb}</span> <code>{}</code> <span>{}</span></summary>\n",
            Html::text(path),
            text(&operation["summary"]),
        ),
    );
    if operation["description"].is_string() {
        push(out, format_args!("<p>{}</p>\n", text(&operation["description"])));
    }
    let parameters: Vec<_> = list(&operation["parameters"]).collect();
    if !parameters.is_empty() {
        out.push_str("<table>\n");
        for parameter in parameters {
            push(
                out,
                format_args!(
                    "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                    text(&parameter["name"]),
                    text(&parameter["in"]),
                    text(&parameter["description"]),
                ),
            );
        }
        out.push_str("</table>\n");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(name) = body.as_str().and_then(|name| name.rsplit('/').next()) {
        push(
            out,
            format_args!("<p>Body: <code>{}</code></p>\n", Html::text(name)),
        );
    }
    out.push_str("<table>\n");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status != "default" {
            let status = Html::text(status);
            push(
                out,
                format_args!(
                    "<tr><td>{status}</td><td>{}</td></tr>\n",
                    text(&response["description"])
                ),
            );
        }
    }
    out.push_str("</table>\n</details>\n");
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a String cannot fail");
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Html {
    Html::text(value.as_str().unwrap_or_default())
}
