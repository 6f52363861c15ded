//! `argus resolve`: which watcher is meant.

use std::path::Path;

use argus_client::Result;
use argus_client::method::{Resolve, Resolved};

use super::{Session, folder};
use crate::args;
use crate::output::printable;

pub(crate) async fn run(session: &Session, arguments: args::Resolve) -> Result<()> {
    let cwd = match (&arguments.id, &arguments.cwd) {
        (Some(_), _) => None,
        (None, cwd) => Some(folder(cwd.as_deref().unwrap_or(Path::new(".")))?),
    };
    let resolve = Resolve { id: arguments.id, cwd };
    let resolved = session.told(true, session.client.resolve(resolve).await)?;
    session.output.data(&resolved, |resolved: &Resolved| {
        let record = resolved.record.to_value();
        let text = |key: &str| record[key].as_str().unwrap_or("-").to_owned();
        printable(&format!("{} {}:{}", text("id"), text("host"), record["port"]))
    })
}
