//! `argus run`: a command that is registered for as long as it runs.
//!
//! The record is the command's own: it names its process, outlives an `argus run` that is killed, and goes
//! when the command ends, however that comes about.

use std::process::ExitCode;

use argus_client::method::{Announced, List, Remove};
use argus_client::{Code, Error, Result};
use argus_proto::Record;

use super::{Session, announce, folder};
use crate::args::{Port, Run};
use crate::gate::{Environment, Failed, Gate};
use crate::platform::Forwarding;

pub(crate) async fn run(session: &Session, arguments: Run) -> Result<ExitCode> {
    let announcement = announce::begin(&arguments.id, arguments.data.as_deref())?;
    let taken = match arguments.port {
        Some(Port::Auto) => Some(registered_ports(session).await?),
        _ => None,
    };
    let failed = |error| Error::new(Code::Io, format!("cannot start a process: {error}"));
    let mut forwarding = Forwarding::begin().map_err(failed)?;
    let gate = Gate::close(&arguments.command, taken.as_deref()).map_err(failed)?;
    let pid = gate.pid();
    let port = match arguments.port {
        Some(Port::Fixed(port)) => Some(port),
        _ => gate.port,
    };

    let mut announcement = announcement.pid(pid).unique(arguments.unique).vouch(true);
    if let Some(port) = port {
        announcement = announcement.port(port);
    }
    if !announcement.has("cwd") {
        announcement = announcement.cwd(&folder(".".as_ref())?);
    }
    let mut announce = announcement.build();
    announce.flush = true;
    let announced = session.told(false, session.client.announce(announce).await)?;
    if !session.output.json && (announced.id != arguments.id || arguments.port == Some(Port::Auto))
    {
        tell(&announced, port);
    }

    let code = match gate.open(&environment(session, &announced, port)).await {
        Ok(mut command) => forwarding.until_the_end_of(&mut command).await.map_err(failed)?,
        Err(Failed { message, exit_code }) => {
            let code = if exit_code == 127 { Code::NotFound } else { Code::Permission };
            session.output.error(&Error::new(code, message));
            exit_code
        }
    };
    remove(session, announced.id, pid).await;
    Ok(ExitCode::from(code))
}

/// The ports on which somebody listens, or is about to.
async fn registered_ports(session: &Session) -> Result<Vec<u16>> {
    let listing = session.client.list(List::default()).await?;
    let collection = &*session.client.description();
    let port = |listed: &argus_client::method::Listed| {
        let record = Record::read(&listed.id, listed.record.as_str(), collection);
        record.watcher().map(|watcher| watcher.port)
    };
    Ok(listing.records.iter().filter_map(port).collect())
}

fn environment(session: &Session, announced: &Announced, port: Option<u16>) -> Environment {
    let registry = session.client.paths().registry().display().to_string();
    Environment::from([
        ("ARGUS_ID", Some(announced.id.clone())),
        ("ARGUS_REGISTRY_PATH", Some(registry)),
        // Not that of an argus run around this one.
        ("ARGUS_PORT", port.map(|port| port.to_string())),
    ])
}

/// Tells what was found for it.
fn tell(announced: &Announced, port: Option<u16>) {
    let port = port.map(|port| format!(" on port {port}")).unwrap_or_default();
    anstream::eprintln!("running as `{}`{port}", announced.id);
}

/// The daemon may have been quicker, and another may have the name by now.
async fn remove(session: &Session, id: String, pid: u32) {
    let remove = Remove { id, pid: Some(pid), if_match: None, flush: true };
    match session.client.remove(remove).await {
        Err(error) if !matches!(error.code, Code::Conflict | Code::NotFound) => {
            session
                .output
                .warning(&format!("{}; whoever looks next sees that it ended", error.message));
        }
        _ => {}
    }
}
