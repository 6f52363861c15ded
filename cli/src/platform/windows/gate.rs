//! What the process that waits for a command is connected by, and how it stands for the command.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::net::TcpListener;
use std::os::windows::io::AsRawHandle;
use std::process::Command;

use argus_windows::handle;
use tokio::process::Child;

use super::{command_line, stand_in};

/// What one hears of the other, and what one tells it by.
pub(crate) type Hearing = PipeReader;
pub(crate) type Telling = PipeWriter;

/// Between the numbers of the two pipes.
const SEPARATOR: char = ',';

/// Starts what `prepare` makes of the name of the connection that it inherits.
pub(crate) fn start_waiting(
    prepare: impl FnOnce(String) -> Command,
) -> io::Result<(Child, Hearing, Telling)> {
    let (its_hearing, own_telling) = io::pipe()?;
    let (own_hearing, its_telling) = io::pipe()?;
    let mut command = tokio::process::Command::from(prepare(named(&its_hearing, &its_telling)));
    // Nothing else is started until they are closed again, a few lines below.
    handle::pass_on(&its_hearing, true)?;
    handle::pass_on(&its_telling, true)?;
    let child = command.spawn()?;
    drop((its_hearing, its_telling));
    Ok((child, own_hearing, own_telling))
}

fn named(hearing: &PipeReader, telling: &PipeWriter) -> String {
    let (hearing, telling) = (hearing.as_raw_handle().addr(), telling.as_raw_handle().addr());
    format!("{hearing}{SEPARATOR}{telling}")
}

/// The connection that was left open for this process, and is kept from all that it starts.
pub(crate) fn inherited(connection: &str) -> Option<(Hearing, Telling)> {
    let (hearing, telling) = connection.split_once(SEPARATOR)?;
    let open = |number: &str| {
        let number = number.parse().ok().filter(|number| *number > 0)?;
        handle::inherited(number).ok()
    };
    Some((open(hearing)?.into(), open(telling)?.into()))
}

/// Runs the command, and exits as it does. Returns only where it cannot be started.
pub(crate) fn stand_for(
    program: &OsString,
    prepare: impl Fn(&OsString) -> Command,
    kept: Option<TcpListener>,
    telling: Telling,
) -> (io::Error, Telling) {
    let mut telling = Some(telling);
    let start = || {
        // A port is free for two no more than a file is.
        drop(kept);
        command_line::start(program, |program| prepare(program).spawn())
    };
    // That it is closed tells that the command runs.
    let error = stand_in::run(start, || drop(telling.take()));
    (
        error,
        telling.expect("it is closed only where the command runs, and then this does not return"),
    )
}
