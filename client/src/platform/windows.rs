//! Windows: named pipes.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read};
use std::path::Path;

use argus_windows::{security, start};
use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::prelude::*;

pub(crate) use interprocess::local_socket::tokio::Stream;

use super::ConnectFailure;

/// The name of the daemon's executable.
pub(crate) const DAEMON_FILE_NAME: &str = "argusd.exe";

/// All instances of a pipe are taken.
const ERROR_PIPE_BUSY: i32 = 231;

/// Connects to the daemon, and makes sure that it is this user's.
pub(crate) async fn connect(socket: &Path) -> Result<Stream, ConnectFailure> {
    let name = socket.to_fs_name::<GenericFilePath>().map_err(ConnectFailure::Failed)?;
    let stream = Stream::connect(name).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConnectFailure::Absent,
        _ if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => ConnectFailure::Full,
        _ => ConnectFailure::Failed(error),
    })?;
    let Stream::NamedPipe(pipe) = &stream;
    let owner = security::owner_of_pipe(pipe.inner()).map_err(ConnectFailure::Failed)?;
    match security::is_own(&owner) {
        Ok(true) => Ok(stream),
        Ok(false) => Err(ConnectFailure::Foreign(Some(owner))),
        Err(error) => Err(ConnectFailure::Failed(error)),
    }
}

/// A daemon that was started.
pub(crate) struct Started(PipeReader);

impl Started {
    /// Starts it, in the root folder and with nothing of this process's but some variables.
    pub(crate) fn start(
        executable: &Path,
        arguments: &[OsString],
        variables: &[(OsString, OsString)],
    ) -> io::Result<Self> {
        // It stays there for as long as it runs, and would keep any other folder from being removed.
        let folder = executable.ancestors().last().unwrap_or(executable);
        start::start_detached(executable, arguments, variables, folder).map(Started)
    }

    /// What it says once it serves, or cannot.
    pub(crate) fn report(&mut self) -> impl Read + '_ {
        &mut self.0
    }

    /// Nothing has to be waited for.
    pub(crate) fn finish(self) {}
}
