//! Rules about single nodes: which constructs, names, members and assignments there may be.

use oxc::ast::AstKind;
use oxc::ast::ast::IdentifierReference;
use oxc::ast::ast::{
    AssignmentOperator, AssignmentTarget, BinaryOperator, Expression, FunctionType, ObjectProperty,
    PropertyKey, PropertyKind, SimpleAssignmentTarget, UnaryOperator, VariableDeclarationKind,
};
use oxc::span::{GetSpan, Span};
use oxc::syntax::node::NodeId;

use super::names::{BINDINGS, FORBIDDEN, GLOBALS, IMPLICIT, MEMBERS, MUTATORS, TEXT_FIELDS};
use super::{Program, loops, surface, url};

pub(super) fn check(program: &mut Program<'_, '_, '_>) {
    let semantic = program.semantic;
    for node in semantic.nodes() {
        node_kind(program, node.id(), node.kind());
    }
}

fn node_kind(program: &mut Program<'_, '_, '_>, id: NodeId, kind: AstKind<'_>) {
    let span = kind.span();
    let sdk = program.in_sdk(span);
    match kind {
        AstKind::Program(_)
        | AstKind::ArrayExpression(_)
        | AstKind::ObjectExpression(_)
        | AstKind::LogicalExpression(_)
        | AstKind::ConditionalExpression(_)
        | AstKind::ChainExpression(_)
        | AstKind::ParenthesizedExpression(_)
        | AstKind::BlockStatement(_)
        | AstKind::VariableDeclarator(_)
        | AstKind::ExpressionStatement(_)
        | AstKind::IfStatement(_)
        | AstKind::ReturnStatement(_)
        | AstKind::SwitchStatement(_)
        | AstKind::SwitchCase(_)
        | AstKind::FormalParameters(_)
        | AstKind::FormalParameter(_)
        | AstKind::FunctionBody(_)
        | AstKind::ArrayPattern(_)
        | AstKind::ObjectPattern(_)
        | AstKind::AssignmentPattern(_)
        | AstKind::ExportDeclaration(_)
        | AstKind::BooleanLiteral(_)
        | AstKind::NullLiteral(_)
        | AstKind::NumericLiteral(_) => {}

        // What only the SDK may do.
        AstKind::SpreadElement(_)
        | AstKind::BindingRestElement(_)
        | AstKind::RegExpLiteral(_)
        | AstKind::TryStatement(_)
        | AstKind::CatchParameter(_)
        | AstKind::ThrowStatement(_)
        | AstKind::WhileStatement(_)
        | AstKind::ForStatement(_)
        | AstKind::ForOfStatement(_)
            if sdk => {}
        AstKind::CatchClause(clause) if sdk && clause.param.is_some() => {}

        AstKind::ForStatement(statement) => {
            if !loops::counts(program, statement) {
                program
                    .report
                    .add("loop", span.start, "a loop must count to a fixed end");
            }
        }
        AstKind::ForOfStatement(statement) => {
            if !loops::is_over_a_fresh_list(statement) {
                program.report.add(
                    "loop",
                    span.start,
                    "a loop must go over a list that is made for it",
                );
            }
        }
        AstKind::WhileStatement(_) | AstKind::DoWhileStatement(_) | AstKind::ForInStatement(_) => {
            program
                .report
                .add("loop", span.start, "this loop does not show that it ends");
        }

        AstKind::IdentifierName(name) => spelling(program, span, name.name.as_str()),
        AstKind::BindingIdentifier(binding) => {
            let name = binding.name.as_str();
            spelling(program, span, name);
            if BINDINGS.contains(&name) || GLOBALS.contains(&name) || FORBIDDEN.contains(&name) {
                program.report.add(
                    "identifier",
                    span.start,
                    format!("nothing may be called `{name}`"),
                );
            }
        }
        AstKind::IdentifierReference(reference) => {
            let name = reference.name.as_str();
            spelling(program, span, name);
            let bound = program
                .semantic
                .scoping()
                .get_reference(reference.reference_id())
                .symbol_id()
                .is_some();
            if !bound && !GLOBALS.contains(&name) {
                program
                    .report
                    .add("global", span.start, format!("`{name}` is not available"));
            }
            if !sdk && is_of_sdk(program, reference) {
                surface::check(program, id, reference);
            }
            if name == "handle" && is_module_symbol(program, reference) {
                program
                    .report
                    .add("export", span.start, "only the host calls `handle`");
            }
        }

        AstKind::StaticMemberExpression(member) => {
            member_name(program, member.property.span, &member.property.name);
        }
        AstKind::ComputedMemberExpression(member) => match &member.expression {
            _ if sdk => {}
            Expression::NumericLiteral(_) => {}
            Expression::StringLiteral(name) => member_name(program, name.span, &name.value),
            other => {
                let message = "a member must be named, or be a number";
                program.report.add("computed-member", other.span().start, message);
            }
        },
        AstKind::BindingProperty(property) => {
            if property.computed {
                program
                    .report
                    .add("computed-member", span.start, "a member must be named");
            } else if let Some(name) = property.key.static_name() {
                member_name(program, property.key.span(), &name);
            }
        }
        AstKind::ObjectProperty(property) => object_property(program, property, sdk),

        AstKind::CallExpression(call) => {
            if let Expression::StaticMemberExpression(member) = &call.callee
                && MUTATORS.contains(&member.property.name.as_str())
                && is_module_data(program, &member.object)
            {
                let message = "what the top level declares does not change";
                program.report.add("top-level-mutation", span.start, message);
            }
        }
        AstKind::AssignmentExpression(assignment) => {
            use AssignmentOperator::{Addition, Assign, Subtraction};
            if !matches!(assignment.operator, Assign | Addition | Subtraction) {
                construct(program, span, "this assignment");
            }
            assignment_target(program, &assignment.left);
        }
        AstKind::UpdateExpression(update) => simple_target(program, &update.argument),
        AstKind::UnaryExpression(unary) => {
            use UnaryOperator::{LogicalNot, Typeof, UnaryNegation, UnaryPlus};
            if !matches!(unary.operator, LogicalNot | Typeof | UnaryNegation | UnaryPlus) {
                construct(program, span, unary.operator.as_str());
            }
        }
        AstKind::BinaryExpression(binary) => {
            use BinaryOperator as Op;
            let known = matches!(
                binary.operator,
                Op::StrictEquality
                    | Op::StrictInequality
                    | Op::LessThan
                    | Op::LessEqualThan
                    | Op::GreaterThan
                    | Op::GreaterEqualThan
                    | Op::Addition
                    | Op::Subtraction
                    | Op::Multiplication
                    | Op::Remainder
            );
            if !known {
                construct(program, span, binary.operator.as_str());
            }
        }

        AstKind::VariableDeclaration(declaration) => {
            use VariableDeclarationKind::{Const, Let};
            if !matches!(declaration.kind, Const | Let) {
                construct(program, span, declaration.kind.as_str());
            }
        }
        AstKind::Function(function) => {
            let parent = program.semantic.nodes().parent_kind(id);
            let top = matches!(parent, AstKind::Program(_) | AstKind::ExportDeclaration(_));
            if function.r#async || function.generator {
                construct(program, span, "an async function or a generator");
            } else if !top || function.r#type != FunctionType::FunctionDeclaration {
                construct(program, span, "a function that is no arrow, below the top level");
            }
        }
        AstKind::ArrowFunctionExpression(function) => {
            if function.r#async {
                construct(program, span, "an async function");
            }
        }
        AstKind::BreakStatement(statement) if statement.label.is_none() => {}
        AstKind::ContinueStatement(statement) if statement.label.is_none() => {}
        AstKind::StringLiteral(literal) => {
            if literal.lone_surrogates {
                program.report.add("character", span.start, "half a character");
            }
            if !sdk
                && !is_text(program, id)
                && let Some(fault) = url::fault(&literal.value, program.allow_domains)
            {
                program.report.add("url", span.start, fault);
            }
        }
        other => construct(program, span, &other.debug_name()),
    }
}

