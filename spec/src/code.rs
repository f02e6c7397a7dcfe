//! Every finding code, in one table. A code is stable and has a page `docs/errors/<code>.md` and a failing example:
//! `spec/tests/invalid/<code>.json`, or, where that would be large, a document that the test makes.

use serde::{Deserialize, Serialize};

/// Whether a finding refuses the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec is refused.
    Error,
    /// Stored with the version.
    Warning,
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $meaning:literal)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(
                #[doc = $meaning]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as it appears in answers and as the name of its page.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whether it refuses the spec.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// One sentence about it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }
        }
    };
}

codes! {
    // Syntax.
    SpecTooLarge "spec-too-large" Error "The document is larger than 512 KB."
    InvalidUtf8 "invalid-utf8" Error "The document is not UTF-8."
    ByteOrderMark "byte-order-mark" Error "The document starts with a byte order mark."
    JsonSyntax "json-syntax" Error "The document is not JSON."
    TrailingBytes "trailing-bytes" Error "Something follows the JSON document."
    JsonTooDeep "json-too-deep" Error "Arrays and objects are nested more than 64 deep."
    DuplicateKey "duplicate-key" Error "An object has two members of the same name."
    NumberOutOfRange "number-out-of-range" Error "A number lies outside ±(2^53-1)."
    LoneSurrogate "lone-surrogate" Error "A string holds half of a surrogate pair."
    NulCharacter "nul-character" Error "A string holds the character U+0000."

    // Shape.
    UnknownField "unknown-field" Error "A field does not belong here."
    MissingField "missing-field" Error "A required field is missing."
    WrongType "wrong-type" Error "A value has the wrong JSON type."
    UnknownValue "unknown-value" Error "A value is none of the allowed ones."
    InvalidFormat "invalid-format" Error "A text does not have the required form."
    InvalidName "invalid-name" Error "The name of a member does not have the required form."
    TooShort "too-short" Error "A text is too short."
    TooLong "too-long" Error "A text is too long."
    TooSmall "too-small" Error "A number is too small."
    TooLarge "too-large" Error "A number is too large."
    TooFewItems "too-few-items" Error "A list is too short."
    TooManyItems "too-many-items" Error "A list or an object has too many entries."
    DuplicateItem "duplicate-item" Error "A list holds the same entry twice."
    ExactlyOne "exactly-one" Error "Exactly one of several fields must be given."
    AtLeastOne "at-least-one" Error "At least one of several fields must be given."
    InvalidValue "invalid-value" Error "A value cannot be read."

    // Names and references.
    DuplicateId "duplicate-id" Error "Two flows, two steps of a flow or two intents share an id."
    DuplicateCommand "duplicate-command" Error "A command is listed twice."
    ReservedName "reserved-name" Error "A name has a special meaning to JavaScript objects."
    UnknownFlow "unknown-flow" Error "There is no flow with this id."
    UnknownStep "unknown-step" Error "There is no step with this id in the flow."
    UnknownStateKey "unknown-state-key" Error "The state key is not declared."
    UnknownPath "unknown-path" Error "A placeholder or condition reads something that does not exist."
    InvalidTemplate "invalid-template" Error "A placeholder is not closed."
    InvalidPointer "invalid-pointer" Error "A JSON Pointer does not have the form of RFC 6901."
    UnknownEvent "unknown-event" Warning "No such telemetry event is ever recorded."

    // Languages and texts.
    InvalidLocale "invalid-locale" Error "A locale is no BCP 47 language tag."
    UnknownLocale "unknown-locale" Error "The locale is not in `meta.locales`."
    UnknownTimeZone "unknown-time-zone" Error "There is no such IANA time zone."
    MissingText "missing-text" Error "The default locale has no text with this key."
    UntranslatedText "untranslated-text" Warning "Another locale has no text with this key."
    EmptyText "empty-text" Error "Telegram does not send an empty message."
    CaptionTooLong "caption-too-long" Error "A caption is longer than 1,024 code points."
    DescriptionLength "description-length" Error "A description is longer or shorter than Telegram takes."
    DescriptionPlaceholder "description-placeholder" Warning "A placeholder in a description is left out."
    KeywordWithoutWord "keyword-without-word" Warning "A keyword without letters or digits never matches."

    // Steps.
    InvalidRegex "invalid-regex" Error "A pattern cannot be compiled."
    PatternBudget "pattern-budget" Error "All patterns together are too complex."
    InvalidSchema "invalid-schema" Error "A JSON Schema of a `validate` step is not valid."
    RemoteReference "remote-reference" Error "A JSON Schema refers to something outside itself."
    InvalidCondition "invalid-condition" Error "The value of a condition does not fit its operation."
    ElseWithoutWhen "else-without-when" Warning "`elseNext` without `when` is never used."
    ValidateWithoutAsk "validate-without-ask" Warning "A `validate` has no `ask` before it in its flow."
    SaveWithoutAsk "save-without-ask" Warning "A `save` of the input has no `ask` before it in its flow."
    WrongDefault "wrong-default" Error "The default of a state key does not fit its type or size."
    InvalidHeader "invalid-header" Error "A header cannot be set by a bot, or is no header."
    InvalidUrl "invalid-url" Error "A URL is not a plain `https` URL."
    TemplateInHost "template-in-host" Error "The host of a URL holds a placeholder."
    InvalidDomain "invalid-domain" Error "An entry of `allowDomains` is no host name."
    DomainNotAllowed "domain-not-allowed" Error "The host of an `apiCall` is not in `allowDomains`."

    // The bot as a whole.
    MissingCommand "missing-command" Warning "Users expect `/start` and `/help`."
    UnreachableFlow "unreachable-flow" Warning "Nothing leads to the flow."
    UnreachableStep "unreachable-step" Warning "Nothing leads to the step."
    EndlessLoop "endless-loop" Error "A loop neither waits for the user nor ends."
    PossibleEndlessLoop "possible-endless-loop" Warning "A loop does not wait for the user and may not end."
    LongChain "long-chain" Warning "More than 200 steps can follow each other without waiting."
    TooManyApiCalls "too-many-api-calls" Warning "More than 2 calls can follow each other without waiting."
    TooManyFindings "too-many-findings" Warning "There are more findings than are listed."
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
