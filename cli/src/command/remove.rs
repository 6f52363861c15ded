//! `argus rm`: removes those that are there, and names those that are not.

use argus_client::method::Remove;
use argus_client::{Code, Error, Result};
use serde::Serialize;

use super::Session;
use crate::args;

/// What became of the ids.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    removed: Vec<String>,
    missing: Vec<String>,
}

pub(crate) async fn run(session: &Session, arguments: args::Remove) -> Result<()> {
    let mut outcome = Outcome::default();
    let mut failed = None;
    for id in arguments.ids {
        let remove = Remove {
            id: id.clone(),
            pid: arguments.pid,
            if_match: arguments.if_match.clone(),
            flush: true,
        };
        match session.client.remove(remove).await {
            Ok(answer) if answer.removed => outcome.removed.push(id),
            Ok(_) => outcome.missing.push(id),
            // The others are removed all the same; the first error is the one to tell.
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    session.output.route_warning(&session.client, false);
    let missing = outcome.missing.join("`, `");
    let error = failed.or_else(|| {
        (!missing.is_empty())
            .then(|| Error::new(Code::NotFound, format!("no record `{missing}`")).hint("argus ls"))
    });
    let Some(error) = error else {
        return session.output.change(&outcome, |outcome: &Outcome| outcome.removed.join("\n"));
    };
    if !session.output.json && !outcome.removed.is_empty() {
        session.output.text(&(outcome.removed.join("\n") + "\n"))?;
    }
    Err(error.details(serde_json::json!({
        "removed": outcome.removed, "missing": outcome.missing,
    })))
}
