//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    FileId, close_to_others, copy_mode, create_private, create_private_folder, tighten,
};
