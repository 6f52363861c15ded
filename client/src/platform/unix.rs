//! Unix: sockets in the file system.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::prelude::*;

pub(crate) use interprocess::local_socket::tokio::Stream;

use super::ConnectFailure;

/// The name of the daemon's executable.
pub(crate) const DAEMON_FILE_NAME: &str = "argusd";

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
        return Err(ConnectFailure::Foreign(owner.map(|owner| owner.to_string())));
    }
    Ok(stream)
}

/// A daemon that was started.
pub(crate) struct Started(Child);

impl Started {
    /// Starts it, in the root folder and with nothing of this process's but some variables.
    pub(crate) fn start(
        executable: &Path,
        arguments: &[OsString],
        variables: &[(OsString, OsString)],
    ) -> io::Result<Self> {
        let mut command = Command::new(executable);
        command.args(arguments).envs(variables.iter().cloned()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map(Started)
    }

    /// What it says once it serves, or cannot.
    pub(crate) fn report(&mut self) -> impl Read + '_ {
        self.0.stdout.as_mut().expect("it was started with a pipe, which nobody has taken")
    }

    /// Waits for the process that was started, which has ended when it has reported: else it would
    /// stay in the process table for as long as this program runs.
    pub(crate) fn finish(mut self) {
        let _ = self.0.wait();
    }
}
