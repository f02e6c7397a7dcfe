//! The document is what the handlers say. That every route in it asks who is there is in `matrix`.

use botloom_control_plane::openapi_json;
use http::Method;
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_the_present_one() {
    if std::env::var_os("BOTLOOM_REGEN").is_some() {
        std::fs::write(FILE, openapi_json()).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        committed == openapi_json(),
        "control-plane/openapi.json is old; run the tests with BOTLOOM_REGEN=1"
    );
}

fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn operations_have_names_words_and_references_that_lead_somewhere() {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut names = std::collections::HashSet::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            names.insert(name),
            "{method} {path} has the name of another operation"
        );
        assert!(operation["summary"].is_string(), "{method} {path} has no words");
        assert_eq!(
            operation["responses"]["default"]["$ref"],
            "#/components/responses/Problem"
        );
    }
    let text = document.to_string();
    for reference in text
        .split("\"$ref\":\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}
