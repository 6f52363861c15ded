//! `argus get`.

use argus_client::Result;
use argus_client::method::Found;
use argus_proto::json::{JsonText, Layout, lay_out};

use super::Session;
use crate::args::Get;

pub(crate) async fn run(session: &Session, arguments: Get) -> Result<()> {
    let found = session.told(true, session.client.get(&arguments.id).await)?;
    session.output.data(&found, |found: &Found| pretty(&found.record))
}

/// A record as people read it.
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
