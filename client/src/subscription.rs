//! Being told what happens to a collection, whatever becomes of the daemon meanwhile.
//!
//! 1. A gap is never silent: what was missed follows, or an event of kind `resync` with all records.
//! 2. A connection that ends is made again, after the last cursor. Where no daemon can be had, and
//!    one may do without, the file is looked at until there is one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argus_proto::Answer;
use argus_proto::call::Call;
use argus_proto::collection::Collection as Description;
use argus_proto::error::{Code, Error, Result};
use argus_proto::event::{Event, EventKind};
use argus_proto::limits::REQUEST_DEADLINE;
use argus_proto::method::{Subscribe, Subscribed};
use argus_proto::wire::binary::{self, BINCODE, ClientMessage, ServerMessage};
use argus_proto::wire::{Piece, Splitter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::client::Client;
use crate::handshake::{Failure, HELLO_ID, Opened};
use crate::options::Mode;
use crate::platform::Stream;
use crate::polling::Polling;

/// How often the file is looked at where there is no daemon.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long to wait before the next attempt to find a daemon: doubled each time.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;
/// A daemon sends something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// What happens to a collection, one event after the other.
///
/// The first event is a `resync` with all records, unless the subscription began after a cursor
/// that the daemon still knows; a later `resync` means that something may have been missed, and
/// takes the place of all that was known.
pub struct Subscription {
    client: Client,
    subscribe: Subscribe,
    source: Source,
    has_begun: bool,
    arrived: VecDeque<Event>,
    /// Why what has arrived may not be all that there is.
    problem: Option<Error>,
    /// When to look for a daemon again.
    next_attempt: Instant,
    backoff: Duration,
}

enum Source {
    None,
    Daemon(Feed),
    File { polling: Arc<Mutex<Polling>>, look_at: Instant },
}

impl Subscription {
    pub(crate) fn new(client: Client, subscribe: Subscribe) -> Self {
        Subscription {
            client,
            subscribe,
            source: Source::None,
            has_begun: false,
            arrived: VecDeque::new(),
            problem: None,
            next_attempt: Instant::now(),
            backoff: Duration::ZERO,
        }
    }

    /// Waits for the next event. Nothing is lost where the wait is given up.
    ///
    /// # Errors
    /// `E_USAGE` where the cursor is none. Why no daemon can be had, where one may not do without:
    /// the next call tries again.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.arrived.pop_front() {
                return Ok(event);
            }
            self.advance().await?;
        }
    }

    /// Waits until something has arrived, or has become of the source. Nothing is lost where the wait
    /// is given up.
    ///
    /// # Errors
    /// As [`Subscription::next`].
    pub(crate) async fn advance(&mut self) -> Result<()> {
        match &mut self.source {
            Source::None => {
                sleep_until(self.next_attempt).await;
                self.begin().await?;
            }
            // A daemon that says nothing at all hangs, since there are bookmarks.
            Source::Daemon(feed) => match timeout_at(feed.silent_until, feed.next()).await {
                Ok(Ok(event)) => self.take(event),
                Ok(Err(error)) => self.lose(error),
                Err(_) => self.lose(Error::new(Code::Timeout, "argusd has gone silent")),
            },
            Source::File { polling, look_at } => {
                sleep_until(*look_at).await;
                *look_at = Instant::now() + LOOK_EVERY;
                let polling = polling.clone();
                let look = {
                    let polling = polling.clone();
                    move || lock(&polling).look()
                };
                let _ = tokio::task::spawn_blocking(look).await;
                let (found, problem) = lock(&polling).take_found();
                self.arrived.extend(found);
                self.problem = problem;
                if self.client.options().mode != Mode::Direct && Instant::now() >= self.next_attempt
                {
                    self.begin().await?;
                }
            }
        }
        Ok(())
    }

    /// What has arrived and was not asked for yet, in order.
    pub(crate) fn take_arrived(&mut self) -> VecDeque<Event> {
        std::mem::take(&mut self.arrived)
    }

    /// Why what has arrived may not be all that there is; `None` while the collection is followed.
    pub(crate) fn problem(&self) -> Option<&Error> {
        self.problem.as_ref()
    }

    /// What the collection is that is followed.
    pub(crate) fn description(&self) -> Arc<Description> {
        self.client.description()
    }

    fn lose(&mut self, problem: Error) {
        self.source = Source::None;
        self.problem = Some(problem);
    }

    fn take(&mut self, event: Event) {
        self.backoff = Duration::ZERO;
        self.subscribe.since = Some(event.cursor.clone());
        if event.kind == EventKind::Closed {
            // What it has missed is asked for.
            self.lose(Error::new(Code::Busy, "this subscriber was too slow"));
        } else {
            self.arrived.push_back(event);
        }
    }

    /// Finds a daemon and subscribes, or turns to the file.
    async fn begin(&mut self) -> Result<()> {
        self.backoff = (self.backoff * 2).clamp(BACKOFF, BACKOFF_MAX);
        self.next_attempt = Instant::now() + self.backoff;
        let error = match self.subscribe_to_daemon().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if matches!(error.code, Code::Usage | Code::Invalid)
            || self.client.options().mode == Mode::DaemonOnly
        {
            self.problem = Some(error.clone());
            return Err(error);
        }
        if !matches!(self.source, Source::File { .. }) {
            // What is there is told whole: nobody knows what it was when the daemon went.
            self.subscribe.since = None;
            let direct = self.client.direct().inspect_err(|error| {
                self.problem = Some(error.clone());
            })?;
            let polling = Polling::new(direct, self.subscribe.clone());
            let polling = Arc::new(Mutex::new(polling));
            self.source = Source::File { polling, look_at: Instant::now() };
            self.has_begun = true;
        }
        Ok(())
    }

    async fn subscribe_to_daemon(&mut self) -> Result<()> {
        if self.client.options().mode == Mode::Direct {
            return Err(Error::new(Code::Unreachable, "in direct mode no daemon is asked"));
        }
        // One is started for who begins to follow, not by who has been following: a daemon that
        // somebody stops stays stopped.
        let may_spawn = !self.has_begun || self.client.options().mode == Mode::DaemonOnly;
        self.client.connect(may_spawn).await?;
        let socket = self.client.paths().socket();
        let opened = Opened::open(&socket, &self.client.options().name).await;
        let opened = opened.map_err(|failure| match failure {
            Failure::Absent(_) => Error::new(Code::Unreachable, "no argusd is running"),
            Failure::Unusable(error) => error,
        })?;
        let call = Call {
            collection: self.client.options().collection.clone(),
            ..Call::new(self.subscribe.clone())
        };
        let (feed, subscribed) = timeout(REQUEST_DEADLINE, Feed::begin(opened, call))
            .await
            .map_err(|_| Error::new(Code::Timeout, "argusd does not answer"))??;
        self.has_begun = true;
        self.problem = None;
        self.source = Source::Daemon(feed);
        self.subscribe.since = Some(subscribed.cursor.clone());
        let revision = subscribed.revision();
        if let Some(records) = subscribed.records {
            let collection = &self.client.description().name;
            let event = Event::new(EventKind::Resync, collection, subscribed.cursor, revision);
            self.arrived.push_back(Event { records: Some(records), ..event });
        }
        Ok(())
    }
}

