//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    FileId, close_to_others, copy_mode, create_private, create_private_folder, look_at, see_room,
    see_users, tighten,
};
#[cfg(windows)]
pub(crate) use windows::{
    FileId, close_to_others, copy_mode, create_private, create_private_folder, look_at, see_room,
    see_users, tighten,
};
