//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

#[cfg(unix)]
pub(crate) use unix::{DAEMON_FILE_NAME, Started, Stream, connect};
#[cfg(windows)]
pub(crate) use windows::{DAEMON_FILE_NAME, Started, Stream, connect};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// There is no socket.
    Absent,
    /// There is one, and nobody listens: a dead daemon left it.
    #[cfg_attr(windows, expect(dead_code, reason = "a pipe goes with who listens at it"))]
    Refused,
    /// The queue is full: somebody is there and does not accept, for now.
    Full,
    /// The other end belongs to another user.
    Foreign(Option<String>),
    /// Anything else.
    Failed(io::Error),
}
