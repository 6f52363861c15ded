//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::quoted;
#[cfg(windows)]
pub use windows::quoted;