fn lock(polling: &Mutex<Polling>) -> MutexGuard<'_, Polling> {
    // A look that panicked has told nothing, and the next one finds the same.
    polling.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection over which events come.
struct Feed {
    stream: Stream,
    splitter: Splitter,
    chunk: Vec<u8>,
    /// When the daemon has said nothing for too long.
    silent_until: Instant,
}

impl Feed {
    async fn begin(opened: Opened, call: Call) -> Result<(Self, Subscribed)> {
        let Opened { stream, splitter, .. } = opened;
        let message = ClientMessage { id: HELLO_ID + 1, call };
        let frame = binary::frame(&binary::encode_request(&message)?);
        (&stream).write_all(&frame).await.map_err(ended)?;
        let silent_until = Instant::now() + SILENCE_MAX;
        let mut feed = Feed { stream, splitter, chunk: vec![0; READ_BYTES], silent_until };
        match feed.read().await? {
            ServerMessage::Answer { result, .. } => match result? {
                Answer::Subscribe(subscribed) => Ok((feed, subscribed)),
                _ => Err(unexpected()),
            },
            ServerMessage::Event(_) => Err(unexpected()),
        }
    }

    /// Given up, it has lost nothing.
    async fn next(&mut self) -> Result<Event> {
        match self.read().await? {
            ServerMessage::Event(event) => {
                self.silent_until = Instant::now() + SILENCE_MAX;
                Ok(*event)
            }
            ServerMessage::Answer { .. } => Err(unexpected()),
        }
    }

    async fn read(&mut self) -> Result<ServerMessage> {
        loop {
            match self.splitter.next_piece() {
                Some(Piece::Message(payload)) => match payload.split_first() {
                    Some((&BINCODE, body)) => return binary::decode_answer(body),
                    _ => return Err(unexpected()),
                },
                Some(Piece::TooLarge) => return Err(unexpected()),
                None => {}
            }
            let read = (&self.stream).read(&mut self.chunk).await.map_err(ended)?;
            if read == 0 {
                return Err(ended(io::ErrorKind::UnexpectedEof.into()));
            }
            self.splitter.push(&self.chunk[..read]);
        }
    }
}

fn ended(error: io::Error) -> Error {
    Error::new(Code::Unreachable, format!("argusd went away: {error}"))
}

fn unexpected() -> Error {
    Error::new(Code::Protocol, "argusd sent something else than an event")
}
