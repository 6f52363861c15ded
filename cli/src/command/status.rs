//! `argus status`: how the registry is, with and without a daemon.

use argus_client::method::{DatabaseStatus, SourceStatus, StatusReport};
use argus_client::{Code, Overview, Result};

use super::Session;
use crate::table::age;

pub(crate) async fn run(session: &Session) -> Result<()> {
    let overview = session.client.status().await?;
    session.output.warnings(&overview.warnings);
    session.output.data(&overview, |overview: &Overview| {
        let mut lines = vec![field("registry", &overview.registry)];
        match &overview.daemon {
            Some(report) => {
                lines.extend(report_lines(report));
                if overview.mode == "direct" {
                    lines.push(field("mode", "direct: calls work on the file all the same"));
                }
            }
            None if overview.warnings.iter().any(|warning| warning.code == Code::Timeout) => {
                lines.push(field("daemon", "does not answer; calls work on the file"));
            }
            None => lines.push(field("daemon", "not running; calls work on the file")),
        }
        lines.join("\n")
    })
}

/// What a daemon says of itself, for people.
pub(crate) fn report_lines(report: &StatusReport) -> Vec<String> {
    let latency = &report.commit_latency;
    let mut lines = vec![
        field(
            "daemon",
            &format!("argusd {}, pid {}, up {}", report.version, report.pid, age(report.uptime_ms)),
        ),
        field("sessions", &report.sessions.to_string()),
        field("subscribers", &report.subscribers.to_string()),
    ];
    for collection in &report.collections {
        lines.push(field(
            &collection.name,
            &format!(
                "{} {}, {} bytes",
                collection.records,
                if collection.records == 1 { "record" } else { "records" },
                collection.bytes
            ),
        ));
    }
    for source in &report.sources {
        lines.push(field("source", &format!("{}: {}", source.name, source_line(source))));
    }
    if let Some(database) = &report.database {
        lines.push(field("database", &database_line(database)));
    }
    lines.push(field("commits", &report.commits.to_string()));
    if report.commits > 0 {
        lines.push(field(
            "commit time",
            &format!(
                "half within {}, 99 % within {}, at most {}",
                micros(latency.p50_us),
                micros(latency.p99_us),
                micros(latency.max_us)
            ),
        ));
    }
    lines
}

/// A folder of tasks, and what happened to it.
fn source_line(source: &SourceStatus) -> String {
    let metrics = &source.metrics;
    let waiting = match metrics.waiting {
        0 => String::new(),
        waiting => format!(", {waiting} waiting"),
    };
    format!(
        "{}, {} of {} tasks invalid; {} events, {} coalesced, {} reloads, {} failed{waiting}",
        source.watching.name(),
        source.invalid,
        source.tasks,
        metrics.events,
        metrics.coalesced,
        metrics.reloads,
        metrics.failures,
    )
}

fn database_line(database: &DatabaseStatus) -> String {
    if database.problem.is_some() {
        let behind = age(database.lag_ms);
        return format!("fails; {} changes wait, the oldest for {behind}", database.queued);
    }
    format!(
        "{} changes written in {} batches, {} waiting, {} failures",
        database.rows, database.batches, database.queued, database.failures
    )
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<12} {value}")
}

/// A short time as people say it.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{:.1} ms", micros as f64 / 1000.0),
        _ => format!("{:.1} s", micros as f64 / 1_000_000.0),
    }
}
