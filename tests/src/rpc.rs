//! A JSON-RPC peer as anyone might write it: a socket and lines.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::platform::Connection;
use crate::wait::DEADLINE;

/// A connection to the daemon.
#[derive(Debug)]
pub struct Rpc {
    pub(crate) reader: BufReader<Connection>,
    next_id: u64,
}

impl Rpc {
    /// Connects.
    pub fn connect(socket: &Path) -> Self {
        let stream = Connection::open(socket, DEADLINE).expect("the daemon listens");
        Rpc { reader: BufReader::new(stream), next_id: 1 }
    }

    /// Calls a method; the whole response.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(format!("{request}\n").as_bytes());
        let response = self.receive().expect("an answer");
        assert_eq!(response["id"], id, "{response}");
        response
    }

    /// Calls a method that must succeed; its result.
    pub fn result(&mut self, method: &str, params: Value) -> Value {
        let response = self.call(method, params);
        assert!(response["error"].is_null(), "{response}");
        response["result"].clone()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the daemon reads");
    }

    /// The next line; `None` where the daemon has closed the connection.
    pub fn receive(&mut self) -> Option<Value> {
        let line = self.receive_line()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// The next line as it is.
    pub fn receive_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}
