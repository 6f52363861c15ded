//! Unix: sockets in the file system.

use std::io;
use std::path::Path;

use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::prelude::*;

pub(crate) use interprocess::local_socket::tokio::Stream;

/// The name of the daemon's executable.
pub(crate) const DAEMON_FILE_NAME: &str = "argusd";

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// There is no socket.
    Absent,
    /// There is one, and nobody listens: a dead daemon left it.
    Refused,
    /// The queue is full: somebody is there and does not accept, for now.
    Full,
    /// The other end belongs to another user.
    Foreign(Option<u32>),
    /// Anything else.
    Failed(io::Error),
}

/// Connects to the daemon, and makes sure that it is this user's.
pub(crate) async fn connect(socket: &Path) -> Result<Stream, ConnectFailure> {
    let name = socket.to_fs_name::<GenericFilePath>().map_err(ConnectFailure::Failed)?;
    let stream = Stream::connect(name).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConnectFailure::Absent,
        io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        io::ErrorKind::WouldBlock => ConnectFailure::Full,
        _ => ConnectFailure::Failed(error),
    })?;
    let owner = stream.peer_creds().map_err(ConnectFailure::Failed)?.euid();
    if owner != Some(rustix::process::geteuid().as_raw()) {
        return Err(ConnectFailure::Foreign(owner));
    }
    Ok(stream)
}
