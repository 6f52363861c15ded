//! A process that waits at a gate before it becomes the command.
//!
//! A record names the process of the command, and the command is told its record's id: so the process has
//! to be there before the record is, and the record before the command runs. The process is `argus`
//! itself at first; it waits until it is let through, and then becomes the command with pid and start
//! time unchanged. Both talk over a pair of sockets, a line of JSON each:
//!
//! 1. the waiting one tells the port that it has found and keeps others off, if it was asked for one;
//! 2. the other lets it through with what the command shall find in its environment;
//! 3. the socket closes by itself in the moment in which the process becomes the command, or
//!    carries the reason why it could not.
//!
//! If the other ends instead, the waiting one ends without having run anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};
use tokio::process::Child;

use crate::args::Gate as Arguments;

/// So often a port is looked for that nobody has registered.
const PORTS_TRIED_MAX: usize = 64;

/// What a shell's exit code is for a command that is not there, or cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// What the waiting process says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Word {
    port: Option<u16>,
    /// Why it cannot go on, and how to exit then.
    failed: Option<(String, u8)>,
}

/// What the command shall find in its environment, and what it shall not.
pub(crate) type Environment = BTreeMap<&'static str, Option<String>>;

/// Why there is no command running.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) message: String,
    /// As a shell would exit.
    pub(crate) exit_code: u8,
}

/// A process that waits at the gate. Dropping it sends the process home.
pub(crate) struct Gate {
    child: Child,
    socket: BufReader<UnixStream>,
    /// The port that it keeps off from others.
    pub(crate) port: Option<u16>,
}

impl Gate {
    /// Starts a process that will become `command`. With `taken`, it finds a free port that is none
    /// of these.
    pub(crate) fn close(command: &[OsString], taken: Option<&[u16]>) -> io::Result<Self> {
        let (own, other) = UnixStream::pair()?;
        // Nothing else is started until it is closed again, a few lines below.
        fcntl_setfd(&other, FdFlags::empty())?;
        let mut gate = Command::new(std::env::current_exe()?);
        gate.arg("gate").arg(other.as_raw_fd().to_string());
        if let Some(taken) = taken {
            gate.arg("--find-port");
            gate.args(taken.iter().map(|port| format!("--taken={port}")));
        }
        gate.arg("--").args(command);
        let child = tokio::process::Command::from(gate).spawn()?;
        drop(other);
        let mut gate = Gate { child, socket: BufReader::new(own), port: None };
        let word = gate.hear()?;
        gate.port = word.port;
        match word.failed {
            None if taken.is_some() && gate.port.is_none() => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            None => Ok(gate),
            Some((message, _)) => Err(io::Error::other(message)),
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it is not waited for before it is let through")
    }

    /// Lets the process become the command.
    pub(crate) async fn open(mut self, environment: &Environment) -> Result<Child, Failed> {
        let broken =
            |error: io::Error| Failed { message: error.to_string(), exit_code: NOT_RUNNABLE };
        let line = serde_json::to_string(environment).map_err(|error| broken(error.into()))?;
        let socket = self.socket.get_mut();
        socket.write_all(format!("{line}\n").as_bytes()).map_err(broken)?;
        match self.hear().map_err(broken)?.failed {
            None => Ok(self.child),
            Some((message, exit_code)) => {
                let _ = self.child.wait().await;
                Err(Failed { message, exit_code })
            }
        }
    }

    /// What it says next; nothing where it has closed the socket.
    fn hear(&mut self) -> io::Result<Word> {
        let mut line = String::new();
        self.socket.read_line(&mut line)?;
        if line.is_empty() { Ok(Word::default()) } else { Ok(serde_json::from_str(&line)?) }
    }
}

/// Waits at the gate, and becomes the command. Returns only where that fails.
pub(crate) fn wait_at_gate(arguments: &Arguments) -> ExitCode {
    let Some(mut socket) = inherited(arguments.socket) else {
        eprintln!("argus gate is how argus run starts a command; it is of no use by itself");
        return ExitCode::from(2);
    };
    match become_command(arguments, &mut socket) {
        // Whoever would have opened the gate has ended.
        None => ExitCode::FAILURE,
        Some((reason, code)) => {
            let failed = Some((reason, code));
            let word = serde_json::to_string(&Word { failed, ..Word::default() });
            let _ = socket.write_all(word.unwrap_or_default().as_bytes());
            ExitCode::from(code)
        }
    }
}

fn become_command(arguments: &Arguments, socket: &mut UnixStream) -> Option<(String, u8)> {
    let kept = match arguments.find_port.then(|| find_port(&arguments.taken)).transpose() {
        Ok(kept) => kept,
        Err(error) => return Some((format!("no free port: {error}"), NOT_RUNNABLE)),
    };
    let port = kept.as_ref().and_then(|kept| kept.local_addr().ok()).map(|address| address.port());
    let word = serde_json::to_string(&Word { port, ..Word::default() }).ok()?;
    socket.write_all(format!("{word}\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(&*socket).read_line(&mut line).ok()?;
    let environment: BTreeMap<String, Option<String>> = serde_json::from_str(&line).ok()?;
    let [program, rest @ ..] = &arguments.command[..] else { return None };
    let mut command = Command::new(program);
    command.args(rest);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // The listener is closed by this, and not a moment earlier: till then nobody else gets the port.
    let error = command.exec();
    let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
    Some((format!("cannot run `{}`: {error}", program.display()), code))
}

/// A free port that nobody has registered, kept.
fn find_port(taken: &[u16]) -> io::Result<TcpListener> {
    // Those that do not suit are kept until one does, or they would be found again.
    let mut unsuited = Vec::new();
    for _ in 0..PORTS_TRIED_MAX {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        if !taken.contains(&listener.local_addr()?.port()) {
            return Ok(listener);
        }
        unsuited.push(listener);
    }
    Err(io::Error::other("those that are free are registered"))
}

/// The socket that was left open for this process. It closes when this becomes the command.
fn inherited(descriptor: RawFd) -> Option<UnixStream> {
    if descriptor <= 2 || !is_socket(descriptor) {
        return None;
    }
    #[expect(unsafe_code, reason = "argus run names the descriptor that it has left open for this")]
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    fcntl_setfd(&socket, FdFlags::CLOEXEC).ok()?;
    Some(UnixStream::from(socket))
}

fn is_socket(descriptor: RawFd) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(format!("/dev/fd/{descriptor}"))
        .is_ok_and(|meta| meta.file_type().is_socket())
}
