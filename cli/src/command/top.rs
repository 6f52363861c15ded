//! `argus top`: everything at once, on the whole terminal. What it shows stands in `top/`.

use std::process::ExitCode;

use argus_client::{Code, Error, Result};

use super::Session;
use crate::table::terminal_size;
use crate::top;

pub(crate) async fn run(session: &Session) -> Result<ExitCode> {
    if session.output.json {
        return Err(Error::new(Code::Usage, "`argus top` is for people: it has no JSON to print")
            .hint("argus --json events --snapshot"));
    }
    // Without its description nobody could say who is live.
    session.client.collection_file()?;
    let collection = &*session.client.description();
    if collection.ttl.is_none() {
        let message = format!("no process stands behind a record of {}", collection.name);
        return Err(Error::new(Code::Usage, message)
            .hint(format!("argus -c {} ls --watch", collection.name)));
    }
    if terminal_size().is_none() {
        return Err(Error::new(
            Code::Usage,
            "`argus top` needs a terminal, and standard output is none",
        )
        .hint("argus ls --watch"));
    }
    top::run(&session.client).await
}
