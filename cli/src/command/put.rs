//! `argus put` and `argus patch`: what is given, as it is given.

use argus_client::method::{Patch, PatchDocument, Put, Written};
use argus_client::{Code, Error, Result};
use argus_proto::json::JsonText;

use super::{Session, json_text};
use crate::args;

pub(crate) async fn put(session: &Session, arguments: args::Put) -> Result<()> {
    let put = Put {
        id: arguments.id,
        value: object(&arguments.value)?,
        if_match: arguments.if_match,
        if_absent: arguments.if_absent,
        flush: true,
    };
    let id = put.id.clone();
    let written = session.told(false, session.client.put(put).await)?;
    session.output.change(&written, |_: &Written| id)
}

pub(crate) async fn patch(session: &Session, arguments: args::Patch) -> Result<()> {
    let (patch, if_match) = (object(&arguments.patch)?, arguments.if_match);
    let Some(id) = arguments.id else {
        let patch = PatchDocument { patch, if_match, flush: true };
        let written = session.told(false, session.client.patch_document(patch).await)?;
        let name = session.client.description().name.clone();
        return session.output.change(&written, |_: &Written| name);
    };
    let patch = Patch { id: id.clone(), patch, if_match, if_absent: false, flush: true };
    let written = session.told(false, session.client.patch(patch).await)?;
    session.output.change(&written, |_: &Written| id)
}

fn object(given: &str) -> Result<JsonText> {
    let text = json_text("the JSON", given)?;
    JsonText::parse(&text).map_err(|error| {
        Error::new(Code::Invalid, format!("what is given is {error}"))
            .hint("argus patch app '{\"port\":3000}'")
    })
}
