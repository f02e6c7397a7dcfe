//! IR to JavaScript. Deterministic: the same program gives the same bytes.
//!
//! Whatever an author wrote passes through [`string::literal`]; every other character of `bot.js` stands in this folder
//! or in `prelude/`.

mod data;
mod string;

use std::fmt::Write as _;

use crate::ir::{Data, Flow, Node, Program};
use crate::{lower, prelude};

/// The text of `bot.js`.
pub(crate) fn module(program: &Program) -> String {
    let kinds = lower::kinds(program);
    let mut out = format!(
        "// Bot {}, made by Botloom from its spec: change the spec, not this file.\n\
         // The tables say what the bot does; the SDK below them runs it. Nothing lasts but what it returns.\n",
        comment(&program.id)
    );
    constant(&mut out, "texts", "frozen(", &program.texts, ")");
    constant(&mut out, "keys", "frozen(", &program.keys, ")");
    constant(&mut out, "commands", "frozen(", &program.commands, ")");
    constant(
        &mut out,
        "intents",
        "frozen(prepared(",
        &Data::List(program.intents.clone()),
        "))",
    );
    flows(&mut out, &program.flows);
    out.push_str("\nconst bot = frozen({\n");
    let settings = [
        ("id", Data::from(program.id.as_str())),
        ("name", program.name.as_str().into()),
        ("locales", program.locales.as_slice().into()),
        ("defaultLocale", program.default_locale.as_str().into()),
        ("maxBytes", program.max_bytes.into()),
        ("events", program.events.as_slice().into()),
    ];
    for (name, value) in &settings {
        let _ = write!(out, "  {name}: ");
        data::print(&mut out, value, 2, name.len() + 5);
        out.push_str(",\n");
    }
    let functions = kinds.iter().copied().collect::<Vec<_>>().join(", ");
    let kinds_table = if functions.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {functions} }}")
    };
    let _ = write!(
        out,
        "  kinds: {kinds_table},\n  texts,\n  keys,\n  commands,\n  intents,\n  flows,\n}});\n"
    );
    out.push_str("\nexport function handle(input) {\n  return run(bot, input);\n}\n");
    out.push_str(&prelude::sections(&kinds));
    out
}

fn constant(out: &mut String, name: &str, open: &str, data: &Data, close: &str) {
    let head = format!("const {name} = {open}");
    let _ = write!(out, "\n{head}");
    data::print(out, data, 0, head.len() + close.len() + 1);
    let _ = writeln!(out, "{close};");
}

fn flows(out: &mut String, flows: &[Flow]) {
    out.push_str("\nconst flows = frozen({\n");
    for flow in flows {
        let _ = write!(out, "  // flow {}\n  ", comment(&flow.id));
        name(out, &flow.id);
        out.push_str("{\n");
        if let Some(first) = flow.steps.first() {
            out.push_str("    start: ");
            data::line(out, &first.id.as_str().into());
            out.push_str(",\n");
        }
        out.push_str("    steps: {\n");
        flow.steps.iter().for_each(|node| step(out, node));
        out.push_str("    },\n  },\n");
    }
    out.push_str("});\n");
}

fn step(out: &mut String, node: &Node) {
    let mut fields = vec![("kind", node.kind.into())];
    fields.extend(node.fields.iter().cloned());
    if let Some(next) = &node.next {
        fields.push(("next", next.as_str().into()));
    }
    out.push_str("      ");
    name(out, &node.id);
    data::print(out, &Data::Fields(fields), 6, 6 + node.id.len() + 5);
    out.push_str(",\n");
}

/// A name that the author chose, as a key.
fn name(out: &mut String, name: &str) {
    let _ = write!(out, "{}: ", string::literal(name));
}

/// An id inside a comment. Ids of accepted specs hold nothing else; this keeps it so for any other.
fn comment(id: &str) -> String {
    id.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}
