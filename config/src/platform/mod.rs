//! What differs between operating systems, behind types that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{EXAMPLE_URI, Identity, path_of, text_of};
#[cfg(windows)]
pub(crate) use windows::{EXAMPLE_URI, Identity, path_of, text_of};
