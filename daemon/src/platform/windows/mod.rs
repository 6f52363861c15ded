//! Windows: named pipes, console events.

mod handover;

use std::fs::OpenOptions;
use std::future::pending;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, iter};

use argus_presence::ProcessEnd;
use argus_windows::pipe;
use argus_windows::security;
use futures_util::future::select_all;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::tokio::prelude::*;
use interprocess::os::windows::named_pipe::tokio::PipeListener;
use interprocess::os::windows::named_pipe::{PipeListenerOptions, pipe_mode::Bytes};
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use tokio::signal::windows;
use tokio::sync::oneshot;
use widestring::U16CString;

pub(crate) use argus_windows::pipe::is_listened_at;
pub(crate) use argus_windows::start::silence_stdout;
pub(crate) use handover::{Predecessor, Socket, hand_over};
pub(crate) use interprocess::local_socket::tokio::Stream;

/// How many can connect while this daemon is busy, until it accepts the first of them: a pipe has no queue, and
/// who finds none that is free may be told that nobody takes his connection.
const QUEUE: usize = 8;

/// A pipe that we listen on.
pub(crate) struct Binding {
    /// Each with an instance that nobody has connected to yet. None where a successor listens already.
    listeners: Vec<Listener>,
    /// Which of them is looked at first: each in turn, so that no one's caller waits for ever.
    first: AtomicUsize,
}

impl Binding {
    /// Listens at `path`. Only who holds the owner lock calls this, since Windows would let others
    /// of the same user listen there as well.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Self::inherit(path, pipe::listen(path)?)
    }

    /// Goes on with an instance of the pipe that was made while the daemon before still served.
    pub(crate) fn inherit(path: &Path, socket: Socket) -> io::Result<Self> {
        let rules = U16CString::from_str(security::pipe_rules()?).map_err(io::Error::other)?;
        let options = PipeListenerOptions::new()
            .path(path)
            .input_buffer_size_hint(pipe::BUFFER_BYTES)
            .output_buffer_size_hint(pipe::BUFFER_BYTES)
            .security_descriptor(Some(SecurityDescriptor::deserialize(&rules)?))
            .to_owned()?;
        let more = (1..QUEUE).map(|_| pipe::listen(path));
        let listeners = iter::once(Ok(socket)).chain(more).map(|instance| {
            let options = options.to_owned()?;
            let listener =
                PipeListener::<Bytes, Bytes>::from_handle_and_options(instance?, options)?;
            Ok(Listener::NamedPipe(listener.into()))
        });
        let listeners = listeners.collect::<io::Result<_>>()?;
        Ok(Binding { listeners, first: AtomicUsize::new(0) })
    }

    /// As [`Binding::inherit`]; nobody lends a pipe here.
    pub(crate) fn borrow(path: &Path, socket: Socket) -> io::Result<Self> {
        Self::inherit(path, socket)
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        if self.listeners.is_empty() {
            return pending().await;
        }
        let first = self.first.fetch_add(1, Ordering::Relaxed) % self.listeners.len();
        let (last, first) = self.listeners.split_at(first);
        let in_turn = first.iter().chain(last);
        // Giving up those that are not ready loses nobody: who has connected is still there.
        select_all(in_turn.map(|listener| Box::pin(listener.accept()))).await.0
    }

    /// A pipe is there for as long as somebody listens.
    pub(crate) fn is_in_place(&self) -> bool {
        true
    }

    /// Lets those who connect now find the successor, who listens already.
    pub(crate) fn leave_to_successor(&mut self) {
        self.listeners.clear();
    }

    /// Nothing to remove: the name goes with the last instance.
    pub(crate) fn unlink(&self) {}
}

/// Nothing to leave behind: whoever started this one has given it nothing else.
pub(crate) fn detach() -> io::Result<()> {
    Ok(())
}

/// Windows has no limit that would count.
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// The process at the other end.
pub(crate) fn peer_pid(stream: &Stream) -> Option<u32> {
    stream.peer_creds().ok()?.pid()
}

/// Whether the other end belongs to the user that this daemon belongs to: nobody else may open the
/// pipe.
pub(crate) fn is_own_user(_stream: &Stream) -> bool {
    true
}

/// Whether the other end has closed the connection altogether.
pub(crate) fn is_gone(stream: &Stream) -> bool {
    let Stream::NamedPipe(stream) = stream;
    pipe::is_gone(stream.inner())
}

/// Resolves when a process has ended.
pub(crate) async fn ended(end: ProcessEnd) -> io::Result<()> {
    let (sender, told) = oneshot::channel();
    let _waiting = end.when_ended(move || sender.send(()).unwrap_or_default())?;
    told.await.map_err(io::Error::other)
}

/// Resolves when somebody asks this process to end.
pub(crate) async fn stop_signal() -> io::Result<&'static str> {
    let mut interrupt = windows::ctrl_c()?;
    let mut stop = windows::ctrl_break()?;
    let mut close = windows::ctrl_close()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    tokio::select! {
        _ = interrupt.recv() => Ok("Ctrl-C"),
        _ = stop.recv() => Ok("Ctrl-Break"),
        _ = close.recv() => Ok("its console was closed"),
        _ = shutdown.recv() => Ok("the system shuts down"),
    }
}

/// The log is as private as the folder that it is in.
pub(crate) fn private(_options: &mut OpenOptions) {}

/// Windows' services are not started by who connects.
pub(crate) fn lent_socket(_path: &Path) -> io::Result<Option<Socket>> {
    Ok(None)
}

/// Nobody waits for it.
pub(crate) fn tell_service_manager_ready() {}
