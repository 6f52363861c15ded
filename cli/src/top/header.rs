//! The first lines of the screen: which registry this is, how its daemon is, what is wrong. Pure.

use argus_client::method::{StatusReport, Warning};
use argus_client::{Code, Overview};

use super::columns::cut_front;
use super::model::Model;
use crate::command::status::micros;
use crate::output::printable;
use crate::table::{age, ago};

/// How many warnings are told; of further ones only that there are some.
const WARNINGS_MAX: usize = 2;
const TITLE: &str = "argus top";
/// What stands between two parts of a line.
const BETWEEN: &str = "  ";

/// A line, and whether it is a warning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) is_warning: bool,
}

pub(super) fn lines(model: &Model) -> Vec<Line> {
    let width = usize::from(model.size.width);
    let mut texts = vec![title(model, width)];
    texts.extend(flow(&health(model), width));
    let mut lines: Vec<Line> =
        texts.into_iter().map(|text| Line { text, is_warning: false }).collect();
    let warnings = warnings(model);
    let hidden = warnings.len().saturating_sub(WARNINGS_MAX);
    for (at, warning) in warnings.into_iter().take(WARNINGS_MAX).enumerate() {
        let more = match hidden {
            1.. if at + 1 == WARNINGS_MAX => format!(" (and {hidden} more: argus status)"),
            _ => String::new(),
        };
        lines.push(Line { text: format!("warning: {warning}{more}"), is_warning: true });
    }
    lines
}

fn title(model: &Model, width: usize) -> String {
    let room = width.saturating_sub(TITLE.len() + BETWEEN.len());
    format!("{TITLE}{BETWEEN}{}", cut_front(&printable(&model.registry), room))
}

/// How the daemon is, or why calls go without it.
fn health(model: &Model) -> Vec<String> {
    let fallback = model.route.as_ref().filter(|route| route.is_fallback());
    let reason = fallback.and_then(|route| route.reason.as_ref());
    match &model.status {
        None => vec!["asking argusd …".to_owned()],
        Some(Err(error)) => vec![format!("no daemon: {}", printable(&error.message))],
        Some(Ok(Overview { daemon: None, warnings, .. })) => {
            let late = warnings.iter().find(|warning| warning.code == Code::Timeout);
            let why = reason.map(|reason| &reason.message).or(late.map(|late| &late.message));
            let why = why.map_or("it is not running", String::as_str);
            vec![format!("no daemon: {}", printable(why)), "calls work on the file".to_owned()]
        }
        Some(Ok(Overview { daemon: Some(report), mode, .. })) => {
            let mut parts = report_parts(report);
            if mode == "direct" {
                parts.push("direct mode: calls work on the file".to_owned());
            } else if let Some(reason) = reason.filter(|reason| reason.code != Code::Unreachable) {
                // One that was not there is there now, and the next listing comes from it.
                parts.push(format!("calls work on the file: {}", printable(&reason.message)));
            }
            parts
        }
    }
}

fn report_parts(report: &StatusReport) -> Vec<String> {
    let number =
        |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let mut commits = number(report.commits, "commit");
    if report.commits > 0 {
        let (half, most) = (report.commit_latency.p50_us, report.commit_latency.p99_us);
        commits.push_str(&format!(", p50 {}, p99 {}", micros(half), micros(most)));
    }
    vec![
        format!("argusd {}", printable(&report.version)),
        format!("pid {}", report.pid),
        format!("up {}", age(report.uptime_ms)),
        number(report.sessions, "session"),
        number(report.subscribers, "subscriber"),
        commits,
    ]
}

/// What is wrong, each once.
fn warnings(model: &Model) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(error) = &model.unlisted {
        let since = match model.listed_at {
            Some(then) => format!("the records are of {} ago", ago(model.now, then)),
            None => "no records".to_owned(),
        };
        texts.push(format!("{since}: {}", printable(&error.message)));
    }
    let of_status = model.status.iter().flatten().flat_map(|overview| &overview.warnings);
    for Warning { code, message } in model.warnings.iter().chain(of_status) {
        let text = printable(message);
        // That the daemon does not answer is said where it is told how it is.
        if *code != Code::Timeout && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// Puts parts beside each other, as many as fit in a line.
fn flow(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if chars(line) + BETWEEN.len() + chars(part) <= width => {
                line.push_str(BETWEEN);
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
