//! What a script is made of, as far as a task needs it.
//!
//! A parser goes down into what it reads, so a hostile script could exhaust any stack. Therefore what nests
//! too deeply is refused before it is parsed, and a thread parses the rest whose stack is enough for the
//! deepest nesting that so many signs could make, whatever the look before took strings and comments for.

use std::io;
use std::thread;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, AssignmentExpression, AssignmentTarget, CallExpression,
    ExportAllDeclaration, ExportDeclaration, ExportDefaultDeclaration, ExportSpecifier, Expression,
    Function, Program,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_syntax::scope::ScopeFlags;

/// Most brackets within each other.
const BRACKETS_MAX: usize = 500;
/// Most signs in a row that can nest without a bracket.
const CHAIN_MAX: usize = 5_000;
/// What the parser and its checks need for a level that a bracket makes: twice of what was measured for the
/// worst kind in the tests, which is 2 kB in a release and 3 kB in a debug build.
const BRACKET_BYTES: usize = if cfg!(debug_assertions) { 6 * 1024 } else { 4 * 1024 };
/// And for one that any other sign makes: 0.7 and 1.5 kB were measured.
const SIGN_BYTES: usize = if cfg!(debug_assertions) { 3 * 1024 } else { 3 * 512 };
/// What they need for the rest.
const BASE_BYTES: usize = 4 * 1024 * 1024;
/// The largest stack that is asked for. Only what is used of it costs memory.
const STACK_BYTES_MAX: usize = if cfg!(debug_assertions) { 2 << 30 } else { 1 << 30 };

/// What a script has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) has_code: bool,
    pub(crate) has_functions: bool,
    pub(crate) has_exports: bool,
}

/// Why nothing can be said of a script.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScriptError {
    /// It is no JavaScript.
    #[error("{line}:{column}: {problem}")]
    Syntax { line: usize, column: usize, problem: String },
    /// It might be, but is not parsed.
    #[error("it nests too deeply to be checked: {0}")]
    TooDeep(String),
    /// The system has no thread for it.
    #[error("it cannot be checked now: {0}")]
    Io(#[from] io::Error),
}

/// Reads a script: a module, or else one for CommonJS.
pub(crate) fn read(text: &str) -> Result<Script, ScriptError> {
    check_nesting(text)?;
    let stack = BASE_BYTES + stack_for(text.as_bytes());
    if stack > STACK_BYTES_MAX {
        let message = "it has too many brackets and operators; a bundle can be split up";
        return Err(ScriptError::TooDeep(message.to_owned()));
    }
    thread::scope(|scope| {
        let parse = || {
            parse(text, SourceType::mjs()).or_else(|as_module| {
                parse(text, SourceType::cjs()).map_err(|as_script| {
                    // The complaint about the very syntax of modules helps nobody.
                    if is_module(text) { as_module } else { as_script }
                })
            })
        };
        let thread = thread::Builder::new().name("argus-script".to_owned()).stack_size(stack);
        let outcome = thread.spawn_scoped(scope, parse)?.join();
        outcome.unwrap_or_else(|_| {
            Err(ScriptError::Syntax {
                line: 1,
                column: 1,
                problem: "the parser gave up on it".to_owned(),
            })
        })
    })
}

