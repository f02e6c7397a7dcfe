//! Rules about the top level: it declares, it does nothing, and nothing changes it later.

use oxc::ast::ast::{
    Argument, ArrayExpressionElement, Declaration, Expression, ObjectPropertyKind, Statement,
    VariableDeclaration, VariableDeclarationKind,
};
use oxc::span::GetSpan;

use super::Program;

/// Functions of the SDK that may make a table.
const MAKERS: [&str; 2] = ["frozen", "prepared"];

pub(super) fn check(program: &mut Program<'_, '_, '_>) {
    let body = &program.semantic.nodes().program().body;
    let mut handles = 0;
    for statement in body {
        let span = statement.span();
        if program.in_sdk(span) {
            continue;
        }
        if !program.sections.before(span) {
            program
                .report
                .add("sdk", span.start, "the SDK must not be part of another statement");
        }
        match statement {
            Statement::FunctionDeclaration(_) => {}
            Statement::VariableDeclaration(declaration) => variables(program, declaration),
            Statement::ExportDeclaration(export) => match &export.declaration {
                Declaration::FunctionDeclaration(function)
                    if function.id.as_ref().is_some_and(|id| id.name == "handle") =>
                {
                    handles += 1;
                }
                _ => program
                    .report
                    .add("export", span.start, "only the function `handle` may be exported"),
            },
            Statement::ExportNamedDeclaration(_)
            | Statement::ExportDefaultDeclaration(_)
            | Statement::ExportAllDeclaration(_)
            | Statement::ExportFromDeclaration(_) => {
                program
                    .report
                    .add("export", span.start, "only the function `handle` may be exported");
            }
            _ => program
                .report
                .add("top-level", span.start, "the top level may only declare"),
        }
    }
    if handles != 1 {
        program
            .report
            .add("export", 0, "a program exports one function `handle`");
    }
}

fn variables(program: &mut Program<'_, '_, '_>, declaration: &VariableDeclaration<'_>) {
    if declaration.kind != VariableDeclarationKind::Const {
        program.report.add(
            "top-level-mutation",
            declaration.span.start,
            "only `const` is allowed at the top level",
        );
    }
    for declarator in &declaration.declarations {
        let Some(init) = &declarator.init else { continue };
        if matches!(
            init,
            Expression::ObjectExpression(_) | Expression::ArrayExpression(_)
        ) {
            program.report.add(
                "top-level-mutation",
                init.span().start,
                "a table must be made with `frozen(…)`",
            );
        }
        if let Some(at) = impure(init) {
            program.report.add(
                "top-level",
                at,
                "the top level may only declare data and functions",
            );
        }
    }
}

/// Where an expression does more than name data, in bytes.
fn impure(expression: &Expression<'_>) -> Option<u32> {
    match expression {
        Expression::StringLiteral(_)
        | Expression::NumericLiteral(_)
        | Expression::BooleanLiteral(_)
        | Expression::NullLiteral(_)
        | Expression::Identifier(_)
        | Expression::ArrowFunctionExpression(_) => None,
        Expression::UnaryExpression(unary) => match unary.argument {
            Expression::NumericLiteral(_) => None,
            _ => Some(unary.span.start),
        },
        Expression::ArrayExpression(array) => array.elements.iter().find_map(|element| match element {
            ArrayExpressionElement::SpreadElement(spread) => Some(spread.span.start),
            ArrayExpressionElement::Elision(elision) => Some(elision.span.start),
            other => other.as_expression().and_then(impure),
        }),
        Expression::ObjectExpression(object) => {
            object.properties.iter().find_map(|property| match property {
                ObjectPropertyKind::SpreadProperty(spread) => Some(spread.span.start),
                ObjectPropertyKind::ObjectProperty(property) => impure(&property.value),
            })
        }
        Expression::CallExpression(call) => {
            let arguments = call.arguments.iter().find_map(|argument| match argument {
                Argument::SpreadElement(spread) => Some(spread.span.start),
                other => other.as_expression().and_then(impure),
            });
            let known = match &call.callee {
                Expression::Identifier(name) => MAKERS.contains(&name.name.as_str()),
                // Objects with member names that have a meaning in JavaScript.
                callee => {
                    callee.is_specific_member_access("JSON", "parse")
                        && matches!(call.arguments.as_slice(), [Argument::StringLiteral(_)])
                }
            };
            if known { arguments } else { Some(call.span.start) }
        }
        other => Some(other.span().start),
    }
}
