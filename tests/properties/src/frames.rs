//! The binary protocol: what a daemon and a client read behind the preamble.

use argus_proto::json::JsonText;
use argus_proto::wire::binary::{self, BINCODE, ClientMessage, ServerMessage};
use argus_proto::wire::{Framing, Piece, jsonrpc};
use argus_proto::{Call, Error};

use crate::{answers, cutting, lines, served};

/// What holds for any bytes, as a stream of frames and as one payload.
pub fn check(bytes: &[u8]) {
    for piece in cutting::check(Framing::Lengths, bytes) {
        if let Piece::Message(payload) = piece {
            check_payload(&payload);
        }
    }
    // A fuzzer that changes a byte need not keep a length true to get at what is behind it.
    check_request(bytes);
    check_answer(bytes);
}

fn check_payload(payload: &[u8]) {
    match payload.split_first() {
        Some((b'{', _)) => {
            lines::check_line(payload);
            check_json_answer(payload);
        }
        Some((&BINCODE, body)) => {
            check_request(body);
            check_answer(body);
        }
        _ => {}
    }
}

/// As a daemon reads it.
fn check_request(body: &[u8]) {
    let message = match binary::decode_request(body) {
        Ok(message) => message,
        Err(error) => {
            let null = JsonText::from_canonical("null");
            return answers::error_is_told(&null, &error.into(), body);
        }
    };
    let payload = binary::encode_request(&message).expect("it came within the limit");
    // A number may arrive longer than it has to be; nothing may be shorter than it is written.
    assert!(payload.len() <= 1 + body.len(), "{} of {}", payload.len(), body.len());
    assert_eq!(binary::decode_request(&payload[1..]).as_ref(), Ok(&message));
    assert!(binary::decode_request(&[body, b"\0"].concat()).is_err(), "a byte is ignored");
    check_as_json(&message);
    served::check(&message.call, body);
}

/// A call means the same in both encodings, where JSON can say it at all.
fn check_as_json(message: &ClientMessage) {
    let Ok(line) = jsonrpc::write_request(message.id, &message.call) else { return };
    assert!(!line.contains('\n'), "more than a line: {line}");
    let incoming = jsonrpc::read_request(line.as_bytes());
    assert_eq!(incoming.id.as_ref().map(JsonText::as_str), Some(&*message.id.to_string()));
    let told = match incoming.call {
        Ok(told) => told,
        // A frame's record need not be a value that a line may have, as one nested too deep.
        Err(fault) => return assert!(!Error::from(fault).message.is_empty()),
    };
    assert_eq!(told.request.method(), message.call.request.method());
    assert_eq!(told.collection, message.call.collection);
    // JSON's numbers are floats to most who write them.
    assert_eq!(told.deadline, message.call.deadline.map(|deadline| deadline as f64 as u64));
    let again = jsonrpc::write_request(message.id, &told).expect("it came as JSON");
    let canonical = Call { deadline: message.call.deadline, ..told };
    let again = match canonical.deadline {
        Some(_) => jsonrpc::write_request(message.id, &canonical).expect("it came as JSON"),
        None => again,
    };
    assert_eq!(JsonText::parse(&again), JsonText::parse(&line));
}

/// As a client reads it.
fn check_answer(body: &[u8]) {
    let Ok(message) = binary::decode_answer(body) else { return };
    let payload = binary::encode_answer(&message).expect("it came within the limit");
    assert!(payload.len() <= 1 + body.len(), "{} of {}", payload.len(), body.len());
    answers::framed(message.clone());
    assert!(binary::decode_answer(&[body, b"\0"].concat()).is_err(), "a byte is ignored");
    // What it says can be printed as JSON, or is refused; it never breaks a line.
    let ServerMessage::Answer { result, .. } = message else { return };
    let fault = result.as_ref().map_err(|error| error.clone().into());
    let line = jsonrpc::write_response(&JsonText::from_canonical("7"), fault.as_ref().map(|a| *a));
    assert!(!line.contains('\n'), "more than a line: {line}");
    let (number, _) = jsonrpc::read_response(line.as_bytes()).expect("a response");
    assert_eq!(number, Some(7));
}

/// As a client reads the answers that travel as JSON.
fn check_json_answer(payload: &[u8]) {
    let Ok((_, result)) = jsonrpc::read_response(payload) else { return };
    match result {
        Ok(result) => assert_eq!(JsonText::parse(result.as_str()).as_ref(), Ok(&result)),
        Err(error) => answers::framed(ServerMessage::Answer { id: None, result: Err(error) }),
    }
}
