//! The findings as people read them: two lines each, and one for all.

use argus_client::Probe;
use owo_colors::{AnsiColors, OwoColorize};

use super::diagnosis::{Finding, Severity};
use super::evidence::Evidence;
use crate::output::printable;

/// How many findings of one kind are told one by one.
const OF_ONE_KIND_MAX: usize = 5;
/// Where messages begin.
const INDENT: usize = 9;

/// The text; messages are wrapped at `width`, where there is one. What is typed is left whole.
pub(crate) fn text(evidence: &Evidence, findings: &[Finding], width: Option<usize>) -> String {
    let mut lines = Vec::new();
    for (at, finding) in findings.iter().enumerate() {
        let is_alike =
            |other: &&Finding| (other.code, other.fixed) == (finding.code, finding.fixed);
        let before = findings[..at].iter().filter(is_alike).count();
        if before < OF_ONE_KIND_MAX {
            lines.extend(message(finding, width));
        } else if before == OF_ONE_KIND_MAX {
            let more = findings[at..].iter().filter(is_alike).count();
            lines.push(format!("{:INDENT$}… and {more} more ({})", "", finding.code));
        }
        // What helps with several of a kind is said once, behind them.
        let is_said_later = findings[at + 1..]
            .first()
            .is_some_and(|next| is_alike(&next) && next.help == finding.help);
        let is_cut = before >= OF_ONE_KIND_MAX && findings[at - 1].help != finding.help;
        if !finding.fixed && !is_said_later && !is_cut {
            lines.push(help(finding));
        }
    }
    if !findings.is_empty() {
        lines.push(String::new());
    }
    lines.push(summary(evidence, findings));
    lines.join("\n")
}

fn message(finding: &Finding, width: Option<usize>) -> Vec<String> {
    let (label, colour) = match (finding.fixed, finding.severity) {
        (true, _) => ("fixed:", AnsiColors::Green),
        (_, Severity::Error) => ("error:", AnsiColors::Red),
        (_, Severity::Warning) => ("warning:", AnsiColors::Yellow),
        (_, Severity::Note) => ("note:", AnsiColors::Default),
    };
    let message = format!("{} ({})", printable(&finding.message), finding.code);
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(INDENT).max(20));
    let mut lines = wrapped(&message, room);
    lines[0] = format!("{}{}", labelled(label, colour), lines[0]);
    for line in &mut lines[1..] {
        *line = format!("{:INDENT$}{line}", "");
    }
    lines
}

fn help(finding: &Finding) -> String {
    format!("{}{}", labelled("help:", AnsiColors::Cyan), printable(&finding.help))
}

fn labelled(label: &str, colour: AnsiColors) -> String {
    format!("{}{}", label.color(colour).bold(), " ".repeat(INDENT - label.len()))
}

/// Breaks a text between words.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// How many problems there were and, where none is left, what was looked at. What was fixed was one.
fn summary(evidence: &Evidence, findings: &[Finding]) -> String {
    let fixed = findings.iter().filter(|finding| finding.fixed).count();
    let left = findings.iter().filter(|finding| finding.is_left()).count();
    let notes = findings.len() - fixed - left;
    let problems = match left + fixed {
        0 => "no problems".to_owned(),
        problems => counted(problems, "problem"),
    };
    let mut counts = vec![problems];
    if fixed > 0 {
        counts.push(format!("{fixed} fixed"));
    }
    if notes > 0 {
        counts.push(counted(notes, "note"));
    }
    let counts = counts.join(", ");
    if left > 0 {
        return counts;
    }
    let daemon = match &evidence.daemon {
        Probe::Answers(report) => format!("argusd {} (pid {})", report.version, report.pid),
        _ => "the socket".to_owned(),
    };
    let records = counted(evidence.records.len(), "record");
    format!("{counts}; looked at {records}, {daemon}, locks, folders and disk")
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
