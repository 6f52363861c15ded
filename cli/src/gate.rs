//! A process that waits at a gate before it runs the command.
//!
//! A record names the process of the command, and the command is told its record's id: so the process has
//! to be there before the record is, and the record before the command runs. The process is `argus`
//! itself at first; it waits until it is let through, and then stands for the command with pid and start
//! time unchanged: it becomes the command, or, where no process can become another program, it lives
//! exactly as long. Both talk over a connection that only they have, a line of JSON each:
//!
//! 1. the waiting one tells the port that it has found and keeps others off, if it was asked for one;
//! 2. the other lets it through with what the command shall find in its environment;
//! 3. the connection closes in the moment in which the command runs, or carries the reason why it could
//!    not.
//!
//! If the other ends instead, the waiting one ends without having run anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};
use tokio::process::Child;

use crate::args::Gate as Arguments;
use crate::platform::{self, Hearing, Telling};

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
    hearing: BufReader<Hearing>,
    telling: Telling,
    /// The port that it keeps off from others.
    pub(crate) port: Option<u16>,
}

impl Gate {
    /// Starts a process that will run `command`. With `taken`, it finds a free port that is none
    /// of these.
    pub(crate) fn close(command: &[OsString], taken: Option<&[u16]>) -> io::Result<Self> {
        let executable = std::env::current_exe()?;
        let (child, hearing, telling) = platform::start_waiting(|connection| {
            let mut gate = Command::new(executable);
            gate.arg("gate").arg(connection);
            if let Some(taken) = taken {
                gate.arg("--find-port");
                gate.args(taken.iter().map(|port| format!("--taken={port}")));
            }
            gate.arg("--").args(command);
            gate
        })?;
        let mut gate = Gate { child, hearing: BufReader::new(hearing), telling, port: None };
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

    /// Lets the process run the command.
    pub(crate) async fn open(mut self, environment: &Environment) -> Result<Child, Failed> {
        let broken =
            |error: io::Error| Failed { message: error.to_string(), exit_code: NOT_RUNNABLE };
        let line = serde_json::to_string(environment).map_err(|error| broken(error.into()))?;
        self.telling.write_all(format!("{line}\n").as_bytes()).map_err(broken)?;
        match self.hear().map_err(broken)?.failed {
            None => Ok(self.child),
            Some((message, exit_code)) => {
                let _ = self.child.wait().await;
                Err(Failed { message, exit_code })
            }
        }
    }

    /// What it says next; nothing where it has closed the connection.
    fn hear(&mut self) -> io::Result<Word> {
        let mut line = String::new();
        self.hearing.read_line(&mut line)?;
        if line.is_empty() { Ok(Word::default()) } else { Ok(serde_json::from_str(&line)?) }
    }
}

/// Waits at the gate, and runs the command. Returns only where that fails.
pub(crate) fn wait_at_gate(arguments: &Arguments) -> ExitCode {
    let Some((hearing, telling)) = platform::inherited(&arguments.connection) else {
        eprintln!("argus gate is how argus run starts a command; it is of no use by itself");
        return ExitCode::from(2);
    };
    let Some((reason, code, mut telling)) = run_command(arguments, hearing, telling) else {
        // Whoever would have opened the gate has ended.
        return ExitCode::FAILURE;
    };
    let word = serde_json::to_string(&Word { failed: Some((reason, code)), ..Word::default() });
    let _ = telling.write_all(word.unwrap_or_default().as_bytes());
    ExitCode::from(code)
}

fn run_command(
    arguments: &Arguments,
    hearing: Hearing,
    mut telling: Telling,
) -> Option<(String, u8, Telling)> {
    let kept = match arguments.find_port.then(|| find_port(&arguments.taken)).transpose() {
        Ok(kept) => kept,
        Err(error) => return Some((format!("no free port: {error}"), NOT_RUNNABLE, telling)),
    };
    let port = kept.as_ref().and_then(|kept| kept.local_addr().ok()).map(|address| address.port());
    let word = serde_json::to_string(&Word { port, ..Word::default() }).ok()?;
    telling.write_all(format!("{word}\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(hearing).read_line(&mut line).ok()?;
    let environment: BTreeMap<String, Option<String>> = serde_json::from_str(&line).ok()?;
    let [program, rest @ ..] = &arguments.command[..] else { return None };
    let prepare = |program: &OsString| {
        let mut command = Command::new(program);
        command.args(rest);
        for (name, value) in &environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    };
    let (error, telling) = platform::stand_for(program, prepare, kept, telling);
    let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
    Some((format!("cannot run `{}`: {error}", program.display()), code, telling))
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
