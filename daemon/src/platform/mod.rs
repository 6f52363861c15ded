//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    Binding, Predecessor, Socket, Stream, detach, ended, hand_over, is_gone, is_listened_at,
    is_own_user, lent_socket, peer_pid, private, raise_descriptor_limit, silence_stdout,
    stop_signal, tell_service_manager_ready,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    Binding, Predecessor, Socket, Stream, detach, ended, hand_over, is_gone, is_listened_at,
    is_own_user, lent_socket, peer_pid, private, raise_descriptor_limit, silence_stdout,
    stop_signal, tell_service_manager_ready,
};
