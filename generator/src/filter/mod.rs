//! The AST filter: an allow-list over the parsed program.
//!
//! It judges what any generator made, again before every deployment, and trusts nothing but the SDK sections whose
//! digest it knows (`crate::prelude`). The sandbox is the wall; this is the fence that names the fault, its line and
//! its rule before anything runs.

mod constructs;
mod loops;
mod names;
mod scan;
mod sections;
mod source;
mod surface;
mod top_level;
mod url;

use std::fmt;

use oxc::allocator::Allocator;
use oxc::diagnostics::Diagnostics;
use oxc::parser::Parser;
use oxc::semantic::{Semantic, SemanticBuilder};
use oxc::span::{SourceType, Span};

pub(crate) use names::FORBIDDEN;
use sections::Sections;
pub(crate) use source::is_treacherous;

/// Version of the rules. Part of a revision's name: counts up when a rule changes.
pub const AST_RULES_VERSION: &str = "1";

/// Most bytes of a program.
pub const MAX_SOURCE_BYTES: usize = 512 * 1024;

/// Violations reported for one program; more would help nobody.
const MAX_VIOLATIONS: usize = 100;

/// Stack for the parser: it recurses once per level of nesting, and `scan` bounds the levels.
const PARSER_STACK_BYTES: usize = 32 * 1024 * 1024;

/// Why a program is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Stable id of the rule, listed in `docs/errors/unsafe-program.md`.
    pub rule: &'static str,
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
    /// What is wrong, in words.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {} [{}]",
            self.line, self.column, self.message, self.rule
        )
    }
}

/// Judges a program. `allow_domains` are `host` or `*.host`, as in a spec's `security.allowDomains`.
///
/// All violations are reported, as far as the program can be read, at most 100.
pub fn filter(source: &str, allow_domains: &[String]) -> Result<(), Vec<Violation>> {
    let mut report = Report::new(source);
    let sections = Sections::of(source, &mut report);
    source::check(source, &mut report);
    scan::check(source, &sections, &mut report);
    if report.is_empty() {
        let judged = std::thread::scope(|scope| {
            let parse = || parsed(source, allow_domains, &sections, &mut report);
            let thread = std::thread::Builder::new()
                .stack_size(PARSER_STACK_BYTES)
                .spawn_scoped(scope, parse);
            thread.is_ok_and(|thread| thread.join().is_ok())
        });
        if !judged {
            report.add("syntax", 0, "the program could not be read");
        }
    }
    report.finish()
}

fn parsed<'s>(source: &'s str, allow_domains: &[String], sections: &Sections, report: &mut Report<'s>) {
    let allocator = Allocator::default();
    let parser = Parser::new(&allocator, source, SourceType::mjs()).parse();
    report.syntax(&parser.diagnostics);
    if parser.panicked {
        return;
    }
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_build_nodes(true)
        .build(&parser.program);
    report.syntax(&built.diagnostics);
    let mut program = Program {
        source,
        semantic: &built.semantic,
        sections,
        allow_domains,
        report,
    };
    top_level::check(&mut program);
    constructs::check(&mut program);
}

/// What the rules look at.
struct Program<'r, 'a, 's> {
    source: &'s str,
    semantic: &'r Semantic<'a>,
    sections: &'r Sections,
    allow_domains: &'r [String],
    report: &'r mut Report<'s>,
}

impl Program<'_, '_, '_> {
    /// Whether something stands in a recognised section of the SDK.
    fn in_sdk(&self, span: Span) -> bool {
        self.sections.contains(span)
    }
}

/// Collects violations.
struct Report<'s> {
    source: &'s str,
    violations: Vec<(u32, Violation)>,
}

impl<'s> Report<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            violations: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// Notes a violation at a byte offset.
    fn add(&mut self, rule: &'static str, offset: u32, message: impl Into<String>) {
        if self.violations.len() >= MAX_VIOLATIONS {
            return;
        }
        let mut end = self.source.len().min(offset as usize);
        while !self.source.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.source[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let violation = Violation {
            rule,
            line: count(before.matches('\n').count()),
            column: count(before[line_start..].chars().count()),
            message: message.into(),
        };
        self.violations.push((offset, violation));
    }

    fn syntax(&mut self, diagnostics: &Diagnostics) {
        for diagnostic in diagnostics {
            let offset = diagnostic.labels.first().map_or(0, |label| label.span().start);
            self.add("syntax", offset, diagnostic.message.to_string());
        }
    }

    fn finish(mut self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() {
            return Ok(());
        }
        self.violations
            .sort_by_key(|(offset, violation)| (*offset, violation.rule));
        self.violations.dedup();
        Err(self
            .violations
            .into_iter()
            .map(|(_, violation)| violation)
            .collect())
    }
}
