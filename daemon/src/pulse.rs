//! Wakes the sessions that have subscribers, when something was published.

use tokio::sync::watch;

/// Felt by every session with a subscription; whoever misses a beat finds the last state anyway.
pub(crate) struct Pulse {
    /// Something has changed.
    pub(crate) changes: watch::Sender<()>,
    /// Some record was refreshed, and nothing else.
    pub(crate) heartbeats: watch::Sender<()>,
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse { changes: watch::Sender::new(()), heartbeats: watch::Sender::new(()) }
    }
}
