//! What only some operating systems have.

#[cfg(unix)]
mod unix;
