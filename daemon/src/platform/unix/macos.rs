//! macOS: who is at the other end, and descriptors that are closed to other programs once they are here.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvFlags, SendFlags};

use super::{Stream, descriptor};

/// A peer that is gone is an error, and no signal: std has this program ignore that.
pub(super) const SEND: SendFlags = SendFlags::empty();
pub(super) const RECEIVE: RecvFlags = RecvFlags::empty();

/// What has arrived is not inherited by another program. Nobody starts one before.
pub(super) fn close_on_exec(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

/// The process at the other end.
pub(crate) fn peer_pid(stream: &Stream) -> Option<u32> {
    let socket = descriptor(stream).as_raw_fd();
    let mut pid: libc::pid_t = 0;
    let mut length = size_of::<libc::pid_t>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "neither interprocess nor rustix asks macOS for the peer's pid")]
    // SAFETY: the socket is borrowed for the call, and `length` is the size of what may be written to.
    let outcome = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut pid).cast(),
            &raw mut length,
        )
    };
    let told = outcome == 0 && length as usize == size_of::<libc::pid_t>();
    u32::try_from(pid).ok().filter(|pid| told && *pid > 0)
}
