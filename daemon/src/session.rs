//! One connection: bytes in, calls to [`serve`], bytes out. It translates, and decides nothing.
//!
//! 1. At most [`REQUESTS_IN_FLIGHT_MAX`] requests are worked on; further ones wait in the socket.
//! 2. On a connection of lines a request sees the effect of those before it. The frames of the
//!    Rust client are independent of each other: it waits where it cares.
//! 3. A peer that has finished sending still gets its answers; one that does not read them is
//!    closed, and holds nobody up meanwhile.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use argus_proto::call::{Answer, Call, Kind};
use argus_proto::error::{Code, Error, Result};
use argus_proto::event::Event;
use argus_proto::json::JsonText;
use argus_proto::limits::{
    ANSWER_BYTES_MAX, FIRST_BYTE_TIMEOUT, HALF_FRAME_TIMEOUT, REQUEST_BYTES_MAX,
    REQUESTS_IN_FLIGHT_MAX,
};
use argus_proto::wire::binary::{self, BINCODE, ServerMessage};
use argus_proto::wire::jsonrpc::{self, Fault};
use argus_proto::wire::{Encoding, Framing, Opening, Piece, Splitter, UNKNOWN_OPENING, opening};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::daemon::Daemon;
use crate::outbox::{Outbox, Outgoing};
use crate::platform;
use crate::serve::{Peer, RECORDS_INLINE_MAX, beside_the_others, serve};
use crate::subscriptions::Subscriptions;

const READ_BYTES: usize = 8 * 1024;
const OPENING_BYTES: usize = 512;
/// About how much of what there is to tell is made at a time.
const EVENTS_BYTES: usize = 64 * 1024;
/// How many listings of one connection are made, or wait to be read, at a time.
const LONG_ANSWERS_MAX: usize = 1;

/// Serves a connection to its end.
pub(crate) async fn run(daemon: Arc<Daemon>, stream: platform::Stream) -> io::Result<()> {
    let stream = Arc::new(stream);
    let mut buffer = Vec::with_capacity(OPENING_BYTES);
    let opened = tokio::select! {
        opened = open(&stream, &mut buffer) => opened?,
        _ = daemon.stop.requested() => return Ok(()),
    };
    let Some(encoding) = opened else { return Ok(()) };
    let framing = match encoding {
        Encoding::Lines => Framing::Lines,
        Encoding::Frames => Framing::Lengths,
    };
    let mut splitter = Splitter::new(framing, REQUEST_BYTES_MAX);
    splitter.push(&buffer);
    let pid = platform::peer_pid(&stream).unwrap_or(0);
    let session = Session {
        peer: Peer::new(pid, stream),
        encoding,
        splitter,
        half_since: None,
        has_ended: false,
        held: None,
        in_flight: FuturesUnordered::new(),
        long_answers: Arc::new(Semaphore::new(LONG_ANSWERS_MAX)),
        outbox: Outbox::default(),
        subscriptions: Subscriptions::new(daemon.clone()),
        subscribed: None,
        daemon,
    };
    session.run().await
}

/// Says one thing to a peer that is not served, in the encoding that everyone can read.
pub(crate) async fn refuse(stream: platform::Stream, error: Error) -> io::Result<()> {
    say(&stream, error).await
}

async fn say(stream: &platform::Stream, error: Error) -> io::Result<()> {
    let id = JsonText::from_canonical("null");
    let line = jsonrpc::write_response(&id, Err(&Fault::from(error))) + "\n";
    write(stream, line.as_bytes()).await
}

fn too_slow(what: &str, limit: Duration) -> Error {
    Error::new(
        Code::Timeout,
        format!("{what} did not arrive within {limit:?}; the connection is closed"),
    )
}

/// Reads the first bytes; `None` where they are no opening of ours.
async fn open(stream: &platform::Stream, buffer: &mut Vec<u8>) -> io::Result<Option<Encoding>> {
    let deadline = Instant::now() + FIRST_BYTE_TIMEOUT;
    loop {
        match opening(buffer) {
            Opening::Chosen(encoding, used) => {
                buffer.drain(..used);
                return Ok(Some(encoding));
            }
            Opening::Unknown => {
                write(stream, UNKNOWN_OPENING.as_bytes()).await?;
                return Ok(None);
            }
            Opening::Incomplete => {}
        }
        let mut reader = stream;
        let Ok(read) = timeout_at(deadline, reader.read_buf(buffer)).await else {
            say(stream, too_slow("the beginning of a message", FIRST_BYTE_TIMEOUT)).await?;
            return Ok(None);
        };
        let read = read?;
        if read == 0 {
            return Ok(None);
        }
    }
}

