//! Whether the process behind a record is there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::{Machine, Verdict};
use crate::record::Record;

/// The state of a record, as `ls` shows it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Heard of within the TTL, and not proven gone.
    Live,
    /// Not heard of for longer than the TTL; its death is not proven.
    Stale,
    /// Its process is proven gone.
    Dead,
    /// The record is damaged.
    Invalid,
}

impl State {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Stale => "stale",
            State::Dead => "dead",
            State::Invalid => "invalid",
        }
    }
}

/// The state of a record; `None` in a collection without TTL, whose sound records have none.
pub fn state(
    record: &Record,
    ttl: Option<Duration>,
    now: u64,
    machine: &dyn Machine,
) -> Option<State> {
    if record.damage().is_some() {
        return Some(State::Invalid);
    }
    let (ttl, watcher) = (ttl?, record.watcher()?);
    let verdict = machine.verdict(watcher.pid, watcher.process.as_ref());
    let vouched = watcher.process.as_ref().is_some_and(|process| process.vouched == Some(true));
    Some(match verdict {
        Verdict::Dead => State::Dead,
        // Somebody asked that its process be taken for its heartbeat.
        Verdict::Alive if vouched => State::Live,
        // A time in the future is no age.
        _ if now.saturating_sub(watcher.updated_at) <= ttl.as_millis() as u64 => State::Live,
        _ => State::Stale,
    })
}
