//! A socket, without anything between it and the test.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::rpc::Rpc;

/// A connection to whoever listens at a path.
#[derive(Debug)]
pub struct Connection(UnixStream);

impl Connection {
    /// Connects. Whoever reads from it waits for so long, and then has an error.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Connection(stream))
    }

    /// Lets whoever writes wait for no longer than this for a reader.
    pub fn set_write_timeout(&self, patience: Duration) {
        self.0.set_write_timeout(Some(patience)).expect("a socket takes a timeout");
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rpc {
    /// Says that nothing more will be sent; answers still arrive.
    pub fn finish_sending(&mut self) {
        let _ = self.reader.get_mut().0.shutdown(Shutdown::Write);
    }
}

/// Whether there is anything to connect to.
pub fn has_listener(path: &Path) -> bool {
    path.exists()
}
