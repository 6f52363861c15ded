//! Whatever was asked, the answer is one that the asker can read, in both encodings.

use argus_proto::json::{JsonText, Object};
use argus_proto::limits::ANSWER_BYTES_MAX;
use argus_proto::wire::binary::{self, BINCODE, ServerMessage};
use argus_proto::wire::jsonrpc::{self, Fault};
use argus_proto::{Answer, Error};

/// What an error may add to the request that it quotes.
const ERROR_BYTES: usize = 4096;
/// How often it may quote it, where each byte may need an escape of six.
const QUOTED: usize = 4 * 6;

/// An error reaches who sent `request`, in a line, in a frame, and as the same error.
pub(crate) fn error_is_told(id: &JsonText, fault: &Fault, request: &[u8]) {
    let error = Error::from(fault.clone());
    assert!(!error.message.is_empty(), "it says nothing");
    framed(ServerMessage::Answer { id: None, result: Err(error.clone()) });

    let bytes_max = ERROR_BYTES + QUOTED * request.len();
    let line = jsonrpc::write_response(id, Err(fault));
    assert!(line.len() <= bytes_max, "{} bytes for {}", line.len(), request.len());
    let response = response(&line, id);
    assert_eq!(response.get("result"), None, "{line}");
    let object = Object::parse(response.get("error").unwrap_or_default()).expect("an object");
    let number = object.get("code").and_then(|text| text.parse::<i32>().ok());
    assert!(number.is_some_and(|number| (-32_768..=-32_000).contains(&number)), "{line}");

    let line = jsonrpc::write_response(&JsonText::from_canonical("7"), Err(fault));
    let (number, result) = jsonrpc::read_response(line.as_bytes()).expect("a response");
    assert_eq!((number, result.expect_err("an error")), (Some(7), error));
}

/// An answer reaches who asked, in a line and in a frame.
pub(crate) fn answer_is_told(answer: &Answer) {
    framed(ServerMessage::Answer { id: Some(7), result: Ok(answer.clone()) });
    let id = JsonText::from_canonical("7");
    let line = jsonrpc::write_response(&id, Ok(answer));
    let result = response(&line, &id).get("result").map(str::to_owned);
    let (number, told) = jsonrpc::read_response(line.as_bytes()).expect("a response");
    assert_eq!(number, Some(7));
    assert_eq!(result.as_deref(), Some(told.expect("a result").as_str()));
}

/// A frame gives back what was put into it.
pub(crate) fn framed(message: ServerMessage) {
    let payload = binary::encode_answer(&message).expect("within the limit");
    assert!(payload.len() <= ANSWER_BYTES_MAX);
    assert_eq!(payload[0], BINCODE);
    assert_eq!(binary::decode_answer(&payload[1..]).expect("own"), message);
}

/// What every answer in JSON is: one line, an object, with the id that was asked with.
fn response(line: &str, id: &JsonText) -> Object {
    assert!(!line.contains('\n'), "more than a line: {line}");
    let object = Object::parse(line).expect("an object");
    assert_eq!(object.get("jsonrpc"), Some("\"2.0\""), "{line}");
    assert_eq!(object.get("id"), Some(id.as_str()), "{line}");
    object
}
