//! `argus get`.

use argus_client::Result;
use argus_client::method::{Found, FoundDocument};
use argus_proto::json::{JsonText, Layout, lay_out};

use super::Session;
use crate::args::Get;

pub(crate) async fn run(session: &Session, arguments: Get) -> Result<()> {
    let Some(id) = arguments.id else {
        let found = session.told(true, session.client.get_document().await)?;
        return session.output.data(&found, |found: &FoundDocument| pretty(&found.document));
    };
    let found = session.told(true, session.client.get(&id).await)?;
    session.output.data(&found, |found: &Found| pretty(&found.record))
}

/// JSON as people read it.
pub(crate) fn pretty(record: &JsonText) -> String {
    let mut text = String::new();
    lay_out(record.as_str(), Layout::Pretty { indent: "  ", depth: 0 }, &mut text);
    text.chars().map(escaped).collect()
}

/// JSON may hold control characters beyond ASCII as they are; a terminal obeys them.
fn escaped(character: char) -> String {
    match character {
        '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    }
}
