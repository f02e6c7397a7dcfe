//! What Telegram shows of a bot outside of its chats: the menu of commands and two descriptions, each by language.

use std::collections::BTreeMap;

use crate::limits;
use crate::model::{BotSpec, Text};
use crate::template::{self, Segment};

/// Values by two-letter language (ISO 639-1); that of `""` is for everybody whose language has none.
pub type ByLanguage<T> = BTreeMap<String, T>;

/// What a spec wants Telegram to show. Of what it says nothing about, the map is empty.
///
/// - The texts of `meta.defaultLocale` are those of everybody (`""`).
/// - Telegram knows languages by two letters only, so `pt-BR` stands for `pt`. Of several locales of a language, the one that
///   is exactly the language speaks for it, else `meta.defaultLocale`, else the first in `meta.locales`.
/// - Locales whose language has no two-letter code cannot be told to Telegram: their users see the texts of everybody.
/// - A language whose texts are those of everybody has no entry.
/// - Placeholders are left out, and spaces around a text with them. A command whose description is then empty, or that has
///   none, is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Listed commands in the order of the spec; never an empty list.
    pub commands: ByLanguage<Vec<MenuEntry>>,
    /// `meta.description`; empty: none is to be shown.
    pub description: ByLanguage<String>,
    /// `meta.shortDescription`; empty: none is to be shown.
    pub short_description: ByLanguage<String>,
}

/// A command in the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Without the slash.
    pub command: String,
    /// 1 to 256 code points.
    pub description: String,
}

/// The profile of a spec that was accepted.
pub fn of(spec: &BotSpec) -> Profile {
    let locales = languages(spec);
    let shown = |text: &Option<Text>| {
        let Some(text) = text else {
            return ByLanguage::new();
        };
        let mut values = by_language(&locales, |locale| plain(spec, text, locale));
        // To show nothing to one language alone is more than Telegram can do.
        values.retain(|language, text| language.is_empty() || !text.is_empty());
        values
    };
    let mut commands = by_language(&locales, |locale| menu(spec, locale));
    commands.retain(|_, menu| !menu.is_empty());
    Profile {
        commands,
        description: shown(&spec.meta.description),
        short_description: shown(&spec.meta.short_description),
    }
}

/// The locale that speaks for each language; `""` for everybody.
fn languages(spec: &BotSpec) -> ByLanguage<&str> {
    let default = spec.meta.default_locale.as_str();
    let mut speaking = ByLanguage::from([(String::new(), default)]);
    for locale in &spec.meta.locales {
        let Some(language) = language(locale) else {
            continue;
        };
        let exact = locale.len() == language.len();
        match speaking.get_mut(&language) {
            Some(first) if exact || (locale == default && first.len() > language.len()) => *first = locale,
            Some(_) => {}
            None => {
                speaking.insert(language, locale);
            }
        }
    }
    speaking
}

/// The two letters of a locale's language.
fn language(locale: &str) -> Option<String> {
    let language = locale.split('-').next().unwrap_or_default();
    (language.len() == 2).then(|| language.to_ascii_lowercase())
}

fn by_language<T: PartialEq>(locales: &ByLanguage<&str>, value: impl Fn(&str) -> T) -> ByLanguage<T> {
    let mut values: ByLanguage<T> = locales
        .iter()
        .map(|(language, locale)| (language.clone(), value(locale)))
        .collect();
    if let Some(everybody) = values.remove("") {
        values.retain(|_, own| *own != everybody);
        values.insert(String::new(), everybody);
    }
    values
}

fn menu(spec: &BotSpec, locale: &str) -> Vec<MenuEntry> {
    let described = spec.commands.iter().filter_map(|command| {
        let description = plain(spec, command.description.as_ref()?, locale);
        (!description.is_empty()).then(|| MenuEntry {
            command: command.command.trim_start_matches('/').to_owned(),
            description,
        })
    });
    described.take(limits::COMMANDS as usize).collect()
}

/// A text in a locale, without its placeholders.
fn plain(spec: &BotSpec, text: &Text, locale: &str) -> String {
    let text = match text {
        Text::Literal(text) => text,
        Text::Key(key) => {
            let texts = &spec.localization;
            let own = texts.get(locale, &key.key);
            own.or_else(|| texts.get(&spec.meta.default_locale, &key.key))
                .unwrap_or_default()
        }
    };
    let segments = template::parse(text).unwrap_or_default();
    let literal: String = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Literal(text) => Some(*text),
            Segment::Placeholder { .. } => None,
        })
        .collect();
    literal.trim().to_owned()
}
