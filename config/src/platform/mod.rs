//! What differs between operating systems, behind types that promise the same.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::Identity;
#[cfg(unix)]
pub(crate) use unix::Identity;
