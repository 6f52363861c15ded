//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    EDITOR_BY_DEFAULT, Ending, Forwarding, Hearing, NO_PARENT, Suspending, Telling, advice,
    become_process, create_private_folder, edit, inherited, parent_pid, private, service_manager,
    stand_for, start_waiting,
};
#[cfg(windows)]
pub(crate) use windows::{
    EDITOR_BY_DEFAULT, Ending, Forwarding, Hearing, NO_PARENT, Suspending, Telling, advice,
    become_process, create_private_folder, edit, inherited, parent_pid, private, service_manager,
    stand_for, start_waiting,
};