async fn write(stream: &platform::Stream, bytes: &[u8]) -> io::Result<()> {
    let mut outbox = Outbox::default();
    outbox.put(Outgoing::new(bytes.to_vec()));
    while !outbox.is_empty() {
        outbox.send(stream).await?;
    }
    Ok(())
}

/// An answer, ready to be sent; `None` for a notification.
type Reply = Pin<Box<dyn Future<Output = Option<Outgoing>> + Send>>;

struct Session {
    peer: Peer,
    daemon: Arc<Daemon>,
    encoding: Encoding,
    splitter: Splitter,
    /// Since when a message has been half there.
    half_since: Option<Instant>,
    /// The peer sends nothing more.
    has_ended: bool,
    /// A request that waits for those before it.
    held: Option<Request>,
    in_flight: FuturesUnordered<Reply>,
    /// A peer that reads nothing holds one listing in memory, not as many as it has asked for.
    long_answers: Arc<Semaphore>,
    outbox: Outbox,
    subscriptions: Subscriptions,
    /// The answer to a request for events.
    subscribed: Option<Outgoing>,
}

/// A request as it arrived, and how to answer it.
struct Request {
    to: ReplyTo,
    call: std::result::Result<Call, Fault>,
}

enum ReplyTo {
    /// A line; `None` for a notification.
    Line(Option<JsonText>),
    /// A frame with JSON in it.
    JsonFrame(Option<JsonText>),
    /// A frame with bincode in it; no number where it could not be read.
    Frame(Option<u64>),
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        let mut chunk = vec![0; READ_BYTES];
        let daemon = self.daemon.clone();
        let stop = daemon.stop.requested();
        tokio::pin!(stop);
        let mut ending = false;
        loop {
            self.start_requests();
            self.start_events()?;
            let is_idle =
                self.in_flight.is_empty() && self.held.is_none() && self.subscribed.is_none();
            let is_over = ending || (self.has_ended && self.subscriptions.is_empty());
            if is_over && is_idle && self.outbox.is_empty() {
                return Ok(());
            }
            let may_read = !self.has_ended && !ending && self.held.is_none() && self.has_room();
            let half_until = self.half_deadline(may_read);
            let is_sending = !self.outbox.is_empty();
            let stream = self.peer.stream.clone();
            let mut reader = &*stream;
            tokio::select! {
                sent = self.outbox.send(&stream), if is_sending => sent?,
                Some(reply) = self.in_flight.next(), if !is_sending => {
                    if let Some(outgoing) = reply {
                        self.outbox.put(outgoing);
                    }
                }
                () = self.subscriptions.ready(!is_sending), if !ending => {
                    self.subscriptions.take_in(self.outbox.is_stalled());
                }
                read = reader.read(&mut chunk), if may_read => match read? {
                    // A subscriber that has only finished sending is still told; of one that has
                    // gone nothing would be heard until something is sent to it.
                    0 if !self.subscriptions.is_empty() && platform::is_gone(&stream) => {
                        return Ok(());
                    }
                    0 => {
                        self.has_ended = true;
                        self.splitter.end();
                    }
                    read => self.splitter.push(&chunk[..read]),
                },
                () = tokio::time::sleep_until(half_until), if may_read && self.half_since.is_some() => {
                    tracing::debug!(pid = self.peer.pid, "closed: half a message for too long");
                    let error = too_slow("the rest of a message", HALF_FRAME_TIMEOUT);
                    self.in_flight.push(self.answer(self.unreadable(error.into())));
                    ending = true;
                }
                _ = &mut stop, if !ending => ending = true,
            }
        }
    }

    /// Sends what there is to tell, as much as fits into one write or so. What cannot be sent ends
    /// the connection: left out, it would be a gap that nobody sees.
    fn start_events(&mut self) -> io::Result<()> {
        if !self.outbox.is_empty() {
            return Ok(());
        }
        if let Some(answer) = self.subscribed.take() {
            self.outbox.put(answer);
            return Ok(());
        }
        let mut bytes = Vec::new();
        while bytes.len() < EVENTS_BYTES {
            let Some(event) = self.subscriptions.next() else { break };
            bytes.extend(write_event(self.encoding, event).map_err(io::Error::other)?);
        }
        self.outbox.put(Outgoing::new(bytes));
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < REQUESTS_IN_FLIGHT_MAX && self.subscribed.is_none()
    }

    /// Until when the rest of a half-sent message has to arrive.
    fn half_deadline(&mut self, may_read: bool) -> Instant {
        let now = Instant::now();
        if may_read && self.splitter.is_mid_message() {
            *self.half_since.get_or_insert(now) + HALF_FRAME_TIMEOUT
        } else {
            self.half_since = None;
            now + Duration::from_secs(3600)
        }
    }

    /// Starts every request that has arrived and may be started.
    fn start_requests(&mut self) {
        while self.has_room() {
            let request = match self.held.take() {
                Some(request) => request,
                None => match self.splitter.next_piece() {
                    Some(piece) => match self.read(piece) {
                        Some(request) => request,
                        None => continue,
                    },
                    None => return,
                },
            };
            self.half_since = None;
            if self.must_wait(&request) {
                self.held = Some(request);
                return;
            }
            match &request.call {
                Ok(call) if call.request.kind() == Kind::Subscription => self.subscribe(request),
                _ => self.in_flight.push(self.answer(request)),
            }
        }
    }

    /// Changes may share a commit; anything else on a connection of lines comes after them.
    fn must_wait(&self, request: &Request) -> bool {
        let is_change = request.call.as_ref().is_ok_and(|call| call.request.kind() == Kind::Change);
        self.encoding == Encoding::Lines && !is_change && !self.in_flight.is_empty()
    }

    /// Translates a message; `None` where there is nothing in it to answer.
    fn read(&self, piece: Piece) -> Option<Request> {
        let message = match piece {
            Piece::Message(message) => message,
            Piece::TooLarge => {
                let error = Error::new(
                    Code::TooLarge,
                    format!("a request has at most {REQUEST_BYTES_MAX} bytes; this one has more"),
                );
                return Some(self.unreadable(error.into()));
            }
        };
        let request = match (self.encoding, message.first()) {
            (Encoding::Lines, _) if message.iter().all(u8::is_ascii_whitespace) => return None,
            (Encoding::Lines, _) => {
                let incoming = jsonrpc::read_request(&message);
                Request { to: ReplyTo::Line(incoming.id), call: incoming.call }
            }
            (Encoding::Frames, Some(b'{')) => {
                let incoming = jsonrpc::read_request(&message);
                Request { to: ReplyTo::JsonFrame(incoming.id), call: incoming.call }
            }
            (Encoding::Frames, Some(&BINCODE)) => match binary::decode_request(&message[1..]) {
                Ok(message) => {
                    Request { to: ReplyTo::Frame(Some(message.id)), call: Ok(message.call) }
                }
                Err(error) => self.unreadable(error.into()),
            },
            (Encoding::Frames, _) => {
                let error = Error::new(Code::Protocol, "the frame begins with no known byte");
                self.unreadable(error.into())
            }
        };
        Some(request)
    }

    /// Subscriptions belong to the connection, so they are not worked on beside it. The answer
    /// goes before the first event.
    fn subscribe(&mut self, request: Request) {
        let result = match request.call {
            Ok(call) => self.subscriptions.answer(&call).map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        self.subscribed = write_answer(request.to, result).map(Outgoing::new);
    }

    fn unreadable(&self, fault: Fault) -> Request {
        let to = match self.encoding {
            Encoding::Lines => ReplyTo::Line(Some(JsonText::from_canonical("null"))),
            Encoding::Frames => ReplyTo::Frame(None),
        };
        Request { to, call: Err(fault) }
    }

    fn answer(&self, request: Request) -> Reply {
        let (daemon, peer) = (self.daemon.clone(), self.peer.clone());
        let long_answers = self.long_answers.clone();
        Box::pin(async move {
            let place = match &request.call {
                Ok(Call { request: argus_proto::Request::List(_), .. }) => {
                    Some(long_answers.acquire_owned().await.ok()?)
                }
                _ => None,
            };
            let result = match request.call {
                Ok(call) => serve(daemon, peer, call).await.map_err(Fault::from),
                Err(fault) => Err(fault),
            };
            let is_large = matches!(
                &result,
                Ok(Answer::List(listing)) if listing.records.len() > RECORDS_INLINE_MAX
            );
            let bytes = beside_the_others(is_large, move || write_answer(request.to, result));
            Some(Outgoing::in_place(bytes.await.ok()??, place))
        })
    }
}

