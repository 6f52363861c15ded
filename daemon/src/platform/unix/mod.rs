//! Unix: sockets in the file system, sessions, signals.

mod handover;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;
mod service;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use argus_presence::ProcessEnd;
use interprocess::TryClone;
use interprocess::local_socket::tokio::{Listener, prelude::*};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use handover::{Predecessor, hand_over};
pub(crate) use interprocess::local_socket::tokio::Stream;
#[cfg(target_os = "linux")]
pub(crate) use linux::peer_pid;
#[cfg(not(target_os = "linux"))]
pub(crate) use macos::peer_pid;
pub(crate) use service::{lent_socket, tell_service_manager_ready};

/// A listening socket that another process has opened.
pub(crate) type Socket = OwnedFd;

/// A socket that we listen on, and the file that leads to it.
pub(crate) struct Binding {
    listener: Listener,
    path: PathBuf,
    file: (u64, u64),
    is_lent: bool,
}

impl Binding {
    /// Listens at `path`, 0600. Whatever is left there is removed: only who holds the owner lock
    /// calls this.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let options = ListenerOptions::new()
            .name(path.to_fs_name::<GenericFilePath>()?)
            // The name may belong to a later daemon by the time this one drops its listener.
            .reclaim_name(false);
        let listener = match options.try_clone()?.mode(0o600).create_tokio() {
            // Not every Unix lets a socket have a mode; the folder is closed to others anyway.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => options.create_tokio()?,
            bound => bound?,
        };
        Self::at(path, listener)
    }

    /// Goes on with a socket that the daemon before has handed over.
    pub(crate) fn inherit(path: &Path, socket: Socket) -> io::Result<Self> {
        let listener = interprocess::os::unix::uds_local_socket::Listener::from(socket);
        Self::at(path, Listener::UdSocket(listener.try_into()?))
    }

    /// Listens on a socket that stays the service manager's.
    pub(crate) fn borrow(path: &Path, socket: Socket) -> io::Result<Self> {
        Ok(Binding { is_lent: true, ..Self::inherit(path, socket)? })
    }

    fn at(path: &Path, listener: Listener) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        let (path, file) = (path.to_owned(), (meta.dev(), meta.ino()));
        Ok(Binding { listener, path, file, is_lent: false })
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().await
    }

    /// Whether the path still leads to this socket.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file)
    }

    /// Nothing to do: it is the very socket that the successor gets, with who waits in its queue.
    pub(crate) fn leave_to_successor(&mut self) {}

    /// Removes the name, if it is still this socket's, and not lent: from now on nobody new finds it.
    pub(crate) fn unlink(&self) {
        if self.is_in_place() && !self.is_lent {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody listens at a path. A socket that was left behind is there as well.
pub(crate) fn is_listened_at(path: &Path) -> bool {
    let connected = || {
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        // Who has a full queue is not waited for: he listens.
        ioctl_fionbio(&socket, true)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    matches!(connected(), Ok(()) | Err(Errno::AGAIN))
}

/// Leaves the caller's session, folder and descriptors behind. Standard output stays open: over
/// it the caller waits to hear that the daemon is ready.
///
/// Must be called before any thread is started and any file is opened.
pub(crate) fn detach() -> io::Result<()> {
    close_inherited_descriptors();
    // The process that was spawned ends at once, so that its parent has nothing left to wait
    // for, and the daemon is nobody's child.
    #[expect(unsafe_code, reason = "the only thread there is forks, and the parent just ends")]
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        _ => unsafe { libc::_exit(0) },
    }
    rustix::process::setsid()?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// A descriptor above 2 was inherited from a caller who forgot it; keeping it open would keep
/// that caller's pipe, lock or port open.
fn close_inherited_descriptors() {
    let Ok(entries) = fs::read_dir("/dev/fd") else { return };
    let descriptors: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in descriptors {
        #[expect(unsafe_code, reason = "nothing in this process has opened a descriptor yet")]
        // The descriptor of the listing itself is among them, and closed already.
        unsafe {
            libc::close(descriptor)
        };
    }
}

/// Points standard output to nowhere, which ends the caller's wait for more.
pub(crate) fn silence_stdout() -> io::Result<()> {
    let nowhere = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(&nowhere)?)
}

/// Lets this process have as many descriptors as it may, and tells how many that are; `None` for
/// no limit.
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current
}

/// Whether the other end belongs to the user that this daemon belongs to. Root is nobody special.
pub(crate) fn is_own_user(stream: &Stream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_creds().is_ok_and(|peer| peer.euid() == Some(own))
}

/// Whether the other end has closed the connection altogether. One that has only finished
/// sending still waits for its answer.
pub(crate) fn is_gone(stream: &Stream) -> bool {
    // Whether there is room to write is of no interest. But macOS tells of nobody's leaving who does not ask
    // for that, and of one that has only finished sending who asks for anything to read.
    let mut descriptors = [PollFd::from_borrowed_fd(descriptor(stream), PollFlags::OUT)];
    let ready = poll(&mut descriptors, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    ready.is_ok() && descriptors[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn descriptor(stream: &Stream) -> BorrowedFd<'_> {
    let Stream::UdSocket(socket) = stream;
    socket.inner().as_fd()
}

/// Resolves when a process has ended.
pub(crate) async fn ended(end: ProcessEnd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the descriptor is owned by `end` and never replaced")]
    let end = unsafe { AsyncFd::register_with_interest(end, Interest::READABLE)? };
    end.readable().await.map(drop)
}

/// Resolves when somebody asks this process to end.
pub(crate) async fn stop_signal() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that closes must not take the daemon with it when it runs in the foreground of
    // a shell that is only being left.
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = hangup.recv() => {}
        }
    }
}

/// Lets nobody else read a file that is about to be made.
pub(crate) fn private(options: &mut OpenOptions) {
    options.mode(0o600);
}
