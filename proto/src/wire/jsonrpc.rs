//! JSON-RPC 2.0, one message a line, for every language.

use serde::{Deserialize, Serialize};

use crate::call::{Answer, Call};
use crate::error::{Code, Error};
use crate::event::Event;
use crate::json::JsonText;

/// A request as it was understood.
#[derive(Debug)]
pub struct Incoming {
    /// The request's id; `None` for a notification, which is not answered.
    pub id: Option<JsonText>,
    /// What is asked, or why that cannot be told.
    pub call: Result<Call, Fault>,
}

/// An error with JSON-RPC's own number for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    number: i32,
    error: Error,
}

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const SERVER_ERROR: i32 = -32000;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let number = match error.code {
            Code::Usage | Code::Invalid => INVALID_PARAMS,
            _ => SERVER_ERROR,
        };
        Fault { number, error }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

#[derive(Deserialize)]
struct Envelope {
    jsonrpc: Option<JsonText>,
    #[serde(default, deserialize_with = "present")]
    id: Option<JsonText>,
    method: Option<JsonText>,
    params: Option<JsonText>,
}

/// An id of `null` is an id; only its absence makes a notification.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<JsonText>, D::Error> {
    JsonText::deserialize(deserializer).map(Some)
}

/// Reads one line, or the JSON payload of one frame.
pub fn read_request(line: &[u8]) -> Incoming {
    let null = || Some(JsonText::from_canonical("null"));
    let unreadable = |number, message: String| Incoming {
        id: null(),
        call: Err(Fault { number, error: Error::new(Code::Protocol, message) }),
    };
    let Ok(text) = std::str::from_utf8(line) else {
        return unreadable(PARSE_ERROR, "the line is not UTF-8 text".into());
    };
    let text = match JsonText::parse(text) {
        Ok(text) => text,
        Err(error) => return unreadable(PARSE_ERROR, format!("the line is {error}")),
    };
    if text.as_str().starts_with('[') {
        return unreadable(INVALID_REQUEST, "batches are not taken: send one object a line".into());
    }
    let Ok(envelope) = serde_json::from_str::<Envelope>(text.as_str()) else {
        return unreadable(INVALID_REQUEST, "the line is not a JSON-RPC request".into());
    };

    let invalid = |id: Option<JsonText>, message: &str| Incoming {
        id: id.or_else(null),
        call: Err(Fault {
            number: INVALID_REQUEST,
            error: Error::new(Code::Protocol, message.to_owned()),
        }),
    };
    if envelope.id.as_ref().is_some_and(|id| id.as_str().starts_with(['{', '[', 't', 'f'])) {
        return invalid(None, "a JSON-RPC `id` is a string, a number or null");
    }
    if envelope.jsonrpc.as_ref().map(JsonText::as_str) != Some("\"2.0\"") {
        return invalid(envelope.id, "`jsonrpc` must be \"2.0\"");
    }
    let method = envelope.method.map(|method| method.to_value());
    let Some(serde_json::Value::String(method)) = method else {
        return invalid(envelope.id, "`method` must be a string");
    };
    let call = match Call::from_json(&method, envelope.params.as_ref()) {
        Some(call) => call.map_err(Fault::from),
        None => Err(Fault {
            number: METHOD_NOT_FOUND,
            error: Error::new(Code::Protocol, format!("there is no method `{method}`"))
                .hint(format!("one of: {}", crate::call::Request::METHODS.join(", "))),
        }),
    };
    Incoming { id: envelope.id, call }
}

/// The line, without its line feed, for a request of the client's own.
pub fn write_request(id: u64, call: &Call) -> crate::Result<String> {
    let (method, params) = (call.request.method(), call.params_to_json()?);
    Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#))
}

/// The line, without its line feed, that answers a request.
pub fn write_response(id: &JsonText, result: Result<&Answer, &Fault>) -> String {
    let fault = match result.map(Answer::to_json) {
        Ok(Ok(result)) => {
            return format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.as_str());
        }
        Ok(Err(error)) => Fault::from(error),
        Err(fault) => fault.clone(),
    };
    let error = serde_json::to_string(&WireError::from(&fault))
        .unwrap_or_else(|_| format!(r#"{{"code":{SERVER_ERROR},"message":"unprintable"}}"#));
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.as_str())
}

