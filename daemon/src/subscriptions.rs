//! The subscriptions of one connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use argus_proto::call::{Answer, Call, Request};
use argus_proto::error::{Code, Error, Result};
use argus_proto::event::Event;
use argus_proto::limits::SUBSCRIPTIONS_MAX;
use argus_proto::method::{Unsubscribe, Unsubscribed};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::daemon::Daemon;
use crate::outbox::STALLED_AFTER;
use crate::subscription::Subscription;

/// All subscriptions of a connection.
pub(crate) struct Subscriptions {
    daemon: Arc<Daemon>,
    all: Vec<Subscription>,
    /// Whose turn it is: none of them keeps the others waiting.
    turn: usize,
    last_number: u64,
    changes: watch::Receiver<()>,
    heartbeats: watch::Receiver<()>,
}

impl Subscriptions {
    pub(crate) fn new(daemon: Arc<Daemon>) -> Self {
        let changes = daemon.pulse.changes.subscribe();
        let heartbeats = daemon.pulse.heartbeats.subscribe();
        Subscriptions { daemon, all: Vec::new(), turn: 0, last_number: 0, changes, heartbeats }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Carries out `subscribe` and `unsubscribe`.
    pub(crate) fn answer(&mut self, call: &Call) -> Result<Answer> {
        let subscribe = match &call.request {
            Request::Unsubscribe(unsubscribe) => {
                return Ok(Answer::Unsubscribe(self.unsubscribe(unsubscribe)));
            }
            Request::Subscribe(subscribe) => subscribe,
            other => {
                let message = format!("`{}` is no subscription", other.method());
                return Err(Error::new(Code::Protocol, message));
            }
        };
        if self.all.len() == SUBSCRIPTIONS_MAX {
            return Err(Error::new(
                Code::Busy,
                format!("a connection has at most {SUBSCRIPTIONS_MAX} subscriptions"),
            ));
        }
        let registry = self.daemon.registries.at_once(call.collection.as_deref())?;
        let number = self.last_number + 1;
        let (subscription, subscribed) = Subscription::begin(registry, subscribe, number)?;
        self.last_number = number;
        self.all.push(subscription);
        self.daemon.subscribers.fetch_add(1, Ordering::Relaxed);
        Ok(Answer::Subscribe(subscribed))
    }

    /// Returns when there may be something to look at, or, where one `may_tell`, to tell. Where one
    /// may not, the peer is taking something, and it is looked at in between how that goes.
    pub(crate) async fn ready(&mut self, may_tell: bool) {
        let Some(bookmark_at) = self.all.iter().map(Subscription::bookmark_at).min() else {
            return std::future::pending().await;
        };
        let with_heartbeats = self.all.iter().any(Subscription::is_about_heartbeats);
        tokio::select! {
            _ = self.changes.changed() => {}
            _ = self.heartbeats.changed(), if with_heartbeats => {}
            () = sleep_until(bookmark_at), if may_tell => {}
            () = sleep(STALLED_AFTER), if !may_tell => {}
        }
    }

    /// Looks at what has been published. `is_stalled`: the peer takes nothing.
    pub(crate) fn take_in(&mut self, is_stalled: bool) {
        self.all.iter_mut().for_each(|subscription| subscription.take_in(is_stalled));
    }

    /// The next thing to tell.
    pub(crate) fn next(&mut self) -> Option<Event> {
        for _ in 0..self.all.len() {
            self.turn = (self.turn + 1) % self.all.len();
            let subscription = &mut self.all[self.turn];
            if let Some(event) = subscription.next() {
                if subscription.has_ended() {
                    self.remove(self.turn);
                }
                return Some(event);
            }
        }
        None
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) -> Unsubscribed {
        let number = unsubscribe.subscription;
        let place = self.all.iter().position(|subscription| subscription.number() == number);
        if let Some(place) = place {
            self.remove(place);
        }
        Unsubscribed { unsubscribed: place.is_some() }
    }

    fn remove(&mut self, place: usize) {
        self.all.remove(place);
        self.daemon.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.daemon.subscribers.fetch_sub(self.all.len(), Ordering::Relaxed);
    }
}
