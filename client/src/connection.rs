//! One connection to a daemon, and any number of calls over it at the same time.
//!
//! Two tasks serve it, one to write and one to read, so that a long answer and a long request
//! cannot wait for each other. A call that is dropped leaves nothing half written.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argus_proto::Request;
use argus_proto::call::{Answer, Call, Kind};
use argus_proto::error::{Code, Error, Result};
use argus_proto::json::JsonText;
use argus_proto::limits::REQUESTS_IN_FLIGHT_MAX;
use argus_proto::wire::binary::{self, BINCODE, ClientMessage, ServerMessage};
use argus_proto::wire::{Piece, Splitter, jsonrpc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::handshake::{Failure, HELLO_ID, Opened};
use crate::platform::Stream;

/// What became of a call that the daemon did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The connection ended first.
    Gone,
    /// The deadline passed first.
    Late,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outbox: mpsc::Sender<Vec<u8>>,
    next_id: AtomicU64,
    /// The version of the daemon.
    pub(crate) version: String,
    tasks: [AbortHandle; 2],
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<HashMap<u64, Waiting>>,
    has_ended: AtomicBool,
}

#[derive(Debug)]
struct Waiting {
    kind: ReplyKind,
    reply: oneshot::Sender<Result<Answer>>,
}

/// In which type a JSON answer is read: those of the methods that work across versions.
#[derive(Debug, Clone, Copy)]
enum ReplyKind {
    Binary,
    Status,
    Shutdown,
}

const READ_BYTES: usize = 64 * 1024;

impl Connection {
    /// Connects and says hello, within the times for both.
    pub(crate) async fn open(socket: &Path, name: &str) -> std::result::Result<Self, Failure> {
        let Opened { stream, splitter, welcome } = Opened::open(socket, name).await?;
        let (reader, writer) = (Arc::new(stream), mpsc::channel(REQUESTS_IN_FLIGHT_MAX));
        let (outbox, queue) = writer;
        let shared = Arc::new(Shared::default());
        let writing = tokio::spawn(write_all(reader.clone(), queue, shared.clone()));
        let reading = tokio::spawn(read_all(reader, splitter, shared.clone()));
        Ok(Connection {
            shared,
            outbox,
            next_id: AtomicU64::new(HELLO_ID + 1),
            version: welcome.version,
            tasks: [writing.abort_handle(), reading.abort_handle()],
        })
    }

    /// Whether nothing more will come over it.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.has_ended.load(Ordering::Acquire)
    }

    /// Sends a call and waits for its answer until the deadline. The outer error means that
    /// nobody knows whether the call was carried out.
    pub(crate) async fn call(
        &self,
        call: Call,
        deadline: Instant,
    ) -> std::result::Result<Result<Answer>, Unanswered> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (kind, payload) = match encode(id, call) {
            Ok(encoded) => encoded,
            Err(error) => return Ok(Err(error)),
        };
        let (reply, answer) = oneshot::channel();
        self.shared.waiting().insert(id, Waiting { kind, reply });
        // Whoever stops waiting must not leave his place behind.
        let _place = Place { shared: &self.shared, id };
        if self.has_ended() {
            return Err(Unanswered::Gone);
        }
        let answered = async {
            self.outbox.send(binary::frame(&payload)).await.map_err(|_| Unanswered::Gone)?;
            answer.await.map_err(|_| Unanswered::Gone)
        };
        timeout_at(deadline, answered).await.unwrap_or(Err(Unanswered::Late))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Place<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.id);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        // Nobody panics while holding it: there are only map operations.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everyone who waits learns that no answer will come.
    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.waiting().clear();
    }
}

fn encode(id: u64, call: Call) -> Result<(ReplyKind, Vec<u8>)> {
    let kind = match &call.request {
        Request::Status(_) => ReplyKind::Status,
        Request::Shutdown(_) => ReplyKind::Shutdown,
        _ => ReplyKind::Binary,
    };
    let payload = match kind {
        ReplyKind::Binary => binary::encode_request(&ClientMessage { id, call })?,
        _ => jsonrpc::write_request(id, &call)?.into_bytes(),
    };
    Ok((kind, payload))
}

async fn write_all(stream: Arc<Stream>, mut queue: mpsc::Receiver<Vec<u8>>, shared: Arc<Shared>) {
    while let Some(frame) = queue.recv().await {
        if (&*stream).write_all(&frame).await.is_err() {
            break;
        }
    }
    shared.end();
}

async fn read_all(stream: Arc<Stream>, mut splitter: Splitter, shared: Arc<Shared>) {
    let mut chunk = vec![0; READ_BYTES];
    loop {
        while let Some(piece) = splitter.next_piece() {
            let Piece::Message(payload) = piece else {
                shared.end();
                return;
            };
            deliver(&payload, &shared);
        }
        match (&*stream).read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => splitter.push(&chunk[..read]),
        }
    }
    shared.end();
}

/// Hands an answer to who waits for it. One that cannot be read ends the connection: what came
/// behind it would be guesswork.
fn deliver(payload: &[u8], shared: &Shared) {
    let (id, result) = match payload.first() {
        Some(b'{') => match jsonrpc::read_response(payload) {
            Ok((Some(id), result)) => (id, Reply::Json(result)),
            _ => return shared.end(),
        },
        Some(&BINCODE) => match binary::decode_answer(&payload[1..]) {
            Ok(ServerMessage::Answer { id: Some(id), result }) => (id, Reply::Binary(result)),
            _ => return shared.end(),
        },
        _ => return shared.end(),
    };
    let Some(waiting) = shared.waiting().remove(&id) else { return };
    let result = match (result, waiting.kind) {
        (Reply::Binary(result), _) => result,
        (Reply::Json(Err(error)), _) => Err(error),
        (Reply::Json(Ok(text)), ReplyKind::Status) => {
            jsonrpc::read_result(&text).map(Answer::Status)
        }
        (Reply::Json(Ok(text)), ReplyKind::Shutdown) => {
            jsonrpc::read_result(&text).map(Answer::Shutdown)
        }
        (Reply::Json(Ok(_)), ReplyKind::Binary) => {
            Err(Error::new(Code::Protocol, "argusd answered in JSON where it was not asked to"))
        }
    };
    let _ = waiting.reply.send(result);
}

enum Reply {
    Binary(Result<Answer>),
    Json(Result<JsonText>),
}

/// Whether a call changes something, so that it matters whether it was carried out.
pub(crate) fn is_change(request: &Request) -> bool {
    match request.kind() {
        Kind::Change | Kind::Heartbeat => true,
        Kind::Sources => !matches!(request, Request::ListSources(_)),
        _ => false,
    }
}
