//! JSON-RPC: what a daemon reads from a connection of lines.

use argus_proto::Call;
use argus_proto::json::{JsonText, Object, members};
use argus_proto::wire::binary::{self, ClientMessage};
use argus_proto::wire::jsonrpc;
use argus_proto::wire::{Framing, Piece};

use crate::{answers, cutting, served};

/// What a call may take more as a frame than as a line: numbers have a fixed length there.
const FRAME_BYTES: usize = 64;

/// What holds for any bytes.
pub fn check(bytes: &[u8]) {
    for piece in cutting::check(Framing::Lines, bytes) {
        if let Piece::Message(line) = piece {
            check_line(&line);
        }
    }
}

/// What holds for any one line, or the JSON payload of a frame.
pub(crate) fn check_line(line: &[u8]) {
    let incoming = jsonrpc::read_request(line);
    let null = JsonText::from_canonical("null");
    if let Some(id) = &incoming.id {
        assert_eq!(JsonText::parse(id.as_str()).as_ref(), Ok(id), "the id is no JSON");
        let first = id.as_str().chars().next();
        assert!(!matches!(first, Some('{' | '[' | 't' | 'f')), "{id:?} is no id");
    }
    assert_eq!(incoming.id, expected_id(line).unwrap_or(Some(null.clone())), "whom it is for");
    let id = incoming.id.as_ref().unwrap_or(&null);
    match incoming.call {
        Ok(call) => check_call(call, line),
        Err(fault) => answers::error_is_told(id, &fault, line),
    }
}

/// The id that an answer to this line carries, `None` within for one that is not answered. Nothing
/// where none can be told, so that the answer carries null.
fn expected_id(line: &[u8]) -> Option<Option<JsonText>> {
    let text = JsonText::parse(std::str::from_utf8(line).ok()?).ok()?;
    let object = Object::parse(text.as_str()).ok()?;
    // Half a surrogate pair in a key, or a key twice, and it is no request at all.
    let keys = members(text.as_str()).ok()?.into_iter();
    let mut keys =
        keys.map(|(key, _)| serde_json::from_str(key).ok()).collect::<Option<Vec<String>>>()?;
    keys.retain(|key| ["jsonrpc", "id", "method", "params"].contains(&key.as_str()));
    let count = keys.len();
    keys.sort();
    keys.dedup();
    if keys.len() < count {
        return None;
    }
    let is_call = object.get("jsonrpc") == Some("\"2.0\"")
        && object
            .get("method")
            .is_some_and(|method| serde_json::from_str::<String>(method).is_ok());
    match object.get("id") {
        Some(id) if id.starts_with(['{', '[', 't', 'f']) => None,
        Some(id) => Some(Some(JsonText::from_canonical(id))),
        // What is no call cannot be known to be a notification.
        None => is_call.then_some(None),
    }
}

fn check_call(call: Call, line: &[u8]) {
    let written = jsonrpc::write_request(7, &call).expect("it came as JSON");
    assert!(!written.contains('\n'), "more than a line: {written}");
    let again = jsonrpc::read_request(written.as_bytes());
    assert_eq!(again.id.as_ref().map(JsonText::as_str), Some("7"));
    assert_eq!(again.call.as_ref().ok(), Some(&call));

    let message = ClientMessage { id: 7, call };
    let payload = binary::encode_request(&message).expect("it came within the limit");
    assert!(payload.len() <= FRAME_BYTES + line.len(), "{} of {}", payload.len(), line.len());
    assert_eq!(binary::decode_request(&payload[1..]).as_ref(), Ok(&message));
    served::check(&message.call, line);
}