/// Refuses what nests too deeply, as far as that can be told without parsing.
fn check_nesting(text: &str) -> Result<(), ScriptError> {
    let (mut open, mut chain) = (0_usize, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let sign = sign(bytes, at);
        match bytes[at] {
            b'(' | b'[' | b'{' => {
                (open, chain) = (open + 1, 0);
                if open > BRACKETS_MAX {
                    return Err(too_deep(text, at, BRACKETS_MAX));
                }
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b';' | b',' | b'\n' => chain = 0,
            // Brackets in strings mean nothing. A quote in a comment or a regular expression may be taken
            // for one here: then this look is wrong, but the stack is for all signs there are.
            b'"' | b'\'' => {
                if let Some(end) = string_end(bytes, at) {
                    at = end;
                    continue;
                }
            }
            _ if sign.nests => {
                chain += 1;
                if chain > CHAIN_MAX {
                    return Err(too_deep(text, at, CHAIN_MAX));
                }
            }
            _ => {}
        }
        at = sign.end;
    }
    Ok(())
}

/// What all its signs could need, whatever is a string, a comment or code.
fn stack_for(text: &[u8]) -> usize {
    let (mut stack, mut at) = (0, 0);
    while at < text.len() {
        let sign = sign(text, at);
        stack += match text[at] {
            b'(' | b'[' | b'{' => BRACKET_BYTES,
            _ if sign.nests => SIGN_BYTES,
            _ => 0,
        };
        at = sign.end;
    }
    stack
}

/// A word, or one byte of anything else.
struct Sign {
    end: usize,
    /// Whether it can stand before what it stands in itself.
    nests: bool,
}

fn sign(bytes: &[u8], at: usize) -> Sign {
    if !bytes[at].is_ascii_alphabetic() {
        return Sign { end: at + 1, nests: b"([{!~+-?:=><*&|^%/.".contains(&bytes[at]) };
    }
    let end = word_end(bytes, at);
    let words: [&[u8]; 12] = [
        b"new",
        b"typeof",
        b"void",
        b"delete",
        b"await",
        b"yield",
        b"in",
        b"instanceof",
        b"do",
        b"else",
        b"extends",
        b"async",
    ];
    Sign { end, nests: words.contains(&&bytes[at..end]) }
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    bytes[from..].iter().position(|byte| !is_part(byte)).map_or(bytes.len(), |at| from + at)
}

/// Behind a string that ends in its line.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return None,
            byte if byte == bytes[from] => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn too_deep(text: &str, at: usize, most: usize) -> ScriptError {
    let (line, column) = place(text, at);
    ScriptError::TooDeep(format!("{line}:{column} is more than {most} levels deep"))
}

fn is_module(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        ["import ", "import{", "export ", "export{"].iter().any(|word| line.starts_with(word))
    })
}

fn parse(text: &str, kind: SourceType) -> Result<Script, ScriptError> {
    let allocator = Allocator::default();
    // Regular expressions are not looked into: their parser needs far more stack for a bracket.
    let parsed = Parser::new(&allocator, text, kind).parse();
    let problem = parsed.diagnostics.iter().next().cloned().or_else(|| {
        let checked = SemanticBuilder::new().with_check_syntax_error(true).build(&parsed.program);
        checked.diagnostics.iter().next().cloned()
    });
    if let Some(problem) = problem {
        let at = problem.labels.first().map_or(0, |label| label.offset() as usize);
        let (line, column) = place(text, at);
        return Err(ScriptError::Syntax { line, column, problem: problem.message.to_string() });
    }
    Ok(Script::of(&parsed.program))
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl Script {
    fn of(program: &Program<'_>) -> Self {
        let mut script = Script { has_code: !program.body.is_empty(), ..Script::default() };
        script.visit_program(program);
        script
    }
}

impl<'a> Visit<'a> for Script {
    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.has_functions = true;
        walk::walk_function(self, function, flags);
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.has_functions = true;
        walk::walk_arrow_function_expression(self, function);
    }

    fn visit_export_declaration(&mut self, export: &ExportDeclaration<'a>) {
        self.has_exports = true;
        walk::walk_export_declaration(self, export);
    }

    fn visit_export_specifier(&mut self, _export: &ExportSpecifier<'a>) {
        self.has_exports = true;
    }

    fn visit_export_default_declaration(&mut self, export: &ExportDefaultDeclaration<'a>) {
        self.has_exports = true;
        walk::walk_export_default_declaration(self, export);
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        self.has_exports = true;
        walk::walk_export_all_declaration(self, export);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        self.has_exports |= is_export_target(&assignment.left);
        walk::walk_assignment_expression(self, assignment);
    }

    /// As in `Object.assign(module.exports, …)`.
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let mut given = call.arguments.iter().filter_map(|argument| argument.as_expression());
        self.has_exports |= given.any(is_exports);
        walk::walk_call_expression(self, call);
    }
}

/// `module.exports`, or something in it, or something in `exports`.
fn is_export_target(target: &AssignmentTarget<'_>) -> bool {
    match target {
        AssignmentTarget::StaticMemberExpression(member) => {
            let is_own = member.property.name == "exports" && is_named(&member.object, "module");
            is_own || is_in_exports(&member.object)
        }
        AssignmentTarget::ComputedMemberExpression(member) => is_in_exports(&member.object),
        _ => false,
    }
}