/// The bytes of an answer; none for a notification.
fn write_answer(to: ReplyTo, result: std::result::Result<Answer, Fault>) -> Option<Vec<u8>> {
    match to {
        ReplyTo::Line(None) | ReplyTo::JsonFrame(None) => None,
        ReplyTo::Line(Some(id)) => {
            let mut line = write_json(&id, &result);
            line.push('\n');
            Some(line.into_bytes())
        }
        ReplyTo::JsonFrame(Some(id)) => Some(binary::frame(write_json(&id, &result).as_bytes())),
        ReplyTo::Frame(id) => write_frame(id, result.map_err(Error::from)),
    }
}

fn write_json(id: &JsonText, result: &std::result::Result<Answer, Fault>) -> String {
    let text = jsonrpc::write_response(id, result.as_ref());
    if text.len() <= ANSWER_BYTES_MAX {
        return text;
    }
    jsonrpc::write_response(id, Err(&Fault::from(answer_too_large(text.len()))))
}

fn write_frame(id: Option<u64>, result: Result<Answer>) -> Option<Vec<u8>> {
    let payload = binary::encode_answer(&ServerMessage::Answer { id, result })
        .or_else(|error| binary::encode_answer(&ServerMessage::Answer { id, result: Err(error) }));
    match payload {
        Ok(payload) => Some(binary::frame(&payload)),
        Err(error) => {
            tracing::error!(%error, "an error could not be sent");
            None
        }
    }
}

