//! macOS: the kernel names a sender also for what a terminal sends, so that it has to be guessed.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;

/// Where the signals of one kind come from.
pub(super) struct Origin {
    is_of_a_key: bool,
}

impl Origin {
    /// Watches from here on.
    pub(super) fn of(signal: Signal) -> io::Result<Self> {
        Ok(Origin { is_of_a_key: matches!(signal, Signal::INT | Signal::QUIT) })
    }

    /// Whether somebody sent one of those that came since this was asked before, and not a terminal. What
    /// a key sends is taken for one where there are keys. A terminal that is closed says so once, and
    /// whoever is told it again has nothing to do.
    pub(super) fn is_sender(&self) -> bool {
        !(self.is_of_a_key && is_in_front())
    }
}

/// Whether the keys of a terminal are meant for this program.
fn is_in_front() -> bool {
    // Waits for no terminal that is about to go.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let terminal = OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(&terminal) == Ok(getpgrp()))
}