fn is_in_exports(expression: &Expression<'_>) -> bool {
    let mut expression = expression;
    loop {
        if is_exports(expression) {
            return true;
        }
        expression = match expression {
            Expression::StaticMemberExpression(member) => &member.object,
            Expression::ComputedMemberExpression(member) => &member.object,
            _ => return false,
        };
    }
}

fn is_exports(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::StaticMemberExpression(member) => {
            member.property.name == "exports" && is_named(&member.object, "module")
        }
        expression => is_named(expression, "exports"),
    }
}

fn is_named(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::Identifier(identifier) if identifier.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_exports_of_both_kinds_are_found() {
        let rows = [
            ("export default async () => 1", true, true),
            ("export function run() {}", true, true),
            ("export const run = function () {}", true, true),
            ("function run() {}\nexport { run }", true, true),
            ("export * from './run.js'", false, true),
            ("module.exports = { run() {} }", true, true),
            ("module.exports.run = x => x", true, true),
            ("exports.run = function () {}", true, true),
            ("exports['run'] = () => 1", true, true),
            ("Object.assign(module.exports, { run() {} })", true, true),
            ("class Run { go() {} }\nmodule.exports = Run", true, true),
            ("function run() {}", true, false),
            ("export {}", false, false),
            ("module.exports = 1", false, true),
            ("const module_exports = () => exports", true, false),
            ("if (done) return\nwith (a) { b }\nexports.run = () => 1", true, true),
            ("const a = await b\nexport const run = () => a", true, true),
        ];
        for (text, has_functions, has_exports) in rows {
            let script = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (script.has_functions, script.has_exports),
                (has_functions, has_exports),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_javascript_is_told_with_its_place() {
        let rows = [
            ("export const a = ;", "1:18"),
            ("\n\n  function (", "3:"),
            ("let a; let a;", "1:"),
            ("const x: number = 1", "1:"),
            ("x = '", "1:"),
        ];
        for (text, place) in rows {
            let error = read(text).expect_err(text);
            assert!(matches!(error, ScriptError::Syntax { .. }), "{text}: {error}");
            assert!(error.to_string().starts_with(place), "{text}: {error}");
        }
    }

    /// What makes one level, with what ends it, for each way of nesting that there is.
    const LEVELS: [(&str, &str, &str); 22] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{", "", "}"),
        ("x={a:", "1", "}"),
        ("!", "1", ""),
        ("- ", "1", ""),
        ("typeof ", "1", ""),
        ("new ", "x", ""),
        ("a=>", "1", ""),
        ("a=", "1", ""),
        ("a?b:", "1", ""),
        ("a**", "1", ""),
        ("a+", "1", ""),
        ("a.", "b", ""),
        ("f(", "1", ")"),
        ("`${", "1", "}`"),
        ("function f(){", "", "}"),
        ("if(a)", "b", ""),
        ("if(a){}else ", "{}", ""),
        ("(class extends ", "a", "{})"),
        ("/*", "", ""),
        ("async(a=", "1", ")=>1"),
    ];

    #[test]
    fn hostile_nesting_costs_no_stack() {
        for (open, core, close) in LEVELS {
            for levels in [499, 1_999, 100_000] {
                let text = [&open.repeat(levels), core, &close.repeat(levels)].concat();
                let _ = read(&text);
            }
        }
        let error = read(&"(".repeat(100_000)).expect_err("too deep");
        assert!(matches!(error, ScriptError::TooDeep(_)), "{error}");
        let error = read(&"!".repeat(100_000)).expect_err("too deep");
        assert!(matches!(error, ScriptError::TooDeep(_)), "{error}");
    }

    /// What the look before takes for something else must not cost the stack either.
    #[test]
    fn nesting_that_hides_behind_what_looks_like_closing_costs_no_stack() {
        let hidden = "(/)/,".repeat(20_000) + "1" + &")".repeat(20_000);
        let _ = read(&hidden);
        let hidden = "!\n".repeat(20_000) + "1";
        let _ = read(&hidden);
        let hidden = format!("x = /'/; {}1{}; /'/", "(".repeat(490), ")".repeat(490));
        assert!(read(&hidden).is_ok());
        for levels in [499, 100_000] {
            let _ = read(&format!("/{}a{}/", "(".repeat(levels), ")".repeat(levels)));
        }
    }
}
