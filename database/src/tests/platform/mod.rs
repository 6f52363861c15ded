//! What differs between operating systems.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::is_private;
#[cfg(windows)]
pub(super) use windows::is_private;
