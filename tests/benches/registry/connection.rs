//! The bare protocol over a bare socket: how large frames are, and how long one takes to arrive
//! when nobody looks into it.

use std::io::{self, Read, Write};
use std::path::Path;

use argus_proto::Request;
use argus_proto::call::Call;
use argus_proto::event::EventKind;
use argus_proto::wire::PREAMBLE;
use argus_proto::wire::binary::{
    ClientMessage, ServerMessage, decode_answer, encode_request, frame,
};
use argus_tests::{Connection as Stream, DEADLINE};

/// An error is smaller than this, and the listing of the smallest registry larger.
const ERROR_BYTES_MAX: usize = 1024;

/// A connection to the daemon.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    payload: Vec<u8>,
}

/// How many bytes go over the socket each way, with the length before them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameBytes {
    /// From the client.
    pub(crate) request: usize,
    /// From the daemon.
    pub(crate) answer: usize,
}

impl Connection {
    /// Connects, in the encoding of the Rust client.
    pub(crate) fn open(socket: &Path) -> Self {
        let mut stream = Stream::open(socket, DEADLINE).expect("the daemon listens");
        stream.write_all(&PREAMBLE).expect("the daemon reads");
        Connection { stream, payload: Vec::new() }
    }

    /// Sends a request and takes in the whole answer, as bytes. One that is an error is one here.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<FrameBytes> {
        self.stream.write_all(request)?;
        let answer = self.read_frame()?;
        if self.payload.len() < ERROR_BYTES_MAX {
            let message = decode_answer(&self.payload[1..]).map_err(io::Error::other)?;
            let ServerMessage::Answer { result, .. } = message else {
                return Err(io::Error::other("an event that nobody has asked for"));
            };
            result.map_err(|error| io::Error::other(format!("{}, {error}", error.code.name())))?;
        }
        Ok(FrameBytes { request: request.len(), answer })
    }

    /// Takes in what a subscriber is told, up to the next change.
    pub(crate) fn next_change(&mut self) -> io::Result<()> {
        loop {
            self.read_frame()?;
            let message = decode_answer(&self.payload[1..]).map_err(io::Error::other)?;
            match message {
                ServerMessage::Event(event) if event.kind == EventKind::Bookmark => {}
                ServerMessage::Event(_) => return Ok(()),
                ServerMessage::Answer { .. } => return Err(io::Error::other("nobody has asked")),
            }
        }
    }

    /// Reads a frame, and tells how long it is.
    fn read_frame(&mut self) -> io::Result<usize> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        self.payload.resize(u32::from_be_bytes(length) as usize, 0);
        self.stream.read_exact(&mut self.payload)?;
        Ok(length.len() + self.payload.len())
    }
}

/// A request as it goes over the socket.
pub(crate) fn request(request: impl Into<Request>) -> Vec<u8> {
    // The client says until when it waits; that belongs to the size.
    let deadline = Some(argus_presence::clock::monotonic_ms() + 2_000);
    let call = Call { deadline, ..Call::new(request) };
    frame(&encode_request(&ClientMessage { id: 1_000, call }).expect("it is small"))
}
