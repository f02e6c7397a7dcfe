//! Where a value comes from: default, file, environment, command line, each over the one before.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ConfigError;
use super::table::{self, SETTINGS, Setting};

/// A value and the layer it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub text: String,
    pub source: &'static str,
}

/// Values by key. Keys that nobody set are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Layers(BTreeMap<&'static str, Value>);

/// Variables that start with our prefix but are no settings: a fault point for tests.
const NOT_SETTINGS: &[&str] = &[
    "BOTLOOM_FAULT",
    "BOTLOOM_REGEN",
    "BOTLOOM_GIT_SHA",
    "BOTLOOM_CONFIG",
];

/// Beginning of the names of variables that say where tests find their servers.
const FOR_TESTS: &str = "BOTLOOM_TEST_";

impl Layers {
    /// Reads `botloom.toml` (the named one must exist, the default one may) and the environment.
    pub(crate) fn read(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::of_file(file)?;
        for (key, text) in env {
            let prefixed = key.starts_with("BOTLOOM_")
                && !key.starts_with(FOR_TESTS)
                && !NOT_SETTINGS.contains(&key.as_str());
            if (prefixed || table::find(&key).is_some()) && !text.is_empty() {
                layers.set(&key, text, "environment")?;
            }
        }
        Ok(layers)
    }

    /// Reads `botloom.toml` alone.
    pub(crate) fn of_file(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        let default_file = Path::new("botloom.toml");
        match file {
            Some(path) => layers.add_file(path)?,
            None if default_file.exists() => layers.add_file(default_file)?,
            None => {}
        }
        Ok(layers)
    }

    /// What the client commands need and cannot use as it is.
    pub(crate) fn check_client(&self) -> Result<(), ConfigError> {
        let key = "BOTLOOM_SERVER";
        match self.0.get(key).map(|value| url::Url::parse(&value.text)) {
            Some(Err(error)) => Err(ConfigError::Invalid {
                key,
                reason: format!("must be a URL like http://127.0.0.1:8080 ({error})"),
            }),
            _ => Ok(()),
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let fail = |reason: String| ConfigError::File {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let parsed: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| fail(error.message().to_owned()))?;
        for (key, value) in parsed {
            let text = as_text(&value)
                .ok_or_else(|| fail(format!("{key} must be a text, a number or a list of texts")))?;
            self.set(&key, text, "file")?;
        }
        Ok(())
    }

    /// Sets a value from the command line.
    pub(crate) fn set_flag(&mut self, key: &'static str, text: String) {
        self.0.insert(
            key,
            Value {
                text,
                source: "command line",
            },
        );
    }

    fn set(&mut self, key: &str, text: String, source: &'static str) -> Result<(), ConfigError> {
        let Some(setting) = table::find(key) else {
            return Err(ConfigError::Unknown {
                key: key.to_owned(),
                source_name: format!("the {source}"),
                suggestion: nearest(key),
            });
        };
        self.0.insert(setting.key, Value { text, source });
        Ok(())
    }

    /// The value that was given and says something.
    pub(crate) fn given(&self, setting: &Setting) -> Option<&str> {
        let value = self.0.get(setting.key)?;
        Some(value.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The value in force; the default's layer is `default`.
    pub(crate) fn get(&self, setting: &'static Setting) -> Value {
        let unset = || Value {
            text: setting.default.to_owned(),
            source: "default",
        };
        self.0.get(setting.key).cloned().unwrap_or_else(unset)
    }
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(as_text).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// The known key that differs least, if it differs little.
fn nearest(key: &str) -> Option<&'static str> {
    let distance = |setting: &&Setting| levenshtein(key, setting.key);
    SETTINGS
        .iter()
        .filter(|setting| distance(setting) <= 4)
        .min_by_key(distance)
        .map(|setting| setting.key)
}

fn levenshtein(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = written("BOTLOOM_LISTEN = \"127.0.0.1:1\"\nBOTLOOM_SEND_BOT_PER_S = 7\n");
        let layers = Layers::read(
            Some(file.path()),
            env(&[("BOTLOOM_LISTEN", "127.0.0.1:2"), ("HOME", "/")]),
        )
        .unwrap();
        let get = |key| layers.get(table::find(key).unwrap());
        assert_eq!(
            get("BOTLOOM_LISTEN"),
            Value {
                text: "127.0.0.1:2".into(),
                source: "environment"
            }
        );
        assert_eq!(
            get("BOTLOOM_SEND_BOT_PER_S"),
            Value {
                text: "7".into(),
                source: "file"
            }
        );
        assert_eq!(get("BOTLOOM_DATA_DIR").source, "default");
    }

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let error = Layers::read(None, env(&[("BOTLOOM_LISTN", "x")]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "unknown setting BOTLOOM_LISTN in the environment; did you mean BOTLOOM_LISTEN?"
        );
        let file = written("listen = \"x\"\n");
        let error = Layers::read(Some(file.path()), env(&[])).unwrap_err().to_string();
        assert_eq!(error, "unknown setting listen in the file");
    }

    #[test]
    fn standard_names_of_services_are_settings() {
        let layers = Layers::read(None, env(&[("REDIS_URL", "redis://x"), ("AWS_PROFILE", "p")])).unwrap();
        assert_eq!(layers.get(table::find("REDIS_URL").unwrap()).text, "redis://x");
    }

    #[test]
    fn a_named_file_must_exist_and_parse() {
        assert!(Layers::read(Some(Path::new("does-not-exist.toml")), env(&[])).is_err());
        let file = written("BOTLOOM_LISTEN = [");
        assert!(matches!(
            Layers::read(Some(file.path()), env(&[])),
            Err(ConfigError::File { .. })
        ));
    }
}
