//! `argus announce`: for scripts and people, whose process the daemon then vouches for.

use argus_client::method::Announced;
use argus_client::{Announcement, Code, Error, Result, announcement};

use super::{Session, folder, json_text};
use crate::args::Announce;
use crate::platform::{NO_PARENT, parent_pid};

pub(crate) async fn run(session: &Session, arguments: Announce) -> Result<()> {
    let mut announcement = begin(&arguments.id, arguments.data.as_deref())?;
    let has_pid = announcement.has("pid");
    if let Some(host) = &arguments.host {
        announcement = announcement.host(host);
    }
    if let Some(port) = arguments.port {
        announcement = announcement.port(port);
    }
    if let Some(cwd) = &arguments.cwd {
        announcement = announcement.cwd(&folder(cwd)?);
    }
    match arguments.pid {
        Some(pid) => announcement = announcement.pid(pid),
        None if !has_pid => announcement = announcement.pid(caller()?),
        None => {}
    }
    let mut announce =
        announcement.unique(arguments.unique).replace(arguments.replace).vouch(true).build();
    announce.flush = true;
    let announced = session.told(false, session.client.announce(announce).await)?;
    session.output.change(&announced, |announced: &Announced| announced.id.clone())
}

/// An announcement with the fields that were given as data. What is given by name counts more.
pub(super) fn begin(id: &str, data: Option<&str>) -> Result<Announcement> {
    let announcement = announcement(id);
    let Some(data) = data else { return Ok(announcement) };
    let text = json_text("--data", data)?;
    let announcement = announcement.fields(&text).map_err(|error| {
        Error::new(Code::Invalid, format!("--data is {error}"))
            .hint("--data '{\"source\":\"cdp\"}'")
    })?;
    Ok(announcement.field("id", &id.into()))
}

/// The shell or script that called.
fn caller() -> Result<u32> {
    match parent_pid() {
        0 => Err(Error::new(Code::Usage, NO_PARENT)
            .hint("name the process: argus announce --id ID --pid N")),
        pid => Ok(pid),
    }
}
