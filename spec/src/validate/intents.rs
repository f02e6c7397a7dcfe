//! Keywords can match.

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for part in draft.intents.iter().flatten() {
        for (locale, words) in &part.value.keywords {
            for (index, word) in words.iter().enumerate() {
                if !word
                    .chars()
                    .any(|character| character.is_alphanumeric() || character == '_')
                {
                    let base = pointer::join(&format!("{}/keywords", part.pointer), locale);
                    findings.add(Code::KeywordWithoutWord, &pointer::index(&base, index), || {
                        "A keyword matches whole words; this one holds no letter or digit.".to_owned()
                    });
                }
            }
        }
    }
}
