//! Where the inputs come from: the keyboard, the events, what is asked every other second.
//!
//! Each source has a task or a thread of its own, so that none waits for another, and is never
//! interrupted in the middle of a call. What they bring waits in two bounded queues, the keys
//! apart: they are taken first, however much happens.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use argus_client::method::{List, Remove, Subscribe};
use argus_client::{Client, Code, Error, EventKind, Result};
use ratatui::crossterm::event::{self, Event as TerminalEvent};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::model::Input;

/// How often it is asked how the daemon is, and who is live, which changes without an event.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Changes that follow each other more closely than this are fetched together.
const TOGETHER: Duration = Duration::from_millis(50);
/// A listing is not asked for again before this many times what the last one took: a large
/// registry is not to keep the daemon busy.
const REST_AFTER_LISTING: u32 = 9;
/// How much may wait to be taken.
const KEYS_MAX: usize = 64;
const NEWS_MAX: usize = 64;

pub(crate) struct Sources {
    client: Client,
    keys: Receiver<io::Result<TerminalEvent>>,
    news: Receiver<Input>,
    news_sender: Sender<Input>,
    /// Asks for a listing before its time.
    changed: Arc<Notify>,
    tasks: JoinSet<()>,
}

impl Sources {
    pub(crate) fn start(client: &Client) -> io::Result<Self> {
        let (keys_sender, keys) = channel(KEYS_MAX);
        let (news_sender, news) = channel(NEWS_MAX);
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&keys_sender))?;
        let changed = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_events(client.clone(), news_sender.clone(), changed.clone()));
        tasks.spawn(ask_for_records(client.clone(), news_sender.clone(), changed.clone()));
        tasks.spawn(ask_for_status(client.clone(), news_sender.clone()));
        Ok(Sources { client: client.clone(), keys, news, news_sender, changed, tasks })
    }

    /// Waits for the next input. Nothing is lost where the wait is given up.
    pub(crate) async fn next(&mut self) -> Result<Input> {
        tokio::select! {
            biased;
            key = self.keys.recv() => match key {
                Some(Ok(event)) => Ok(Input::Terminal(event)),
                Some(Err(error)) => {
                    Err(Error::new(Code::Io, format!("cannot read keys: {error}")))
                }
                None => Err(Error::new(Code::Io, "keys are not read any more")),
            },
            Some(news) = self.news.recv() => Ok(news),
            // A task that panicked has taken the screen with it.
            Some(Err(error)) = self.tasks.join_next() => {
                Err(Error::new(Code::Io, format!("a part of `argus top` ended: {error}")))
            }
        }
    }

    /// What waits already.
    pub(crate) fn next_at_once(&mut self) -> Option<Input> {
        match self.keys.try_recv() {
            Ok(Ok(event)) => Some(Input::Terminal(event)),
            // The end of the keys is met by whoever waits for the next one.
            _ => self.news.try_recv().ok(),
        }
    }

    /// Removes the record, if it is still the one that has this etag; the outcome is an input.
    pub(crate) fn remove(&mut self, id: String, etag: String) {
        let (client, news) = (self.client.clone(), self.news_sender.clone());
        let changed = self.changed.clone();
        self.tasks.spawn(async move {
            let if_match = Some(etag);
            let remove = Remove { id: id.clone(), pid: None, if_match, flush: true };
            let result = client.remove(remove).await;
            changed.notify_one();
            let _ = news.send(Input::Removed { id, result }).await;
        });
    }
}

/// Reads the keyboard until the program ends: a read cannot be interrupted.
fn read_keys(keys: &Sender<io::Result<TerminalEvent>>) {
    loop {
        let event = event::read();
        let is_last = event.is_err();
        if keys.blocking_send(event).is_err() || is_last {
            return;
        }
    }
}

async fn follow_events(client: Client, news: Sender<Input>, changed: Arc<Notify>) {
    let mut events = client.subscribe(Subscribe::default());
    loop {
        // Why none can be had is told by the listing, which meets the same; the next call waits a
        // while and tries again.
        let Ok(event) = events.next().await else { continue };
        if event.kind == EventKind::Bookmark {
            continue;
        }
        changed.notify_one();
        if news.send(Input::Event(Box::new(event))).await.is_err() {
            return;
        }
    }
}

/// The records are always those of a whole listing: what is shown was true at one moment. Events
/// only say when to ask again.
async fn ask_for_records(client: Client, news: Sender<Input>, changed: Arc<Notify>) {
    loop {
        let begun = Instant::now();
        let listing = client.list(List::default()).await;
        let took = begun.elapsed();
        let answer =
            Input::Listing { listing, route: client.route(), notices: client.take_notices() };
        if news.send(answer).await.is_err() {
            return;
        }
        sleep((took * REST_AFTER_LISTING).max(TOGETHER)).await;
        tokio::select! {
            () = changed.notified() => sleep(TOGETHER).await,
            () = sleep_until(begun + ASK_EVERY) => {}
        }
    }
}

async fn ask_for_status(client: Client, news: Sender<Input>) {
    loop {
        let begun = Instant::now();
        if news.send(Input::Status(client.status().await)).await.is_err() {
            return;
        }
        sleep_until(begun + ASK_EVERY).await;
    }
}