fn construct(program: &mut Program<'_, '_, '_>, span: Span, what: &str) {
    program
        .report
        .add("construct", span.start, format!("`{what}` is not allowed"));
}

/// A name must stand in the source as it is: no escapes, and letters that cannot be mistaken for others.
fn spelling(program: &mut Program<'_, '_, '_>, span: Span, name: &str) {
    let written = &program.source[span.start as usize..span.end as usize];
    if !written.starts_with(name) || !name.is_ascii() {
        program.report.add(
            "identifier",
            span.start,
            "names are written in ASCII and without escapes",
        );
    }
}

fn member_name(program: &mut Program<'_, '_, '_>, span: Span, name: &str) {
    if !MEMBERS.contains(&name) {
        program.report.add(
            "member-name",
            span.start,
            format!("the member `{name}` is not available"),
        );
    }
}

fn object_property(program: &mut Program<'_, '_, '_>, property: &ObjectProperty<'_>, sdk: bool) {
    let start = property.span.start;
    if property.kind != PropertyKind::Init || property.method {
        return program
            .report
            .add("construct", start, "getters, setters and methods are not allowed");
    }
    if property.computed {
        if !sdk {
            program
                .report
                .add("computed-member", start, "a key must be named");
        }
        return;
    }
    let name = match &property.key {
        PropertyKey::StaticIdentifier(name) => name.name.as_str(),
        PropertyKey::StringLiteral(name) => name.value.as_str(),
        PropertyKey::NumericLiteral(_) => return,
        _ => {
            return program
                .report
                .add("computed-member", start, "a key must be named");
        }
    };
    let data = matches!(
        property.value,
        Expression::StringLiteral(_)
            | Expression::NumericLiteral(_)
            | Expression::BooleanLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::ArrayExpression(_)
            | Expression::ObjectExpression(_)
    );
    if FORBIDDEN.contains(&name) || (IMPLICIT.contains(&name) && !data) {
        program
            .report
            .add("member-name", start, format!("the key `{name}` is not available"));
    }
}

