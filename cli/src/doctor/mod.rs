//! What is wrong with a registry: examine, diagnose, fix if asked, report.
//!
//! Without `--fix` nothing is started and nothing is written. After fixing it is examined once more, so
//! that what is reported as left is left.

mod diagnosis;
mod evidence;
mod examine;
mod fix;
mod followed;
mod report;
#[cfg(test)]
mod tests;

use argus_client::{Client, Error, Result};
use serde::Serialize;

use diagnosis::{Cure, Finding, diagnose};
use evidence::Evidence;
use examine::examine;

/// What was found, and what has become of it.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    findings: Vec<Finding>,
    #[serde(skip)]
    evidence: Evidence,
}

impl Diagnosis {
    /// Examines, and with `fix` mends what can be mended safely.
    ///
    /// # Errors
    /// `E_USAGE` where there is no such collection.
    pub(crate) async fn make(client: &Client, fix: bool) -> Result<Self> {
        let evidence = examine(client).await?;
        let findings = diagnose(&evidence);
        if !fix || findings.iter().all(|finding| finding.cure.is_none()) {
            return Ok(Diagnosis { findings, evidence });
        }
        let failures = fix::fix(client, &evidence, &findings).await;
        let evidence = examine(client).await?;
        let left = diagnose(&evidence);
        Ok(Diagnosis { findings: compare(findings, left, &failures), evidence })
    }

    /// Whether nothing is left that somebody should do something about.
    pub(crate) fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_left)
    }

    /// For people, at the width of a terminal.
    pub(crate) fn text(&self, width: Option<usize>) -> String {
        report::text(&self.evidence, &self.findings, width)
    }
}

/// What is left, with the reason where it was to be fixed, and behind it what is not any more.
fn compare(
    before: Vec<Finding>,
    mut left: Vec<Finding>,
    failures: &[(Cure, Error)],
) -> Vec<Finding> {
    for finding in &mut left {
        let failed = failures.iter().find(|(cure, _)| finding.cure == Some(*cure));
        if let Some((_, error)) = failed {
            finding.message = format!("{}; not fixed: {}", finding.message, error.message);
        }
    }
    let gone = before.into_iter().filter(|finding| {
        finding.cure.is_some() && !left.iter().any(|other| other.is_same(finding))
    });
    let fixed: Vec<Finding> = gone.map(|finding| Finding { fixed: true, ..finding }).collect();
    left.extend(fixed);
    left
}
