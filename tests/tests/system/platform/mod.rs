//! What only some operating systems have.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