/// The bytes that tell a subscriber something.
fn write_event(encoding: Encoding, event: Event) -> Result<Vec<u8>> {
    match encoding {
        Encoding::Lines => Ok((jsonrpc::write_event(&event)? + "\n").into_bytes()),
        Encoding::Frames => {
            let payload = binary::encode_answer(&ServerMessage::Event(Box::new(event)))?;
            Ok(binary::frame(&payload))
        }
    }
}

fn answer_too_large(bytes: usize) -> Error {
    Error::new(
        Code::TooLarge,
        format!("the answer has {bytes} bytes; at most {ANSWER_BYTES_MAX} are sent"),
    )
    .hint("ask for less: argus ls --by-cwd TEXT")
}

#[cfg(test)]
mod tests {
    use argus_proto::method::{Listed, Listing};

    use super::*;

    /// A file that argus wrote never makes such an answer. One that somebody else filled with
    /// half a million tiny records does, too slowly to be read in a test.
    ///
    /// Seen to fail without the look at the length in `write_json`, and in `binary::encode_answer`.
    #[test]
    fn an_answer_over_the_limit_is_an_error_in_every_encoding() {
        let id = || JsonText::from_canonical("7");
        let text = format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX));
        let listed = Listed {
            id: "app".into(),
            record: JsonText::from_canonical(text),
            state: None,
            etag: String::new(),
        };
        let listing = Listing { records: vec![listed], cursor: None, warnings: Vec::new() };
        for to in
            [ReplyTo::Line(Some(id())), ReplyTo::JsonFrame(Some(id())), ReplyTo::Frame(Some(7))]
        {
            let bytes = write_answer(to, Ok(Answer::List(listing.clone()))).expect("an answer");
            assert!(bytes.len() < 1024, "{} bytes", bytes.len());
            let told = String::from_utf8_lossy(&bytes).into_owned();
            assert!(told.contains(&format!("{ANSWER_BYTES_MAX}")), "{told}");
        }
    }
}
