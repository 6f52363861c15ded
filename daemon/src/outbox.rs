//! What is on its way to one peer. Little: what comes next is made when this has been taken.

use std::io;
use std::time::Duration;

use argus_proto::limits::HALF_FRAME_TIMEOUT;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::platform;

/// After how long a peer that takes nothing counts as stalled: subscribers may be told less then.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(1);

/// Bytes to send, in order.
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    /// A long answer's place, given back once it is sent.
    _place: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Outgoing { bytes, _place: None }
    }

    pub(crate) fn in_place(bytes: Vec<u8>, place: Option<OwnedSemaphorePermit>) -> Self {
        Outgoing { bytes, _place: place }
    }
}

/// What is being sent, and how far that has come.
#[derive(Default)]
pub(crate) struct Outbox {
    outgoing: Option<Outgoing>,
    sent: usize,
    /// When the peer last took something.
    moved_at: Option<Instant>,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_none()
    }

    /// Whether the peer has taken nothing for a while.
    pub(crate) fn is_stalled(&self) -> bool {
        self.outgoing.is_some() && self.moved_at.is_some_and(|at| at.elapsed() >= STALLED_AFTER)
    }

    /// Begins to send. Only when nothing else is being sent.
    pub(crate) fn put(&mut self, outgoing: Outgoing) {
        self.sent = 0;
        self.moved_at = Some(Instant::now());
        self.outgoing = Some(outgoing).filter(|outgoing| !outgoing.bytes.is_empty());
    }

    /// Sends the next part. Dropped before it is ready, it has sent nothing.
    ///
    /// # Errors
    /// `TimedOut` where the peer has taken nothing for [`HALF_FRAME_TIMEOUT`]; bounded for each
    /// part and not for the whole, so that a slow reader of a long answer gets it.
    pub(crate) async fn send(&mut self, stream: &platform::Stream) -> io::Result<()> {
        let Some(outgoing) = &self.outgoing else { return Ok(()) };
        let until = self.moved_at.unwrap_or_else(Instant::now) + HALF_FRAME_TIMEOUT;
        let mut writer = stream;
        let sent = timeout_at(until, writer.write(&outgoing.bytes[self.sent..])).await??;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.sent += sent;
        self.moved_at = Some(Instant::now());
        if self.sent == outgoing.bytes.len() {
            self.outgoing = None;
        }
        Ok(())
    }
}