fn assignment_target(program: &mut Program<'_, '_, '_>, target: &AssignmentTarget<'_>) {
    match target.as_simple_assignment_target() {
        Some(target) => simple_target(program, target),
        None => construct(program, target.span(), "an assignment to a pattern"),
    }
}

fn simple_target(program: &mut Program<'_, '_, '_>, target: &SimpleAssignmentTarget<'_>) {
    let module = match target {
        SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => is_module_symbol(program, id),
        SimpleAssignmentTarget::StaticMemberExpression(member) => is_module_data(program, &member.object),
        SimpleAssignmentTarget::ComputedMemberExpression(member) => is_module_data(program, &member.object),
        _ => return construct(program, target.span(), "this assignment"),
    };
    if module {
        let message = "what the top level declares does not change";
        program
            .report
            .add("top-level-mutation", target.span().start, message);
    }
}

/// Whether an expression names something the module declares or a global, or a part of it.
fn is_module_data(program: &Program<'_, '_, '_>, expression: &Expression<'_>) -> bool {
    let mut at = expression;
    loop {
        at = match at {
            Expression::StaticMemberExpression(member) => &member.object,
            Expression::ComputedMemberExpression(member) => &member.object,
            Expression::ParenthesizedExpression(inner) => &inner.expression,
            Expression::Identifier(id) => return is_module_symbol(program, id),
            _ => return false,
        };
    }
}

/// Whether a name stands for something that the SDK declares.
fn is_of_sdk(program: &Program<'_, '_, '_>, id: &IdentifierReference<'_>) -> bool {
    let scoping = program.semantic.scoping();
    let symbol = scoping.get_reference(id.reference_id()).symbol_id();
    symbol.is_some_and(|symbol| program.in_sdk(scoping.symbol_span(symbol)))
}

fn is_module_symbol(program: &Program<'_, '_, '_>, id: &IdentifierReference<'_>) -> bool {
    let scoping = program.semantic.scoping();
    let symbol = scoping.get_reference(id.reference_id()).symbol_id();
    symbol.is_none_or(|symbol| scoping.symbol_scope_id(symbol) == scoping.root_scope_id())
}

/// Whether a string is text for people or data for the host's engines: a part of `texts`, or below such a field. Only
/// names written without quotes count: those of the bot's author are written with quotes.
fn is_text(program: &Program<'_, '_, '_>, id: NodeId) -> bool {
    program
        .semantic
        .nodes()
        .ancestor_kinds(id)
        .any(|kind| match kind {
            AstKind::ObjectProperty(property) => match &property.key {
                PropertyKey::StaticIdentifier(name) => TEXT_FIELDS.contains(&name.name.as_str()),
                _ => false,
            },
            AstKind::VariableDeclarator(declarator) => {
                declarator.id.get_binding_identifier().is_some_and(|binding| {
                    binding.name == "texts"
                        && program.semantic.scoping().symbol_scope_id(binding.symbol_id())
                            == program.semantic.scoping().root_scope_id()
                })
            }
            _ => false,
        })
}
