//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

// Of Unix more than every system has: signals and terminals, for the tests of these.
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// What changes about a file when it is written, and when another takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// The same for as long as it is the same file.
    pub identity: (u64, u64),
    /// When its content was changed.
    pub modified: i64,
    /// When anything about it was changed.
    pub changed: i64,
}