/// The line, without its line feed, that tells a subscriber something.
pub fn write_event(event: &Event) -> crate::Result<String> {
    let params = serde_json::to_string(event)
        .map_err(|error| Error::new(Code::Protocol, format!("cannot be sent as JSON: {error}")))?;
    Ok(format!(r#"{{"jsonrpc":"2.0","method":"event","params":{params}}}"#))
}

/// Reads the answer to a request of the client's own: its id and the result.
pub fn read_response(payload: &[u8]) -> crate::Result<(Option<u64>, crate::Result<JsonText>)> {
    #[derive(Deserialize)]
    struct Response {
        id: Option<u64>,
        result: Option<JsonText>,
        error: Option<WireError>,
    }

    let response: Response = serde_json::from_slice(payload).map_err(|error| {
        Error::new(Code::Protocol, format!("the answer is no JSON-RPC: {error}"))
    })?;
    let result = match (response.result, response.error) {
        (Some(result), None) => Ok(result),
        (_, Some(error)) => Err(error.into()),
        (None, None) => Err(Error::new(Code::Protocol, "the answer has no result and no error")),
    };
    Ok((response.id, result))
}

/// Reads what a method answered, by its type.
pub fn read_result<T: serde::de::DeserializeOwned>(result: &JsonText) -> crate::Result<T> {
    serde_json::from_str(result.as_str())
        .map_err(|error| Error::new(Code::Protocol, format!("cannot read the answer: {error}")))
}

#[derive(Serialize, Deserialize)]
struct WireError {
    code: i32,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<WireErrorData>,
}

#[derive(Serialize, Deserialize)]
struct WireErrorData {
    code: Code,
    hint: Option<String>,
    details: Option<JsonText>,
}

impl From<&Fault> for WireError {
    fn from(fault: &Fault) -> Self {
        let error = &fault.error;
        WireError {
            code: fault.number,
            message: error.message.clone(),
            data: Some(WireErrorData {
                code: error.code,
                hint: error.hint.clone(),
                details: error.details.clone(),
            }),
        }
    }
}

impl From<WireError> for Error {
    fn from(wire: WireError) -> Self {
        match wire.data {
            Some(data) => Error {
                code: data.code,
                message: wire.message,
                hint: data.hint,
                details: data.details,
            },
            None => Error::new(Code::Protocol, wire.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Request;
    use crate::method::{Get, GetDocument, Removed, Status};

    #[test]
    fn requests_are_read_and_what_is_none_gets_its_number() {
        type Row = (&'static [u8], Option<&'static str>, Result<&'static str, i32>);
        let rows: [Row; 13] = [
            (
                br#"{"jsonrpc":"2.0","id":1,"method":"get","params":{"id":"a"}}"#,
                Some("1"),
                Ok("get"),
            ),
            (br#"{"jsonrpc":"2.0","id":"x","method":"status"}"#, Some("\"x\""), Ok("status")),
            (br#"{"jsonrpc":"2.0","id":null,"method":"status"}"#, Some("null"), Ok("status")),
            (br#"{"jsonrpc":"2.0","method":"status"}"#, None, Ok("status")),
            (b"{", Some("null"), Err(PARSE_ERROR)),
            (b"\xff", Some("null"), Err(PARSE_ERROR)),
            (b"[]", Some("null"), Err(INVALID_REQUEST)),
            (b"{}", Some("null"), Err(INVALID_REQUEST)),
            (br#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, Some("null"), Err(INVALID_REQUEST)),
            (br#"{"jsonrpc":"2.0","id":3,"method":7}"#, Some("3"), Err(INVALID_REQUEST)),
            (br#"{"jsonrpc":"2.0","id":3,"method":"fly"}"#, Some("3"), Err(METHOD_NOT_FOUND)),
            (br#"{"jsonrpc":"2.0","id":3,"method":"get"}"#, Some("3"), Err(INVALID_PARAMS)),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"get","params":[1]}"#,
                Some("3"),
                Err(INVALID_PARAMS),
            ),
        ];
        for (line, id, expected) in rows {
            let shown = String::from_utf8_lossy(line);
            let incoming = read_request(line);
            assert_eq!(incoming.id.as_ref().map(JsonText::as_str), id, "{shown}");
            match (&incoming.call, expected) {
                (Ok(call), Ok(method)) => assert_eq!(call.request.method(), method, "{shown}"),
                (Err(fault), Err(number)) => assert_eq!(fault.number, number, "{shown}"),
                other => panic!("{shown}: {other:?}"),
            }
        }
    }

    #[test]
    fn collection_and_deadline_are_read_with_any_method() {
        let line = br#"{"jsonrpc":"2.0","id":1,"method":"get","params":{"id":"a","collection":"machines","deadline":12.5,"later":true}}"#;
        let call = read_request(line).call.expect("a call");
        assert_eq!(call.collection.as_deref(), Some("machines"));
        assert_eq!(call.deadline, Some(12));
        assert_eq!(call.request, Request::Get(Get { id: "a".into() }));
    }

    #[test]
    fn an_answer_and_an_error_come_back_as_they_were() {
        let id = JsonText::from_canonical("7");
        let answer = Answer::Remove(Removed { removed: true });
        let line = write_response(&id, Ok(&answer));
        assert_eq!(line, r#"{"jsonrpc":"2.0","id":7,"result":{"removed":true}}"#);
        let (number, result) = read_response(line.as_bytes()).expect("a response");
        assert_eq!((number, result.expect("a result").as_str()), (Some(7), r#"{"removed":true}"#));

        let error = Error::new(Code::Locked, "locked")
            .hint("wait")
            .details(serde_json::json!({ "path": "/x" }));
        let line = write_response(&id, Err(&error.clone().into()));
        assert_eq!(
            line,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"locked","data":{"code":"E_LOCKED","hint":"wait","details":{"path":"/x"}}}}"#
        );
        let (_, result) = read_response(line.as_bytes()).expect("a response");
        assert_eq!(result.expect_err("an error"), error);

        let line = write_request(7, &Call::new(GetDocument {})).expect("small");
        assert_eq!(line, r#"{"jsonrpc":"2.0","id":7,"method":"get","params":{"document":true}}"#);
        let call = read_request(line.as_bytes()).call.expect("a call");
        assert_eq!(call, Call::new(GetDocument {}));

        let line = write_request(7, &Call::new(Status {})).expect("small");
        assert_eq!(line, r#"{"jsonrpc":"2.0","id":7,"method":"status","params":{}}"#);
    }
}
