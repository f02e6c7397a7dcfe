//! What the bot's own part may do with the SDK: make tables, name step kinds, and hand the host's input to it.
//!
//! Helpers of the SDK reach into whatever they are given by name. Given the input of the host, which is JSON, they find
//! data; given a global they would find more. So they get nothing else.

use botloom_spec::step::KINDS;
use oxc::ast::AstKind;
use oxc::ast::ast::{Argument, CallExpression, Function, IdentifierReference};
use oxc::span::GetSpan;
use oxc::syntax::node::NodeId;

use super::Program;

/// Judges a name of the bot's own part that stands for something the SDK declares.
pub(super) fn check(program: &mut Program<'_, '_, '_>, id: NodeId, reference: &IdentifierReference<'_>) {
    let nodes = program.semantic.nodes();
    let name = reference.name.as_str();
    let top_level = !nodes
        .ancestor_kinds(id)
        .any(|kind| matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)));
    let allowed = match nodes.parent_kind(id) {
        AstKind::CallExpression(call) if call.callee.span() == reference.span => match name {
            "frozen" | "prepared" => top_level,
            "run" => hands_over(program, nodes.parent_id(id), call),
            _ => false,
        },
        AstKind::ObjectProperty(property) => top_level && property.shorthand && KINDS.contains(&name),
        _ => false,
    };
    if !allowed {
        let message = format!("`{name}` of the SDK may not be used here");
        program.report.add("sdk", reference.span.start, message);
    }
}

/// Whether a call is that of `export function handle(input) { return run(bot, input); }`.
fn hands_over(program: &Program<'_, '_, '_>, call_id: NodeId, call: &CallExpression<'_>) -> bool {
    let mut above = program.semantic.nodes().ancestor_kinds(call_id);
    let (
        Some(AstKind::ReturnStatement(_)),
        Some(AstKind::FunctionBody(body)),
        Some(AstKind::Function(function)),
    ) = (above.next(), above.next(), above.next())
    else {
        return false;
    };
    let [Argument::Identifier(bot), Argument::Identifier(input)] = call.arguments.as_slice() else {
        return false;
    };
    let scoping = program.semantic.scoping();
    let bot = scoping.get_reference(bot.reference_id()).symbol_id();
    function.id.as_ref().is_some_and(|id| id.name == "handle")
        && body.statements.len() == 1
        && body.directives.is_empty()
        && parameter(function).is_some_and(|name| name == input.name.as_str())
        && bot.is_some_and(|bot| scoping.symbol_scope_id(bot) == scoping.root_scope_id())
}

/// The only parameter of a function, if it is a plain name.
fn parameter<'f>(function: &'f Function<'_>) -> Option<&'f str> {
    match function.params.items.as_slice() {
        [only] if only.initializer.is_none() && function.params.rest.is_none() => only
            .pattern
            .get_binding_identifier()
            .map(|binding| binding.name.as_str()),
        _ => None,
    }
}
