//! Passing the owner lock and the socket on to the next daemon, so that neither is free or gone
//! for a moment: both daemons have them open, until the first one ends.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::{GenericFilePath, Stream as BlockingStream, prelude::*};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
};

use interprocess::local_socket::tokio::Listener;

use super::{Binding, Socket, Stream, descriptor};

/// What travels with the descriptors: at least one byte has to.
const MARK: &[u8] = b"\n";
/// The lock's and the socket's.
const DESCRIPTORS: usize = 2;

/// Sends the lock and the socket to the next daemon.
pub(crate) fn hand_over(successor: &Stream, lock: &File, binding: &Binding) -> io::Result<()> {
    let Listener::UdSocket(listener) = &binding.listener;
    let descriptors = [lock.as_fd(), listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let mark = [IoSlice::new(MARK)];
    sendmsg(descriptor(successor), &mark, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The daemon that serves now, as the next one sees it.
pub(crate) struct Predecessor(BlockingStream);

impl Predecessor {
    /// Connects to it; `None` where nobody listens. Each step takes at most `patience`.
    pub(crate) fn connect(socket: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let stream = match BlockingStream::connect(socket.to_fs_name::<GenericFilePath>()?) {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if stream.peer_creds()?.euid() != Some(rustix::process::geteuid().as_raw()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_recv_timeout(Some(patience))?;
        stream.set_send_timeout(Some(patience))?;
        Ok(Some(Predecessor(stream)))
    }

    /// Sends a line, and reads the one that answers it. Reads no byte beyond it: what travels with
    /// that would be lost.
    pub(crate) fn ask(&mut self, line: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.0.write_all(format!("{line}\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            let BlockingStream::UdSocket(stream) = &self.0;
            let (there, _) = recv(stream, &mut chunk[..], RecvFlags::PEEK)?;
            let end = chunk[..there].iter().position(|byte| *byte == b'\n');
            let used = end.map_or(there, |end| end + 1);
            if used == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.0.read_exact(&mut chunk[..used])?;
            answer.extend_from_slice(&chunk[..end.unwrap_or(used)]);
            if end.is_some() {
                return Ok(answer);
            }
            if answer.len() > bytes_max {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Nothing has to be there before it is asked to hand over.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Waits for lock and socket; `None` where it ends without them.
    pub(crate) fn inherit(self) -> io::Result<Option<(Option<File>, Socket)>> {
        let mut mark = [0; MARK.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let BlockingStream::UdSocket(stream) = &self.0;
        let flags = RecvFlags::CMSG_CLOEXEC;
        recvmsg(stream, &mut [IoSliceMut::new(&mut mark)], &mut ancillary, flags)?;
        let mut descriptors = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => rights.collect(),
            _ => Vec::new(),
        });
        let (lock, socket) = (descriptors.next(), descriptors.next());
        Ok(lock.map(|lock| Some(File::from(lock))).zip(socket))
    }
}
