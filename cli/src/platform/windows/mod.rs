//! Windows: parents, standing for another program, and being asked to end.

pub(crate) mod advice;
mod command_line;
mod editor;
mod gate;
mod signals;
mod stand_in;

use std::io;
use std::process::Command;

pub(crate) use editor::{EDITOR_BY_DEFAULT, create_private_folder, edit, private};
pub(crate) use gate::{Hearing, Telling, inherited, stand_for, start_waiting};
pub(crate) use signals::{Ending, Forwarding, Suspending};

use crate::service::Manager;

/// Why nobody can be named who called this process.
pub(crate) const NO_PARENT: &str = "the process that called argus has ended already";

/// The process that called this one; 0 where that has ended.
pub(crate) fn parent_pid() -> u32 {
    argus_windows::process::parent_pid().unwrap_or(0)
}

/// Lets another program stand in for this process: it exits as that does. Returns only where that fails.
pub(crate) fn become_process(command: &mut Command) -> io::Error {
    stand_in::run(|| command.spawn(), || {})
}

/// Who starts the services of a user here.
pub(crate) fn service_manager() -> Option<Manager> {
    None
}
