//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    Binding, Stream, detach, is_gone, is_own_user, peer_pid, private, raise_descriptor_limit,
    silence_stdout, stop_signal,
};
