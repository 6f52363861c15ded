//! The socket's own round trip: a process that answers so many bytes with so many others, and does
//! nothing else. It blocks in a thread for each connection: the fewest system calls there can be.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use argus_store::{Folder, Paths};
use argus_tests::{Connection, DEADLINE, TestContext, until};
use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, Stream};

use crate::connection::FrameBytes;

/// The first argument of the process that answers.
pub(crate) const ROLE: &str = "--as-echo";

/// The process that answers. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Echo {
    process: Child,
    socket: PathBuf,
}

impl Echo {
    /// Starts it.
    pub(crate) fn start(context: &TestContext) -> Self {
        // Where a daemon of that registry would listen.
        let paths = Paths::new(&context.home().join("echo.json")).expect("a path");
        Folder::create(&paths).expect("own folder");
        let socket = paths.socket();
        let executable = std::env::current_exe().expect("a program knows its own path");
        let process = Command::new(executable)
            .arg(ROLE)
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()
            .expect("this program can be run again");
        until("the echo listens", || Connection::open(&socket, DEADLINE).ok());
        Echo { process, socket }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Connects, and says how large the frames will be.
pub(crate) fn connect(socket: &Path, frame_bytes: FrameBytes) -> Connection {
    let mut stream = Connection::open(socket, DEADLINE).expect("the echo listens");
    for bytes in [frame_bytes.request, frame_bytes.answer] {
        stream.write_all(&(bytes as u64).to_be_bytes()).expect("the echo reads");
    }
    stream
}

/// The process itself: serves until it is killed.
pub(crate) fn run(socket: &Path) {
    let name = socket.to_fs_name::<GenericFilePath>().expect("a name");
    let listener = ListenerOptions::new().name(name).create_sync();
    let listener = listener.expect("nobody else listens there");
    for stream in listener.incoming() {
        let stream = stream.expect("a connection is taken");
        std::thread::spawn(move || {
            // An error is the client, which has gone.
            let _ = answer(stream);
        });
    }
}

fn answer(mut stream: Stream) -> std::io::Result<()> {
    let mut request = vec![0; read_length(&mut stream)?];
    let answer = vec![b'x'; read_length(&mut stream)?];
    loop {
        stream.read_exact(&mut request)?;
        stream.write_all(&answer)?;
    }
}

fn read_length(stream: &mut Stream) -> std::io::Result<usize> {
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    Ok(u64::from_be_bytes(length) as usize)
}
