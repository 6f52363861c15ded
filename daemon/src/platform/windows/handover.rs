//! Passing the pipe on to the next daemon.
//!
//! A pipe may have instances of several processes: the next daemon makes its own while the first one
//! still serves, so that the name never goes. The owner lock cannot be passed on; the next daemon
//! takes it when the first one has ended, before it serves anybody.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::OwnedHandle;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use argus_windows::{pipe, security};

use super::{Binding, Stream};

/// An instance of the pipe to which nobody has connected yet.
pub(crate) type Socket = OwnedHandle;

/// All instances of a pipe are taken for the moment.
const ERROR_PIPE_BUSY: i32 = 231;
/// How long to wait before it is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Nothing is passed on but by ending.
pub(crate) fn hand_over(_successor: &Stream, _lock: &File, _binding: &Binding) -> io::Result<()> {
    Ok(())
}

/// The daemon that serves now, as the next one sees it.
pub(crate) struct Predecessor {
    pipe: File,
    path: PathBuf,
    patience: Duration,
    socket: Option<Socket>,
}

impl Predecessor {
    /// Connects to it; `None` where nobody listens. Each step takes at most `patience`.
    pub(crate) fn connect(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let mut waited = Duration::ZERO;
        let pipe = loop {
            match File::options().read(true).write(true).open(path) {
                Ok(pipe) => break pipe,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error)
                    if error.raw_os_error() == Some(ERROR_PIPE_BUSY) && waited < patience =>
                {
                    thread::sleep(BUSY_PAUSE);
                    waited += BUSY_PAUSE;
                }
                Err(error) => return Err(error),
            }
        };
        if !security::is_own(&security::owner_of_pipe(&pipe)?)? {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Some(Predecessor { pipe, path: path.to_owned(), patience, socket: None }))
    }

    /// Listens as well, so that the name stays when the other one stops.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        self.socket = Some(pipe::listen(&self.path)?);
        Ok(())
    }

    /// Sends a line, and reads the one that answers it.
    pub(crate) fn ask(&mut self, line: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.pipe.write_all(format!("{line}\n").as_bytes())?;
        let mut answer = self.read(move |mut pipe| {
            let (mut answer, mut byte) = (Vec::new(), [0]);
            // Nothing beyond the line is read: it would belong to the next answer.
            while answer.len() <= bytes_max {
                pipe.read_exact(&mut byte)?;
                answer.push(byte[0]);
                if byte[0] == b'\n' {
                    return Ok(answer);
                }
            }
            Err(io::ErrorKind::InvalidData.into())
        })?;
        answer.pop();
        Ok(answer)
    }

    /// Waits for its end. `None` where nothing was prepared.
    pub(crate) fn inherit(mut self) -> io::Result<Option<(Option<File>, Socket)>> {
        // It says nothing more, and closes the pipe when it ends.
        self.read(|mut pipe| pipe.read_to_end(&mut Vec::new()).or(Ok(0)))?;
        Ok(self.socket.take().map(|socket| (None, socket)))
    }

    /// Reads on a thread, since a pipe that was opened so knows no time limits. Where the time runs
    /// out the thread stays behind, for as long as this process has until it gives up.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, told) = mpsc::channel();
        let pipe = self.pipe.try_clone()?;
        thread::spawn(move || sender.send(read(pipe)).unwrap_or_default());
        told.recv_timeout(self.patience).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
