//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    Ending, Environment, Failed, Forwarding, Gate, Suspending, become_process, edit, editor,
    parent_pid, private_file, service_manager, wait_at_gate,
};
