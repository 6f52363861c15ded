//! What the process that waits for a command is connected by, and how it becomes the command.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::process::Child;

/// What one hears of the other: the same socket as what one tells it by.
pub(crate) type Hearing = UnixStream;
pub(crate) type Telling = UnixStream;

/// Starts what `prepare` makes of the name of the connection that it inherits.
pub(crate) fn start_waiting(
    prepare: impl FnOnce(String) -> Command,
) -> io::Result<(Child, Hearing, Telling)> {
    let (own, other) = UnixStream::pair()?;
    // Nothing else is started until it is closed again, a few lines below.
    fcntl_setfd(&other, FdFlags::empty())?;
    let command = prepare(other.as_raw_fd().to_string());
    let child = tokio::process::Command::from(command).spawn()?;
    drop(other);
    Ok((child, own.try_clone()?, own))
}

/// The connection that was left open for this process. It closes when this becomes the command.
pub(crate) fn inherited(connection: &str) -> Option<(Hearing, Telling)> {
    let descriptor: RawFd = connection.parse().ok()?;
    if descriptor <= 2 || !is_socket(descriptor) {
        return None;
    }
    #[expect(unsafe_code, reason = "argus run names the descriptor that it has left open for this")]
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    fcntl_setfd(&socket, FdFlags::CLOEXEC).ok()?;
    let socket = UnixStream::from(socket);
    Some((socket.try_clone().ok()?, socket))
}

fn is_socket(descriptor: RawFd) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(format!("/dev/fd/{descriptor}"))
        .is_ok_and(|meta| meta.file_type().is_socket())
}

/// Becomes the command. Returns only where that fails.
pub(crate) fn stand_for(
    program: &OsString,
    prepare: impl Fn(&OsString) -> Command,
    kept: Option<TcpListener>,
    telling: Telling,
) -> (io::Error, Telling) {
    let error = prepare(program).exec();
    // It is closed by becoming the command, and not a moment earlier: till then nobody else gets the port.
    drop(kept);
    (error, telling)
}
