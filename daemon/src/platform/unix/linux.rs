//! Linux: who is at the other end, and descriptors that arrive closed to other programs.

use std::io;
use std::os::fd::OwnedFd;

use interprocess::local_socket::tokio::prelude::*;
use rustix::net::{RecvFlags, SendFlags};

use super::Stream;

/// A peer that is gone is an error, and no signal.
pub(super) const SEND: SendFlags = SendFlags::NOSIGNAL;
/// What arrives is not inherited by another program.
pub(super) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// Nothing to do: it arrived so.
pub(super) fn close_on_exec(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    Ok(descriptor)
}

/// The process at the other end.
pub(crate) fn peer_pid(stream: &Stream) -> Option<u32> {
    u32::try_from(stream.peer_creds().ok()?.pid()?).ok()
}
