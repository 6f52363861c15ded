//! `subscribe` and `unsubscribe`: being told of every change of a collection.

use serde::{Deserialize, Serialize};

use super::Listed;
use crate::cursor::Cursor;

/// Asks to be told.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Subscribe {
    /// The cursor after which to begin. Without it a snapshot comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only what concerns these records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// Heartbeats too.
    #[serde(default)]
    pub heartbeats: bool,
}

/// How a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Subscribed {
    /// What its events carry.
    pub subscription: u64,
    /// After what they begin.
    pub cursor: String,
    /// How they join on to what the subscriber knows.
    pub mode: Mode,
    /// All there is, where the mode says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<Listed>>,
}

/// How a subscription joins on to what its subscriber knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Exactly what came after the given cursor follows.
    Deltas,
    /// No cursor was given: all there is, and what follows.
    Snapshot,
    /// What came after the given cursor is not known any more: all there is, and what follows.
    Resync,
}

/// Asks to be told no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Unsubscribe {
    /// Which subscription of this connection.
    pub subscription: u64,
}

/// No event of it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Unsubscribed {
    /// Whether there was such a subscription.
    pub unsubscribed: bool,
}

impl Subscribed {
    /// The revision after which the events begin.
    pub fn revision(&self) -> u64 {
        self.cursor.parse::<Cursor>().map_or(0, |cursor| cursor.revision)
    }
}

impl Subscribe {
    /// Whether a record is among those that were asked for.
    pub fn concerns(&self, id: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.iter().any(|wanted| wanted == id))
    }

    /// After which revision its events begin, and how they join on. `epoch` is the present one,
    /// of whose changes those after `kept_from` are kept, up to `revision`.
    ///
    /// # Errors
    /// `E_USAGE` where `since` is no cursor, `E_INVALID` where an id cannot be one.
    pub fn begin(&self, epoch: &str, kept_from: u64, revision: u64) -> crate::Result<(u64, Mode)> {
        self.ids.iter().flatten().try_for_each(|id| crate::id::check(id))?;
        let Some(since) = &self.since else { return Ok((revision, Mode::Snapshot)) };
        let since: Cursor = since.parse()?;
        if since.epoch == epoch && (kept_from..=revision).contains(&since.revision) {
            return Ok((since.revision, Mode::Deltas));
        }
        Ok((revision, Mode::Resync))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_never_silent() {
        let rows = [
            (None, Some((9, Mode::Snapshot))),
            (Some("now:9"), Some((9, Mode::Deltas))),
            (Some("now:5"), Some((5, Mode::Deltas))),
            (Some("now:4"), Some((9, Mode::Resync))),
            (Some("now:10"), Some((9, Mode::Resync))),
            (Some("before:9"), Some((9, Mode::Resync))),
            (Some("9"), None),
        ];
        for (since, expected) in rows {
            let subscribe = Subscribe { since: since.map(str::to_owned), ..Subscribe::default() };
            assert_eq!(subscribe.begin("now", 5, 9).ok(), expected, "{since:?}");
        }
    }
}
