//! Outside the SDK a loop must show that it ends.

use oxc::ast::ast::{
    AssignmentOperator, AssignmentTarget, BinaryOperator, BindingPattern, CallExpression, Expression,
    ForOfStatement, ForStatement, ForStatementInit, SimpleAssignmentTarget, UpdateOperator,
    VariableDeclarationKind,
};
use oxc::semantic::SymbolId;

use super::Program;

/// Most turns of a counting loop.
const MAX_TURNS: f64 = 1_000.0;

/// `for (let i = 0; i < 10; i += 1)`, with `i` changed nowhere else.
pub(super) fn counts(program: &Program<'_, '_, '_>, statement: &ForStatement<'_>) -> bool {
    let Some((symbol, start)) = counter(statement) else {
        return false;
    };
    let is_counter = |expression: &Expression<'_>| {
        expression.get_identifier_reference().is_some_and(|id| {
            program
                .semantic
                .scoping()
                .get_reference(id.reference_id())
                .symbol_id()
                == Some(symbol)
        })
    };
    let Some(Expression::BinaryExpression(test)) = &statement.test else {
        return false;
    };
    let end = match (&test.operator, &test.right) {
        (BinaryOperator::LessThan | BinaryOperator::LessEqualThan, Expression::NumericLiteral(end)) => {
            end.value
        }
        _ => return false,
    };
    let steps = match &statement.update {
        Some(Expression::UpdateExpression(update)) => {
            update.operator == UpdateOperator::Increment && names(program, &update.argument, symbol)
        }
        Some(Expression::AssignmentExpression(assign)) => {
            let by = matches!(&assign.right, Expression::NumericLiteral(by) if by.value >= 1.0);
            let target = match &assign.left {
                AssignmentTarget::AssignmentTargetIdentifier(id) => {
                    program
                        .semantic
                        .scoping()
                        .get_reference(id.reference_id())
                        .symbol_id()
                        == Some(symbol)
                }
                _ => false,
            };
            assign.operator == AssignmentOperator::Addition && by && target
        }
        _ => false,
    };
    let writes = program
        .semantic
        .scoping()
        .get_resolved_references(symbol)
        .filter(|reference| reference.is_write());
    steps && is_counter(&test.left) && end - start <= MAX_TURNS && writes.count() == 1
}

fn names(program: &Program<'_, '_, '_>, target: &SimpleAssignmentTarget<'_>, symbol: SymbolId) -> bool {
    match target {
        SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
            program
                .semantic
                .scoping()
                .get_reference(id.reference_id())
                .symbol_id()
                == Some(symbol)
        }
        _ => false,
    }
}

fn counter(statement: &ForStatement<'_>) -> Option<(SymbolId, f64)> {
    let Some(ForStatementInit::VariableDeclaration(declaration)) = &statement.init else {
        return None;
    };
    let ([declarator], VariableDeclarationKind::Let) =
        (declaration.declarations.as_slice(), declaration.kind)
    else {
        return None;
    };
    let BindingPattern::BindingIdentifier(id) = &declarator.id else {
        return None;
    };
    match &declarator.init {
        Some(Expression::NumericLiteral(start)) => Some((id.symbol_id(), start.value)),
        _ => None,
    }
}

/// `for (const x of […])`, or of a list that `Object.keys` and its siblings made for the loop.
pub(super) fn is_over_a_fresh_list(statement: &ForOfStatement<'_>) -> bool {
    let fresh = |call: &CallExpression<'_>| {
        ["keys", "values", "entries"]
            .iter()
            .any(|name| call.callee.is_specific_member_access("Object", name))
    };
    match &statement.right {
        Expression::ArrayExpression(_) => !statement.r#await,
        Expression::CallExpression(call) => !statement.r#await && fresh(call),
        _ => false,
    }
}
