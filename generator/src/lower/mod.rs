//! BotSpec to IR. One file per step kind, named as in `botloom-spec`.

mod api_call;
mod ask;
mod goto;
mod media;
mod reply;
mod save;
mod texts;
mod validate;

use std::collections::BTreeSet;

use botloom_spec::model::{BotSpec, Intent, KNOWN_EVENTS, StateKey};
use botloom_spec::step::Step;

use crate::ir::{Data, Fields, Flow, Node, Program};

/// Lowers a spec. It must be one that was accepted: references that lead nowhere would stop the bot when it gets there.
pub(crate) fn program(spec: &BotSpec) -> Program {
    let ttl = spec.state.ttl_sec;
    let keys = spec
        .state
        .keys
        .iter()
        .map(|(name, key)| (name.clone(), Data::Fields(state_key(key, ttl))));
    let commands = spec.commands.iter().map(|command| {
        (
            command.command.trim_start_matches('/').to_owned(),
            command.flow.as_str().into(),
        )
    });
    let mut intents: Vec<&Intent> = spec.intents.iter().collect();
    // Stable: among equals the order of the document stays.
    intents.sort_by_key(|intent| std::cmp::Reverse(intent.priority));
    Program {
        id: spec.meta.bot_id.clone(),
        name: spec.meta.name.clone(),
        locales: spec.meta.locales.clone(),
        default_locale: spec.meta.default_locale.clone(),
        max_bytes: spec.state.max_kb * 1024,
        events: spec
            .telemetry
            .events
            .iter()
            .filter(|event| KNOWN_EVENTS.contains(&event.as_str()))
            .cloned()
            .collect(),
        texts: texts::table(spec),
        keys: Data::Named(keys.collect()),
        commands: Data::Named(commands.collect()),
        intents: intents.into_iter().map(intent).collect(),
        flows: spec
            .flows
            .iter()
            .map(|flow| Flow {
                id: flow.id.clone(),
                steps: steps(&flow.steps),
            })
            .collect(),
    }
}

/// The step kinds that a spec uses.
pub(crate) fn kinds(program: &Program) -> BTreeSet<&'static str> {
    program
        .flows
        .iter()
        .flat_map(|flow| &flow.steps)
        .map(|step| step.kind)
        .collect()
}

fn state_key(key: &StateKey, ttl: Option<u32>) -> Fields {
    let mut fields: Fields = vec![("type", key.kind.as_str().into())];
    optional(&mut fields, "ttlSec", key.ttl_sec.or(ttl));
    optional(&mut fields, "maxBytes", key.max_bytes);
    optional(&mut fields, "default", key.default.clone().map(Data::Json));
    fields
}

fn intent(intent: &Intent) -> Data {
    let keywords = intent
        .keywords
        .iter()
        .map(|(locale, words)| (locale.clone(), words.as_slice().into()));
    let mut fields = vec![
        ("id", intent.id.as_str().into()),
        ("flow", intent.flow.as_str().into()),
    ];
    optional(
        &mut fields,
        "cooldownSec",
        Some(intent.cooldown_sec).filter(|&seconds| seconds > 0),
    );
    fields.push(("keywords", Data::Named(keywords.collect())));
    Data::Fields(fields)
}

fn steps(steps: &[Step]) -> Vec<Node> {
    let lowered = steps.iter().enumerate().map(|(index, step)| {
        let before = Before(&steps[..index]);
        let fields = match step {
            Step::Reply(step) => reply::lower(step),
            Step::Ask(step) => ask::lower(step),
            Step::Validate(step) => validate::lower(step, before),
            Step::Save(step) => save::lower(step, before),
            Step::ApiCall(step) => api_call::lower(step),
            Step::Goto(step) => goto::lower(step),
        };
        let next = steps.get(index + 1).map(|next| next.id().to_owned());
        Node {
            id: step.id().to_owned(),
            kind: step.kind(),
            fields,
            next,
        }
    });
    lowered.collect()
}

/// The steps of a flow before the one that is being lowered.
#[derive(Clone, Copy)]
struct Before<'a>(&'a [Step]);

impl<'a> Before<'a> {
    /// Id of the nearest `ask`: the question that a failed answer goes back to.
    fn ask(self) -> Option<&'a str> {
        self.0
            .iter()
            .rev()
            .find(|step| matches!(step, Step::Ask(_)))
            .map(Step::id)
    }

    /// Id of the nearest `validate` after the nearest `ask`.
    fn check(self) -> Option<&'a str> {
        let ask = self.0.iter().rposition(|step| matches!(step, Step::Ask(_)))?;
        self.0[ask..]
            .iter()
            .rev()
            .find(|step| matches!(step, Step::Validate(_)))
            .map(Step::id)
    }
}

/// Adds a field that may be missing.
fn optional(fields: &mut Fields, name: &'static str, value: Option<impl Into<Data>>) {
    if let Some(value) = value {
        fields.push((name, value.into()));
    }
}
