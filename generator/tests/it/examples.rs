//! The example bots of `spec`.

use std::fs;

use botloom_spec::model::BotSpec;
use botloom_spec::script::Script;

use crate::support::here;

pub(crate) struct Example {
    pub(crate) name: String,
    pub(crate) spec: BotSpec,
    pub(crate) script: Script,
}

pub(crate) fn all() -> Vec<Example> {
    let mut examples = Vec::new();
    for entry in fs::read_dir(here().join("../spec/examples")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(bytes) = fs::read(folder.join("spec.json")) else {
            continue;
        };
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let checked = botloom_spec::check(&bytes);
        let spec = checked
            .spec
            .unwrap_or_else(|| panic!("{name}: {:#?}", checked.findings))
            .spec;
        let script = serde_json::from_slice(&fs::read(folder.join("chat.json")).unwrap()).unwrap();
        examples.push(Example { name, spec, script });
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(examples.len() >= 5);
    examples
}
