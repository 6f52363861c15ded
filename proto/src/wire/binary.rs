//! The binary encoding: the only place that names bincode.
//!
//! A frame is a length (four bytes, big-endian) and a payload. A payload that begins with `{` is a
//! JSON-RPC message, as `hello`, `status` and `shutdown` always are; one that begins with
//! [`BINCODE`] goes on with a bincode message in the layout of the agreed protocol.

use bincode::config::{Configuration, Limit};

use crate::call::{Answer, Call};
use crate::error::{Code, Error, Result};
use crate::event::Event;
use crate::limits::{ANSWER_BYTES_MAX, REQUEST_BYTES_MAX};

/// The first byte of a payload in bincode.
pub const BINCODE: u8 = 0x01;

/// A request and the number that its answer will carry.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct ClientMessage {
    /// Chosen by the client.
    pub id: u64,
    /// What is asked.
    pub call: Call,
}

/// What a daemon sends. Order is part of the encoding: add at the end only.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are answers")]
pub enum ServerMessage {
    /// The answer to one request.
    Answer {
        /// The request's number; `None` where it could not be read.
        id: Option<u64>,
        /// What became of it.
        result: std::result::Result<Answer, Error>,
    },
    /// What a subscriber is told.
    Event(Box<Event>),
}

/// The bytes of a frame.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + payload.len());
    // Whoever builds a payload has checked it against a limit far below.
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The payload of a request.
pub fn encode_request(message: &ClientMessage) -> Result<Vec<u8>> {
    encode(message, REQUEST_BYTES_MAX, "the request")
}

/// The payload of an answer.
pub fn encode_answer(message: &ServerMessage) -> Result<Vec<u8>> {
    encode(message, ANSWER_BYTES_MAX, "the answer")
}

/// Reads a request's payload behind its first byte.
pub fn decode_request(body: &[u8]) -> Result<ClientMessage> {
    decode(body, bincode::config::standard().with_limit::<REQUEST_BYTES_MAX>())
}

/// Reads an answer's payload behind its first byte.
pub fn decode_answer(body: &[u8]) -> Result<ServerMessage> {
    // In memory an answer takes more than on the wire: each record of a listing has a fixed part.
    decode(body, bincode::config::standard().with_limit::<{ 2 * ANSWER_BYTES_MAX }>())
}

fn encode(message: &impl bincode::Encode, bytes_max: usize, what: &str) -> Result<Vec<u8>> {
    let mut payload = vec![BINCODE];
    bincode::encode_into_std_write(message, &mut payload, bincode::config::standard())
        .map_err(|error| Error::new(Code::Protocol, format!("{what} cannot be sent: {error}")))?;
    if payload.len() > bytes_max {
        return Err(Error::new(
            Code::TooLarge,
            format!("{what} has {} bytes; at most {bytes_max} are sent", payload.len()),
        ));
    }
    Ok(payload)
}

fn decode<T, const N: usize>(
    body: &[u8],
    config: Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<N>>,
) -> Result<T>
where
    T: bincode::Decode<()>,
{
    let (message, used) = bincode::decode_from_slice(body, config)
        .map_err(|error| Error::new(Code::Protocol, format!("the frame is no message: {error}")))?;
    if used != body.len() {
        return Err(Error::new(
            Code::Protocol,
            format!("the frame has {} bytes behind its message", body.len() - used),
        ));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonText;
    use crate::method::{Announce, Heartbeat, List};

    #[test]
    fn messages_come_back_as_they_were() {
        let announce = Announce::new(JsonText::parse(r#"{"id":"ü","n":1.0}"#).expect("valid"));
        for request in [
            announce.into(),
            Heartbeat { id: "a".into(), pid: Some(7) }.into(),
            List { cwd: None, by_cwd: Some("x".into()) }.into(),
        ] {
            let call = Call { collection: Some("watchers".into()), deadline: Some(9), request };
            let message = ClientMessage { id: 1 << 40, call };
            let payload = encode_request(&message).expect("small");
            assert_eq!(payload[0], BINCODE);
            assert_eq!(decode_request(&payload[1..]).expect("own"), message);
        }
    }

    #[test]
    fn a_frame_that_lies_about_its_lengths_is_refused_without_memory() {
        // A string of 2^63 bytes; a message with a byte too many; nothing at all.
        let mut lies = vec![1_u8, 1, 253];
        lies.extend(u64::MAX.to_le_bytes());
        let call = Call::new(List::default());
        let mut long = encode_request(&ClientMessage { id: 1, call }).expect("small")[1..].to_vec();
        long.push(0);
        for body in [lies, long, Vec::new()] {
            assert_eq!(decode_request(&body).expect_err("refused").code, Code::Protocol);
        }
    }

    #[test]
    fn what_is_over_the_limit_is_not_sent() {
        let text = format!("{{\"id\":\"{}\"}}", "x".repeat(REQUEST_BYTES_MAX));
        let call = Call::new(Announce::new(JsonText::parse(&text).expect("valid")));
        let error = encode_request(&ClientMessage { id: 1, call }).expect_err("too large");
        assert_eq!(error.code, Code::TooLarge);
    }
}
