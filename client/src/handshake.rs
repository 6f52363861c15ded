//! Reaching a daemon: connecting, and agreeing on a protocol, each within its time.

use std::io;
use std::path::Path;

use argus_proto::call::Call;
use argus_proto::error::{Code, Error};
use argus_proto::limits::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT, HELLO_TIMEOUT};
use argus_proto::method::hello::PROTOCOLS;
use argus_proto::method::{Hello, Welcome};
use argus_proto::wire::{Framing, PREAMBLE, Piece, Splitter, binary, jsonrpc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::platform::{self, ConnectFailure, Stream};

/// Why there is no connection, or no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody listens.
    Absent(Absence),
    /// Somebody is there but cannot be used: hangs, belongs to another user, speaks otherwise.
    Unusable(Error),
}

/// How nobody listens. To who wants a daemon it is all the same; who looks for what is wrong is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// There is no socket.
    NoSocket,
    /// A socket was left behind.
    Refused,
    /// The one who listened is just ending.
    Ending,
}

/// This library's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The number of the first request on a connection.
pub(crate) const HELLO_ID: u64 = 0;

/// A connection over which both have said hello.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// Has what came behind the answer.
    pub(crate) splitter: Splitter,
    pub(crate) welcome: Welcome,
}

impl Opened {
    /// Connects and says hello, within the times for both.
    pub(crate) async fn open(socket: &Path, name: &str) -> Result<Self, Failure> {
        let stream = connect(socket).await?;
        let mut splitter = Splitter::new(Framing::Lengths, ANSWER_BYTES_MAX);
        let hello =
            Hello { client: name.to_owned(), version: VERSION.to_owned(), protocol: PROTOCOLS };
        let welcome = timeout(HELLO_TIMEOUT, say_hello(&stream, &mut splitter, hello))
            .await
            .unwrap_or_else(|_| Err(unusable(Code::Timeout, "argusd does not answer")))?;
        Ok(Opened { stream, splitter, welcome })
    }
}

async fn connect(socket: &Path) -> Result<Stream, Failure> {
    let attempts = async {
        loop {
            match platform::connect(socket).await {
                Err(ConnectFailure::Full) => sleep(CONNECT_TIMEOUT / 10).await,
                other => return other,
            }
        }
    };
    let shown = socket.display();
    match timeout(CONNECT_TIMEOUT, attempts).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(ConnectFailure::Absent)) => Err(Failure::Absent(Absence::NoSocket)),
        Ok(Err(ConnectFailure::Refused)) => Err(Failure::Absent(Absence::Refused)),
        Ok(Err(ConnectFailure::Foreign(owner))) => {
            let whose = owner
                .as_ref()
                .map_or_else(|| "nobody knows whom".to_owned(), |id| format!("user {id}"));
            let error =
                Error::new(Code::Permission, format!("{shown} belongs to {whose}, not to you"));
            Err(Failure::Unusable(error.details(serde_json::json!({ "owner": owner }))))
        }
        Ok(Err(ConnectFailure::Failed(error))) => {
            let code = match error.kind() {
                io::ErrorKind::PermissionDenied => Code::Permission,
                _ => Code::Unreachable,
            };
            Err(unusable(code, format!("cannot connect to {shown}: {error}")))
        }
        Ok(Err(ConnectFailure::Full)) | Err(_) => {
            Err(unusable(Code::Timeout, format!("argusd at {shown} takes no connection")))
        }
    }
}

async fn say_hello(
    stream: &Stream,
    splitter: &mut Splitter,
    hello: Hello,
) -> Result<Welcome, Failure> {
    let ended = |error: io::Error| match error.kind() {
        // It ended in this very moment.
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            Failure::Absent(Absence::Ending)
        }
        _ => unusable(Code::Unreachable, format!("argusd went away: {error}")),
    };
    let line = jsonrpc::write_request(HELLO_ID, &Call::new(hello)).map_err(Failure::Unusable)?;
    let mut opening = PREAMBLE.to_vec();
    opening.extend(binary::frame(line.as_bytes()));
    let (mut writer, mut reader) = (stream, stream);
    match writer.write_all(&opening).await {
        // It may have said why before it closed.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(ended)?,
    }

    let mut first = Vec::new();
    let payload = loop {
        match splitter.next_piece() {
            Some(Piece::Message(payload)) => break payload,
            Some(Piece::TooLarge) => return Err(Failure::Unusable(refusal(&first))),
            None => {}
        }
        let mut chunk = [0; 4096];
        let read = reader.read(&mut chunk).await.map_err(ended)?;
        if read == 0 {
            return Err(Failure::Absent(Absence::Ending));
        }
        first.extend_from_slice(&chunk[..read]);
        splitter.push(&chunk[..read]);
    };
    let answer = jsonrpc::read_response(&payload).and_then(|(_, result)| result);
    answer.and_then(|text| jsonrpc::read_result(&text)).map_err(Failure::Unusable)
}

fn unusable(code: Code, message: impl Into<String>) -> Failure {
    Failure::Unusable(Error::new(code, message))
}

/// A daemon that cannot serve says so in one line, whatever the peer speaks.
fn refusal(bytes: &[u8]) -> Error {
    match jsonrpc::read_response(bytes) {
        Ok((_, Err(error))) => error,
        _ => Error::new(Code::Protocol, "what listens there is not argusd"),
    }
}
