//! What is wrong with the folders of tasks that a daemon follows, and with its database. Pure.

use argus_client::method::{DatabaseStatus, SourceStatus, StatusReport};

use super::diagnosis::{Finding, Severity};
use super::evidence::Evidence;
use crate::platform::advice;
use crate::typed::quoted;

/// All of it.
pub(super) fn followed(report: &StatusReport, evidence: &Evidence) -> Vec<Finding> {
    let sources = report.sources.iter();
    let mut findings: Vec<Finding> =
        sources.flat_map(|source| of_source(source, evidence)).collect();
    findings.extend(report.database.as_deref().and_then(of_database));
    findings
}

fn of_source(source: &SourceStatus, evidence: &Evidence) -> Vec<Finding> {
    let (name, argus) = (&source.name, &evidence.argus);
    let mut findings = Vec::new();
    if let Some(reason) = &source.why_polling {
        findings.push(
            Finding::new(Severity::Warning, "source-polled", name)
                .says(format!(
                    "the source `{name}` cannot be watched, and is looked at again and again: {reason}"
                ))
                .help("raise the limit: sudo sysctl fs.inotify.max_user_watches=524288"),
        );
    }
    if let Some(first) = source.errors.first() {
        let more = match source.errors.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        findings.push(
            Finding::new(Severity::Warning, "source-errors", name)
                .says(format!("the source `{name}`: {}: {}{more}", first.path, first.message))
                .help(format!("{argus} sources ls")),
        );
    }
    if source.invalid > 0 {
        let (tasks, are) = match source.invalid {
            1 => ("1 task".to_owned(), "is"),
            many => (format!("{many} tasks"), "are"),
        };
        findings.push(
            Finding::new(Severity::Warning, "task-invalid", name)
                .says(format!("{tasks} of the source `{name}` {are} invalid"))
                .help(format!("see which, and why: {argus} -c tasks ls")),
        );
    }
    findings
}

fn of_database(database: &DatabaseStatus) -> Option<Finding> {
    let problem = database.problem.as_ref()?;
    let waiting = match database.queued {
        0 => String::new(),
        1 => "; 1 change waits for it".to_owned(),
        many => format!("; {many} changes wait for it"),
    };
    let finding = Finding::new(Severity::Warning, "database-fails", &database.file)
        .says(format!("{problem}{waiting}"))
        .help(advice::list(&format!("{}*", quoted(&database.file))));
    Some(finding)
}
